#include "sim/cost/op.h"

/* A static scale is known before the kernel starts; a dynamic one costs a pass
 * over the row, or over each group of 128 for block scales. */
static const char *variant(const struct op_call *c)
{
    if (c->act_static)
        return "static";
    return c->dtype == DT_FP8_BLOCK ? "block" : "token";
}

static void features(const struct op_call *c, double *x)
{
    x[0] = c->m;
    x[1] = c->k;
}

const struct op op_quant = {
    .name = "quant",
    .form = "quant",
    .n_box = 2,
    .feature = {"m", "k"},
    .resource = OP_BY_HBM,
    .variant = variant,
    .features = features,
};
