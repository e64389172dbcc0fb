/* Causal attention of new tokens: the multiplications over every (query, key)
 * pair and the bytes of queries, results and cache. */
#include "sim/cost/form.h"

#include <math.h>

enum { T0, MEM, PEAK, EDGE, SHARP };
enum { ACT_B = 2 };
#define US 1e-6

static double value(const double *c, const double *x)
{
    double q = x[1], pairs = x[2], kv = x[3];
    double heads = x[4], kv_heads = x[5], dim = x[6], kv_B = x[7];
    double bytes = 2 * q * heads * dim * ACT_B + 2 * kv * kv_heads * dim * kv_B;
    double mem = bytes / c[MEM];
    double mul = 4 * (pairs + q * c[EDGE]) * heads * dim / c[PEAK];
    double p = c[SHARP];
    return c[T0] * US + pow(pow(mem, p) + pow(mul, p), 1 / p);
}

const struct form form_attn_prefill = {
    .name = "attn_prefill",
    .what = "t0 + p-norm(bytes / mem, 4 (pairs + q edge) heads dim / peak); "
            "edge: keys a token's tile computes and masks",
    .n_coef = 5,
    .coef = {"t0_us", "mem_Bps", "peak_flops", "edge_keys", "sharp"},
    .lo = {0.1, 1e11, 1e13, 1e-2, 0.8},
    .hi = {100, 1e14, 1e16, 2e3, 20},
    .guess = {10, 2e12, 6e14, 50, 1.5},
    .n_feature = 8,
    .feature = {"seqs", "q_tokens", "pairs", "kv_tokens", "heads", "kv_heads",
                "head_dim", "kv_B"},
    .value = value,
};
