/* Logits are read in 16 bit, written as 32-bit floats and read again to find
 * the largest: passes over rows x vocab numbers. */
#include "sim/cost/form.h"

enum { T0, RATE, LOGIT };

static double value(const double *c, const double *x)
{
    return c[T0] * 1e-6 + x[0] * x[1] * c[LOGIT] / c[RATE];
}

const struct form form_sample = {
    .name = "sample",
    .what = "t0 + rows vocab logit_B / rate",
    .n_coef = 3,
    .coef = {"t0_us", "rate_Bps", "logit_B"},
    .lo = {0.1, 1e9, 1},
    .hi = {10000, 1e14, 100},
    .guess = {10, 3e12, 10},
    .n_feature = 2,
    .feature = {"rows", "vocab"},
    .value = value,
};
