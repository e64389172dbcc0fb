/* Laws of many runs: what must not matter to their bytes. */
#include "tests/t.h"

#include "sim/plan/crew.h"
#include "sim/plan/phases.h"
#include "sim/plan/rank.h"
#include "sim/plan/search.h"
#include "tests/unit/plan/plan_fix.h"

static struct plan_fix *fix;

static struct space *space_of(const char *more)
{
    struct err e = {0};
    struct space *sp = ARENA_NEW(fix->a, struct space);
    struct scenario *s = plan_read(
        fix, arena_fmt(fix->a, "{" PLAN_BASE ", %s}", more));
    OK(space_build(s, fix->a, sp, &e), e);
    return sp;
}

struct sweep {
    const struct space *sp;
    struct trial *t;
    size_t n;
};

static void work(void *ctx, size_t i, struct arena *a, void *result)
{
    const struct sweep *w = ctx;
    trial_run(w->sp, i, false, a, result);
}

static bool emit(void *ctx, size_t i, const void *result, struct err *e)
{
    struct sweep *w = ctx;
    (void)e;
    EQ(i, w->n);
    w->t[w->n++] = *(const struct trial *)result;
    return true;
}

static struct trial *swept(const struct space *sp, int workers)
{
    struct err e = {0};
    size_t n = sp->n * sp->points;
    struct sweep w = {sp, ARENA_ARRAY(fix->a, struct trial, n), 0};
    struct crew_job job = {.n = n,
                           .workers = workers,
                           .size = sizeof(struct trial),
                           .ctx = &w,
                           .work = work,
                           .emit = emit};
    OK(crew_run(&job, &e), e);
    EQ(w.n, n);
    return w.t;
}

static void any_number_of_workers(void **state)
{
    (void)state;
    struct space *sp = space_of(
        "\"sweep\": {\"max_gpus\": 5, \"tp\": [1, 2], \"concurrency\": "
        "[1, 7, 30]}");
    size_t n = sp->n * sp->points;
    assert_true(n > 60);
    struct trial *one = swept(sp, 1), *two = swept(sp, 2);
    assert_memory_equal(one, two, n * sizeof *one);
    assert_memory_equal(one, swept(sp, 5), n * sizeof *one);
    struct rank r, q;
    rank_init(&r, sp, fix->a);
    rank_init(&q, sp, fix->a);
    for (size_t i = 0; i < n; i++) {
        rank_add(&r, &one[i]);
        rank_add(&q, &two[n - 1 - i]);
    }
    for (size_t b = 0; b < r.n_bands; b++) {
        EQ(r.band[b].n, q.band[b].n);
        assert_memory_equal(r.band[b].top, q.band[b].top,
                            r.band[b].n * sizeof *r.band[b].top);
    }
}

/* A trial is the same alone and among others: compiled pools are shared, and
 * chance hangs on the load point. */
static void alone_and_among_others(void **state)
{
    (void)state;
    struct space *all = space_of(
        "\"sweep\": {\"max_gpus\": 4, \"tp\": [1, 2], \"concurrency\": "
        "[4, 16]}");
    struct trial *t = swept(all, 2);
    for (size_t k = 0; k < all->n; k += 3) {
        struct space *one = space_of(
            arena_fmt(fix->a,
                      "\"sweep\": {\"pools\": [\"%s\"], \"concurrency\": "
                      "[4, 16]}",
                      all->topology[k].name));
        struct trial *u = swept(one, 1);
        for (size_t i = 0; i < 2; i++) {
            const struct trial *x = &t[k * 2 + i];
            assert_memory_equal(&x->out, &u[i].out, sizeof x->out);
            assert_true(x->seed == u[i].seed);
        }
    }
}

static void order_of_pools_in_the_file(void **state)
{
    (void)state;
    struct space *x = space_of(
        "\"pools\": [{\"role\": \"prefill\", \"replicas\": 2}, "
        "{\"role\": \"decode\", \"tp\": 2, \"engine\": "
        "{\"max_num_seqs\": 3}}]");
    struct space *y = space_of(
        "\"pools\": [{\"role\": \"decode\", \"tp\": 2, \"engine\": "
        "{\"max_num_seqs\": 3}}, {\"role\": \"prefill\", \"replicas\": 2}]");
    struct trial *t = swept(x, 1), *u = swept(y, 1);
    assert_true(t->ok && t->out.kv_transfer.mean > 0);
    assert_memory_equal(&t->out, &u->out, sizeof t->out);
}

static void searches_and_phases(void **state)
{
    (void)state;
    struct err e = {0};
    struct space *sp = space_of(
        "\"slo\": {\"tpsu_min\": 30}, \"sweep\": {\"pools\": [\"agg-tp1\", "
        "\"agg-tp2\", \"1p-tp1-1d-tp1\", \"2x-agg-tp1\"]}, \"phases\": "
        "{\"tp\": [1, 2], \"prefill_concurrency\": [1, 3], "
        "\"decode_concurrency\": [2, 9], \"requests\": 30, "
        "\"pair_prefill_tp\": 1}");
    struct search_result *r[2];
    struct phases p[2];
    for (int k = 0; k < 2; k++) {
        r[k] = ARENA_ARRAY(fix->a, struct search_result, sp->n);
        struct search_ask ask = {.sp = sp, .workers = 1 + 2 * k};
        OK(search_run(&ask, r[k], &e), e);
        struct phases_ask half = {.s = sp->s, .workers = 1 + 2 * k};
        OK(phases_run(&half, fix->a, &p[k], &e), e);
    }
    assert_memory_equal(r[0], r[1], sp->n * sizeof *r[0]);
    EQ(p[0].n, p[1].n);
    assert_memory_equal(p[0].point, p[1].point, p[0].n * sizeof *p[0].point);
    assert_memory_equal(p[0].pair, p[1].pair, p[0].n_pair * sizeof *p[0].pair);
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

T_MAIN(TEST(any_number_of_workers), TEST(alone_and_among_others),
       TEST(order_of_pools_in_the_file), TEST(searches_and_phases))
