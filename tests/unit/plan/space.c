/* Topologies and loads of a sweep. */
#include "tests/t.h"

#include "sim/plan/space.h"
#include "tests/unit/plan/plan_fix.h"

static struct plan_fix *fix;

static struct space built(const char *more)
{
    struct space sp;
    struct err e = {0};
    struct scenario *s = plan_read(
        fix, arena_fmt(fix->a, "{" PLAN_BASE ", %s}", more));
    OK(space_build(s, fix->a, &sp, &e), e);
    return sp;
}

static void names(const struct space *sp, const char *want)
{
    const char *all = "";
    for (size_t i = 0; i < sp->n; i++) {
        all = arena_fmt(fix->a, "%s%s%s", all, i ? " " : "",
                        sp->topology[i].name);
        STR_EQ(sp->plant[i].name, sp->topology[i].name);
        EQ(sp->plant[i].gpus, sp->topology[i].gpus);
    }
    STR_EQ(all, want);
}

static void every_pool_that_fits(void **state)
{
    (void)state;
    struct space sp = built("\"sweep\": {\"max_gpus\": 4, \"tp\": [1, 2]}");
    names(&sp, "agg-tp1 2x-agg-tp1 3x-agg-tp1 4x-agg-tp1 agg-tp2 2x-agg-tp2 "
               "1p-tp1-1d-tp1 1p-tp1-2d-tp1 1p-tp1-3d-tp1 2p-tp1-1d-tp1 "
               "2p-tp1-2d-tp1 3p-tp1-1d-tp1 1p-tp1-1d-tp2 2p-tp1-1d-tp2 "
               "1p-tp2-1d-tp2");
    EQ(sp.n_refused, 0);
    EQ(sp.points, 1);
    sp = built("\"sweep\": {\"max_gpus\": 4, \"min_gpus\": 4, "
               "\"tp\": [1, 2], \"pools\": \"aggregated\"}");
    names(&sp, "4x-agg-tp1 2x-agg-tp2");
    sp = built("\"sweep\": {\"max_gpus\": 3, \"min_gpus\": 3, \"tp\": [1, 2], "
               "\"pools\": \"disaggregated\", "
               "\"decode_tp_at_least_prefill\": false}");
    names(&sp, "1p-tp1-2d-tp1 2p-tp1-1d-tp1 1p-tp1-1d-tp2 1p-tp2-1d-tp1");
}

static void the_files_own_or_a_list(void **state)
{
    (void)state;
    struct space sp = built("\"pools\": \"2p-tp1-1d-tp2\"");
    names(&sp, "2p-tp1-1d-tp2");
    sp = built("\"pools\": \"agg-tp1\", \"sweep\": {\"pools\": "
               "[\"agg-tp4\", \"3x-agg-tp2\"]}");
    names(&sp, "agg-tp4 3x-agg-tp2");
    /* a topology and a sweep of loads alone */
    sp = built("\"pools\": \"agg-tp1\", \"sweep\": {\"concurrency\": [1, 2]}");
    names(&sp, "agg-tp1");
    EQ(sp.points, 2);
}

static void refusals_are_counted_by_reason(void **state)
{
    (void)state;
    /* 141 GB of weights fit from two GPUs on; a node has four */
    struct space sp;
    struct err e = {0};
    struct scenario *s = plan_read(
        fix, "{\"model\": \"llama-3.3-70b\", \"gpu\": \"mi300x\", " PLAN_LOAD
             ", \"engine\": {\"gpu_memory_utilization\": 0.7}, "
             "\"cluster\": {\"nodes\": 2, \"gpus_per_node\": 4}, "
             "\"sweep\": {\"pools\": \"aggregated\"}}");
    OK(space_build(s, fix->a, &sp, &e), e);
    names(&sp, "agg-tp2 2x-agg-tp2 3x-agg-tp2 4x-agg-tp2 agg-tp4 2x-agg-tp4");
    EQ(sp.n_refused, 2);
    EQ(sp.refused[0].count, 8);
    STR_HAS(sp.refused[0].reason, "llama-3.3-70b");
    EQ(sp.refused[1].count, 1);
    STR_EQ(sp.refused[1].reason, "TP 8 does not fit a node of 4 GPUs");
}

static void nothing_at_all(void **state)
{
    (void)state;
    struct space sp;
    struct err e = {0};
    struct scenario *s = plan_read(fix, "{" PLAN_BASE ", \"pools\": "
                                        "\"9x-agg-tp1\"}");
    assert_false(space_build(s, fix->a, &sp, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "no topology can be built: 9x-agg-tp1 needs 9 GPUs");
    s = plan_read(fix, "{" PLAN_BASE ", \"sweep\": {\"max_gpus\": 9}}");
    assert_false(space_build(s, fix->a, &sp, &e));
    STR_HAS(e.text, "sweep.max_gpus: 9, the cluster has 8");
    s = plan_read(fix, "{" PLAN_BASE ", \"sweep\": {\"max_gpus\": 1, "
                       "\"min_gpus\": 2}}");
    assert_false(space_build(s, fix->a, &sp, &e));
    STR_HAS(e.text, "the range of GPUs is empty");
}

static void loads_of_the_points(void **state)
{
    (void)state;
    struct space sp = built(
        "\"sweep\": {\"pools\": [\"agg-tp1\", \"3x-agg-tp2\"], "
        "\"concurrency\": [4, 100], \"concurrency_per_gpu\": [0.1, 10], "
        "\"waves\": 3}");
    EQ(sp.points, 4);
    static const int64_t want[2][4][2] = {
        {{4, 24}, {100, 300}, {1, 24}, {10, 30}},
        {{4, 24}, {100, 300}, {1, 24}, {60, 180}}};
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < 4; i++) {
            struct load_spec l = space_load(&sp, t, i);
            EQ(l.concurrency, want[t][i][0]);
            EQ(l.requests, want[t][i][1]);
        }
}

static void rates_of_the_points(void **state)
{
    (void)state;
    struct space sp;
    struct err e = {0};
    struct scenario *s = plan_read(
        fix, "{" PLAN_MODEL ", " PLAN_ENGINE ", \"load\": {\"arrival\": "
             "{\"kind\": \"poisson\", \"rate_rps\": 1}, "
             "\"isl\": {\"kind\": \"fixed\", \"tokens\": 5}, "
             "\"osl\": {\"kind\": \"fixed\", \"tokens\": 2}, "
             "\"requests\": 10}, \"sweep\": {\"pools\": [\"2x-agg-tp2\"], "
             "\"rate_rps\": [3], \"rate_rps_per_gpu\": [0.5], "
             "\"min_seconds\": 20}}");
    OK(space_build(s, fix->a, &sp, &e), e);
    EQ(sp.points, 2);
    NEAR(space_load(&sp, 0, 0).rate_rps, 3, 0);
    EQ(space_load(&sp, 0, 0).requests, 60);
    NEAR(space_load(&sp, 0, 1).rate_rps, 2, 0);
    EQ(space_load(&sp, 0, 1).requests, 40);
}

static int open_fix(void **state)
{
    (void)state;
    fix = plan_open();
    return 0;
}

static int close_fix(void **state)
{
    (void)state;
    plan_close(fix);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_fix, close_fix)

T_MAIN(TEST(every_pool_that_fits), TEST(the_files_own_or_a_list),
       TEST(refusals_are_counted_by_reason), TEST(nothing_at_all),
       TEST(loads_of_the_points), TEST(rates_of_the_points))
