/* A collective has a way for short messages and one for long ones (one stage or
 * two, latency or bandwidth protocol); the long one begins dearer and grows
 * slower.  The library takes the cheaper, so the smooth minimum of the two. */
#include "sim/cost/form.h"

#include <math.h>

enum { T0, NEAR, STEP, FAR };
#define US 1e-6
#define CORNER 4.0 /* of the minimum: within 19 % at the crossing, 1 % at 2:1 */

static double value(const double *c, const double *x)
{
    double near = x[0] / c[NEAR], far = c[STEP] * US + x[0] / c[FAR];
    double both = pow(near, -CORNER) + pow(far, -CORNER);
    return c[T0] * US + pow(both, -1 / CORNER);
}

const struct form form_link = {
    .name = "link",
    .what = "t0 + smooth minimum(bytes / near, step + bytes / far)",
    .n_coef = 4,
    .coef = {"t0_us", "near_Bps", "step_us", "far_Bps"},
    .lo = {0.1, 1e8, 0.1, 1e9},
    .hi = {1000, 1e13, 1000, 1e13},
    .guess = {8, 8e10, 8, 2e11},
    .n_feature = 2,
    .feature = {"bytes", "gpus"},
    .value = value,
};
