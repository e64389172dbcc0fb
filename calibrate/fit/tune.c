/* Gauss-Newton with a prior: each round minimises
 *     sum w_i (r_i + J_i d)^2 + sum ((u + d - m) / sigma)^2
 * with w by Cauchy's rule (as fit.c, scale fixed at the residuals' own unit or
 * their spread, whichever is larger), holds what would leave its bounds, and
 * halves the step while the cost rises. */
#include "calibrate/fit/tune.h"

#include "sim/base/must.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 8,
    SCALED = 2, /* rounds after which the scale stays */
    HALVINGS = 4
};
#define CAUCHY 2.385
#define NORMAL 1.4826
#define STEP 0.02       /* of a parameter's sigma, for the Jacobian; ... */
#define STEP_LEAST 0.01 /* ... of its logarithm, at least where relative */
#define SETTLED 3e-3    /* relative fall of the cost */

static double to_u(const struct tune_par *p, double x)
{
    return p->relative ? log(x) : x;
}

static double from_u(const struct tune_par *p, double u)
{
    return p->relative ? exp(u) : u;
}

static double step_of(const struct tune_par *p)
{
    return p->relative ? fmax(STEP * p->sigma, STEP_LEAST) : 0.2 * p->sigma;
}

static void naturals(const struct tune_ask *k, const double *u, double *x)
{
    for (size_t j = 0; j < k->n_par; j++)
        x[j] = from_u(&k->par[j], u[j]);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Spread of the residuals that count, in their unit, at least 1. */
static double spread(const struct tune_ask *k, const double *r, double *room)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n_res; i++)
        if (k->weight[i] > 0)
            room[n++] = fabs(r[i]);
    if (!n)
        return 1;
    qsort(room, n, sizeof *room, by_size);
    return fmax(1, NORMAL * room[n / 2]);
}

/* Cauchy's loss, which the weights descend. */
static double cost_of(const struct tune_ask *k, const double *u,
                      const double *r, double s)
{
    double sum = 0, c = CAUCHY * s;
    for (size_t i = 0; i < k->n_res; i++)
        sum += k->weight[i] * c * c * log1p(r[i] * r[i] / (c * c)) / (s * s);
    for (size_t j = 0; j < k->n_par; j++) {
        const struct tune_par *p = &k->par[j];
        double z = (u[j] - to_u(p, p->prior)) / p->sigma;
        sum += z * z;
    }
    return sum;
}

static void weigh(const struct tune_ask *k, struct tune *t)
{
    double c = CAUCHY * t->scale;
    for (size_t i = 0; i < k->n_res; i++) {
        double w = k->weight[i] / (1 + t->res[i] * t->res[i] / (c * c));
        t->root[i] = sqrt(w) / t->scale;
    }
}

static bool jacobian(const struct tune_ask *k, struct tune *t, struct arena *a,
                     struct err *e)
{
    size_t n = k->n_par, m = k->n_res;
    double *x = ARENA_ARRAY(a, double, n *n);
    double *r = ARENA_ARRAY(a, double, n *m);
    double *h = ARENA_ARRAY(a, double, n);
    for (size_t j = 0; j < n; j++) {
        const struct tune_par *p = &k->par[j];
        h[j] = step_of(p);
        if (t->u[j] + h[j] > to_u(p, p->hi))
            h[j] = -h[j];
        naturals(k, t->u, &x[j * n]);
        x[j * n + j] = from_u(p, t->u[j] + h[j]);
    }
    if (!k->model(k->of, n, x, r, e))
        return false;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++)
            t->jac[i * n + j] = (r[j * m + i] - t->res[i]) / h[j];
    return true;
}

/* Normal equations of the free parameters; d is the step. */
struct normal {
    gsl_matrix *a;
    gsl_vector *b, *d;
};

static void fill(const struct tune_ask *k, const struct tune *t,
                 const bool *out, struct normal *q)
{
    size_t n = k->n_par;
    gsl_matrix_set_zero(q->a);
    gsl_vector_set_zero(q->b);
    for (size_t i = 0; i < k->n_res; i++) {
        double w = out && out[i] ? 0 : t->root[i] * t->root[i];
        const double *row = &t->jac[i * n];
        for (size_t j = 0; w > 0 && j < n; j++) {
            *gsl_vector_ptr(q->b, j) -= w * row[j] * t->res[i];
            for (size_t l = 0; l < n; l++)
                *gsl_matrix_ptr(q->a, j, l) += w * row[j] * row[l];
        }
    }
    for (size_t j = 0; j < n; j++) {
        const struct tune_par *p = &k->par[j];
        double w = 1 / (p->sigma * p->sigma);
        *gsl_matrix_ptr(q->a, j, j) += w;
        *gsl_vector_ptr(q->b, j) -= w * (t->u[j] - to_u(p, p->prior));
    }
}

