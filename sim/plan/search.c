#include "sim/plan/search.h"

#include "sim/plan/crew.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEARCH_STEPS = 8 }; /* of the ladder in an octave: 9 % apart */
enum { SEARCH_TOP = 20 * SEARCH_STEPS }; /* 2^20 times the lowest load */

struct search {
    const struct search_ask *ask;
    struct search_result *results;
};

static bool search_open(const struct load_spec *l)
{
    return strcmp(l->arrive->name, "closed") != 0;
}

static double search_load(const struct space *sp, size_t t, int rung)
{
    double k = exp2((double)rung / SEARCH_STEPS);
    if (search_open(&sp->s->load))
        return 0.01 * sp->topology[t].gpus * k; /* from 1 % of a request/s */
    return ceil(k);
}

/* Runs a rung; true when it keeps the SLO. */
static bool search_try(const struct space *sp, size_t t, int rung,
                       struct arena *a, struct trial *out)
{
    struct err e = {0};
    struct trial *r = out;
    memset(r, 0, sizeof *r);
    r->topology = t;
    r->load = sp->s->load;
    r->seed = sp->s->seed;
    double load = search_load(sp, t, rung);
    if (search_open(&r->load))
        r->load.rate_rps = load;
    else
        r->load.concurrency = (int64_t)load;
    int64_t least = sp->s->sweep.waves * r->load.concurrency;
    if (r->load.requests < least)
        r->load.requests = least;
    struct world_ask ask = {
        .plant = &sp->plant[t], .load = &r->load, .seed = r->seed};
    r->ok = world_run(&ask, a, &r->out, &e);
    arena_reset(a);
    if (!r->ok)
        snprintf(r->why, sizeof r->why, "%.255s", e.text);
    return r->ok && trial_slo_met(&sp->s->slo, &r->out);
}

static void search_work(void *ctx, size_t i, struct arena *a, void *result)
{
    const struct search *w = ctx;
    const struct space *sp = w->ask->sp;
    struct search_result *r = result;
    struct trial t;
    int lo = -1, hi = 0, step = SEARCH_STEPS;
    memset(r, 0, sizeof *r);
    r->topology = i;
    for (; hi <= SEARCH_TOP; hi += step) {
        r->trials++;
        if (!search_try(sp, i, hi, a, &t))
            break;
        r->best = t;
        lo = hi;
    }
    while (hi - lo > 1 && lo >= 0 && hi <= SEARCH_TOP) {
        int mid = (lo + hi) / 2;
        double load = search_load(sp, i, mid);
        if (load == search_load(sp, i, lo)) {
            lo = mid;
            continue;
        }
        if (load == search_load(sp, i, hi)) {
            hi = mid;
            continue;
        }
        r->trials++;
        if (search_try(sp, i, mid, a, &t)) {
            r->best = t;
            lo = mid;
        } else {
            hi = mid;
        }
    }
    r->found = lo >= 0;
    if (!r->found)
        snprintf(r->why, sizeof r->why, "%.255s",
                 t.ok ? "the SLO is not met at the lowest load" : t.why);
}

static bool search_emit(void *ctx, size_t i, const void *result, struct err *e)
{
    struct search *w = ctx;
    (void)e;
    w->results[i] = *(const struct search_result *)result;
    if (w->ask->progress)
        w->ask->progress(w->ask->to, i + 1, w->ask->sp->n);
    return true;
}

static int search_order(const void *x, const void *y)
{
    const struct search_result *a = x, *b = y;
    if (a->found != b->found)
        return a->found ? -1 : 1;
    if (a->found && a->best.out.tpsg != b->best.out.tpsg)
        return a->best.out.tpsg > b->best.out.tpsg ? -1 : 1;
    return (a->topology > b->topology) - (a->topology < b->topology);
}

bool search_run(const struct search_ask *ask, struct search_result *results,
                struct err *e)
{
    struct search w = {ask, results};
    struct crew_job job = {.n = ask->sp->n,
                           .workers = ask->workers,
                           .size = sizeof(struct search_result),
                           .ctx = &w,
                           .work = search_work,
                           .emit = search_emit,
                           .stop = ask->stop};
    if (!trial_slo_given(&ask->sp->s->slo))
        return err_set(e, ERR_INPUT,
                       "%s: slo: a search needs at least one "
                       "promise, e.g. --set slo.itl_ms_p99=50",
                       ask->sp->s->path);
    const struct load_spec *l = &ask->sp->s->load;
    if (search_open(l) && !(l->rate_rps > 0))
        return err_set(e, ERR_INPUT,
                       "%s: load.arrival: a search raises the "
                       "clients or the rate, arrivals of kind \"%s\" have "
                       "neither",
                       ask->sp->s->path, l->arrive->name);
    if (!crew_run(&job, e))
        return false;
    qsort(results, ask->sp->n, sizeof *results, search_order);
    return true;
}
