#include "sim/cost/op.h"

#include <stddef.h>

static const struct {
    int gpus;
    const char *name[COMM_N];
} sizes[] = {
    {2, {"custom-tp2", "qr_int4-tp2", "rccl-tp2"}},
    {4, {"custom-tp4", "qr_int4-tp4", "rccl-tp4"}},
    {8, {"custom-tp8", "qr_int4-tp8", "rccl-tp8"}},
};

static const char *variant(const struct op_call *c)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].gpus == c->gpus && c->algo < COMM_N)
            return sizes[i].name[c->algo];
    return "other number of GPUs";
}

static void features(const struct op_call *c, double *x)
{
    x[0] = c->bytes;
    x[1] = c->gpus;
}

const struct op op_allreduce = {
    .name = "allreduce",
    .form = "link",
    .n_box = 1,
    .feature = {"bytes", "gpus"},
    .resource = OP_BY_FABRIC,
    .variant = variant,
    .features = features,
};
