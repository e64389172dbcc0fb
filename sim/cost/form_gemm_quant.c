/* form_gemm, and the kernels that quantise its activations where they were
 * timed together (with_quant = 1): a floor, a part per row (the scale) and a
 * part per byte (16 bit in, 8 bit out).  A simulated call has with_quant = 0.
 */
#include "sim/cost/form.h"
#include "sim/cost/form_gemm.h"

enum { QUANT_T0 = FORM_GEMM_COEF, QUANT_ROW, QUANT_RATE };
enum { QUANT_B = 2 + 1 };
#define US 1e-6
#define NS 1e-9

static double value(const double *c, const double *x)
{
    double quant = c[QUANT_T0] * US + x[0] * c[QUANT_ROW] * NS
                 + x[0] * x[2] * QUANT_B / c[QUANT_RATE];
    return form_gemm_time(c, x) + x[5] * quant;
}

const struct form form_gemm_quant = {
    .name = "gemm_quant",
    .what = "gemm + with_quant (quant_t0 + m quant_row + 3 m k / quant)",
    .n_coef = FORM_GEMM_COEF + 3,
    .coef = {"t0_us", "mem_Bps", "peak_flops", "walk_ns", "sharp", "overlap",
             "store_Bps", "fill", "cus", "quant_t0_us", "quant_row_ns",
             "quant_Bps"},
    .lo = {0.1, 1e11, 1e13, 1e-3, 1, 1, 1e11, 1e-3, 1, 0.1, 1e-2, 1e11},
    .hi = {50, 1e13, 1e16, 20, 20, 20, 1e14, 1, 1e4, 100, 100, 1e13},
    .guess = {3, 3e12, 1.3e15, 0.9, 3, 2, 3e12, 0.1, 132, 4, 5, 2e12},
    .n_feature = 6,
    .feature = {"m", "n", "k", "weight_B", "act_B", "with_quant"},
    .value = value,
};