static void hold(struct normal *q, size_t j, double step)
{
    size_t n = q->b->size;
    for (size_t l = 0; l < n; l++) {
        *gsl_vector_ptr(q->b, l) -= gsl_matrix_get(q->a, l, j) * step;
        gsl_matrix_set(q->a, l, j, l == j);
        gsl_matrix_set(q->a, j, l, l == j);
    }
    gsl_vector_set(q->b, j, step);
}

/* Solves, holding at its bound what would leave, until nothing does. */
static bool solve(const struct tune_ask *k, const struct tune *t,
                  const bool *out, struct normal *q, bool *held, struct err *e)
{
    size_t n = k->n_par;
    memset(held, 0, n * sizeof *held);
    for (bool again = true; again;) {
        again = false;
        fill(k, t, out, q);
        for (size_t j = 0; j < n; j++)
            if (held[j]) {
                const struct tune_par *p = &k->par[j];
                double to = gsl_vector_get(q->d, j) > 0 ? p->hi : p->lo;
                hold(q, j, to_u(p, to) - t->u[j]);
            }
        gsl_vector *d = q->d;
        double *was = malloc(n * sizeof *was);
        must(was);
        for (size_t j = 0; j < n; j++)
            was[j] = gsl_vector_get(d, j);
        bool ok = gsl_linalg_cholesky_decomp1(q->a) == GSL_SUCCESS
               && gsl_linalg_cholesky_solve(q->a, q->b, d) == GSL_SUCCESS;
        for (size_t j = 0; ok && j < n; j++) {
            const struct tune_par *p = &k->par[j];
            double u = t->u[j] + gsl_vector_get(d, j);
            if (held[j])
                gsl_vector_set(d, j, was[j]);
            else if (u > to_u(p, p->hi) || u < to_u(p, p->lo))
                held[j] = again = true;
        }
        free(was);
        if (!ok)
            return err_set(e, ERR_INPUT,
                           "the runs do not determine the "
                           "parameters");
    }
    for (size_t j = 0; j < n; j++)
        if (held[j]) {
            const struct tune_par *p = &k->par[j];
            double to = gsl_vector_get(q->d, j) > 0 ? p->hi : p->lo;
            gsl_vector_set(q->d, j, to_u(p, to) - t->u[j]);
        }
    return true;
}

static struct normal normal_get(size_t n)
{
    struct normal q = {gsl_matrix_alloc(n, n), gsl_vector_alloc(n),
                       gsl_vector_calloc(n)};
    must(q.a && q.b && q.d);
    return q;
}

static void normal_free(struct normal *q)
{
    gsl_matrix_free(q->a);
    gsl_vector_free(q->b);
    gsl_vector_free(q->d);
}

/* The change of the Jacobian that a step has shown (Broyden, Math. Comput. 19,
 * 1965): between fresh ones, simulations are dear. */
static void broyden(struct tune *t, const double *u, const double *r)
{
    size_t n = t->n_par;
    double size = 0;
    for (size_t j = 0; j < n; j++)
        size += (u[j] - t->u[j]) * (u[j] - t->u[j]);
    for (size_t i = 0; size > 0 && i < t->n_res; i++) {
        double *row = &t->jac[i * n], miss = r[i] - t->res[i];
        for (size_t j = 0; j < n; j++)
            miss -= row[j] * (u[j] - t->u[j]);
        for (size_t j = 0; j < n; j++)
            row[j] += miss * (u[j] - t->u[j]) / size;
    }
}

/* Moves along d, halving while the cost rises. */
static bool move(const struct tune_ask *k, struct tune *t, const double *d,
                 struct arena *a, struct err *e)
{
    size_t n = k->n_par, m = k->n_res;
    double *u = ARENA_ARRAY(a, double, n), *x = ARENA_ARRAY(a, double, n);
    double *r = ARENA_ARRAY(a, double, m);
    double f = 1;
    for (int i = 0; i < HALVINGS; i++, f /= 2) {
        for (size_t j = 0; j < n; j++)
            u[j] = t->u[j] + f * d[j];
        naturals(k, u, x);
        if (!k->model(k->of, 1, x, r, e))
            return false;
        double cost = cost_of(k, u, r, t->scale);
        if (cost >= t->cost)
            continue;
        broyden(t, u, r);
        memcpy(t->u, u, n * sizeof *u);
        memcpy(t->res, r, m * sizeof *r);
        t->cost = cost;
        return true;
    }
    return true;
}

