#include "sim/plan/space.h"

#include "sim/base/json.h"

#include <math.h>
#include <string.h>

static void space_refuse(struct space *sp, struct arena *a, const char *reason)
{
    /* Reasons that differ in the topology's name alone are one kind. */
    const char *tail = strchr(reason, ':');
    tail = tail && tail[1] == ' ' ? tail + 2 : reason;
    for (size_t i = 0; i < sp->n_refused; i++)
        if (strcmp(sp->refused[i].reason, tail) == 0) {
            sp->refused[i].count++;
            return;
        }
    ARENA_ROOM(a, sp->refused, sp->n_refused, sp->cap_refused);
    sp->refused[sp->n_refused++] = (struct space_refusal){arena_str(a, tail),
                                                          1};
}

struct space_make {
    struct space *sp;
    struct arena *a;
    struct scenario_cache *cache;
    size_t cap_plant;
};

static void space_add(struct space_make *m, const struct scenario_topology *t)
{
    struct space *sp = m->sp;
    struct err e = {0};
    struct plant p;
    if (!scenario_plant(sp->s, t, m->cache, &p, &e)) {
        space_refuse(sp, m->a, e.text);
        return;
    }
    size_t n = sp->n;
    ARENA_ROOM(m->a, sp->topology, sp->n, sp->cap);
    ARENA_ROOM(m->a, sp->plant, n, m->cap_plant);
    sp->topology[sp->n] = *t;
    sp->plant[sp->n++] = p;
}

static void space_name(struct space_make *m, struct scenario_topology *t)
{
    t->gpus = 0;
    for (uint32_t i = 0; i < t->n_pools; i++)
        t->gpus += (uint32_t)(t->pool[i].replicas * t->pool[i].tp);
    t->name = scenario_topology_name(t, m->a);
}

static void space_aggregated(struct space_make *m, int64_t lo, int64_t hi)
{
    const struct scenario *s = m->sp->s;
    for (size_t i = 0; i < s->sweep.tp.n; i++) {
        int tp = (int)s->sweep.tp.v[i];
        for (int r = 1; (int64_t)r * tp <= hi; r++) {
            if ((int64_t)r * tp < lo)
                continue;
            struct scenario_topology t = {.n_pools = 1};
            t.pool[0] = (struct scenario_pool){ROLE_AGGREGATED, r, tp,
                                               s->engine};
            space_name(m, &t);
            space_add(m, &t);
        }
    }
}

static void space_pair(struct space_make *m, int pt, int dt, int64_t lo,
                       int64_t hi)
{
    const struct scenario *s = m->sp->s;
    for (int p = 1; (int64_t)p * pt < hi; p++)
        for (int d = 1; (int64_t)p * pt + (int64_t)d * dt <= hi; d++) {
            if ((int64_t)p * pt + (int64_t)d * dt < lo)
                continue;
            struct scenario_topology t = {.n_pools = 2};
            t.pool[0] = (struct scenario_pool){ROLE_PREFILL, p, pt, s->engine};
            t.pool[1] = (struct scenario_pool){ROLE_DECODE, d, dt, s->engine};
            space_name(m, &t);
            space_add(m, &t);
        }
}

static void space_disaggregated(struct space_make *m, int64_t lo, int64_t hi)
{
    const struct scenario_sweep *w = &m->sp->s->sweep;
    for (size_t i = 0; i < w->tp.n; i++)
        for (size_t k = 0; k < w->tp.n; k++) {
            int pt = (int)w->tp.v[i], dt = (int)w->tp.v[k];
            if (!w->decode_tp_at_least_prefill || dt >= pt)
                space_pair(m, pt, dt, lo, hi);
        }
}

static bool space_named(struct space_make *m, struct err *e)
{
    const struct scenario *s = m->sp->s;
    for (size_t i = 0; i < s->sweep.n_names; i++) {
        struct scenario_topology t;
        if (!scenario_topology(s, s->sweep.names[i], m->a, &t, e))
            return false;
        space_add(m, &t);
    }
    return true;
}

bool space_build(const struct scenario *s, struct arena *a, struct space *sp,
                 struct err *e)
{
    int64_t all = (int64_t)s->nodes * s->gpus_per_node;
    int64_t hi = s->sweep.max_gpus == JSON_NOINT ? all : s->sweep.max_gpus;
    int64_t lo = s->sweep.min_gpus;
    memset(sp, 0, sizeof *sp);
    sp->s = s;
    struct space_make m = {sp, a, scenario_plant_cache(s, a), 0};
    if (hi > all)
        return err_set(e, ERR_INPUT,
                       "%s: sweep.max_gpus: %lld, the cluster "
                       "has %lld",
                       s->path, (long long)hi, (long long)all);
    if (s->sweep.n_names) {
        if (!space_named(&m, e))
            return false;
    } else if (!s->sweep.pools) {
        space_add(&m, &s->topology);
    } else {
        if (strcmp(s->sweep.pools, "disaggregated") != 0)
            space_aggregated(&m, lo, hi);
        if (strcmp(s->sweep.pools, "aggregated") != 0)
            space_disaggregated(&m, lo, hi);
    }
    const struct scenario_sweep *w = &s->sweep;
    sp->points = w->concurrency.n + w->concurrency_per_gpu.n + w->rate_rps.n
               + w->rate_rps_per_gpu.n;
    if (!sp->points)
        sp->points = 1;
    if (sp->n)
        return true;
    return err_set(e, ERR_INPUT, "%s: no topology can be built: %s", s->path,
                   sp->n_refused ? sp->refused[0].reason
                                 : "the range of GPUs "
                                   "is empty");
}

/* Value i of two lists, absolute and per GPU, one after the other. */
static double space_value(const struct json_nums *all,
                          const struct json_nums *per_gpu, size_t i,
                          uint32_t gpus)
{
    return i < all->n ? all->v[i] : per_gpu->v[i - all->n] * gpus;
}

struct load_spec space_load(const struct space *sp, size_t t, size_t i)
{
    const struct scenario_sweep *w = &sp->s->sweep;
    uint32_t gpus = sp->topology[t].gpus;
    struct load_spec l = sp->s->load;
    double least = 0;
    if (w->concurrency.n + w->concurrency_per_gpu.n) {
        double c = space_value(&w->concurrency, &w->concurrency_per_gpu, i,
                               gpus);
        l.concurrency = (int64_t)fmax(1, round(c));
        least = (double)(w->waves * l.concurrency);
    } else if (w->rate_rps.n + w->rate_rps_per_gpu.n) {
        l.rate_rps = space_value(&w->rate_rps, &w->rate_rps_per_gpu, i, gpus);
        least = ceil(l.rate_rps * w->min_seconds);
    }
    if ((double)l.requests < least)
        l.requests = (int64_t)least;
    return l;
}
