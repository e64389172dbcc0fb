#include "calibrate/bench/bench.h"

#include "tests/t.h"

/* A thing that takes so long, with a stated sequence of factors. */
struct thing {
    double one_s;
    const double *factor;
    int n, at, runs;
    int fail_at; /* 0: never */
};

static bool run(void *to, int times, double *seconds, struct err *e)
{
    struct thing *t = to;
    t->runs++;
    if (t->fail_at && t->runs >= t->fail_at)
        return err_set(e, ERR_SYSTEM, "it is gone");
    *seconds = times * t->one_s * (t->n ? t->factor[t->at++ % t->n] : 1);
    return true;
}

static void steady_ends_early(void **state)
{
    struct thing t = {.one_s = 1e-5};
    struct bench_time b;
    struct err e = {ERR_NONE, ""};
    (void)state;
    assert_true(bench_run(&bench_usual, run, &t, &b, &e));
    EQ(b.n, bench_usual.min_n);
    assert_true(b.steady);
    NEAR(b.median_s, 1e-5, 1e-12);
    NEAR(b.mad_s, 0, 1e-12);
    EQ(b.times, 40); /* sample_s of them */
}

static void outliers_do_not_move_it(void **state)
{
    static const double factor[] = {1, 1, 1.001, 9, 1, 0.999, 1};
    struct thing t = {.one_s = 1e-3, .factor = factor, .n = 7};
    struct bench_time b;
    struct err e = {ERR_NONE, ""};
    (void)state;
    assert_true(bench_run(&bench_usual, run, &t, &b, &e));
    NEAR(b.median_s, 1e-3, 2e-6);
}

static void noise_goes_to_the_limit(void **state)
{
    static const double factor[] = {1, 2, 1, 3, 2, 1, 3, 2, 1, 2, 3};
    struct thing t = {.one_s = 1e-4, .factor = factor, .n = 11};
    struct bench_time b;
    struct err e = {ERR_NONE, ""};
    (void)state;
    assert_true(bench_run(&bench_usual, run, &t, &b, &e));
    EQ(b.n, bench_usual.max_n);
    assert_false(b.steady);
}

static void drift_is_not_steady(void **state)
{
    double factor[64];
    struct thing t = {.one_s = 1e-3, .factor = factor, .n = 64};
    struct bench_time b;
    struct err e = {ERR_NONE, ""};
    (void)state;
    for (int i = 0; i < 64; i++)
        factor[i] = 1 + 0.02 * i;
    assert_true(bench_run(&bench_usual, run, &t, &b, &e));
    assert_true(b.n > bench_usual.min_n);
}

static void failure_is_handed_on(void **state)
{
    struct thing t = {.one_s = 1e-3, .fail_at = 4};
    struct bench_time b;
    struct err e = {ERR_NONE, ""};
    (void)state;
    assert_false(bench_run(&bench_usual, run, &t, &b, &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "it is gone");
}

static void medians(void **state)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, scratch[4];
    (void)state;
    NEAR(bench_median(odd, 3), 3, 0);
    NEAR(bench_median(even, 4), 2.5, 0);
    NEAR(bench_mad(odd, 3, 3, scratch), 2, 0);
}

static void bends(void **state)
{
    double x[] = {1, 2, 4, 8}, line[] = {3, 6, 12, 24}, knee[] = {3, 3, 6, 12};
    (void)state;
    for (size_t i = 0; i < 4; i++)
        NEAR(bench_bend(x, line, 4, i), 0, 1e-12);
    NEAR(bench_bend(x, knee, 4, 1), log(6 / sqrt(18)), 1e-12);
    NEAR(bench_bend(x, knee, 4, 2), 0, 1e-12);
}

static void oddities(void **state)
{
    double y[] = {1, 9, 2, 3, 2.9, 4};
    bool odd[6];
    (void)state;
    bench_odd(y, 6, odd);
    for (int i = 0; i < 6; i++)
        EQ(odd[i], i == 1);
}

T_MAIN(cmocka_unit_test(steady_ends_early),
       cmocka_unit_test(outliers_do_not_move_it),
       cmocka_unit_test(noise_goes_to_the_limit),
       cmocka_unit_test(drift_is_not_steady),
       cmocka_unit_test(failure_is_handed_on), cmocka_unit_test(medians),
       cmocka_unit_test(bends), cmocka_unit_test(oddities))
