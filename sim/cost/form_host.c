#include "sim/cost/form.h"

enum { T0, REQUEST, LAUNCH };

static double value(const double *c, const double *x)
{
    return (c[T0] + c[REQUEST] * x[0] + c[LAUNCH] * x[1]) * 1e-6;
}

const struct form form_host = {
    .name = "host",
    .what = "t0 + per_request requests + per_launch launches",
    .n_coef = 3,
    .coef = {"t0_us", "per_request_us", "per_launch_us"},
    .lo = {1, 1e-3, 1e-6},
    .hi = {1e5, 1e3, 1e3},
    .guess = {200, 5, 1},
    .n_feature = 2,
    .feature = {"requests", "launches"},
    .value = value,
};
