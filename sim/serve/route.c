/* Which replica (engine.md 8).  The decode side is picked first; with a P/D
 * plant every request is disaggregated (llm-d 0.5: pd-profile-handler threshold
 * 0; 0.10: always-disagg-pd-decider).
 *
 * Scraped scorers see each pod's gauges as of its own last scrape: pods are
 * polled every scrape_s at phases of their own.  No scrape is an event here:
 * a gauge that changes at t first hands its old value to the scrapes between
 * the last change and t, so route_gauge and route_scrape cost O(1).
 * Ties are broken uniformly at random, as max-score-picker's shuffle does: at
 * low load, with every queue empty, routing is a uniform draw, not round robin.
 */
#include "sim/base/must.h"
#include "sim/serve/world_int.h"

/* Ticks of the pod's scraper up to t. */
static int64_t route_tick(const struct world *w, const struct engine *g, ns_t t)
{
    ns_t period = units_ns(w->plant->router.scrape_s);
    return period > 0 ? (t - g->scrape_phase + period) / period : t;
}

static void route_scrape(struct world *w, struct engine *g, ns_t now)
{
    int64_t tick = route_tick(w, g, now);
    if (tick == g->scrape_tick && w->plant->router.scrape_s > 0)
        return;
    g->scrape_tick = tick;
    g->scraped = g->gauge;
    g->scraped_kv = g->gauge_kv;
}

void route_gauge(struct world *w, struct engine *g, ns_t now)
{
    double usable = (double)(g->plan->sched.num_blocks - 1);
    route_scrape(w, g, now);
    g->gauge = sched_waiting(g->sched);
    g->gauge_kv = 1 - (double)sched_free_blocks(g->sched) / usable;
}

/* Lower is better; compared as a whole, so no weights are needed here. */
static double route_badness(struct world *w, struct engine *g,
                            enum route_kind kind, ns_t now)
{
    switch (kind) {
    case ROUTE_QUEUE:
        route_scrape(w, g, now);
        return g->scraped;
    case ROUTE_KV:
        route_scrape(w, g, now);
        return g->scraped_kv;
    case ROUTE_ACTIVE:
    case ROUTE_LEAST:
        return g->active;
    case ROUTE_RANDOM:
    case ROUTE_ROUND_ROBIN:
    case ROUTE_N:
        break;
    }
    return 0;
}

static struct engine *route_pick(struct world *w, uint32_t pool,
                                 enum route_kind kind, ns_t now)
{
    uint32_t n = w->plant->pool[pool].replicas;
    struct engine *of = &w->engine[w->first[pool]];
    if (n == 1)
        return of;
    if (kind == ROUTE_ROUND_ROBIN)
        return &of[w->round_robin[pool]++ % n];
    if (kind == ROUTE_RANDOM)
        return &of[rng_below(&w->route_rng, n)];
    double best = 0;
    uint32_t ties = 0, pick = 0;
    for (uint32_t i = 0; i < n; i++) {
        double bad = route_badness(w, &of[i], kind, now);
        if (ties && bad > best)
            continue;
        if (!ties || bad < best)
            ties = 0;
        best = bad;
        ties++;
        /* reservoir: each of the ties with equal chance */
        if (ties == 1 || rng_below(&w->route_rng, ties) == 0)
            pick = i;
    }
    return &of[pick];
}

void route_deliver(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    const struct plant_router *router = &w->plant->router;
    bool pd = w->plant->n_pools > 1;
    struct engine *d = route_pick(w, pd ? 1 : 0, router->decode, now);
    r->decode = d->id;
    r->queued = now;
    d->active++;
    if (!pd) {
        engine_push(w, d, req, now);
        return;
    }
    struct engine *p = route_pick(w, 0, router->prefill, now);
    r->prefill = p->id;
    p->active++;
    engine_push(w, p, req, now);
}
