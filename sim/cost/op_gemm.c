#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    return card_dtype_name(c->dtype);
}

/* Bytes of an activation element: formats whose weights alone are narrow
 * multiply in 16 bit. */
static double act_bytes(enum dtype d)
{
    switch (d) {
    case DT_FP8:
    case DT_FP8_BLOCK:
        return card_dtype_bytes(DT_FP8);
    case DT_BF16:
    case DT_MXFP4:
    case DT_N:
        break;
    }
    return card_dtype_bytes(DT_BF16);
}

static void features(const struct op_call *c, double *x)
{
    x[0] = c->m;
    x[1] = c->n;
    x[2] = c->k;
    x[3] = card_dtype_bytes(c->dtype);
    x[4] = act_bytes(c->dtype);
    x[5] = c->with_quant;
}

const struct op op_gemm = {
    .name = "gemm",
    .form = "gemm",
    .n_box = 3,
    .feature = {"m", "n", "k", "weight_B", "act_B", "with_quant"},
    .resource = OP_BY_HBM,
    .variant = variant,
    .features = features,
};
