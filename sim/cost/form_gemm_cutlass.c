/* vLLM's CUTLASS FP8 kernels on Hopper pick their tile by the number of rows
 * (csrc/quantization/w8a8/cutlass/c3x/scaled_mm_sm90_fp8_dispatch.cuh):
 *
 *   rows         tile (m x n)   blocks of rows that run together
 *   to 16        16 x 64        one (two where n <= 1280: clusters of two)
 *   to 64        64 x 64        one (n <= 1280: 16 x 64 in clusters of four)
 *   to 128       64 x 128       two
 *   more         128 x 128      two, so rows come in blocks of 256
 *
 * There is no split along k, so the time of the multiplications is a whole
 * number of waves of tiles over the compute units, each as long as k at the
 * tile's own rate.  The kernels for up to 64 rows have one group of warps that
 * fetches and waits by turns (the others work in ping-pong): `walk` is what
 * that costs along k.  Results are stored last.  A block of rows that is only
 * partly filled costs more than a full one; `ragged` says how many times its
 * empty part is paid again. with_quant = 1 adds the kernels of the
 * activations' quantisation where they were timed together. */
#include "sim/cost/form.h"

#include <math.h>
#include <stdbool.h>

enum {
    T0,
    MEM,
    RATE16,
    RATE64,
    RATE128,
    RATE256,
    RAGGED,
    SHARP,
    WALK,
    STORE,
    QUANT_T0,
    QUANT_ROW,
    QUANT_RATE,
    CUS
};
enum { NARROW = 1280, ONE_GROUP = 64, OUT_B = 2, QUANT_B = 2 + 1 };
#define US 1e-6
#define NS 1e-9

struct tiling {
    double rows, area; /* of a block that is filled or not; of one tile */
    double row_tiles;  /* tiles in one block of rows */
    double tiles;
    double rate; /* with every compute unit busy */
};

static struct tiling tiling(const double *c, double m, double n)
{
    bool narrow = n <= NARROW;
    double by64 = ceil(n / 64), by128 = ceil(n / 128);
    if (m <= 16)
        return (struct tiling){m, 16 * 64, by64, by64 * (narrow ? 2 : 1),
                               c[RATE16]};
    if (m <= 64 && narrow)
        return (struct tiling){m, 16 * 64, by64, by64 * 4, c[RATE16]};
    if (m <= 64)
        return (struct tiling){64, 64 * 64, by64, by64, c[RATE64]};
    if (m <= 128)
        return (struct tiling){128, 64 * 128, 2 * by128, 2 * by128, c[RATE128]};
    return (struct tiling){256, 128 * 128, 2 * by128, 2 * by128 * ceil(m / 256),
                           c[RATE256]};
}

static double gemm(const double *c, const double *x)
{
    double m = x[0], n = x[1], k = x[2], weight_B = x[3], act_B = x[4];
    double mem = (n * k * weight_B + m * k * act_B) / c[MEM];
    struct tiling t = tiling(c, m, n);
    double empty = ceil(m / t.rows) - m / t.rows;
    double waves = ceil(t.tiles / c[CUS])
                 + c[RAGGED] * empty * t.row_tiles / c[CUS];
    double mul = waves * 2 * t.area * k * c[CUS] / t.rate;
    double walk = m <= ONE_GROUP ? k * c[WALK] * NS : 0;
    double p = c[SHARP];
    return c[T0] * US + pow(pow(mem, p) + pow(mul, p), 1 / p) + walk
         + m * n * OUT_B / c[STORE];
}

static double value(const double *c, const double *x)
{
    double quant = c[QUANT_T0] * US + x[0] * c[QUANT_ROW] * NS
                 + x[0] * x[2] * QUANT_B / c[QUANT_RATE];
    return gemm(c, x) + x[5] * quant;
}

const struct form form_gemm_cutlass = {
    .name = "gemm_cutlass",
    .what = "t0 + p-norm(bytes / mem, waves 2 tile k cus / rate) + k walk (to "
            "64 rows) + 2 m n / store + with_quant (quant_t0 + m quant_row + "
            "3 m k / quant), waves = ceil(tiles / cus) + ragged empty",
    .n_coef = 14,
    .coef = {"t0_us", "mem_Bps", "rows16_flops", "rows64_flops",
             "rows128_flops", "rows256_flops", "ragged", "sharp", "walk_ns",
             "store_Bps", "quant_t0_us", "quant_row_ns", "quant_Bps", "cus"},
    .lo = {0.1, 1e11, 1e12, 1e13, 1e13, 1e14, 1e-2, 1, 1e-3, 1e11, 0.1, 1e-2,
           1e11, 1},
    .hi = {50, 1e13, 1e16, 1e16, 1e16, 1e16, 20, 20, 20, 1e14, 100, 100, 1e13,
           1e4},
    .guess = {2, 3e12, 4e14, 1e15, 1.6e15, 1.6e15, 1, 3, 0.2, 5e12, 3, 5,
              1.8e12, 132},
    .n_feature = 6,
    .feature = {"m", "n", "k", "weight_B", "act_B", "with_quant"},
    .value = value,
};
