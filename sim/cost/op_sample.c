#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    (void)c;
    return "greedy";
}

static void features(const struct op_call *c, double *x)
{
    x[0] = c->rows;
    x[1] = c->vocab;
}

const struct op op_sample = {
    .name = "sample",
    .form = "sample",
    .n_box = 2,
    .feature = {"rows", "vocab"},
    .resource = OP_BY_HBM,
    .variant = variant,
    .features = features,
};
