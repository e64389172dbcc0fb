#include "sim/report/axis.h"

#include "tests/t.h"

#include <math.h>

static struct axis fitted(bool log, double min, double max, int want)
{
    struct axis x = {.log = log, .from = 100, .to = 500};
    axis_fit(&x, NAN, NAN, min, max, want);
    return x;
}

static void linear_starts_at_zero(void **state)
{
    (void)state;
    struct axis x = fitted(false, 30, 97, 6);
    NEAR(x.lo, 0, 0);
    assert_true(x.hi > 97 && x.hi < 110);
    EQ(x.n, 6); /* 0, 20 ... 100 */
    NEAR(x.tick[0], 0, 0);
    EQ(signbit(x.tick[0]) != 0, 0);
    NEAR(x.tick[5], 100, 1e-9);
}

static void negative_data(void **state)
{
    (void)state;
    struct axis x = fitted(false, -3, 5, 6);
    assert_true(x.lo < -3 && x.hi > 5);
    for (int i = 0; i < x.n; i++)
        assert_true(axis_holds(&x, x.tick[i]));
}

static void given_bounds_hold(void **state)
{
    (void)state;
    struct axis x = {.log = false, .from = 0, .to = 1};
    axis_fit(&x, 10, 20, 0, 1000, 5);
    NEAR(x.lo, 10, 0);
    NEAR(x.hi, 20, 0);
    EQ(axis_holds(&x, 21), false);
    EQ(axis_holds(&x, 10), true);
    EQ(axis_holds(&x, NAN), false);
}

static void log_ticks(void **state)
{
    (void)state;
    struct axis x = fitted(true, 4, 512, 8);
    static const double want[] = {5, 10, 20, 50, 100, 200, 500};
    EQ(x.n, 7);
    for (int i = 0; i < x.n; i++)
        NEAR(x.tick[i], want[i], 1e-9);
    x = fitted(true, 1e-6, 1e6, 8);
    assert_true(x.n <= AXIS_TICKS && x.n >= 10);
    NEAR(x.tick[1] / x.tick[0], 10, 1e-6);
    x = fitted(true, 1e-150, 1e150, 8);
    assert_true(x.n <= AXIS_TICKS);
}

static void positions(void **state)
{
    (void)state;
    struct axis x = fitted(true, 1, 100, 8);
    double a = axis_at(&x, 1), b = axis_at(&x, 10), c = axis_at(&x, 100);
    NEAR(b - a, c - b, 1e-9);
    NEAR(axis_at(&x, x.lo), 100, 1e-9);
    NEAR(axis_at(&x, x.hi), 500, 1e-9);
}

static void no_data_still_has_an_axis(void **state)
{
    (void)state;
    struct axis x = fitted(false, INFINITY, -INFINITY, 6);
    assert_true(x.hi > x.lo && x.n >= 2);
    x = fitted(true, INFINITY, -INFINITY, 6);
    assert_true(x.hi > x.lo && x.n >= 2);
    x = fitted(false, 0, 0, 6); /* all at one point */
    assert_true(x.hi > x.lo);
    x = fitted(true, 7, 7, 6);
    assert_true(x.hi > x.lo && axis_holds(&x, 7));
}

static void labels(void **state)
{
    char t[16];
    static const struct {
        double v;
        const char *text;
    } want[] = {{0, "0"},        {0.05, "0.05"},       {150, "150"},
                {1500, "1,500"}, {12000, "12k"},       {3.5e7, "35M"},
                {2e10, "20G"},   {-1234567, "-1235k"}, {1e300, "1e+300"}};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        axis_label(want[i].v, t);
        STR_EQ(t, want[i].text);
    }
}

T_MAIN(cmocka_unit_test(linear_starts_at_zero), cmocka_unit_test(negative_data),
       cmocka_unit_test(given_bounds_hold), cmocka_unit_test(log_ticks),
       cmocka_unit_test(positions), cmocka_unit_test(no_data_still_has_an_axis),
       cmocka_unit_test(labels))
