#include "calibrate/gpu/timer.h"

#include "calibrate/gpu/check.h"

#include <math.h>

enum {
    TURNS_MAX = 512,
    NODES_MAX = 512,
    BEGIN = 0, /* events */
    END = 1,
};
#define GRAPH_S 3e-4 /* of one replay, at least: hides its launch */
#define GRAPH_MOST_S 0.05
#define READ_S 2e-3 /* of running while the meter is read */
#define HOLD_S 0.02 /* of one stretch */

/* One call made ready. */
struct ready {
    struct timer *t;
    struct call call;
    bool vendor;
    int turns, nodes;
    struct plugin_graph *graph;
};

static bool launch(struct ready *r, int turn, struct err *e)
{
    struct timer *t = r->t;
    bed_place(t->bed, &r->call, turn);
    if (r->vendor)
        return t->vendor->launch(t->handle, &r->call.gemm, e);
    return GPU_DO(t->g, e, launch, &r->call);
}

static bool launch_placed(void *to, const struct call *c, struct err *e)
{
    struct ready *r = to;
    return r->t->vendor->launch(r->t->handle, &c->gemm, e);
}

static bool check(struct ready *r, const struct timer_ask *ask,
                  struct timer_result *out, struct err *e)
{
    struct check k = {.spans = ask->spans, .seed = r->t->seed};
    struct check_runner by = {launch_placed, r};
    struct arena *a = arena_open();
    bed_place(r->t->bed, &r->call, 0);
    bool ok = check_call(r->t->g, &r->call, r->vendor ? &by : NULL, &k, a, e);
    arena_close(a);
    out->worst = k.worst;
    out->wrong = !ok && e->kind == ERR_NO;
    return ok;
}

/* Seconds of one call out of a few, launched one by one. */
static bool guess(struct ready *r, double *seconds, struct err *e)
{
    struct gpu *g = r->t->g;
    double s = 0;
    for (int i = 0; i < 2; i++) {
        if (!GPU_DO(g, e, mark, BEGIN) || !launch(r, i % r->turns, e)
            || !GPU_DO(g, e, mark, END)
            || !GPU_DO(g, e, between, BEGIN, END, &s))
            return false;
    }
    *seconds = fmax(s, 1e-6);
    return true;
}

static int nodes_for(const struct ready *r, double one)
{
    double n = fmax(r->turns, ceil(GRAPH_S / one));
    n = fmin(n, fmax(1, floor(GRAPH_MOST_S / one)));
    return n > NODES_MAX ? NODES_MAX : (int)n;
}

static bool build(struct ready *r, struct err *e)
{
    struct gpu *g = r->t->g;
    double one;
    if (!guess(r, &one, e))
        return false;
    r->nodes = nodes_for(r, one);
    if (!GPU_DO0(g, e, record))
        return false;
    bool ok = true;
    for (int i = 0; i < r->nodes && ok; i++)
        ok = launch(r, i % r->turns, e);
    return GPU_DO(g, e, keep, &r->graph) && ok;
}

static bool make_ready(struct timer *t, const struct timer_ask *ask,
                       struct ready *r, struct timer_result *out, struct err *e)
{
    *r = (struct ready){.t = t, .call = *ask->call, .vendor = ask->vendor};
    const char *lacks = t->g->p->lacks(ask->call);
    if (ask->vendor && !t->vendor)
        return err_set(e, ERR_NO, "no vendor library");
    if (!ask->vendor && lacks)
        return err_set(e, ERR_NO, "%s", lacks);
    if (!bed_reserve(t->bed, ask->call, ask->routing, TURNS_MAX, &r->turns, e))
        return false;
    bed_place(t->bed, &r->call, 0);
    if (ask->vendor
        && !t->vendor->plan(t->handle, &r->call.gemm, &out->scheme, e))
        return false;
    if (ask->spans > 0 && !check(r, ask, out, e))
        return false;
    return build(r, e);
}

static void drop(struct ready *r)
{
    if (r->graph)
        r->t->g->p->drop(r->t->g->d, r->graph);
}

static bool replays(struct ready *r, int times, struct err *e)
{
    for (int i = 0; i < times; i++)
        if (!GPU_DO(r->t->g, e, replay, r->graph))
            return false;
    return true;
}

static bool sample(void *to, int times, double *seconds, struct err *e)
{
    struct ready *r = to;
    struct gpu *g = r->t->g;
    bool ok = GPU_DO(g, e, mark, BEGIN) && replays(r, times, e)
           && GPU_DO(g, e, mark, END)
           && GPU_DO(g, e, between, BEGIN, END, seconds);
    return ok;
}

/* Reads the meter while the device is busy. */
static bool read_busy(struct ready *r, double replay_s, struct meter_reading *m,
                      struct err *e)
{
    double n = ceil(READ_S / replay_s);
    if (!replays(r, n > 64 ? 64 : (int)n, e))
        return false;
    *m = meter_read(r->t->meter);
    return GPU_DO0(r->t->g, e, wait);
}

bool timer_run(struct timer *t, const struct timer_ask *ask,
               struct timer_result *r, struct err *e)
{
    struct ready ready;
    *r = (struct timer_result){0};
    bool ok = make_ready(t, ask, &ready, r, e)
           && bench_run(t->rule, sample, &ready, &r->time, e)
           && read_busy(&ready, r->time.median_s, &r->meter, e);
    if (ok) { /* a run of the bench is a replay of all nodes */
        r->time.median_s /= ready.nodes;
        r->time.mad_s /= ready.nodes;
        r->time.first_s /= ready.nodes;
        r->time.times *= ready.nodes;
    }
    drop(&ready);
    return ok;
}

bool timer_hold(struct timer *t, const struct timer_ask *ask, double seconds,
                timer_told *told, void *to, struct err *e)
{
    struct timer_result r = {0};
    struct ready ready;
    double spent = 0, s = 0;
    bool ok = make_ready(t, ask, &ready, &r, e) && sample(&ready, 1, &s, e);
    int times = ok && s < HOLD_S ? (int)ceil(HOLD_S / fmax(s, 1e-6)) : 1;
    while (ok && spent < seconds) {
        struct gpu *g = t->g;
        ok = GPU_DO(g, e, mark, BEGIN) && replays(&ready, times, e)
          && GPU_DO(g, e, mark, END);
        struct meter_reading m = meter_read(t->meter);
        ok = ok && GPU_DO(g, e, between, BEGIN, END, &s);
        if (!ok)
            break;
        spent += s;
        told(to, spent, s / times / ready.nodes, &m);
    }
    drop(&ready);
    return ok;
}

bool timer_alive(struct timer *t)
{
    struct err unused = {ERR_NONE, ""};
    return GPU_DO0(t->g, &unused, wait);
}
