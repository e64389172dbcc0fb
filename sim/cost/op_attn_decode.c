#include "sim/cost/op.h"

static void features(const struct op_call *c, double *x)
{
    x[0] = c->seqs;
    x[1] = c->kv_tokens;
    x[2] = c->heads;
    x[3] = c->kv_heads;
    x[4] = c->head_dim;
    x[5] = card_dtype_bytes(c->kv);
}

const struct op op_attn_decode = {
    .name = "attn_decode",
    .form = "attn_decode",
    .n_box = 4,
    .feature = {"seqs", "kv_tokens", "heads", "kv_heads", "head_dim", "kv_B"},
    .resource = OP_BY_HBM,
    .variant = op_heads,
    .features = features,
};
