/* A GEMM fetches weights and activations at the memory's rate, or no faster
 * than one tile walks along k, which no other tile can shorten; it multiplies;
 * it stores its results.  Fetching is the p-norm (sharp) of its two limits;
 * fetching and multiplying combine by a p-norm too: overlap = 1 adds them, a
 * large one leaves the longer (roofline: Williams, Waterman, Patterson,
 * Commun. ACM 52, 2009); the store adds.  With fewer tiles than compute units
 * the multiplications do not reach their rate and take (1 + cus / tiles)^fill
 * times as long, with tiles of 256 x 256, the largest that kernels use. */
#include "sim/cost/form_gemm.h"

#include <math.h>

#include "sim/cost/form.h"

enum { T0, MEM, PEAK, WALK, SHARP, OVERLAP, STORE, FILL, CUS };
enum { OUT_B = 2 /* 16-bit results */ };
#define TILE 256.0
#define US 1e-6
#define NS 1e-9

static double norm(double a, double b, double p)
{
    return pow(pow(a, p) + pow(b, p), 1 / p);
}

double form_gemm_time(const double *c, const double *x)
{
    double m = x[0], n = x[1], k = x[2], weight_B = x[3], act_B = x[4];
    double mem = (n * k * weight_B + m * k * act_B) / c[MEM];
    double fetch = norm(mem, k * c[WALK] * NS, c[SHARP]);
    double tiles = m * n / (TILE * TILE);
    double mul = 2 * m * n * k / c[PEAK] * pow(1 + c[CUS] / tiles, c[FILL]);
    double store = m * n * OUT_B / c[STORE];
    return c[T0] * US + norm(fetch, mul, c[OVERLAP]) + store;
}

const struct form form_gemm = {
    .name = "gemm",
    .what = "t0 + overlap-norm(sharp-norm(bytes / mem, k walk), 2 m n k / peak "
            "(1 + cus tile^2 / (m n))^fill) + 2 m n / store",
    .n_coef = FORM_GEMM_COEF,
    .coef = {"t0_us", "mem_Bps", "peak_flops", "walk_ns", "sharp", "overlap",
             "store_Bps", "fill", "cus"},
    .lo = {0.1, 1e11, 1e13, 1e-3, 1, 1, 1e11, 1e-3, 1},
    .hi = {50, 1e13, 1e16, 20, 20, 20, 1e14, 1, 1e4},
    .guess = {3, 3e12, 9e14, 0.9, 3, 2, 3e12, 0.1, 132},
    .n_feature = 5,
    .feature = {"m", "n", "k", "weight_B", "act_B"},
    .value = form_gemm_time,
};
