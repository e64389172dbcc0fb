/* What an engine adds to its kernels.  tuned.c applies the parameters; the
 * value here is the time between two steps. */
#include "sim/cost/form.h"

#include "sim/cost/tuned.h"

static double value(const double *c, const double *x)
{
    return (c[TUNED_STEP_US] + c[TUNED_STEP_REQUEST_US] * x[0]) * 1e-6;
}

#define NAME(id, name, ...) name,
#define GUESS(id, name, what, neutral, prior, ...) prior,
#define LO(id, name, what, neutral, prior, sigma, lo, ...) lo,
#define HI(id, name, what, neutral, prior, sigma, lo, hi, relative) hi,

const struct form form_engine = {
    .name = "engine",
    .what = "step + step_request requests between two steps; the others "
            "divide a kernel family's time, multiply its rate or add to it",
    .n_coef = TUNED_N,
    .coef = {TUNED_LIST(NAME)},
    .lo = {TUNED_LIST(LO)},
    .hi = {TUNED_LIST(HI)},
    .guess = {TUNED_LIST(GUESS)},
    .n_feature = 1,
    .feature = {"requests"},
    .value = value,
};
