/* All-reduce over several devices: the emulator's, whose kernels meet each
 * other as on a node, and real ones where there are two.  Pins the host's side
 * (peers, ranks, graphs replayed together) and that a finished table is not
 * measured again; says nothing of speed. */
#include "calibrate/gpu/reduce.h"
#include "tests/t.h"

static const struct bench_rule quick = {
    .warm_s = 0,
    .sample_s = 0,
    .settle = 1,
    .max_s = 0,
    .min_n = 2,
    .max_n = 2,
};

/* -1: there is nothing to run on; else the number of complaints. */
static int on(const char *plug_in, int most_ranks)
{
    static const char *const folders[] = {"build/gpu", NULL};
    struct err e = {ERR_NONE, ""};
    struct gpu g;
    size_t rows = 0, again = 1;
    if (!gpu_hip_open(&g, plug_in, folders, &e)) {
        printf("skip: %s\n", e.text);
        return -1;
    }
    struct arena *a = arena_open();
    char *dir = t_dir();
    struct timer t = {
        .g = &g,
        .rule = &quick,
        .meter = meter_open(g.info.pci, g.info.arch, a),
    };
    struct reduce_ask ask = {dir, "test", "2000-01-01", 4096, most_ranks};
    bool ok = reduce_run(&t, &ask, &rows, &e);
    bool absent = !ok && e.kind == ERR_ABSENT;
    printf("%s: %zu rows; %s\n", g.p->name, rows, ok ? "ok" : e.text);
    if (ok && !reduce_run(&t, &ask, &again, &e))
        printf("the second time: %s\n", e.text);
    meter_close(t.meter);
    t_undir(dir);
    arena_close(a);
    gpu_hip_close(&g);
    return absent ? -1 : !ok || rows == 0 || again != 0;
}

static int emulated(const char *lanes, int most_ranks)
{
    char command[256], path[64];
    snprintf(path, sizeof path, "build/gpu/emu-%s.so", lanes);
    snprintf(command, sizeof command,
             "mkdir -p build/gpu && tools/hip/build.sh emu-%s %s", lanes, path);
    setenv("EMU_DEVICES", "4", 1);
    return system(command) == 0 ? on(path, most_ranks) : -1;
}

int main(void)
{
    int result[] = {emulated("32", 4), emulated("64", 2), on(NULL, CALL_RANKS)};
    int ran = 0, wrong = 0;
    for (int i = 0; i < 3; i++) {
        ran += result[i] >= 0;
        wrong += result[i] > 0;
    }
    if (!ran)
        printf("skip: no two devices and no g++\n");
    return wrong ? 1 : ran ? 0 : T_SKIPPED;
}
