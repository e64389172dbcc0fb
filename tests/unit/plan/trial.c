/* One topology at one load. */
#include "tests/t.h"

#include "sim/base/must.h"
#include "sim/des/rng.h"
#include "sim/plan/trial.h"
#include "tests/unit/plan/plan_fix.h"

static void index_seed_and_load(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario *s = plan_read(
        f, "{" PLAN_BASE ", \"seed\": \"5\", \"sweep\": {\"pools\": "
           "[\"agg-tp1\", \"1p-tp1-1d-tp1\"], \"concurrency\": [2, 30]}}");
    struct space sp;
    struct err e = {0};
    OK(space_build(s, f->a, &sp, &e), e);
    for (size_t i = 0; i < 4; i++) {
        struct arena *a = arena_open();
        struct trial t;
        trial_run(&sp, i, false, a, &t);
        assert_true(t.ok);
        EQ(t.topology, i / 2);
        EQ(t.point, i % 2);
        /* all topologies meet the same chance at a point */
        assert_true(t.seed == rng_seed(5, i % 2));
        EQ(t.load.concurrency, i % 2 ? 30 : 2);
        EQ(t.out.requests, i % 2 ? 30 : 24);
        EQ(t.out.output_tokens, 20 * t.out.requests);
        assert_null(must_context);
        arena_close(a);
    }
    plan_close(f);
}

static void single_steps_are_the_same(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario *s = plan_read(f, "{" PLAN_BASE ", \"pools\": "
                                      "\"2p-tp1-1d-tp2\"}");
    struct space sp;
    struct err e = {0};
    OK(space_build(s, f->a, &sp, &e), e);
    struct arena *a = arena_open();
    struct trial x, y;
    trial_run(&sp, 0, false, a, &x);
    arena_reset(a);
    trial_run(&sp, 0, true, a, &y);
    arena_close(a);
    y.out.events = x.out.events;
    assert_memory_equal(&x, &y, sizeof x);
    plan_close(f);
}

static void a_refusal_is_data(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario *s = plan_read(f, "{" PLAN_MODEL ", " PLAN_LOAD
                                      ", \"pools\": \"agg-tp1\", "
                                      "\"engine\": {\"max_model_len\": 519}}");
    struct space sp;
    struct err e = {0};
    struct trial t;
    OK(space_build(s, f->a, &sp, &e), e);
    struct arena *a = arena_open();
    trial_run(&sp, 0, false, a, &t);
    assert_false(t.ok);
    STR_HAS(t.why, "500 + 20 tokens does not fit max_model_len 519");
    arena_close(a);
    plan_close(f);
}

static void promises(void **state)
{
    (void)state;
    struct scenario_slo none = {NAN, NAN, NAN, NAN, NAN}, slo = none;
    struct outcome o = {.ttft.p99 = 100,
                        .itl.p99 = 20,
                        .tpot.p99 = 15,
                        .e2e.p99 = 900,
                        .tpsu = 50};
    assert_false(trial_slo_given(&none));
    assert_true(trial_slo_met(&none, &o));
    slo.ttft_ms_p99 = 100;
    assert_true(trial_slo_given(&slo) && trial_slo_met(&slo, &o));
    slo.ttft_ms_p99 = 99.9;
    assert_false(trial_slo_met(&slo, &o));
    const struct scenario_slo each[] = {{NAN, 19, NAN, NAN, NAN},
                                        {NAN, NAN, 14, NAN, NAN},
                                        {NAN, NAN, NAN, 899, NAN},
                                        {NAN, NAN, NAN, NAN, 51}};
    for (int i = 0; i < 4; i++)
        assert_true(trial_slo_given(&each[i]) && !trial_slo_met(&each[i], &o));
    /* an answer of one token has no gap that could be too long */
    o.itl.p99 = NAN;
    assert_true(trial_slo_met(&each[0], &o));
}

T_MAIN(cmocka_unit_test(index_seed_and_load),
       cmocka_unit_test(single_steps_are_the_same),
       cmocka_unit_test(a_refusal_is_data), cmocka_unit_test(promises))
