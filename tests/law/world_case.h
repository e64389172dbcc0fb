/* world_case - small random worlds: every shape of plant under every kind of
 * load, with caches tight enough that requests are preempted, wait for blocks
 * and leave theirs pinned.  Case i of a seed is always the same.  All lies in
 * the arena given. */
#ifndef TESTS_WORLD_CASE_H
#define TESTS_WORLD_CASE_H

#include "sim/des/rng.h"
#include "sim/serve/profile.h"
#include "tests/unit/serve/plant_fix.h"

enum { CASE_PROFILES = 4, CASE_PRICES = 10, CASE_WINDOWED = 6 };
enum { CASE_LONGEST = 600 }; /* tokens of a request */

struct world_cases {
    struct profile profile[CASE_PROFILES];
    /* the first CASE_WINDOWED of models without a window */
    const struct price *price[CASE_PRICES];
    int tp[CASE_PRICES];
};

struct world_case {
    struct plant plant;
    struct load_spec load;
    uint64_t seed;
};

static inline void case_prices(struct world_cases *k, struct arena *a)
{
    /* round times make many engines act at one nanosecond */
    static const struct fix_times t[] = {
        {5000, 0, 0, 0}, {5000, 500, 1000, 500}, {1000, 200, 1500, 300}};
    for (int i = 0; i < 3; i++) {
        k->price[i] = fix_timed(a, t[i]);
        k->tp[i] = 1;
    }
    for (int i = 3; i < CASE_PRICES; i++) {
        k->tp[i] = i == 9 ? 1 : 1 << i % 3;
        k->price[i] = fix_real(a, k->tp[i], i >= CASE_WINDOWED);
    }
}

static inline struct world_cases *case_open(struct arena *a)
{
    static const char *const names[CASE_PROFILES] = {"vllm-0.15", "vllm-0.21",
                                                     "vllm-0.22", "vllm-0.32"};
    struct world_cases *k = ARENA_NEW(a, struct world_cases);
    struct err e = {0};
    for (int i = 0; i < CASE_PROFILES; i++)
        if (!profile_load("models", names[i], a, &k->profile[i], &e)) {
            fprintf(stderr, "%s\n", e.text);
            abort();
        }
    case_prices(k, a);
    return k;
}

/* 1 in n. */
static inline bool case_rare(struct rng *r, uint32_t n)
{
    return rng_below(r, n) == 0;
}

static inline int32_t case_one_of(struct rng *r, const int32_t *v, uint32_t n)
{
    return v[rng_below(r, n)];
}

static inline void case_blocks(struct rng *r, struct sched_opt *o)
{
    static const int32_t percent[] = {100, 110, 150, 300, 3000};
    int64_t least = plant_blocks(o, CASE_LONGEST);
    o->num_blocks = 1 + least * case_one_of(r, percent, 5) / 100;
}

static inline struct sched_opt case_sched(struct rng *r,
                                          const struct world_cases *k,
                                          enum pool_role role, bool windowed)
{
    static const int32_t tokens[] = {64, 200, 2048}, seqs[] = {1, 3, 8, 40};
    static const int32_t block[] = {4, 16, 64};
    struct sched_opt o = k->profile[rng_below(r, CASE_PROFILES)].sched;
    o.async_scheduling = rng_below(r, 2);
    o.max_num_batched_tokens = case_one_of(r, tokens, 3);
    o.max_num_seqs = case_one_of(r, seqs, 4);
    o.max_model_len = FIX_LEN;
    o.long_prefill_token_threshold = case_rare(r, 4) ? 48 : 0;
    o.policy = case_rare(r, 8) ? SCHED_PRIORITY : SCHED_FCFS;
    o.enable_prefix_caching = case_rare(r, 3);
    if (case_rare(r, 8)) {
        o.enable_chunked_prefill = false;
        o.max_num_batched_tokens = 2048;
    }
    o.block_size = case_one_of(r, block, 3);
    o.attn_window = windowed ? FIX_WINDOW : 0;
    o.n_groups = windowed && rng_below(r, 2) ? 2 : 1;
    o.window[1] = o.n_groups == 2 ? FIX_WINDOW : 0;
    o.connector = role != ROLE_AGGREGATED ? SCHED_NIXL
                : case_rare(r, 6)         ? SCHED_DECODE_BENCH
                                          : SCHED_NO_CONNECTOR;
    case_blocks(r, &o);
    return o;
}

static inline struct plant_pool case_pool(struct rng *r,
                                          const struct world_cases *k,
                                          enum pool_role role, bool windowed)
{
    int lo = windowed ? CASE_WINDOWED : 0;
    int n = windowed ? CASE_PRICES - CASE_WINDOWED : CASE_WINDOWED;
    int i = lo + (int)rng_below(r, (uint32_t)n);
    struct plant_pool p = fix_pool(role, 1 + rng_below(r, 3), k->tp[i],
                                   k->price[i]);
    p.sched = case_sched(r, k, role, windowed);
    return p;
}

/* Weights, a filter and a decider at random. */
static inline void case_router(struct rng *r, struct plant_router *p)
{
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < SCORE_N; k++)
            p->side[i].weight[k] = rng_below(r, 3);
        p->side[i].affinity_hit = case_rare(r, 2) ? 0.5 : 0;
        p->side[i].affinity_tok_s = 20000;
        p->side[i].affinity_penalty_s = 0.05;
    }
    p->decider = case_rare(r, 2) ? DECIDE_ALWAYS
                                 : (enum route_decider)rng_below(r, 4);
    p->threshold = 100 * rng_below(r, 8);
    p->index_tokens = 16;
    p->index_most = 256;
    p->index_blocks = case_rare(r, 2) ? 0 : 20;
}

