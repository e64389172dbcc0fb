#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    return op_ranks(COMM_RCCL, c->gpus);
}

const struct op op_allgather = {
    .name = "allgather",
    .form = "link",
    .n_box = 1,
    .feature = {"bytes", "gpus"},
    .resource = OP_BY_FABRIC,
    .variant = variant,
    .features = op_link /* bytes of the gathered whole */,
};
