#include "calibrate/gpu/gaps.h"

#include "sim/base/csv.h"
#include "sim/base/file.h"

#include <stdio.h>
#include <time.h>

enum { LAUNCHES = 2000, NODES = 500, REPLAYS = 20, REPEATS = 7, BEGIN, END };

enum kind { EAGER_DEVICE, EAGER_HOST, NODE, GRAPH_DEVICE, GRAPH_HOST, KINDS };
static const char *const names[KINDS] = {
    [EAGER_DEVICE] = "launch_device", /* from kernel to kernel, queued singly */
    [EAGER_HOST] = "launch_host",     /* the host's time to queue one */
    [NODE] = "graph_node",            /* from kernel to kernel in a graph */
    [GRAPH_DEVICE] = "graph_device",  /* from graph to graph of one kernel */
    [GRAPH_HOST] = "graph_host",      /* the host's time to queue a graph */
};

struct gaps {
    struct gpu *g;
    double v[KINDS][REPEATS];
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool graph(struct gpu *g, int nodes, struct plugin_graph **out,
                  struct err *e)
{
    struct call nothing = {.op = CALL_EMPTY};
    bool ok = GPU_DO0(g, e, record);
    for (int i = 0; i < nodes && ok; i++)
        ok = GPU_DO(g, e, launch, &nothing);
    return GPU_DO(g, e, keep, out) && ok;
}

/* Seconds of the device and of the host for `times` of something. */
struct cost {
    double device_s, host_s;
};

static bool eager(struct gpu *g, struct cost *c, struct err *e)
{
    struct call nothing = {.op = CALL_EMPTY};
    if (!GPU_DO0(g, e, wait) || !GPU_DO(g, e, mark, BEGIN))
        return false;
    double from = now();
    for (int i = 0; i < LAUNCHES; i++)
        if (!GPU_DO(g, e, launch, &nothing))
            return false;
    c->host_s = now() - from;
    return GPU_DO(g, e, mark, END)
        && GPU_DO(g, e, between, BEGIN, END, &c->device_s);
}

static bool replayed(struct gpu *g, struct plugin_graph *graph, int times,
                     struct cost *c, struct err *e)
{
    if (!GPU_DO(g, e, replay, graph) || !GPU_DO0(g, e, wait)
        || !GPU_DO(g, e, mark, BEGIN))
        return false;
    double from = now();
    for (int i = 0; i < times; i++)
        if (!GPU_DO(g, e, replay, graph))
            return false;
    c->host_s = now() - from;
    return GPU_DO(g, e, mark, END)
        && GPU_DO(g, e, between, BEGIN, END, &c->device_s);
}

static bool repeat(struct gaps *s, int i, struct plugin_graph *large,
                   struct plugin_graph *one, struct err *e)
{
    struct cost c;
    if (!eager(s->g, &c, e))
        return false;
    s->v[EAGER_DEVICE][i] = c.device_s / LAUNCHES;
    s->v[EAGER_HOST][i] = c.host_s / LAUNCHES;
    if (!replayed(s->g, large, REPLAYS, &c, e))
        return false;
    s->v[NODE][i] = c.device_s / REPLAYS / NODES;
    if (!replayed(s->g, one, LAUNCHES, &c, e))
        return false;
    s->v[GRAPH_DEVICE][i] = c.device_s / LAUNCHES;
    s->v[GRAPH_HOST][i] = c.host_s / LAUNCHES;
    return true;
}

static bool write(struct gaps *s, const char *dir, const char *source,
                  const char *date, struct err *e)
{
    char path[4096];
    struct file_out o;
    snprintf(path, sizeof path, "%s/gaps.csv", dir);
    if (!file_out_open(&o, path, e))
        return false;
    fprintf(o.f,
            "kind,time_us,mad_us,samples,source,engine_version,driver,date\n");
    for (int k = 0; k < KINDS; k++) {
        double scratch[REPEATS], m = bench_median(s->v[k], REPEATS);
        double mad = bench_mad(s->v[k], REPEATS, m, scratch);
        fprintf(o.f, "%s,%.4g,%.2g,%d,", names[k], m * 1e6, mad * 1e6, REPEATS);
        csv_put(o.f, source);
        fprintf(o.f, ",%s,", s->g->p->name);
        csv_put(o.f, s->g->info.driver);
        fprintf(o.f, ",%s\n", date);
    }
    bool ok = file_out_done(&o, e);
    file_out_drop(&o);
    return ok;
}

bool gaps_run(struct timer *t, const char *dir, const char *source,
              const char *date, struct err *e)
{
    struct gaps s = {.g = t->g};
    struct plugin_graph *large = NULL, *one = NULL;
    bool ok = graph(t->g, NODES, &large, e) && graph(t->g, 1, &one, e);
    for (int i = 0; ok && i < REPEATS; i++)
        ok = repeat(&s, i, large, one, e);
    if (large)
        t->g->p->drop(t->g->d, large);
    if (one)
        t->g->p->drop(t->g->d, one);
    return ok && write(&s, dir, source, date, e);
}
