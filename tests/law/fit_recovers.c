/* Law: measurements of a device that obeys a known law, with noise, give that
 * law back within the standard errors the fit itself states.  For each form
 * that op tables are fitted with, many noisy copies of one table are drawn;
 * over them all, a coefficient's distance from the truth in units of its own
 * standard error is to be what chance makes of it.  That pins both the fit (no
 * bias) and its errors (neither vain nor timid).  It does not pin how well a
 * form describes a real device. */
#include "tests/t.h"

#include "calibrate/fit/fit.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

enum { DRAWS = 12, POINTS = 400 };
#define NOISE 0.03   /* standard deviation of the logarithm of a time */
#define FAR 4.5      /* standard errors that no single draw exceeds */
#define MEAN_MAX 1.3 /* root mean square over all draws and coefficients */
#define MEAN_MIN 0.5

typedef void scene(gsl_rng *r, double *x);

static double decades(gsl_rng *r, double lo, double hi)
{
    return lo * pow(hi / lo, gsl_rng_uniform(r));
}

static double one_of(gsl_rng *r, double a, double b, double c)
{
    double all[] = {a, b, c};
    return all[gsl_rng_uniform_int(r, 3)];
}

static void gemm(gsl_rng *r, double *x)
{
    x[0] = ceil(decades(r, 1, 16384));
    x[1] = ceil(decades(r, 512, 60000));
    x[2] = ceil(decades(r, 512, 16384));
    x[3] = x[4] = 2;
}

static void stream(gsl_rng *r, double *x)
{
    x[0] = decades(r, 1e3, 1e9);
}

static void link_(gsl_rng *r, double *x)
{
    x[0] = decades(r, 1e3, 1e9);
    x[1] = 8;
}

static void decode(gsl_rng *r, double *x)
{
    x[0] = ceil(decades(r, 1, 512));
    x[1] = x[0] * ceil(decades(r, 64, 65536));
    x[3] = one_of(r, 1, 4, 8);
    x[2] = 8 * x[3];
    x[4] = 128;
    x[5] = 2;
}

static void moe(gsl_rng *r, double *x)
{
    x[0] = ceil(decades(r, 1, 16384));
    x[1] = one_of(r, 2048, 2880, 4096);
    x[2] = one_of(r, 360, 768, 2880);
    x[3] = 4;
    x[4] = 128;
    x[5] = fmin(128, x[0] * 4);
    x[6] = 2;
    x[7] = 1;
}

struct tally {
    double sum;
    int n;
};

/* Draws one table, fits it, counts how far off each coefficient is. */
static void one_table(const struct fit_law *truth, scene *draw, gsl_rng *r,
                      struct tally *t)
{
    struct err e = {ERR_NONE, ""};
    static struct fit_point p[POINTS];
    for (int i = 0; i < POINTS; i++) {
        draw(r, p[i].x);
        double exact = truth->form->value(truth->coef, p[i].x);
        p[i].time_s = exact * exp(gsl_ran_gaussian(r, NOISE));
        p[i].group = (uint32_t)i;
    }
    struct fit_law law = fit_guess(truth->form);
    for (int c = 0; c < law.form->n_coef; c++)
        if (truth->held[c]) {
            law.held[c] = true;
            law.coef[c] = truth->coef[c];
        }
    OK(fit_run(&law, p, POINTS, &e), e);
    for (int c = 0; c < law.form->n_coef; c++) {
        if (isnan(law.se[c]))
            continue;
        double z = (law.coef[c] - truth->coef[c]) / law.se[c];
        if (fabs(z) > FAR)
            print_error("%s %s: %g, not %g +- %g\n", law.form->name,
                        law.form->coef[c], law.coef[c], truth->coef[c],
                        law.se[c]);
        EQ(fabs(z) <= FAR, true);
        t->sum += z * z;
        t->n++;
    }
}

static void recovers(const char *form, const double *coef, int held,
                     scene *draw)
{
    struct fit_law truth = fit_guess(form_find(form));
    memcpy(truth.coef, coef, (size_t)truth.form->n_coef * sizeof *coef);
    for (int c = truth.form->n_coef - held; c < truth.form->n_coef; c++)
        truth.held[c] = true;
    gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(r, 20);
    struct tally t = {0, 0};
    for (int i = 0; i < DRAWS; i++)
        one_table(&truth, draw, r, &t);
    gsl_rng_free(r);
    EQ(t.n >= DRAWS * (truth.form->n_coef - held) * 3 / 4, true);
    double rms = sqrt(t.sum / t.n);
    if (rms > MEAN_MAX || rms < MEAN_MIN)
        print_error("%s: %g standard errors in the mean\n", form, rms);
    EQ(rms <= MEAN_MAX && rms >= MEAN_MIN, true);
}

static void recovers_gemm(void **state)
{
    (void)state;
    double c[] = {4, 3e12, 7e14, 0.9, 3, 2, 4e12, 0.2, 132};
    recovers("gemm", c, 1, gemm);
}

static void recovers_stream(void **state)
{
    (void)state;
    double c[] = {2, 2e12, 1.5};
    recovers("stream", c, 0, stream);
}

static void recovers_link(void **state)
{
    (void)state;
    double c[] = {7, 4.8e10, 12, 2e11};
    recovers("link", c, 0, link_);
}

static void recovers_decode(void **state)
{
    (void)state;
    double c[] = {11, 3.5e12, 25, 20, 132};
    recovers("attn_decode", c, 1, decode);
}

static void recovers_moe(void **state)
{
    (void)state;
    double c[] = {30, 3.5e12, 7e14, 120, 3, 1.5e12};
    recovers("moe", c, 0, moe);
}

T_MAIN(cmocka_unit_test(recovers_gemm), cmocka_unit_test(recovers_stream),
       cmocka_unit_test(recovers_link), cmocka_unit_test(recovers_decode),
       cmocka_unit_test(recovers_moe))
