/* Routed experts: the weights of every expert touched are read once; its
 * tokens are multiplied in tiles of a power of two of rows between 16 and 128
 * (Triton's grouped GEMM takes the one above the average rows an expert has);
 * tokens are gathered and scattered.  Op tables deal tokens out evenly (even =
 * 1), so tiles are as full as they can be; routed tokens fall at random, which
 * costs half a tile an expert. */
#include "sim/cost/form.h"

#include <math.h>

enum { T0, MEM, PEAK, HALF, SHARP, ACT };
enum { TILE_MIN = 16, TILE_MAX = 128, ACT_B = 2, MATRICES = 3 };
#define US 1e-6

static double tile_of(double rows)
{
    double tile = TILE_MIN;
    while (tile < rows && tile < TILE_MAX)
        tile *= 2;
    return tile;
}

static double value(const double *c, const double *x)
{
    double tokens = x[0], hidden = x[1], inter = x[2], topk = x[3];
    double active = x[5], weight_B = x[6], even = x[7];
    double rows = tokens * topk / active, tile = tile_of(rows);
    double tiles = even > 0 ? ceil(rows / tile) : fmax(1, rows / tile + 0.5);
    double one = hidden * inter * MATRICES * active;
    double mem = one * weight_B / c[MEM];
    double mul = 2 * one * tiles * (tile + c[HALF]) / c[PEAK];
    double move = tokens * topk * (2 * hidden + 3 * inter) * ACT_B / c[ACT];
    double p = c[SHARP];
    return c[T0] * US + pow(pow(mem, p) + pow(mul, p), 1 / p) + move;
}

const struct form form_moe = {
    .name = "moe",
    .what = "t0 + p-norm(active expert weights / mem, 6 hidden inter active "
            "tiles (tile + half) / peak) + moved activations / act",
    .n_coef = 6,
    .coef = {"t0_us", "mem_Bps", "peak_flops", "half_rows", "sharp", "act_Bps"},
    .lo = {1, 1e11, 1e13, 1e-2, 1, 1e11},
    .hi = {500, 1e13, 1e16, 300, 20, 1e14},
    .guess = {30, 3e12, 7e14, 10, 2, 2e12},
    .n_feature = 8,
    .feature = {"tokens", "hidden", "inter", "topk", "experts", "active",
                "weight_B", "even"},
    .value = value,
};
