#include "tests/t.h"

#include "calibrate/fit/fit.h"

enum { ROWS = 60 };

/* norm kernels of 2 us and 1.5 TB/s, p-norm 1 */
static size_t stream_rows(struct fit_point *p)
{
    for (int i = 0; i < ROWS; i++) {
        p[i].x[0] = 1e3 * pow(10, i * 6.0 / ROWS);
        p[i].time_s = 2e-6 + p[i].x[0] / 1.5e12;
        p[i].group = (uint32_t)i;
    }
    return ROWS;
}

static void finds_exact_coefficients(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit_point p[ROWS];
    struct fit_law law = fit_guess(form_find("stream"));
    OK(fit_run(&law, p, stream_rows(p), &e), e);
    NEAR(law.coef[0], 2, 1e-4);
    NEAR(law.coef[1], 1.5e12, 1e8);
    NEAR(law.coef[2], 1, 1e-4);
}

static void shrugs_off_outliers(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit_point p[ROWS];
    size_t n = stream_rows(p);
    for (size_t i = 3; i < n; i += 10)
        p[i].time_s *= 8; /* measuring accidents */
    struct fit_law law = fit_guess(form_find("stream"));
    OK(fit_run(&law, p, n, &e), e);
    NEAR(law.coef[0], 2, 0.02);
    NEAR(law.coef[1], 1.5e12, 0.02e12);
}

static void keeps_what_is_held(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit_point p[ROWS];
    struct fit_law law = fit_guess(form_find("stream"));
    law.coef[2] = 1;
    law.held[2] = true;
    OK(fit_run(&law, p, stream_rows(p), &e), e);
    NEAR(law.coef[2], 1, 0);
    EQ(isnan(law.se[2]) != 0, true);
    NEAR(law.coef[0], 2, 1e-4);
}

static void stops_at_a_bound(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit_point p[ROWS];
    size_t n = stream_rows(p);
    const struct form *f = form_find("stream");
    for (size_t i = 0; i < n; i++) /* no floor at all: below its bound */
        p[i].time_s = p[i].x[0] / 1.5e12;
    struct fit_law law = fit_guess(f);
    law.coef[2] = 1;
    law.held[2] = true;
    OK(fit_run(&law, p, n, &e), e);
    EQ(law.coef[0] >= f->lo[0], true);
    EQ(law.bound[0], true);
    EQ(isnan(law.se[0]) != 0, true);
}

static void refuses_few_rows(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit_point p[ROWS];
    stream_rows(p);
    struct fit_law law = fit_guess(form_find("stream"));
    EQ(fit_run(&law, p, 5, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "5 rows for 3 coefficients");
    EQ(fit_run(&law, p, 0, &e), false);
}

T_MAIN(cmocka_unit_test(finds_exact_coefficients),
       cmocka_unit_test(shrugs_off_outliers),
       cmocka_unit_test(keeps_what_is_held), cmocka_unit_test(stops_at_a_bound),
       cmocka_unit_test(refuses_few_rows))
