#include "sim/cost/op.h"

#include <stddef.h>

static const struct {
    double head_dim;
    const char *name[2][2]; /* by cache element (16, 8 bit) and window */
} sizes[] = {
    {64, {{"d64-bf16", "d64-bf16-window"}, {"d64-fp8", "d64-fp8-window"}}},
    {96, {{"d96-bf16", "d96-bf16-window"}, {"d96-fp8", "d96-fp8-window"}}},
    {128, {{"d128-bf16", "d128-bf16-window"}, {"d128-fp8", "d128-fp8-window"}}},
    {192, {{"d192-bf16", "d192-bf16-window"}, {"d192-fp8", "d192-fp8-window"}}},
    {256, {{"d256-bf16", "d256-bf16-window"}, {"d256-fp8", "d256-fp8-window"}}},
};

static const char *variant(const struct op_call *c)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].head_dim == c->head_dim)
            return sizes[i].name[c->kv != DT_BF16][c->window];
    return "other head size";
}

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
    .variant = variant,
    .features = features,
};
