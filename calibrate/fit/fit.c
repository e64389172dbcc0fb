/* Least squares over r_i = log(form(x_i) / time_i) by the library's trust-
 * region method (Levenberg-Marquardt), inside a loop that sets weights w = 1 /
 * (1 + (r / 2.385 s)^2), s = 1.4826 median |r| (Cauchy's estimator at 95 %
 * efficiency; Holland and Welsch, Commun. Stat. A6, 1977).
 *
 * A coefficient in [lo, hi] is lo + (hi - lo) L(u), or lo (hi / lo)^L(u) where
 * the bounds span decades, with the logistic L: the search runs over all u.
 *
 * Standard errors are the sandwich H^-1 G H^-1 of the estimating equations sum
 * psi(r_i) J_i = 0, with G summed over groups before it is squared, so rows of
 * one shape that err together do not count as independent (Liang and Zeger,
 * Biometrika 73, 1986). */
#include "calibrate/fit/fit.h"

#include "sim/base/arena.h"
#include "sim/base/must.h"

#include <gsl/gsl_blas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SWEEPS = 12,     /* of the weights */
    STEPS = 60,      /* of the search, each sweep */
    ROWS_A_COEF = 2, /* at least */
};
#define CAUCHY 2.385
#define NORMAL 1.4826  /* standard deviation over median deviation */
#define SCALE_MIN 1e-7 /* of residuals: exact data need a divisor */
#define DECADES 20.0   /* hi / lo from which a bound is logarithmic */
#define EDGE 1e-4      /* of L(u): closer than that is on the bound */
#define SETTLED 1e-8   /* relative change of the coefficients */

struct search {
    struct fit_law *law;
    const struct fit_point *p;
    size_t n;
    double *root_w;       /* square roots of the weights */
    int which[FORM_COEF]; /* fitted coefficients */
    size_t n_free;
};

struct fit_law fit_guess(const struct form *form)
{
    struct fit_law law = {.form = form};
    for (int i = 0; i < form->n_coef; i++) {
        law.coef[i] = form->guess[i];
        law.se[i] = NAN;
    }
    return law;
}

static bool by_decades(const struct form *f, int i)
{
    return f->lo[i] > 0 && f->hi[i] / f->lo[i] >= DECADES;
}

static double coef_of(const struct form *f, int i, double u)
{
    double at = 1 / (1 + exp(-u));
    if (by_decades(f, i))
        return f->lo[i] * pow(f->hi[i] / f->lo[i], at);
    return f->lo[i] + (f->hi[i] - f->lo[i]) * at;
}

/* L(u) of a coefficient: 0 at the lower bound, 1 at the upper. */
static double place(const struct form *f, int i, double c)
{
    if (by_decades(f, i))
        return log(c / f->lo[i]) / log(f->hi[i] / f->lo[i]);
    return (c - f->lo[i]) / (f->hi[i] - f->lo[i]);
}

static double u_of(const struct form *f, int i, double c)
{
    double at = fmin(fmax(place(f, i, c), 10 * EDGE), 1 - 10 * EDGE);
    return log(at / (1 - at));
}

static double residual(const struct fit_law *law, const struct fit_point *p)
{
    return log(law->form->value(law->coef, p->x) / p->time_s);
}

