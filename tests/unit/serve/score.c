/* llm-d's scorers, filter and deciders: vectors W1 to W5 of engine.md. */
#include "tests/t.h"

#include "tests/unit/serve/rig.h"

static struct load_spec load;

/* n pods a pool of one aggregated pool, or a prefill and a decode pool. */
static struct rig *pods(struct arena *a, uint32_t n, uint32_t pools)
{
    const struct price *price = fix_timed(a,
                                          (struct fix_times){10000, 0, 0, 0});
    struct plant_pool p[2];
    for (uint32_t i = 0; i < pools; i++)
        p[i] = fix_pool(pools == 1 ? ROLE_AGGREGATED
                        : i        ? ROLE_DECODE
                                   : ROLE_PREFILL,
                        n, 1, price);
    struct plant *plant = ARENA_NEW(a, struct plant);
    *plant = fix_plant(p, pools);
    plant->router.prefill = plant->router.decode = ROUTE_SCORED;
    return rig_open(a, plant, &load);
}

static struct plant_router *router(struct rig *r)
{
    return &((struct plant *)(uintptr_t)r->w.plant)->router;
}

static double weighted(struct rig *r, uint32_t pod, enum route_scorer k)
{
    struct route_side side = {.affinity_hit = 0};
    double seen[3] = {1e9, 0, 0};
    side.weight[k] = 1;
    for (uint32_t i = 0; i < r->w.n_engines; i++) {
        const struct engine *g = &r->w.engine[i];
        seen[0] = fmin(seen[0], g->scraped);
        seen[1] = fmax(seen[1], g->scraped);
        seen[2] = fmax(seen[2], g->active);
    }
    return score_of(&r->w, &r->w.engine[pod], &side, seen);
}

static void queues(struct rig *r, uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t q[3] = {a, b, c};
    for (uint32_t i = 0; i < r->w.n_engines; i++)
        r->w.engine[i].scraped = r->w.engine[i].gauge = q[i];
}

static uint32_t picked(struct rig *r, uint32_t life)
{
    r->w.req[0] = (struct world_req){
        .isl = 4096, .osl = 1, .life = life, .prefill = WORLD_NOBODY};
    route_deliver(&r->w, 0, 1000000000);
    return r->w.req[0].decode;
}

static void W1_the_queue_scorer(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, 1);
    queues(r, 0, 1, 0);
    NEAR(weighted(r, 0, SCORE_QUEUE), 1, 0);
    NEAR(weighted(r, 1, SCORE_QUEUE), 0, 0);
    queues(r, 3, 3, 0);
    NEAR(weighted(r, 0, SCORE_QUEUE), 1, 0);
    NEAR(weighted(r, 1, SCORE_QUEUE), 1, 0);
    r = pods(a, 3, 1);
    queues(r, 0, 2, 4);
    NEAR(weighted(r, 0, SCORE_QUEUE), 1, 0);
    NEAR(weighted(r, 1, SCORE_QUEUE), 0.5, 0);
    NEAR(weighted(r, 2, SCORE_QUEUE), 0, 0);
    arena_close(a);
}

static void the_other_scorers(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, 1);
    struct engine *g = r->w.engine;
    queues(r, 0, 64, 0);
    NEAR(weighted(r, 0, SCORE_LOAD), 0.5, 0);
    NEAR(weighted(r, 1, SCORE_LOAD), 0.25, 0);
    queues(r, 0, 1000, 0);
    NEAR(weighted(r, 1, SCORE_LOAD), 0, 0);
    g[1].scraped_kv = 0.75;
    NEAR(weighted(r, 0, SCORE_KV), 1, 0);
    NEAR(weighted(r, 1, SCORE_KV), 0.25, 0);
    NEAR(weighted(r, 0, SCORE_ACTIVE), 1, 0);
    g[0].active = 4;
    g[1].active = 1;
    NEAR(weighted(r, 0, SCORE_ACTIVE), 0, 0);
    NEAR(weighted(r, 1, SCORE_ACTIVE), 0.75, 0);
    g[0].tokens = 1 << 20;
    NEAR(weighted(r, 0, SCORE_TOKENS), 0.75, 0);
    g[0].tokens = 5 << 20; /* clamped */
    NEAR(weighted(r, 0, SCORE_TOKENS), 0, 0);
    r->w.last_pod[0] = 1;
    NEAR(weighted(r, 0, SCORE_SESSION), 0, 0);
    NEAR(weighted(r, 1, SCORE_SESSION), 1, 0);
    arena_close(a);
}

static void W2_ties_are_drawn_uniformly(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 4, 1);
    int of[4] = {0};
    double chi = 0;
    router(r)->side[1].weight[SCORE_QUEUE] = 1;
    for (uint32_t i = 0; i < 10000; i++)
        of[picked(r, i)]++;
    for (int i = 0; i < 4; i++)
        chi += (of[i] - 2500.0) * (of[i] - 2500.0) / 2500;
    /* chi squared of 3 degrees: 99.9 % of draws are below, 99.5 % above */
    assert_true(chi < 16.3 && chi > 0.07);
    arena_close(a);
}

