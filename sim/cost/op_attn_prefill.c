#include "sim/cost/op.h"

static void features(const struct op_call *c, double *x)
{
    x[0] = c->seqs;
    x[1] = c->q_tokens;
    x[2] = c->pairs;
    x[3] = c->kv_tokens;
    x[4] = c->heads;
    x[5] = c->kv_heads;
    x[6] = c->head_dim;
    x[7] = card_dtype_bytes(c->kv);
}

const struct op op_attn_prefill = {
    .name = "attn_prefill",
    .form = "attn_prefill",
    .n_box = 6,
    .feature = {"seqs", "q_tokens", "pairs", "kv_tokens", "heads", "kv_heads",
                "head_dim", "kv_B"},
    .resource = OP_BY_HBM,
    .variant = op_heads,
    .features = features,
};
