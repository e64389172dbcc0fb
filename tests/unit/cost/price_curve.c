#include "tests/t.h"

#include "sim/cost/price_curve.h"

static struct arena *arena;

/* Seconds; counts its calls. */
struct made {
    int kind, calls;
};

static bool point(void *of, int32_t x, double *v, struct err *e)
{
    struct made *m = of;
    m->calls++;
    if (m->kind == 9)
        return err_set(e, ERR_ABSENT, "no fit");
    v[0] = 1e-6 + 1e-9 * x;
    v[1] = m->kind == 0 ? 2e-6 : m->kind == 1 ? 1e-12 * x * x : 0;
    if (m->kind == 2)
        v[1] = x < 777 ? 5e-6 : 9e-6;
    return true;
}

static struct price_curve made(struct made *m, int32_t lo, int32_t hi)
{
    struct price_curve c;
    struct err e = {0};
    struct price_curve_ask q = {
        .lo = lo, .hi = hi, .k = 2, .point = point, .of = m};
    OK(price_curve_new(&c, &q, arena, &e), e);
    return c;
}

static double worst(struct made *m, const struct price_curve *c, int32_t lo,
                    int32_t hi)
{
    double max = 0;
    for (int32_t x = lo; x <= hi; x++) {
        int64_t got[2];
        double want[2] = {0, 0};
        price_curve_at(c, x, got);
        point(m, x, want, NULL);
        double sum = (want[0] + want[1]) * 1e12;
        double off = fabs((double)(got[0] + got[1]) - sum) / sum;
        max = fmax(max, off);
    }
    return max;
}

static void a_line_needs_few_knots(void **state)
{
    (void)state;
    struct made m = {.kind = 0};
    struct price_curve c = made(&m, 1, 100000);
    assert_true(c.n < 64);
    EQ(m.calls, c.n);
    assert_true(worst(&m, &c, 1, 100000) < 1e-6);
}

static void a_parabola_within_tolerance(void **state)
{
    (void)state;
    struct made m = {.kind = 1};
    struct price_curve c = made(&m, 513, 131072);
    assert_true(c.n < 200);
    assert_true(worst(&m, &c, 513, 131072) < PRICE_CURVE_TOL);
}

static void a_jump_lands_between_neighbours(void **state)
{
    (void)state;
    struct made m = {.kind = 2};
    struct price_curve c = made(&m, 1, 4096);
    int64_t v[2];
    price_curve_at(&c, 776, v);
    EQ(v[1], 5000000);
    price_curve_at(&c, 777, v);
    EQ(v[1], 9000000);
    assert_true(worst(&m, &c, 1, 4096) < PRICE_CURVE_TOL);
}

static void a_single_point(void **state)
{
    (void)state;
    struct made m = {.kind = 0};
    struct price_curve c = made(&m, 7, 7);
    int64_t v[2];
    price_curve_at(&c, 7, v);
    EQ(v[0], 1007000);
    DIES(price_curve_at(&c, 8, v));
    DIES(price_curve_at(&c, 6, v));
}

static void an_absent_fit_goes_out(void **state)
{
    (void)state;
    struct made m = {.kind = 9};
    struct price_curve c;
    struct err e = {0};
    struct price_curve_ask q = {
        .lo = 1, .hi = 9, .k = 2, .point = point, .of = &m};
    EQ(price_curve_new(&c, &q, arena, &e), false);
    EQ(e.kind, ERR_ABSENT);
}

static void rounding(void **state)
{
    (void)state;
    EQ(price_curve_ps(0), 0);
    EQ(price_curve_ps(1e-12), 1);
    EQ(price_curve_ps(1.4e-12), 1);
    EQ(price_curve_ps(20), 20000000000000);
    DIES(price_curve_ps(-1e-9));
    DIES(price_curve_ps(NAN));
}

int main(void)
{
    arena = arena_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_needs_few_knots),
        cmocka_unit_test(a_parabola_within_tolerance),
        cmocka_unit_test(a_jump_lands_between_neighbours),
        cmocka_unit_test(a_single_point),
        cmocka_unit_test(an_absent_fit_goes_out),
        cmocka_unit_test(rounding),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return bad != 0;
}
