/* How much load a topology takes under a promise. */
#include "tests/t.h"

#include "sim/plan/search.h"
#include "tests/unit/plan/plan_fix.h"

static struct plan_fix *fix;

static struct search_result *searched(const char *text, struct space *sp,
                                      int workers)
{
    struct err e = {0};
    struct scenario *s = plan_read(fix, text);
    OK(space_build(s, fix->a, sp, &e), e);
    struct search_result *r = ARENA_ARRAY(fix->a, struct search_result, sp->n);
    struct search_ask ask = {.sp = sp, .workers = workers};
    OK(search_run(&ask, r, &e), e);
    return r;
}

/* A trial of the found topology at another load. */
static struct outcome at_load(const struct space *sp,
                              const struct search_result *r,
                              const struct load_spec *l)
{
    struct outcome o;
    struct err e = {0};
    struct arena *a = arena_open();
    struct world_ask ask = {
        .plant = &sp->plant[r->topology], .load = l, .seed = sp->s->seed};
    OK(world_run(&ask, a, &o, &e), e);
    arena_close(a);
    return o;
}

#define CLOSED                                                                 \
    "{" PLAN_BASE ", \"slo\": {\"tpsu_min\": %g}, \"sweep\": {\"pools\": "     \
    "[\"agg-tp1\", \"2x-agg-tp1\", \"1p-tp1-1d-tp1\"], \"waves\": 2}}"

static void the_most_clients(void **state)
{
    (void)state;
    struct space sp;
    struct search_result *r = searched(arena_fmt(fix->a, CLOSED, 30.0), &sp, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_true(r[i].found && r[i].trials > 3);
        const struct trial *t = &r[i].best;
        assert_true(t->ok && t->out.tpsu >= 30);
        EQ(t->topology, r[i].topology);
        if (i)
            assert_true(r[i - 1].best.out.tpsg >= t->out.tpsg);
        /* a tenth more is too much */
        struct load_spec l = t->load;
        int64_t c = l.concurrency;
        l.concurrency = (int64_t)ceil(1.0905077 * (double)c) + 1;
        l.requests = l.requests < 2 * l.concurrency ? 2 * l.concurrency
                                                    : l.requests;
        assert_true(at_load(&sp, &r[i], &l).tpsu < 30);
        /* and the outcome is what a run of that load gives */
        assert_true(at_load(&sp, &r[i], &t->load).tpsu == t->out.tpsu);
    }
    /* two engines take more clients than one */
    int64_t by[3];
    for (size_t i = 0; i < 3; i++)
        by[r[i].topology] = r[i].best.load.concurrency;
    assert_true(by[1] > by[0]);
}

static void one_client_is_too_many(void **state)
{
    (void)state;
    struct space sp;
    struct search_result *r = searched(arena_fmt(fix->a, CLOSED, 1e6), &sp, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_false(r[i].found);
        EQ(r[i].trials, 1);
        EQ(r[i].topology, i);
        STR_HAS(r[i].why, "not met at the lowest load");
    }
}

static void the_highest_rate(void **state)
{
    (void)state;
    struct space sp;
    struct search_result *r = searched(
        "{" PLAN_MODEL ", " PLAN_ENGINE ", \"load\": {\"arrival\": "
        "{\"kind\": \"poisson\", \"rate_rps\": 1}, "
        "\"isl\": {\"kind\": \"fixed\", \"tokens\": 500}, "
        "\"osl\": {\"kind\": \"fixed\", \"tokens\": 20}, \"requests\": 300}, "
        "\"slo\": {\"ttft_ms_p99\": 100}, "
        "\"sweep\": {\"pools\": [\"agg-tp1\"]}}",
        &sp, 1);
    assert_true(r->found);
    struct load_spec l = r->best.load;
    EQ(l.requests, 300);
    assert_true(l.rate_rps > 5);
    assert_true(r->best.out.ttft.p99 <= 100);
    l.rate_rps *= exp2(1.0 / 8);
    assert_true(at_load(&sp, r, &l).ttft.p99 > 100);
}

static void what_cannot_be_searched(void **state)
{
    (void)state;
    struct err e = {0};
    struct space sp;
    struct scenario *s = plan_read(fix, "{" PLAN_BASE "}");
    OK(space_build(s, fix->a, &sp, &e), e);
    struct search_ask ask = {.sp = &sp, .workers = 1};
    struct search_result *r = ARENA_ARRAY(fix->a, struct search_result, sp.n);
    assert_false(search_run(&ask, r, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "slo");
    s = plan_read(
        fix, "{" PLAN_MODEL ", \"load\": {\"arrival\": {\"kind\": \"trace\", "
             "\"file\": \"scenarios/traces/mooncake-conversation.csv\"}, "
             "\"requests\": 10}, \"pools\": \"agg-tp1\", "
             "\"slo\": {\"itl_ms_p99\": 50}}");
    OK(space_build(s, fix->a, &sp, &e), e);
    assert_false(search_run(&ask, r, &e));
    STR_HAS(e.text, "arrivals of kind \"trace\" have neither");
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

T_MAIN(TEST(the_most_clients), TEST(one_client_is_too_many),
       TEST(the_highest_rate), TEST(what_cannot_be_searched))
