/* Which replica (engine.md 8).  The decode side is picked first; then, in a P/D
 * plant, whether to prefill apart is decided on the chosen pod, and the prefill
 * side is picked.
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

/* Pods are scraped at phase + k periods; without a period always. */
void route_scrape(struct world *w, struct engine *g, ns_t now)
{
    if (now < g->scrape_next)
        return;
    ns_t period = units_ns(w->plant->router.scrape_s);
    if (period > 0 && g->scrape_next > 0 && now - g->scrape_next < period) {
        g->scrape_next += period; /* as a rule, and spares a division */
    } else if (period > 0) {
        ns_t ticks = (now - g->scrape_phase + period) / period;
        g->scrape_next = g->scrape_phase + ticks * period;
    }
    g->scraped = g->gauge;
    g->scraped_kv = g->gauge_kv;
}

/* 0: the prefill side; aggregated pools use decode's. */
static int route_side_of(const struct world *w, uint32_t pool)
{
    return w->plant->n_pools > 1 && pool == 0 ? 0 : 1;
}

bool route_sees_kv(const struct world *w, uint32_t pool)
{
    const struct plant_router *r = &w->plant->router;
    int side = route_side_of(w, pool);
    enum route_kind k = side ? r->decode : r->prefill;
    return w->plant->pool[pool].replicas > 1
        && (k == ROUTE_KV
            || (k == ROUTE_SCORED && r->side[side].weight[SCORE_KV] > 0));
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
    case ROUTE_SCORED:
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
    if (kind == ROUTE_SCORED)
        return score_pick(w, pool,
                          &w->plant->router.side[route_side_of(w, pool)], now);
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

/* ---- the prefix index ---- */

void route_init(struct world *w)
{
    const struct plant_router *r = &w->plant->router;
    w->local = w->plant->n_pools > 1 && r->decider != DECIDE_ALWAYS;
    if (!plant_indexed(r))
        return;
    for (uint32_t i = 0; i < w->n_engines; i++) {
        struct engine *g = &w->engine[i];
        int64_t n = r->index_blocks ? r->index_blocks
                                    : g->plan->sched.num_blocks - 1;
        g->index = prefix_index_new((uint32_t)n, w->arena);
    }
}

/* Tokens of the index's blocks: those of the pods, unless smaller than may be
 * (AutoTune; all pods of a plant that matter have one size). */
static int32_t route_block(const struct world *w)
{
    const struct plant *p = w->plant;
    int32_t pod = p->pool[p->n_pools - 1].sched.block_size;
    return pod > p->router.index_tokens ? pod : p->router.index_tokens;
}

static void route_record(struct world *w, struct engine *g)
{
    if (g->index)
        prefix_index_add(g->index, w->hash, w->n_hash);
}

/* Prompt tokens that the decode pod is not believed to have. */
static double route_uncached(const struct world *w, const struct engine *d,
                             const struct world_req *r)
{
    uint32_t hit = prefix_index_match(d->index, w->hash, w->n_hash);
    return (double)r->isl - (double)hit * route_block(w);
}

static bool route_apart(const struct world *w, const struct engine *d,
                        const struct world_req *r)
{
    const struct plant_router *router = &w->plant->router;
    switch (router->decider) {
    case DECIDE_ALWAYS:
        return true;
    case DECIDE_NEVER:
        return false;
    case DECIDE_CHARACTERS:
        return route_uncached(w, d, r) * ROUTE_CHARS_A_TOKEN
            >= router->threshold;
    case DECIDE_TOKENS:
        return router->threshold > 0
            && route_uncached(w, d, r) >= router->threshold;
    }
    must_fail("a known decider", __FILE__, __LINE__);
}

/* ---- a request comes ---- */

void route_answered(struct world *w, struct engine *g,
                    const struct world_req *r)
{
    (void)w;
    g->active--;
    g->tokens -= r->isl;
}

static void route_to(struct world *w, struct engine *g, uint32_t req, ns_t now)
{
    g->active++;
    g->tokens += w->req[req].isl;
    route_record(w, g);
    engine_push(w, g, req, now);
}

void route_deliver(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    const struct plant_router *router = &w->plant->router;
    bool pd = w->plant->n_pools > 1;
    w->last_pod[0] = w->last_pod[1] = WORLD_NOBODY;
    if (w->engine[0].index)
        w->n_hash = prompt_hashes(w, r, route_block(w), router->index_most);
    struct engine *d = route_pick(w, pd ? 1 : 0, router->decode, now);
    r->decode = d->id;
    r->queued = now;
    if (!pd) {
        route_to(w, d, req, now);
        return;
    }
    if (!route_apart(w, d, r)) {
        r->pinned = WORLD_NOBODY; /* nothing to fetch: decode prefills */
        route_to(w, d, req, now);
        return;
    }
    struct engine *p = route_pick(w, 0, router->prefill, now);
    r->prefill = p->id;
    if (w->plant->kv_parallel) {
        route_to(w, d, req, now);
    } else {
        d->active++;
        d->tokens += r->isl;
        route_record(w, d);
    }
    route_to(w, p, req, now);
}
