/* One kernel that reads m x k 16-bit numbers and writes as many 8-bit ones. */
#include "sim/cost/form.h"

#include <math.h>

enum { T0, RATE, SHARP };
enum { TRAFFIC_B = 2 + 1 };
#define US 1e-6

static double value(const double *c, const double *x)
{
    double p = c[SHARP], move = x[0] * x[1] * TRAFFIC_B / c[RATE];
    return pow(pow(c[T0] * US, p) + pow(move, p), 1 / p);
}

const struct form form_quant = {
    .name = "quant",
    .what = "p-norm(t0, 3 m k / rate)",
    .n_coef = 3,
    .coef = {"t0_us", "rate_Bps", "sharp"},
    .lo = {0.1, 1e9, 0.7},
    .hi = {1000, 1e14, 10},
    .guess = {2, 3e12, 1.2},
    .n_feature = 2,
    .feature = {"m", "k"},
    .value = value,
};
