#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    (void)c;
    return "bf16";
}

static void features(const struct op_call *c, double *x)
{
    x[0] = c->bytes;
}

const struct op op_norm = {
    .name = "norm",
    .form = "stream",
    .n_box = 1,
    .feature = {"bytes"},
    .resource = OP_BY_HBM,
    .variant = variant,
    .features = features,
};
