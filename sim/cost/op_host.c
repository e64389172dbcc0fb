#include "sim/cost/op.h"

static const char *variant(const struct op_call *c)
{
    switch (c->piece) {
    case HOST_SCHEDULE:
        return "schedule";
    case HOST_PREPARE:
        return "prepare";
    case HOST_UPDATE:
        return "update";
    case HOST_LAUNCH:
        return "launch";
    case HOST_N:
        break;
    }
    return "other piece";
}

static void features(const struct op_call *c, double *x)
{
    x[0] = c->seqs;
    x[1] = c->launches;
}

const struct op op_host = {
    .name = "host",
    .form = "host",
    .n_box = 1,
    .feature = {"requests", "launches"},
    .resource = OP_BY_CPU,
    .variant = variant,
    .features = features,
};
