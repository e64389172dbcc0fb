#include "sim/plan/scenario_router.h"

#include "tests/t.h"

#include "sim/base/json.h"
#include "tests/unit/plan/plan_fix.h"

static bool router(struct plan_fix *f, const char *pools, const char *keys,
                   struct scenario *s, struct err *e)
{
    struct plant p;
    const char *text = arena_fmt(
        f->a, "{" PLAN_BASE ", \"pools\": \"%s\", \"router\": {%s}}", pools,
        keys);
    return plan_try(f, text, NULL, s, e)
        && scenario_plant(s, &s->topology, scenario_plant_cache(s, f->a), &p,
                          e);
}

static void profiles(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario s;
    struct err e = {0};
    OK(router(f, "1p-tp1-1d-tp1", "\"profile\": \"llm-d-router-0.10\"", &s, &e),
       e);
    EQ(s.router.prefill, ROUTE_SCORED);
    NEAR(s.router.side[0].weight[SCORE_TOKENS], 1, 0);
    NEAR(s.router.side[0].affinity_hit, 0.8, 0);
    NEAR(s.router.side[0].affinity_tok_s, 33821, 0);
    NEAR(s.router.side[0].affinity_penalty_s, 18, 0);
    NEAR(s.router.side[1].weight[SCORE_ACTIVE], 1, 0);
    EQ(s.router.decider, DECIDE_ALWAYS);
    EQ(s.router.index_tokens, 64);
    EQ(s.router.index_most, 2048);
    OK(router(f, "2x-agg-tp1", "\"profile\": \"llm-d-default\"", &s, &e), e);
    NEAR(s.router.side[1].weight[SCORE_QUEUE], 2, 0);
    NEAR(s.router.side[1].weight[SCORE_KV], 2, 0);
    NEAR(s.router.side[1].weight[SCORE_PREFIX], 3, 0);
    EQ(s.router.index_tokens, 16);
    OK(router(f, "1p-tp1-1d-tp1", "\"profile\": \"llm-d-pd-sample\"", &s, &e),
       e);
    EQ(s.router.decider, DECIDE_TOKENS);
    NEAR(s.router.threshold, 16, 0);
    plan_close(f);
}

static void keys(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario s;
    struct err e = {0};
    OK(router(f, "1p-tp1-1d-tp1",
              "\"decider\": \"threshold-characters\", \"threshold\": 500, "
              "\"decode_weights\": {\"load-aware\": 2, \"prefix-cache\": 0.5}, "
              "\"index_block_tokens\": 32, \"index_blocks\": 1000",
              &s, &e),
       e);
    EQ(s.router.prefill, ROUTE_QUEUE);
    EQ(s.router.decode, ROUTE_SCORED);
    NEAR(s.router.side[1].weight[SCORE_LOAD], 2, 0);
    NEAR(s.router.side[1].weight[SCORE_PREFIX], 0.5, 0);
    EQ(s.router.decider, DECIDE_CHARACTERS);
    NEAR(s.router.threshold, 500, 0);
    EQ(s.router.index_tokens, 32);
    EQ(s.router.index_blocks, 1000);
    plan_close(f);
}

/* What is printed reads back as itself. */
static void printed(void **state)
{
    (void)state;
    static const char *const all[] = {
        "", "\"profile\": \"random\"", "\"profile\": \"llm-d-router-0.10\"",
        "\"profile\": \"llm-d-pd-sample\", \"threshold\": 7",
        "\"decider\": \"never\", \"prefill_weights\": {\"queue\": 3}"};
    struct plan_fix *f = plan_open();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct scenario s, t;
        struct err e = {0};
        OK(router(f, "1p-tp1-1d-tp1", all[i], &s, &e), e);
        cJSON *o = scenario_router_json(&s);
        OK(scenario_router_read(o, f->a, &t, &e), e);
        json_free(o);
        EQ(s.router.decider, t.router.decider);
        EQ(s.router.prefill, t.router.prefill);
        NEAR(s.router.threshold, t.router.threshold, 0);
        assert_memory_equal(s.router.side[0].weight, t.router.side[0].weight,
                            sizeof s.router.side[0].weight);
        NEAR(s.router.side[0].affinity_hit, t.router.side[0].affinity_hit, 0);
    }
    plan_close(f);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *pools, *keys, *says;
    } bad[] = {
        {"1p-tp1-1d-tp1", "\"profile\": \"llm-d-default\"", "no P/D decider"},
        {"agg-tp1", "\"threshold\": 3", "has none"},
        {"agg-tp1", "\"decode_weights\": {\"queeu\": 1}", "queue"},
        {"agg-tp1", "\"decode_weights\": {\"queue\": -1}", "[0, "},
        {"1p-tp1-1d-tp1", "\"affinity_hit\": 0.5", "scores nothing"},
    };
    struct plan_fix *f = plan_open();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct scenario s;
        struct err e = {0};
        assert_false(router(f, bad[i].pools, bad[i].keys, &s, &e));
        EQ(e.kind, ERR_INPUT);
        STR_HAS(e.text, bad[i].says);
    }
    plan_close(f);
}

T_MAIN(cmocka_unit_test(profiles), cmocka_unit_test(keys),
       cmocka_unit_test(printed), cmocka_unit_test(refusals))