static inline struct plant case_plant(struct rng *r,
                                      const struct world_cases *k)
{
    static const double hop[] = {0, 0.0003, 0.005};
    static const double scrape[] = {0, 0.003, 0.05};
    struct plant_pool pool[PLANT_POOLS];
    bool windowed = rng_below(r, 2), pd = rng_below(r, 2);
    if (pd) {
        pool[0] = case_pool(r, k, ROLE_PREFILL, windowed);
        pool[1] = case_pool(r, k, ROLE_DECODE, windowed);
        struct sched_opt *p = &pool[0].sched;
        const struct sched_opt *d = &pool[1].sched;
        p->block_size = d->block_size;
        p->n_groups = d->n_groups;
        p->window[1] = d->window[1];
        case_blocks(r, p);
    } else {
        pool[0] = case_pool(r, k, ROLE_AGGREGATED, windowed);
    }
    struct plant p = fix_plant(pool, pd ? 2 : 1);
    p.kv_write = pd && case_rare(r, 3);
    p.kv_parallel = p.kv_write && rng_below(r, 2);
    p.handshake_s = case_rare(r, 4) ? 0.02 : 0;
    if (case_rare(r, 4)) {
        p.pool[0].pin_expiry_s = 0.2;
        p.pool[0].pin_heartbeat = rng_below(r, 2);
        p.pool[1].sched.load_failure_fails = rng_below(r, 2);
    }
    p.router.prefill = (enum route_kind)rng_below(r, ROUTE_N);
    p.router.decode = (enum route_kind)rng_below(r, ROUTE_N);
    p.router.scrape_s = scrape[rng_below(r, 3)];
    p.router.hop_s = hop[rng_below(r, 3)];
    p.router.sidecar_s = hop[rng_below(r, 3)];
    case_router(r, &p.router);
    return p;
}

static inline struct length_spec case_length(struct rng *r, int64_t max)
{
    int64_t lo = rng_range(r, 1, max), hi = rng_range(r, 1, max);
    if (case_rare(r, 3))
        return fix_length(lo);
    if (lo > hi) {
        int64_t t = lo;
        lo = hi;
        hi = t;
    }
    return (struct length_spec){.kind = LENGTH_UNIFORM, .min = lo, .max = hi};
}

/* Bursts, lulls and shared texts; all of it (requests 0), or its beginning. */
static inline struct load_spec case_trace(struct rng *r, struct arena *a)
{
    int64_t n = rng_range(r, 10, 80);
    double *at = ARENA_ARRAY(a, double, (size_t)n);
    int32_t *isl = ARENA_ARRAY(a, int32_t, (size_t)n);
    int32_t *osl = ARENA_ARRAY(a, int32_t, (size_t)n);
    uint64_t *text = ARENA_ARRAY(a, uint64_t, (size_t)n);
    uint32_t *first = ARENA_ARRAY(a, uint32_t, (size_t)n + 1);
    double t = 0;
    for (int64_t i = 0; i < n; i++) {
        t += case_rare(r, 3) ? 0.05 * rng_exp(r) : 0;
        at[i] = t;
        isl[i] = (int32_t)rng_range(r, 1, CASE_LONGEST / 2);
        osl[i] = (int32_t)rng_range(r, 1, CASE_LONGEST / 2);
        text[i] = rng_below(r, 5);
        first[i + 1] = (uint32_t)i + 1;
    }
    struct load_spec l = fix_trace(a, at, isl, osl, n);
    if (rng_below(r, 2)) {
        struct trace *named = ARENA_NEW(a, struct trace);
        *named = *l.data;
        named->text = text;
        named->first = first;
        l.data = named;
    }
    l.requests = rng_below(r, 2) ? 0 : n - 5;
    l.concurrency = rng_below(r, 2) ? 0 : rng_range(r, 1, 20);
    return l;
}

static inline struct load_spec case_load(struct rng *r, struct arena *a)
{
    int64_t n = rng_range(r, 10, 100);
    struct load_spec l = {0};
    switch (rng_below(r, 4)) {
    case 0:
        l = case_trace(r, a);
        break;
    case 1:
        l = fix_poisson(5 * exp(4 * rng_unit(r)), n, 1, 1);
        l.rescale = rng_below(r, 2);
        l.concurrency = rng_below(r, 2) ? 0 : rng_range(r, 1, 20);
        break;
    case 2:
        l = fix_closed(rng_range(r, 1, 30), n, 1, 1);
        break;
    default:
        l = fix_closed(rng_range(r, 1, 8), n, 1, 1);
    }
    if (!l.data) {
        l.isl = case_length(r, CASE_LONGEST / 2);
        l.osl = case_length(r, CASE_LONGEST / 2);
        l.shared_prefix = case_rare(r, 3) ? rng_range(r, 1, 300) : 0;
    }
    l.warmup_requests = case_rare(r, 3) ? rng_range(r, 1, 5) : 0;
    return l;
}

static inline struct world_case case_make(const struct world_cases *k,
                                          uint32_t i, struct arena *a)
{
    struct rng r = rng_stream(20, RNG_TEST, i);
    struct world_case c = {.plant = case_plant(&r, k),
                           .load = case_load(&r, a),
                           .seed = rng_u64(&r)};
    return c;
}

#endif
