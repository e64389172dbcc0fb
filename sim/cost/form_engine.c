/* What an engine adds to its kernels.  The parameters' meaning is in tuned.c,
 * which applies them; the value here is the time between two steps. */
#include "sim/cost/form.h"

enum { STEP, REQUEST };

static double value(const double *c, const double *x)
{
    return (c[STEP] + c[REQUEST] * x[0]) * 1e-6;
}

const struct form form_engine = {
    .name = "engine",
    .what = "step + step_request requests between two steps; efficiencies "
            "divide their family's time or multiply its rate",
    .n_coef = 2,
    .coef = {"step_us", "step_request_us"},
    .lo = {0, 0},
    .hi = {1e5, 1e3},
    .guess = {200, 5},
    .n_feature = 1,
    .feature = {"requests"},
    .value = value,
};
