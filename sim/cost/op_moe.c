#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    return card_dtype_name(c->dtype);
}

static void features(const struct op_call *c, double *x)
{
    x[0] = c->tokens;
    x[1] = c->hidden;
    x[2] = c->inter;
    x[3] = c->topk;
    x[4] = c->experts;
    x[5] = c->active;
    x[6] = card_dtype_bytes(c->dtype);
    x[7] = c->even;
}

const struct op op_moe = {
    .name = "moe",
    .form = "moe",
    .n_box = 6,
    .feature = {"tokens", "hidden", "inter", "topk", "experts", "active",
                "weight_B", "even"},
    .resource = OP_BY_HBM,
    .variant = variant,
    .features = features,
};