static int residuals(const gsl_vector *u, void *to, gsl_vector *out)
{
    struct search *s = to;
    struct fit_law *law = s->law;
    for (size_t j = 0; j < s->n_free; j++)
        law->coef[s->which[j]] = coef_of(law->form, s->which[j],
                                         gsl_vector_get(u, j));
    for (size_t i = 0; i < s->n; i++) {
        double r = residual(law, &s->p[i]);
        if (!isfinite(r))
            return GSL_EDOM;
        gsl_vector_set(out, i, s->root_w[i] * r);
    }
    return GSL_SUCCESS;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double scale_of(const struct search *s, double *work)
{
    for (size_t i = 0; i < s->n; i++)
        work[i] = fabs(residual(s->law, &s->p[i]));
    qsort(work, s->n, sizeof *work, by_value);
    double mid = (work[(s->n - 1) / 2] + work[s->n / 2]) / 2;
    return fmax(NORMAL * mid, SCALE_MIN);
}

/* New weights; returns the scale they rest on. */
static double weigh(struct search *s, double *work)
{
    double scale = scale_of(s, work);
    for (size_t i = 0; i < s->n; i++) {
        double z = residual(s->law, &s->p[i]) / (CAUCHY * scale);
        s->root_w[i] = 1 / sqrt(1 + z * z);
    }
    return scale;
}

/* One weighted search from the law's coefficients; leaves the best there. */
static bool descend(struct search *s, gsl_multifit_nlinear_workspace *w,
                    gsl_vector *u, struct err *e)
{
    gsl_multifit_nlinear_fdf fdf = {
        .f = residuals,
        .n = s->n,
        .p = s->n_free,
        .params = s,
    };
    for (size_t j = 0; j < s->n_free; j++)
        gsl_vector_set(
            u, j, u_of(s->law->form, s->which[j], s->law->coef[s->which[j]]));
    int info, rc = gsl_multifit_nlinear_init(u, &fdf, w);
    if (rc == GSL_SUCCESS)
        rc = gsl_multifit_nlinear_driver(STEPS, 1e-9, 1e-9, 0, NULL, NULL,
                                         &info, w);
    /* out of steps, or no step that helps: the best so far stands */
    if (rc != GSL_SUCCESS && rc != GSL_EMAXITER && rc != GSL_ENOPROG)
        return err_set(e, ERR_INPUT, "form %s: %s", s->law->form->name,
                       gsl_strerror(rc));
    const gsl_vector *best = gsl_multifit_nlinear_position(w);
    for (size_t j = 0; j < s->n_free; j++)
        s->law->coef[s->which[j]] = coef_of(s->law->form, s->which[j],
                                            gsl_vector_get(best, j));
    return true;
}

static bool settled(const struct search *s, const double *before)
{
    for (int i = 0; i < s->law->form->n_coef; i++)
        if (fabs(s->law->coef[i] - before[i]) > SETTLED * fabs(s->law->coef[i]))
            return false;
    return true;
}

static bool sweep(struct search *s, double *work,
                  gsl_multifit_nlinear_workspace *w, struct err *e)
{
    gsl_vector *u = gsl_vector_alloc(s->n_free);
    must(u);
    bool ok = true, done = false;
    for (int k = 0; ok && !done && k < SWEEPS; k++) {
        double before[FORM_COEF];
        memcpy(before, s->law->coef, sizeof before);
        weigh(s, work);
        ok = descend(s, w, u, e);
        done = settled(s, before);
    }
    gsl_vector_free(u);
    return ok;
}

/* Derivatives of the residuals by the logarithm of each coefficient. */
static void slopes(const struct search *s, gsl_matrix *jac)
{
    enum { UP, DOWN };
    for (size_t j = 0; j < s->n_free; j++) {
        struct fit_law side[2] = {*s->law, *s->law};
        int c = s->which[j];
        double h = 1e-5;
        side[UP].coef[c] *= exp(h);
        side[DOWN].coef[c] *= exp(-h);
        for (size_t i = 0; i < s->n; i++) {
            double d = residual(&side[UP], &s->p[i])
                     - residual(&side[DOWN], &s->p[i]);
            gsl_matrix_set(jac, i, j, d / (2 * h));
        }
    }
}

static int by_group(const void *a, const void *b)
{
    const struct fit_point *x = *(const struct fit_point *const *)a;
    const struct fit_point *y = *(const struct fit_point *const *)b;
    if (x->group != y->group)
        return x->group > y->group ? 1 : -1;
    return (x > y) - (x < y);
}

static size_t groups_of(const struct fit_point *const *order, size_t n)
{
    size_t groups = 0;
    for (size_t k = 0; k < n; k++)
        groups += k == 0 || order[k]->group != order[k - 1]->group;
    return groups;
}

/* G: score sums of each group, squared and added; returns how many groups.
 * With no more groups than coefficients each row counts as one. */
static size_t meat(const struct search *s, const gsl_matrix *jac, double scale,
                   gsl_matrix *g, struct arena *a)
{
    const struct fit_point **order = ARENA_ARRAY(a, const struct fit_point *,
                                                 s->n);
    for (size_t i = 0; i < s->n; i++)
        order[i] = &s->p[i];
    qsort(order, s->n, sizeof *order, by_group);
    size_t groups = groups_of(order, s->n);
    bool alone = groups <= s->n_free;
    gsl_vector *sum = gsl_vector_calloc(s->n_free);
    must(sum);
    for (size_t k = 0; k < s->n; k++) {
        size_t i = (size_t)(order[k] - s->p);
        double r = residual(s->law, &s->p[i]), z = r / (CAUCHY * scale);
        gsl_vector_const_view row = gsl_matrix_const_row(jac, i);
        gsl_blas_daxpy(r / (1 + z * z), &row.vector, sum);
        bool last = k + 1 == s->n || order[k + 1]->group != order[k]->group;
        if (!last && !alone)
            continue;
        gsl_blas_dger(1, sum, sum, g);
        gsl_vector_set_zero(sum);
    }
    gsl_vector_free(sum);
    return alone ? s->n : groups;
}

/* H: the estimating equations' derivative, with the mean of psi'. */
static void bread(const struct search *s, const gsl_matrix *jac, double scale,
                  gsl_matrix *h)
{
    double mean = 0;
    for (size_t i = 0; i < s->n; i++) {
        double z = residual(s->law, &s->p[i]) / (CAUCHY * scale);
        double d = 1 + z * z;
        mean += (1 - z * z) / (d * d) / (double)s->n;
    }
    gsl_blas_dgemm(CblasTrans, CblasNoTrans, mean, jac, jac, 0, h);
}

static bool sandwich(const struct search *s, double scale, double *var,
                     struct arena *a)
{
    gsl_matrix *jac = gsl_matrix_alloc(s->n, s->n_free);
    gsl_matrix *h = gsl_matrix_alloc(s->n_free, s->n_free);
    gsl_matrix *g = gsl_matrix_calloc(s->n_free, s->n_free);
    gsl_matrix *t = gsl_matrix_alloc(s->n_free, s->n_free);
    must(jac && h && g && t);
    slopes(s, jac);
    size_t groups = meat(s, jac, scale, g, a);
    bread(s, jac, scale, h);
    bool ok = groups > s->n_free
           && gsl_linalg_cholesky_decomp1(h) == GSL_SUCCESS
           && gsl_linalg_cholesky_invert(h) == GSL_SUCCESS;
    if (ok) {
        double few = (double)groups / (double)(groups - s->n_free);
        gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, few, h, g, 0, t);
        gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, 1, t, h, 0, g);
        for (size_t j = 0; j < s->n_free; j++)
            var[j] = gsl_matrix_get(g, j, j);
    }
    gsl_matrix_free(t);
    gsl_matrix_free(g);
    gsl_matrix_free(h);
    gsl_matrix_free(jac);
    return ok;
}

