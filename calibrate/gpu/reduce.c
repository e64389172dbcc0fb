#include "calibrate/gpu/reduce.h"

#include "calibrate/gpu/check.h"

enum {
    NODES = 20,
    SPANS = 64, /* compared on a rank */
    BEGIN = 0,
    END = 1,
    BYTES_MIN = 4096,
};

static const char columns[] = "collective,algo,algorithm,mode,dtype,gpus,bytes";

/* The ranks and their memory. */
struct ring {
    struct timer *t;
    const struct reduce_ask *ask;
    struct gpu gpu[CALL_RANKS];
    int n; /* devices open */
    struct call call;
    struct plugin_graph *graph[CALL_RANKS];
};

static const struct {
    enum call_reduce_kind kind;
    const char *algo, *name;
} kinds[] = {
    {CALL_ONE_SHOT, "custom", "one_shot"},
    {CALL_TWO_STAGE, "custom", "two_stage"},
    {CALL_INT4, "qr_int4", "int4_two_stage"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- devices and memory ---- */

static bool open_rank(struct ring *r, int k, struct err *e)
{
    struct gpu *g = &r->gpu[k];
    if (!gpu_hip_another(r->t->g, k, g, e))
        return false;
    r->n = k + 1;
    for (int i = 0; i < k; i++)
        if (g->p->peer(g->d, r->gpu[i].d, &g->why) != 0
            || g->p->peer(r->gpu[i].d, g->d, &g->why) != 0)
            return err_set(e, ERR_ABSENT, "devices %d and %d: %s", i, k,
                           g->why);
    return true;
}

static struct call largest(const struct ring *r)
{
    struct call c = {.op = CALL_REDUCE};
    c.reduce.kind = CALL_INT4;
    c.reduce.ranks = r->n;
    c.reduce.elements = r->ask->most_bytes / 2;
    return c;
}

static bool give_memory(struct ring *r, int k, struct err *e)
{
    struct gpu *g = &r->gpu[k];
    struct call_reduce *c = &r->call.reduce;
    struct call big = largest(r);
    size_t bytes = r->ask->most_bytes, stage = g->p->work(g->d, &big);
    struct fill f = {FILL_BF16, 0, 100u + (uint32_t)k, 0};
    void *x, *flags;
    if (stage < bytes)
        stage = bytes;
    if (!GPU_DO(g, e, take_shared, bytes, &x)
        || !GPU_DO(g, e, take, bytes, &c->y[k])
        || !GPU_DO(g, e, take_shared, stage, &c->stage[k])
        || !GPU_DO(g, e, take_shared, CALL_REDUCE_FLAGS * sizeof(uint32_t),
                   &flags))
        return false;
    c->x[k] = (struct call_in){x, f};
    c->flags[k] = flags;
    return GPU_DO(g, e, fill, x, &f, bytes / 2) && GPU_DO0(g, e, wait);
}

/* Ranks count their launches, so a group of others begins at zero. */
static bool begin_group(struct ring *r, int ranks, struct err *e)
{
    struct call_reduce *c = &r->call.reduce;
    c->ranks = ranks;
    for (int k = 0; k < ranks; k++)
        if (!GPU_DO(&r->gpu[k], e, zero, c->flags[k], 0,
                    CALL_REDUCE_FLAGS * sizeof(uint32_t))
            || !GPU_DO0(&r->gpu[k], e, wait))
            return false;
    return true;
}

static void close_ring(struct ring *r)
{
    struct call_reduce *c = &r->call.reduce;
    for (int k = 0; k < r->n; k++) {
        struct gpu *g = &r->gpu[k];
        void *mine[] = {(void *)(uintptr_t)c->x[k].at, c->y[k], c->stage[k],
                        c->flags[k]};
        for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
            if (mine[i])
                g->p->give(g->d, mine[i]);
        gpu_hip_close(g);
    }
}

/* ---- running on all ranks ---- */

static bool wait_all(struct ring *r, struct err *e)
{
    for (int k = 0; k < r->call.reduce.ranks; k++)
        if (!GPU_DO0(&r->gpu[k], e, wait))
            return false;
    return true;
}

static bool launch_all(struct ring *r, struct err *e)
{
    for (int k = 0; k < r->call.reduce.ranks; k++) {
        struct call c = r->call;
        c.reduce.rank = k;
        if (!GPU_DO(&r->gpu[k], e, launch, &c))
            return false;
    }
    return true;
}

static bool run_checked(void *to, const struct call *c, struct err *e)
{
    struct ring *r = to;
    (void)c; /* the ring's own, on every rank */
    return launch_all(r, e) && wait_all(r, e);
}

static bool check_rank(struct ring *r, int rank, struct err *e)
{
    struct check k = {.spans = SPANS, .seed = r->t->seed};
    struct check_runner by = {run_checked, r};
    struct arena *a = arena_open();
    struct call c = r->call;
    c.reduce.rank = rank;
    bool ok = check_call(&r->gpu[rank], &c, &by, &k, a, e);
    arena_close(a);
    return ok
        || err_in(e, "all-reduce %s over %d ranks, rank %d",
                  kinds[c.reduce.kind].name, c.reduce.ranks, rank);
}

static bool build(struct ring *r, struct err *e)
{
    for (int k = 0; k < r->call.reduce.ranks; k++) {
        struct gpu *g = &r->gpu[k];
        struct call c = r->call;
        bool ok = GPU_DO0(g, e, record);
        c.reduce.rank = k;
        for (int i = 0; i < NODES && ok; i++)
            ok = GPU_DO(g, e, launch, &c);
        if (!GPU_DO(g, e, keep, &r->graph[k]) || !ok)
            return false;
    }
    return true;
}

static void drop(struct ring *r)
{
    for (int k = 0; k < CALL_RANKS; k++) {
        if (r->graph[k])
            r->gpu[k].p->drop(r->gpu[k].d, r->graph[k]);
        r->graph[k] = NULL;
    }
}

static bool sample(void *to, int times, double *seconds, struct err *e)
{
    struct ring *r = to;
    struct gpu *first = &r->gpu[0];
    if (!GPU_DO(first, e, mark, BEGIN))
        return false;
    for (int i = 0; i < times; i++)
        for (int k = 0; k < r->call.reduce.ranks; k++)
            if (!GPU_DO(&r->gpu[k], e, replay, r->graph[k]))
                return false;
    return GPU_DO(first, e, mark, END) && wait_all(r, e)
        && GPU_DO(first, e, between, BEGIN, END, seconds);
}

static bool measure(struct ring *r, struct bench_time *time, struct err *e)
{
    bool ok = check_rank(r, 0, e) && check_rank(r, r->call.reduce.ranks - 1, e)
           && build(r, e) && bench_run(r->t->rule, sample, r, time, e);
    drop(r);
    time->median_s /= NODES;
    time->mad_s /= NODES;
    return ok;
}

/* ---- rows ---- */

static const char *id_of(const struct ring *r, int kind, struct arena *a)
{
    return arena_fmt(a, "all_reduce,%s,%s,graph,bf16,%d,%zu", kinds[kind].algo,
                     kinds[kind].name, r->call.reduce.ranks,
                     r->call.reduce.elements * 2);
}

static bool store(struct ring *r, struct table *t, int kind,
                  const struct bench_time *time, struct err *e)
{
    struct meter_reading m = meter_read(r->t->meter);
    struct table_row row = {
        .id = id_of(r, kind, t->a),
        .time_us = time->median_s * 1e6,
        .mad_us = time->mad_s * 1e6,
        .n = time->n,
        .clock_mhz = m.clock_hz * 1e-6,
        .memory_mhz = m.memory_hz * 1e-6,
        .power_w = m.power_w,
        .temperature_c = m.temperature_c,
        .throttled = m.thermal,
        .steady = time->steady,
        .source = r->ask->source,
        .version = r->gpu[0].p->name,
        .driver = r->t->g->info.driver,
        .date = r->ask->date,
        .place = t->n,
    };
    return table_add(t, &row, e);
}

static bool found(const struct ring *r, const struct table *t, int from, int to)
{
    for (int k = from; k < to; k++)
        if (table_find(t, id_of(r, k, t->a)))
            return true;
    return false;
}

/* The fastest of kinds [from, to) at this size. */
static bool best_of(struct ring *r, struct table *t, int from, int to,
                    size_t *rows, struct err *e)
{
    struct bench_time best = {0}, time;
    int which = -1;
    if (found(r, t, from, to))
        return true;
    for (int k = from; k < to; k++) {
        r->call.reduce.kind = kinds[k].kind;
        if (!measure(r, &time, e))
            return false;
        if (which < 0 || time.median_s < best.median_s) {
            best = time;
            which = k;
        }
    }
    ++*rows;
    return store(r, t, which, &best, e);
}

static bool sizes(struct ring *r, struct table *t, size_t *rows, struct err *e)
{
    struct call_reduce *c = &r->call.reduce;
    for (size_t b = BYTES_MIN; b <= r->ask->most_bytes; b *= 2) {
        c->elements = b / 2;
        if (c->elements % (256 * (size_t)c->ranks))
            continue;
        if (!best_of(r, t, 0, KINDS - 1, rows, e)
            || !best_of(r, t, KINDS - 1, KINDS, rows, e))
            return false;
    }
    return true;
}

static bool all(struct ring *r, struct table *t, int devices, size_t *rows,
                struct err *e)
{
    for (int k = 0; k < devices; k++)
        if (!open_rank(r, k, e))
            return false;
    for (int k = 0; k < devices; k++)
        if (!give_memory(r, k, e))
            return false;
    for (int n = 2; n <= devices; n *= 2)
        if (!begin_group(r, n, e) || !sizes(r, t, rows, e))
            return false;
    return table_done(t, e);
}

bool reduce_run(struct timer *t, const struct reduce_ask *ask, size_t *rows,
                struct err *e)
{
    struct ring r = {.t = t, .ask = ask, .call = {.op = CALL_REDUCE}};
    struct table rows_of;
    int devices = t->g->devices;
    *rows = 0;
    if (devices > ask->most_ranks)
        devices = ask->most_ranks;
    if (devices > CALL_RANKS)
        devices = CALL_RANKS;
    if (devices < 2)
        return err_set(e, ERR_ABSENT, "all-reduce needs 2 GPUs, there is %d",
                       t->g->devices);
    struct arena *a = arena_open();
    bool ok = table_open(&rows_of, ask->dir, "allreduce", columns, a, e);
    ok = ok && all(&r, &rows_of, devices, rows, e);
    close_ring(&r);
    arena_close(a);
    return ok;
}
