/* tune - few physical parameters from whole runs.
 * Robust Bayesian least squares: residuals come in units of their expected
 * error (logarithms of predicted over measured over sigma), each parameter has
 * a normal prior (of its logarithm where relative) and bounds.  The model is a
 * callback that evaluates many parameter vectors at once, so a numeric Jacobian
 * is one call.  tune_without solves again without a group of residuals, from
 * the Jacobian at the solution: the step of a leave-one-group-out.
 * Memory lives in the caller's arena; one thread, the callback may use more. */
#ifndef CALIBRATE_FIT_TUNE_H
#define CALIBRATE_FIT_TUNE_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct tune_par {
    const char *name;
    double prior, sigma, lo, hi;
    bool relative;
    /* out */
    double value, se; /* se of the logarithm where relative */
    bool bound;       /* rests on a bound */
};

/* r: n_vec rows of n_res residuals at n_vec vectors x of n_par values. */
typedef bool (*tune_model)(void *of, size_t n_vec, const double *x, double *r,
                           struct err *e);

struct tune_ask {
    struct tune_par *par;
    size_t n_par, n_res;
    const double *weight; /* of residuals, in [0, 1]; 0: not used */
    tune_model model;
    void *of;
    void (*told)(void *to, int round, double cost); /* may be NULL */
    void *to;
};

struct tune {
    size_t n_par, n_res;
    double *u;    /* solution, logarithms where relative */
    double *jac;  /* n_res x n_par, of u */
    double *res;  /* residuals at the solution */
    double *root; /* square roots of robust weight times weight */
    double *cov;  /* n_par x n_par, posterior */
    double scale; /* robust spread of the weighted residuals */
    double cost, cost_prior;
};

bool tune_run(const struct tune_ask *ask, struct arena *a, struct tune *t,
              struct err *e);
/* Parameters (natural units) without the residuals where out[i]. */
bool tune_without(const struct tune_ask *ask, const struct tune *t,
                  const bool *out, double *x, struct err *e);

#endif