/* Coefficients that rest on a bound do not move, so they have no error and
 * take no part in the others'. */
static void errors(struct search *s, double *work, struct arena *a)
{
    struct search inner = *s;
    const struct form *f = s->law->form;
    inner.n_free = 0;
    for (size_t j = 0; j < s->n_free; j++) {
        int c = s->which[j];
        double at = place(f, c, s->law->coef[c]);
        s->law->bound[c] = at < 50 * EDGE || at > 1 - 50 * EDGE;
        s->law->se[c] = NAN;
        if (!s->law->bound[c])
            inner.which[inner.n_free++] = c;
    }
    double var[FORM_COEF];
    if (inner.n_free == 0 || !sandwich(&inner, scale_of(s, work), var, a))
        return;
    for (size_t j = 0; j < inner.n_free; j++) {
        int c = inner.which[j];
        s->law->se[c] = fabs(s->law->coef[c]) * sqrt(fmax(var[j], 0));
    }
}

bool fit_run(struct fit_law *law, const struct fit_point *p, size_t n,
             struct err *e)
{
    gsl_set_error_handler_off();
    struct search s = {.law = law, .p = p, .n = n};
    for (int i = 0; i < law->form->n_coef; i++)
        if (!law->held[i])
            s.which[s.n_free++] = i;
    if (n < ROWS_A_COEF * s.n_free || n == 0)
        return err_set(e, ERR_INPUT, "form %s: %zu rows for %zu coefficients",
                       law->form->name, n, s.n_free);
    if (s.n_free == 0)
        return true;
    struct arena *a = arena_open();
    s.root_w = ARENA_ARRAY(a, double, n);
    double *work = ARENA_ARRAY(a, double, n);
    gsl_multifit_nlinear_parameters how =
        gsl_multifit_nlinear_default_parameters();
    gsl_multifit_nlinear_workspace *w = gsl_multifit_nlinear_alloc(
        gsl_multifit_nlinear_trust, &how, n, s.n_free);
    must(w);
    bool ok = sweep(&s, work, w, e);
    if (ok)
        errors(&s, work, a);
    gsl_multifit_nlinear_free(w);
    arena_close(a);
    return ok;
}