static void W3_one_snapshot(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, 1);
    struct engine *g = r->w.engine;
    router(r)->side[1].weight[SCORE_QUEUE] = 1;
    r->w.req[0] = (struct world_req){.isl = 16, .osl = 1};
    g[1].gauge = 1;
    route_scrape(&r->w, &g[0], 1000000000);
    route_scrape(&r->w, &g[1], 1000000000);
    g[0].gauge = 50; /* after the scrape */
    for (int i = 0; i < 20; i++) {
        route_deliver(&r->w, 0, 1000000000 + i * 1000000);
        EQ(r->w.req[0].decode, 0);
    }
    arena_close(a);
}

/* A prompt of 4096 tokens of which the decode pod is believed to have 4080. */
static bool apart(enum route_decider how, double threshold)
{
    struct arena *a = arena_open();
    struct load_spec l = {.shared_prefix = 4080};
    struct rig *r = pods(a, 1, 2);
    r->ask.load = &l;
    router(r)->decider = DECIDE_TOKENS; /* so that there is an index */
    router(r)->threshold = 1;
    route_init(&r->w);
    picked(r, 1);
    EQ(r->w.req[0].prefill, 0); /* nothing cached yet */
    router(r)->decider = how;
    router(r)->threshold = threshold;
    picked(r, 2);
    bool is = r->w.req[0].prefill == 0;
    arena_close(a);
    return is;
}

static void W4_deciders(void **state)
{
    (void)state;
    assert_true(apart(DECIDE_TOKENS, 16));
    assert_false(apart(DECIDE_TOKENS, 17));
    assert_false(apart(DECIDE_TOKENS, 0));
    assert_true(apart(DECIDE_CHARACTERS, 0));
    assert_true(apart(DECIDE_CHARACTERS, 64)); /* 16 tokens */
    assert_false(apart(DECIDE_CHARACTERS, 65));
    assert_true(apart(DECIDE_ALWAYS, 0));
    assert_false(apart(DECIDE_NEVER, 0));
}

static void W5_prefix_against_queue(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct load_spec l = {.shared_prefix = 2048};
    struct rig *r = pods(a, 2, 1);
    struct route_side *side = &router(r)->side[1];
    r->ask.load = &l;
    side->weight[SCORE_PREFIX] = 2;
    side->weight[SCORE_QUEUE] = 1;
    route_init(&r->w);
    uint32_t first = picked(r, 1);
    queues(r, first == 0 ? 9 : 2, first == 1 ? 9 : 2, 0);
    r->w.req[0] = (struct world_req){.isl = 4096, .osl = 1, .life = 2};
    r->w.n_hash = prompt_hashes(&r->w, &r->w.req[0], 16, 256);
    EQ(r->w.n_hash, 256);
    const double seen[3] = {2, 9, 1};
    NEAR(score_of(&r->w, &r->w.engine[first], side, seen), 1, 0);
    NEAR(score_of(&r->w, &r->w.engine[1 - first], side, seen), 1, 0);
    side->weight[SCORE_PREFIX] = 2.1;
    EQ(picked(r, 3), first);
    arena_close(a);
}

/* v0.10's filter: pods with most of the prompt, unless they are too busy. */
static void affinity(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct load_spec l = {.shared_prefix = 4000};
    struct rig *r = pods(a, 2, 1);
    struct route_side *side = &router(r)->side[1];
    r->ask.load = &l;
    *side = (struct route_side){.weight[SCORE_TOKENS] = 1,
                                .affinity_hit = 0.8,
                                .affinity_penalty_s = 18,
                                .affinity_tok_s = 1000};
    route_init(&r->w);
    uint32_t first = picked(r, 1);
    for (uint32_t i = 2; i < 6; i++) /* each adds 4.096 s of work */
        EQ(picked(r, i), first);
    EQ(picked(r, 6), 1 - first); /* 20.48 s later than the other */
    EQ(picked(r, 7), 1 - first); /* now both have it */
    arena_close(a);
}

static void what_is_in_flight(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, 2);
    router(r)->side[0].weight[SCORE_TOKENS] = 1;
    router(r)->side[1].weight[SCORE_ACTIVE] = 1;
    picked(r, 0);
    struct engine *p = &r->w.engine[r->w.req[0].prefill];
    struct engine *d = &r->w.engine[r->w.req[0].decode];
    EQ(p->tokens, 4096);
    EQ(d->active, 1);
    uint32_t prefill = r->w.req[0].prefill, decode = r->w.req[0].decode;
    picked(r, 1);
    EQ(r->w.req[0].prefill, 1 - prefill);
    EQ(r->w.req[0].decode, 5 - decode);
    route_answered(&r->w, p, &r->w.req[0]);
    EQ(p->tokens, 0);
    EQ(p->active, 0);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(W1_the_queue_scorer),
       cmocka_unit_test(the_other_scorers),
       cmocka_unit_test(W2_ties_are_drawn_uniformly),
       cmocka_unit_test(W3_one_snapshot), cmocka_unit_test(W4_deciders),
       cmocka_unit_test(W5_prefix_against_queue), cmocka_unit_test(affinity),
       cmocka_unit_test(what_is_in_flight))