static bool covariance(const struct tune_ask *k, struct tune *t,
                       const bool *held, struct err *e)
{
    size_t n = k->n_par;
    struct normal q = normal_get(n);
    fill(k, t, NULL, &q);
    for (size_t j = 0; j < n; j++)
        if (held[j])
            hold(&q, j, 0);
    bool ok = gsl_linalg_cholesky_decomp1(q.a) == GSL_SUCCESS
           && gsl_linalg_cholesky_invert(q.a) == GSL_SUCCESS;
    for (size_t j = 0; ok && j < n; j++) {
        struct tune_par *p = &k->par[j];
        for (size_t l = 0; l < n; l++)
            t->cov[j * n + l] = held[j] || held[l] ? 0
                                                   : gsl_matrix_get(q.a, j, l);
        p->bound = held[j];
        p->se = held[j] ? NAN : sqrt(t->cov[j * n + j]);
        p->value = from_u(p, t->u[j]);
    }
    normal_free(&q);
    return ok || err_set(e, ERR_INPUT, "no covariance");
}

static void on_bound(const struct tune_ask *k, const struct tune *t, bool *held)
{
    for (size_t j = 0; j < k->n_par; j++) {
        const struct tune_par *p = &k->par[j];
        double edge = 1e-6 * fmax(1, fabs(to_u(p, p->hi)));
        held[j] = (p->relative || p->lo > -INFINITY)
               && (t->u[j] - to_u(p, p->lo) < edge
                   || to_u(p, p->hi) - t->u[j] < edge);
    }
}

/* Rounds that begin with a Jacobian from simulations. */
static bool fresh(int round)
{
    return round == 0 || round == 2;
}

static bool rounds(const struct tune_ask *k, struct tune *t, struct arena *a,
                   struct err *e)
{
    size_t n = k->n_par;
    struct normal q = normal_get(n);
    bool *held = ARENA_ARRAY(a, bool, n), ok = true;
    double *room = ARENA_ARRAY(a, double, k->n_res);
    for (int i = 0; ok && i < ROUNDS; i++) {
        if (i < SCALED)
            t->scale = spread(k, t->res, room);
        double was = t->cost = cost_of(k, t->u, t->res, t->scale);
        if (i == 0)
            t->cost_prior = was;
        weigh(k, t);
        ok = (!fresh(i) || jacobian(k, t, a, e))
          && solve(k, t, NULL, &q, held, e) && move(k, t, q.d->data, a, e);
        if (ok && k->told)
            k->told(k->to, i, t->cost);
        if (ok && i >= SCALED && was - t->cost < SETTLED * was)
            break;
    }
    if (ok) {
        weigh(k, t);
        on_bound(k, t, held);
        ok = covariance(k, t, held, e);
    }
    normal_free(&q);
    return ok;
}

bool tune_run(const struct tune_ask *k, struct arena *a, struct tune *t,
              struct err *e)
{
    size_t n = k->n_par, m = k->n_res;
    size_t used = 0;
    for (size_t i = 0; i < m; i++)
        used += k->weight[i] > 0;
    if (!n || used < n)
        return err_set(e, ERR_INPUT,
                       "%zu residuals for %zu parameters: too "
                       "few to tune",
                       used, n);
    gsl_error_handler_t *was = gsl_set_error_handler_off();
    *t = (struct tune){.n_par = n,
                       .n_res = m,
                       .u = ARENA_ARRAY(a, double, n),
                       .jac = ARENA_ARRAY(a, double, m *n),
                       .res = ARENA_ARRAY(a, double, m),
                       .root = ARENA_ARRAY(a, double, m),
                       .cov = ARENA_ARRAY(a, double, n *n)};
    double *x = ARENA_ARRAY(a, double, n);
    for (size_t j = 0; j < n; j++)
        t->u[j] = to_u(&k->par[j], k->par[j].value);
    naturals(k, t->u, x);
    bool ok = k->model(k->of, 1, x, t->res, e) && rounds(k, t, a, e);
    gsl_set_error_handler(was);
    return ok;
}

bool tune_without(const struct tune_ask *k, const struct tune *t,
                  const bool *out, double *x, struct err *e)
{
    gsl_error_handler_t *was = gsl_set_error_handler_off();
    struct normal q = normal_get(k->n_par);
    bool *held = malloc(k->n_par * sizeof *held);
    must(held);
    bool ok = solve(k, t, out, &q, held, e);
    for (size_t j = 0; ok && j < k->n_par; j++)
        x[j] = from_u(&k->par[j], t->u[j] + gsl_vector_get(q.d, j));
    free(held);
    normal_free(&q);
    gsl_set_error_handler(was);
    return ok;
}
