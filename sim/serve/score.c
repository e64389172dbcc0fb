/* llm-d's scorers, filter and picker (engine.md 8.3; sources there): each score
 * is clamped to [0, 1], the weighted sum is not normalised, the best pod is
 * taken and ties are drawn uniformly.
 *
 * Scraped gauges are as old as the pod's last scrape; in-flight counters and
 * the prefix index are the picker's own and have no age. */
#include "sim/base/must.h"
#include "sim/serve/world_int.h"

#include <math.h>

/* load-aware-scorer: a queue this long or longer scores nothing. */
#define SCORE_QUEUE_LIMIT 128.0
/* token-load-scorer: tokens in flight that score nothing (v0.10). */
#define SCORE_TOKEN_LIMIT 4194304.0

struct score_seen { /* over all candidates */
    double queue_min, queue_max, active_max;
};

static struct score_seen score_look(struct world *w, struct engine *of,
                                    uint32_t n, ns_t now)
{
    struct score_seen s = {INFINITY, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        route_scrape(w, &of[i], now);
        s.queue_min = fmin(s.queue_min, of[i].scraped);
        s.queue_max = fmax(s.queue_max, of[i].scraped);
        s.active_max = fmax(s.active_max, of[i].active);
    }
    return s;
}

double score_prefix(const struct world *w, const struct engine *g)
{
    if (!g->index || !w->n_hash)
        return 0;
    return (double)prefix_index_match(g->index, w->hash, w->n_hash)
         / (double)w->n_hash;
}

static double score_one(const struct world *w, const struct engine *g,
                        const struct score_seen *s, enum route_scorer k)
{
    double queue = g->scraped;
    switch (k) {
    case SCORE_QUEUE:
        return s->queue_max > s->queue_min
                 ? (s->queue_max - queue) / (s->queue_max - s->queue_min)
                 : 1;
    case SCORE_KV:
        return 1 - g->scraped_kv;
    case SCORE_LOAD:
        return 0.5 * (1 - fmin(queue, SCORE_QUEUE_LIMIT) / SCORE_QUEUE_LIMIT);
    case SCORE_ACTIVE:
        return g->active ? (s->active_max - g->active) / s->active_max : 1;
    case SCORE_PREFIX:
        return score_prefix(w, g);
    case SCORE_TOKENS:
        return 1 - (double)g->tokens / SCORE_TOKEN_LIMIT;
    case SCORE_SESSION:
        return w->last_pod[g->pool] == g->id;
    case SCORE_N:
        break;
    }
    must_fail("a known scorer", __FILE__, __LINE__);
}

double score_of(const struct world *w, const struct engine *g,
                const struct route_side *side, const double seen[3])
{
    struct score_seen s = {seen[0], seen[1], seen[2]};
    double sum = 0;
    for (int k = 0; k < SCORE_N; k++) {
        if (!(side->weight[k] > 0))
            continue;
        double v = score_one(w, g, &s, (enum route_scorer)k);
        sum += side->weight[k] * fmin(1, fmax(0, v));
    }
    return sum;
}

/* prefix-cache-affinity-filter: pods that have most of the prompt, unless the
 * best of them would answer so much later than the best of all. */
static bool score_sticks(const struct world *w, const struct engine *of,
                         uint32_t n, const struct route_side *side)
{
    double all = INFINITY, hit = INFINITY;
    if (!(side->affinity_hit > 0))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        double s = (double)of[i].tokens / side->affinity_tok_s;
        all = fmin(all, s);
        if (score_prefix(w, &of[i]) >= side->affinity_hit)
            hit = fmin(hit, s);
    }
    return hit < INFINITY && hit - all <= side->affinity_penalty_s;
}

struct engine *score_pick(struct world *w, uint32_t pool,
                          const struct route_side *side, ns_t now)
{
    uint32_t n = w->plant->pool[pool].replicas, ties = 0, pick = 0;
    struct engine *of = &w->engine[w->first[pool]];
    struct score_seen s = score_look(w, of, n, now);
    const double seen[3] = {s.queue_min, s.queue_max, s.active_max};
    bool sticks = score_sticks(w, of, n, side);
    double best = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (sticks && score_prefix(w, &of[i]) < side->affinity_hit)
            continue;
        double v = score_of(w, &of[i], side, seen);
        if (ties && v < best)
            continue;
        if (!ties || v > best)
            ties = 0;
        best = v;
        ties++;
        /* reservoir: each of the ties with equal chance */
        if (ties == 1 || rng_below(&w->route_rng, ties) == 0)
            pick = i;
    }
    return &of[pick];
}
