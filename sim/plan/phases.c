/* Pairing after the study: a decode engine that finishes D requests a second
 * needs ceil(D / P) prefill engines of P requests a second, P being the best
 * over the prefill concurrencies.  Its columns are this arithmetic, not a
 * measured pair. */
#include "sim/plan/phases.h"

#include "sim/des/rng.h"
#include "sim/plan/crew.h"

#include <math.h>
#include <stdio.h>

enum { PHASES_DECODE_BENCH = 2 }; /* scenario_rows: kv_connector */

struct phases_work {
    const struct phases_ask *ask;
    struct phases *p;
    struct plant *plant; /* of each point */
};

static bool phases_plant(const struct scenario *s, struct phases_point *pt,
                         struct arena *a, struct scenario_cache *cache,
                         struct plant *plant, struct err *e)
{
    struct scenario_topology t;
    const char *name = arena_fmt(a, "agg-tp%d", pt->tp);
    if (!scenario_topology(s, name, a, &t, e))
        return false;
    if (pt->decode)
        t.pool[0].engine.kv_connector = PHASES_DECODE_BENCH;
    return scenario_plant(s, &t, cache, plant, e);
}

static void phases_work(void *ctx, size_t i, struct arena *a, void *result)
{
    struct phases_work *w = ctx;
    const struct scenario *s = w->ask->s;
    struct phases_point *pt = result;
    struct err e = {0};
    *pt = w->p->point[i];
    if (!pt->ok)
        return;
    struct load_spec load = s->load;
    load.concurrency = pt->concurrency;
    load.requests = s->phases.requests;
    if (!pt->decode)
        load.osl = (struct length_spec){.kind = LENGTH_FIXED, .tokens = 1};
    struct world_ask ask = {
        .plant = &w->plant[i], .load = &load, .seed = rng_seed(s->seed, i)};
    pt->ok = world_run(&ask, a, &pt->out, &e);
    if (!pt->ok) {
        snprintf(pt->why, sizeof pt->why, "%.255s", e.text);
        return;
    }
    pt->req_s = pt->out.req_s;
    pt->tok_s = pt->decode ? pt->out.output_tok_s
                           : (double)pt->out.input_tokens / pt->out.duration_s;
    pt->tpsu = pt->tok_s / (double)pt->concurrency;
}

static bool phases_emit(void *ctx, size_t i, const void *result, struct err *e)
{
    struct phases_work *w = ctx;
    (void)e;
    w->p->point[i] = *(const struct phases_point *)result;
    if (w->ask->progress)
        w->ask->progress(w->ask->to, i + 1, w->p->n);
    return true;
}

static const struct phases_point *phases_best(const struct phases *p, int tp)
{
    const struct phases_point *best = NULL;
    for (size_t i = 0; i < p->n_prefill; i++) {
        const struct phases_point *k = &p->point[i];
        if (k->ok && k->tp == tp && (!best || k->req_s > best->req_s))
            best = k;
    }
    return best;
}

static bool phases_wanted(const struct json_nums *tp, int v)
{
    for (size_t i = 0; i < tp->n; i++)
        if ((int)tp->v[i] == v)
            return true;
    return false;
}

static void phases_pairs(const struct scenario *s, struct arena *a,
                         struct phases *p)
{
    int ptp = (int)s->phases.pair_prefill_tp;
    const struct phases_point *best = ptp ? phases_best(p, ptp) : NULL;
    p->pair = ARENA_ARRAY(a, struct phases_pair, p->n - p->n_prefill);
    for (size_t i = p->n_prefill; best && i < p->n; i++) {
        const struct phases_point *d = &p->point[i];
        if (!d->ok || !phases_wanted(&s->phases.pair_decode_tp, d->tp))
            continue;
        int64_t n = (int64_t)ceil(d->req_s / best->req_s);
        int64_t gpus = n * ptp + d->tp;
        p->pair[p->n_pair++] = (struct phases_pair){
            .prefill_tp = ptp,
            .decode_tp = d->tp,
            .concurrency = d->concurrency,
            .p_engines = n,
            .gpus = gpus,
            .tpsu = d->tpsu,
            .tpsg = d->tok_s / (double)gpus};
    }
}

static void phases_points(const struct scenario *s, struct arena *a,
                          struct phases *p)
{
    const struct scenario_phases *f = &s->phases;
    size_t np = f->tp.n * f->prefill_concurrency.n;
    size_t nd = f->tp.n * f->decode_concurrency.n;
    p->point = ARENA_ARRAY(a, struct phases_point, np + nd);
    for (int decode = 0; decode < 2; decode++) {
        const struct json_nums *c = decode ? &f->decode_concurrency
                                           : &f->prefill_concurrency;
        for (size_t i = 0; i < f->tp.n; i++)
            for (size_t k = 0; k < c->n; k++)
                p->point[p->n++] = (struct phases_point){
                    .decode = decode,
                    .tp = (int)f->tp.v[i],
                    .ok = true,
                    .concurrency = (int64_t)fmax(1, round(c->v[k]))};
    }
    p->n_prefill = np;
}

bool phases_run(const struct phases_ask *ask, struct arena *a, struct phases *p,
                struct err *e)
{
    const struct scenario *s = ask->s;
    *p = (struct phases){0};
    if (!s->phases.given)
        return err_set(e, ERR_INPUT, "%s: no \"phases\"", s->path);
    phases_points(s, a, p);
    struct phases_work w = {ask, p, ARENA_ARRAY(a, struct plant, p->n)};
    struct scenario_cache *cache = scenario_plant_cache(s, a);
    for (size_t i = 0; i < p->n; i++) {
        struct err refused = {0};
        p->point[i].ok = phases_plant(s, &p->point[i], a, cache, &w.plant[i],
                                      &refused);
        if (!p->point[i].ok)
            snprintf(p->point[i].why, sizeof p->point[i].why, "%.255s",
                     refused.text);
    }
    struct crew_job job = {.n = p->n,
                           .workers = ask->workers,
                           .size = sizeof(struct phases_point),
                           .ctx = &w,
                           .work = phases_work,
                           .emit = phases_emit,
                           .stop = ask->stop};
    if (!crew_run(&job, e))
        return false;
    phases_pairs(s, a, p);
    return true;
}
