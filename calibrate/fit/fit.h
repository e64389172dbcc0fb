/* fit - coefficients of a form from measured times.
 * Residuals are logarithms of predicted over measured, so a small operator
 * counts as much as a large one; outliers lose weight by Cauchy's rule; bounds
 * hold through a smooth change of variable; standard errors are robust to
 * residuals that belong together (rows of one group).
 * Memory of a search is the library's own and released on return.  One thread.
 * Cost: rows x coefficients x some hundred evaluations. */
#ifndef CALIBRATE_FIT_FIT_H
#define CALIBRATE_FIT_FIT_H

#include "sim/base/err.h"
#include "sim/cost/form.h"

#include <stddef.h>
#include <stdint.h>

struct fit_point {
    double x[FORM_FEATURE];
    double time_s;
    uint32_t group;
};

struct fit_law {
    const struct form *form;
    double coef[FORM_COEF]; /* in: first guess, or the value where held */
    bool held[FORM_COEF];   /* not fitted */
    bool bound[FORM_COEF];  /* out: rests on a bound */
    double se[FORM_COEF];   /* out; NAN where held or on a bound */
};

/* A law that begins at the form's guess with nothing held. */
struct fit_law fit_guess(const struct form *form);

/* Too few rows or a search that breaks down: ERR_INPUT. */
bool fit_run(struct fit_law *law, const struct fit_point *p, size_t n,
             struct err *e);

#endif
