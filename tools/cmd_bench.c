/* tandem bench: the replay and sweep cases of scenarios/bench, one JSON line
 * each.
 * cpu_s is this process's CPU time around the simulation alone: cards, fits and
 * price tables are built before the clock starts.  A replay is run a few times
 * and the fastest counts: the work is the same, what differs is the machine.
 *
 * The yardstick is a fixed integer-and-memory kernel timed right before each
 * case.  requests_per_yardstick are the requests replayed in the CPU time of a
 * million of its steps: a busy or slow machine moves both, so that this figure,
 * not the absolute one, is what two commits are compared by. */
#include "sim/base/json.h"
#include "sim/plan/crew.h"
#include "sim/plan/trial.h"
#include "tools/cmd.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double maxrss_mb(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)r.ru_maxrss / 1024;
}

/* Random walk over 1 MiB with integer mixing: ns per step. */
static double yardstick_ns(void)
{
    enum { WORDS = 1 << 17, STEPS = 20000000 };
    static uint64_t memory[WORDS];
    uint64_t x = 88172645463325252ULL;
    double begun = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < STEPS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memory[x % WORDS] += x;
    }
    double spent = clock_s(CLOCK_PROCESS_CPUTIME_ID) - begun;
    return memory[x % WORDS] ? spent / STEPS * 1e9 : 0;
}

enum { REPEATS = 3 };
#define ENOUGH_S 3.0 /* of CPU time for one case */

/* CPU seconds of the fastest of some runs of trial 0; t is its outcome. */
static double replay_s(const struct space *sp, struct trial *t)
{
    double best = 0, sum = 0;
    for (int i = 0; i < REPEATS && sum < ENOUGH_S; i++) {
        struct arena *a = arena_open();
        double begun = clock_s(CLOCK_PROCESS_CPUTIME_ID);
        trial_run(sp, 0, false, a, t);
        double cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - begun;
        arena_close(a);
        sum += cpu;
        if (i == 0 || cpu < best)
            best = cpu;
    }
    return best;
}

static bool space_of(struct cmd_session *ses, const char *name,
                     struct scenario *s, struct space *sp, struct err *e)
{
    const char *path = arena_fmt(ses->a, "%s/scenarios/bench/%s.json",
                                 ses->data, name);
    return cmd_scenario(ses, path, s, e) && space_build(s, ses->a, sp, e);
}

static bool replay(struct cmd_session *ses, const char *name, struct err *e)
{
    struct scenario s;
    struct space sp;
    struct trial t;
    if (!space_of(ses, name, &s, &sp, e))
        return false;
    double yard = yardstick_ns(), cpu = replay_s(&sp, &t);
    if (!t.ok)
        return err_set(e, ERR_INPUT, "%s: %s", name, t.why);
    double n = (double)t.out.requests;
    printf("{\"bench\": \"replay\", \"case\": \"%s\", \"requests\": %.0f, "
           "\"cpu_s\": %.3f, \"requests_per_cpu_s\": %.0f, "
           "\"requests_per_yardstick\": %.1f, "
           "\"engine_steps_per_cpu_s\": %.0f, \"events_per_cpu_s\": %.0f, "
           "\"maxrss_mb\": %.1f, \"yardstick_ns\": %.2f}\n",
           name, n, cpu, n / cpu, n / cpu * yard * 1e-3,
           (double)t.out.steps / cpu, (double)t.out.events / cpu, maxrss_mb(),
           yard);
    return fflush(stdout) == 0;
}

struct sweep {
    struct space sp;
    int64_t requests, refused;
};

static void work(void *ctx, size_t i, struct arena *a, void *result)
{
    struct sweep *w = ctx;
    trial_run(&w->sp, i, false, a, result);
}

static bool emit(void *ctx, size_t i, const void *result, struct err *e)
{
    struct sweep *w = ctx;
    const struct trial *t = result;
    (void)i;
    (void)e;
    w->requests += t->ok ? t->out.requests : 0;
    w->refused += !t->ok;
    return true;
}

static bool sweep(struct cmd_session *ses, const char *name, struct err *e)
{
    struct scenario s;
    struct sweep w = {0};
    if (!space_of(ses, name, &s, &w.sp, e))
        return false;
    struct crew_job job = {.n = w.sp.n * w.sp.points,
                           .workers = cmd_jobs(ses->c),
                           .size = sizeof(struct trial),
                           .ctx = &w,
                           .work = work,
                           .emit = emit};
    double yard = yardstick_ns();
    double wall = clock_s(CLOCK_MONOTONIC);
    double cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (!crew_run(&job, e))
        return false;
    wall = clock_s(CLOCK_MONOTONIC) - wall;
    cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"bench\": \"sweep\", \"case\": \"%s\", \"topologies\": %zu, "
           "\"trials\": %zu, \"refused\": %lld, \"requests\": %lld, "
           "\"wall_s\": %.2f, \"cpu_s\": %.2f, "
           "\"requests_per_cpu_s\": %.0f, \"requests_per_yardstick\": %.1f, "
           "\"maxrss_mb\": %.1f, \"jobs\": %d, \"yardstick_ns\": %.2f}\n",
           name, w.sp.n, job.n, (long long)w.refused, (long long)w.requests,
           wall, cpu, (double)w.requests / cpu,
           (double)w.requests / cpu * yard * 1e-3, maxrss_mb(), job.workers,
           yard);
    return fflush(stdout) == 0;
}

static bool bench_all(struct cmd_session *ses, const char *only, struct err *e)
{
    static const char *const cases[] = {"agg-tp1-c4",
                                        "agg-tp1-c64",
                                        "agg-tp1-c512",
                                        "2p-tp1-1d-tp2-c64",
                                        "8p-tp1-4d-tp2-poisson40",
                                        "16x-agg-tp1-poisson",
                                        "mooncake-prefix"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if ((!only || strcmp(only, cases[i]) == 0) && !replay(ses, cases[i], e))
            return false;
    return (only && strcmp(only, "5000x10x2000") != 0)
        || sweep(ses, "5000x10x2000", e);
}

struct bench_options {
    struct cmd_common c;
    const char *only;
};

static error_t bench_parse(int key, char *arg, struct argp_state *state)
{
    struct bench_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case ARGP_KEY_ARG:
        o->only = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int bench_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.parser = bench_parse,
                        .args_doc = "[CASE]",
                        .doc = "Times the simulator on scenarios/bench and "
                               "prints a JSON line a case.",
                        .children = child};
    struct bench_options o = {0};
    struct cmd_session ses;
    struct err e = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cmd_open(&ses, &o.c, &e))
        return cmd_fail(&e);
    bool ok = bench_all(&ses, o.only, &e);
    cmd_close(&ses);
    return ok ? 0 : cmd_fail(&e);
}

const struct cmd cmd_bench = {"bench", "how fast it simulates on this machine",
                              bench_main};
