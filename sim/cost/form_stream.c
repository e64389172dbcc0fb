/* A kernel that moves bytes: its floor and its rate, and how they meet. */
#include "sim/cost/form.h"

#include <math.h>

enum { T0, RATE, SHARP };
#define US 1e-6

static double value(const double *c, const double *x)
{
    double p = c[SHARP];
    return pow(pow(c[T0] * US, p) + pow(x[0] / c[RATE], p), 1 / p);
}

const struct form form_stream = {
    .name = "stream",
    .what = "p-norm(t0, bytes / rate)",
    .n_coef = 3,
    .coef = {"t0_us", "rate_Bps", "sharp"},
    .lo = {0.1, 1e9, 0.7},
    .hi = {1000, 1e14, 10},
    .guess = {3, 1e12, 1.2},
    .n_feature = 1,
    .feature = {"bytes"},
    .value = value,
};
