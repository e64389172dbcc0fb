#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    return op_ranks(c->algo, c->gpus);
}

const struct op op_allreduce = {
    .name = "allreduce",
    .form = "link",
    .n_box = 1,
    .feature = {"bytes", "gpus"},
    .resource = OP_BY_FABRIC,
    .variant = variant,
    .features = op_link,
};
