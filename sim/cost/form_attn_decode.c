/* One query token a sequence over its cache: a floor; a part for every
 * (sequence, KV head) beyond the first that a compute unit takes; and the
 * cache read, at full rate once the pairs, each split into so many parts along
 * the cache, keep every compute unit busy. */
#include "sim/cost/form.h"

#include <math.h>

enum { T0, MEM, UNIT, SPLITS, CUS };
#define US 1e-6
#define NS 1e-9

static double value(const double *c, const double *x)
{
    double units = x[0] * x[3];
    double bytes = 2 * x[1] * x[3] * x[4] * x[5]; /* keys and values */
    double busy = fmin(1, units * c[SPLITS] / c[CUS]);
    double more = fmax(units - c[CUS], 0);
    return c[T0] * US + more * c[UNIT] * NS + bytes / (c[MEM] * busy);
}

const struct form form_attn_decode = {
    .name = "attn_decode",
    .what = "t0 + (seqs kv_heads - cus) unit + KV bytes / (mem min(1, seqs "
            "kv_heads splits / cus))",
    .n_coef = 5,
    .coef = {"t0_us", "mem_Bps", "unit_ns", "splits", "cus"},
    .lo = {0.1, 1e10, 0.1, 1, 1},
    .hi = {100, 1e14, 1000, 200, 1e4},
    .guess = {10, 3e12, 20, 30, 132},
    .n_feature = 6,
    .feature = {"seqs", "kv_tokens", "heads", "kv_heads", "head_dim", "kv_B"},
    .value = value,
};
