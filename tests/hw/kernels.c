/* Every kernel against the reference, at awkward sizes, on what there is: the
 * emulator with either platform's layouts (built on the spot by g++), and a
 * real device where a plug-in finds one.  kernels [PLUG-IN...] checks those
 * alone, and with KERNELS_ONLY=text the cases whose line begins so.  Timing is
 * nothing of this test. */
#include "calibrate/gpu/cases.h"
#include "calibrate/gpu/check.h"
#include "tests/t.h"

#include <time.h>

enum { SEED = 7, TURNS = 2 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* false: wrong, with a line that says so. */
static bool one(struct gpu *g, struct bed *b, const struct cases_one *c)
{
    char name[160];
    struct err e = {ERR_NONE, ""};
    struct call call = c->call;
    struct check k = {.spans = 0, .seed = SEED};
    struct arena *a = arena_open();
    int turns;
    const char *only = getenv("KERNELS_ONLY");
    double t0 = now();
    cases_name(&call, name, sizeof name);
    if (only && strncmp(name, only, strlen(only)) != 0) {
        arena_close(a);
        return true;
    }
    const char *lacks = g->p->lacks(&call);
    if (lacks) {
        printf("%-6s %s: %s\n", "lacks", name, lacks);
        arena_close(a);
        return true;
    }
    bool ok = bed_reserve(b, &call, c->routing, TURNS, &turns, &e);
    for (int t = turns - 1; ok && t >= 0; t--) {
        bed_place(b, &call, t);
        ok = check_call(g, &call, NULL, &k, a, &e);
    }
    printf("%-6s %s: ", ok ? "ok" : "WRONG", name);
    if (ok)
        printf("worst %.2f of its slack (%.1f s)\n", k.worst, now() - t0);
    else
        printf("%s\n", e.text);
    fflush(stdout);
    arena_close(a);
    return ok;
}

static int plug_in(const char *path)
{
    static const char *const folders[] = {"build/gpu", NULL};
    struct err e = {ERR_NONE, ""};
    struct gpu g;
    int wrong = 0;
    if (!gpu_hip_open(&g, path, folders, &e)) {
        printf("skip: %s\n", e.text);
        return -1;
    }
    printf("-- %s on %s\n", g.p->name, g.info.name);
    struct arena *a = arena_open();
    struct bed *b = bed_open(&g, 0, SEED, a);
    for (const struct cases_one *c = cases_all; c->call.op != CALL_N; c++)
        wrong += !one(&g, b, c);
    bed_close(b);
    arena_close(a);
    gpu_hip_close(&g);
    return wrong;
}

/* -1: could not be built, or there is no device. */
static int emulated(const char *lanes)
{
    char command[256], path[64];
    snprintf(path, sizeof path, "build/gpu/emu-%s.so", lanes);
    snprintf(command, sizeof command,
             "mkdir -p build/gpu && tools/hip/build.sh emu-%s %s", lanes, path);
    return system(command) == 0 ? plug_in(path) : -1;
}

int main(int argc, char **argv)
{
    int wrong = 0, ran = 0, result[3] = {-1, -1, -1};
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            wrong += plug_in(argv[i]) != 0;
        return wrong != 0;
    }
    result[0] = emulated("32");
    result[1] = emulated("64");
    result[2] = plug_in(NULL);
    for (int i = 0; i < 3; i++) {
        ran += result[i] >= 0;
        wrong += result[i] > 0 ? result[i] : 0;
    }
    if (!ran)
        printf("skip: no device and no g++\n");
    return wrong ? 1 : ran ? 0 : T_SKIPPED;
}
