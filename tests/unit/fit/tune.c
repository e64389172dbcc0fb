#include "tests/t.h"

#include "calibrate/fit/tune.h"

/* Residuals of y = a x^b against a = 3, b = 0.5, in units of 1 %. */
enum { N = 40 };
struct world {
    double off[N]; /* what the data add, in units */
    int calls;
};

static bool power(void *of, size_t n_vec, const double *x, double *r,
                  struct err *e)
{
    struct world *w = of;
    (void)e;
    w->calls++;
    for (size_t v = 0; v < n_vec; v++)
        for (int i = 0; i < N; i++) {
            double at = log(1 + i);
            double made = log(x[2 * v]) + x[2 * v + 1] * at;
            r[v * N + (size_t)i] = (made - log(3) - 0.5 * at) / 0.01
                                 - w->off[i];
        }
    return true;
}

struct fixture {
    struct world w;
    struct tune_par par[2];
    double weight[N];
    struct tune_ask ask;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.par = {{.name = "a",
                                   .prior = 2,
                                   .sigma = 5,
                                   .lo = 0.1,
                                   .hi = 100,
                                   .relative = true,
                                   .value = 2},
                                  {.name = "b",
                                   .prior = 0,
                                   .sigma = 5,
                                   .lo = -2,
                                   .hi = 2,
                                   .value = 0}}};
    for (int i = 0; i < N; i++)
        f->weight[i] = 1;
    f->ask = (struct tune_ask){.par = f->par,
                               .n_par = 2,
                               .n_res = N,
                               .weight = f->weight,
                               .model = power,
                               .of = &f->w};
}

static void recovers(void **state)
{
    struct arena *a = arena_open();
    struct fixture f;
    struct tune t;
    struct err e = {0};
    (void)state;
    begin(&f);
    EQ(tune_run(&f.ask, a, &t, &e), true);
    NEAR(f.par[0].value, 3, 1e-3);
    NEAR(f.par[1].value, 0.5, 1e-3);
    EQ(f.par[0].bound || f.par[1].bound, false);
    EQ(f.par[0].se > 0 && f.par[0].se < 0.02, true);
    arena_close(a);
}

/* One wild row of forty moves nothing by more than its neighbours' noise. */
static void robust(void **state)
{
    struct arena *a = arena_open();
    struct fixture f;
    struct tune t;
    struct err e = {0};
    (void)state;
    begin(&f);
    f.w.off[20] = 100; /* a factor of e */
    EQ(tune_run(&f.ask, a, &t, &e), true);
    NEAR(f.par[0].value, 3, 0.02);
    NEAR(f.par[1].value, 0.5, 0.01);
    arena_close(a);
}

static void bounds_and_priors(void **state)
{
    struct arena *a = arena_open();
    struct fixture f;
    struct tune t;
    struct err e = {0};
    (void)state;
    begin(&f);
    f.par[1].hi = 0.4;
    EQ(tune_run(&f.ask, a, &t, &e), true);
    EQ(f.par[1].bound, true);
    NEAR(f.par[1].value, 0.4, 1e-9);
    EQ(isnan(f.par[1].se) != 0, true);
    /* a prior far surer than the rows wins */
    begin(&f);
    f.par[1].prior = f.par[1].value = 0.1;
    f.par[1].sigma = 1e-7;
    EQ(tune_run(&f.ask, a, &t, &e), true);
    NEAR(f.par[1].value, 0.1, 1e-4);
    arena_close(a);
}

/* Rows that disagree: without them the others' answer comes out, from the
 * stored Jacobian and no further simulation. */
static void without(void **state)
{
    struct arena *a = arena_open();
    struct fixture f;
    struct tune t;
    struct err e = {0};
    bool out[N] = {false};
    double x[2];
    (void)state;
    begin(&f);
    for (int i = 30; i < N; i++) {
        f.w.off[i] = 2;
        out[i] = true;
    }
    EQ(tune_run(&f.ask, a, &t, &e), true);
    EQ(fabs(f.par[0].value - 3) > 1e-3, true);
    int calls = f.w.calls;
    EQ(tune_without(&f.ask, &t, out, x, &e), true);
    EQ(f.w.calls, calls);
    NEAR(x[0], 3, 2e-3);
    NEAR(x[1], 0.5, 1e-3);
    arena_close(a);
}

static void too_few(void **state)
{
    struct arena *a = arena_open();
    struct fixture f;
    struct tune t;
    struct err e = {0};
    (void)state;
    begin(&f);
    for (int i = 1; i < N; i++)
        f.weight[i] = 0;
    EQ(tune_run(&f.ask, a, &t, &e), false);
    EQ(e.kind, ERR_INPUT);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recovers), cmocka_unit_test(robust),
        cmocka_unit_test(bounds_and_priors), cmocka_unit_test(without),
        cmocka_unit_test(too_few)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
