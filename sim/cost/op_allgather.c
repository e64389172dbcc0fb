#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    switch (c->gpus) {
    case 2:
        return "rccl-tp2";
    case 4:
        return "rccl-tp4";
    case 8:
        return "rccl-tp8";
    default:
        return "other number of GPUs";
    }
}

/* bytes of the gathered whole */
static void features(const struct op_call *c, double *x)
{
    x[0] = c->bytes;
    x[1] = c->gpus;
}

const struct op op_allgather = {
    .name = "allgather",
    .form = "link",
    .n_box = 1,
    .feature = {"bytes", "gpus"},
    .resource = OP_BY_FABRIC,
    .variant = variant,
    .features = features,
};
