#include "calibrate/gpu/cases.h"

#include <stdio.h>

#define GEMM(op_, m_, n_, k_, type_)                                           \
    {                                                                          \
        .call = {                                                              \
            .op = op_,                                                         \
            .gemm = {.m = m_, .n = n_, .k = k_, .type = type_}                 \
        }                                                                      \
    }
#define ATTN(op_, v, b, q, kv_, h, g, d, w, bl, t)                             \
    {                                                                          \
        .call = {                                                              \
            .op = op_,                                                         \
            .variant = v,                                                      \
            .attn = {.batch = b,                                               \
                     .q_len = q,                                               \
                     .kv_len = kv_,                                            \
                     .heads = h,                                               \
                     .kv_heads = g,                                            \
                     .head_dim = d,                                            \
                     .window = w,                                              \
                     .block = bl,                                              \
                     .kv = t}                                                  \
        }                                                                      \
    }
#define MOE(t, h, i, x, k, r)                                                  \
    {                                                                          \
        .call = {.op = CALL_MOE,                                               \
                 .moe = {.tokens = t,                                          \
                         .hidden = h,                                          \
                         .inter = i,                                           \
                         .experts = x,                                         \
                         .topk = k}},                                          \
        .routing = r                                                           \
    }
#define NORM(kind_, r, c)                                                      \
    {                                                                          \
        .call = {                                                              \
            .op = CALL_NORM,                                                   \
            .norm = {.kind = kind_, .rows = r, .cols = c}                      \
        }                                                                      \
    }
#define COPY(kind_, b)                                                         \
    {                                                                          \
        .call = {.op = CALL_COPY, .copy = {.kind = kind_, .bytes = b} }        \
    }
#define REDUCE(kind_, r, n)                                                    \
    {                                                                          \
        .call = {                                                              \
            .op = CALL_REDUCE,                                                 \
            .reduce = {.kind = kind_, .ranks = r, .elements = n}               \
        }                                                                      \
    }

const struct cases_one cases_all[] = {
    GEMM(CALL_SKINNY, 1, 48, 96, CALL_BF16),
    GEMM(CALL_SKINNY, 7, 208, 2880, CALL_BF16),
    GEMM(CALL_SKINNY, 16, 64, 4096, CALL_FP8),
    GEMM(CALL_SKINNY, 29, 80, 640, CALL_FP8),
    GEMM(CALL_SKINNY, 33, 96, 544, CALL_BF16),
    GEMM(CALL_SKINNY, 64, 112, 448, CALL_FP8),
    GEMM(CALL_GEMM, 5, 16, 32, CALL_BF16),
    GEMM(CALL_GEMM, 150, 144, 288, CALL_BF16),
    GEMM(CALL_GEMM, 129, 272, 192, CALL_FP8),
    /* op, variant, batch, q, kv, heads, kv heads, size, window, block, cache */
    ATTN(CALL_PREFILL, 0, 1, 1, 1, 2, 1, 128, 0, 16, CALL_BF16),
    ATTN(CALL_PREFILL, 0, 2, 100, 100, 4, 2, 64, 0, 16, CALL_BF16),
    ATTN(CALL_PREFILL, 0, 1, 130, 300, 2, 1, 128, 0, 64, CALL_BF16),
    ATTN(CALL_PREFILL, 0, 1, 150, 450, 2, 2, 64, 128, 16, CALL_BF16),
    ATTN(CALL_PREFILL, 0, 1, 70, 641, 2, 1, 128, 40, 16, CALL_BF16),
    ATTN(CALL_PREFILL, 0, 2, 40, 77, 8, 1, 128, 0, 16, CALL_FP8),
    ATTN(CALL_PREFILL, 0, 1, 50, 90, 4, 2, 64, 20, 64, CALL_FP8),
    ATTN(CALL_PREFILL, 0, 1, 200, 500, 4, 2, 128, 0, 64, CALL_FP8),
    ATTN(CALL_PREFILL, 1, 2, 40, 77, 8, 1, 128, 0, 16, CALL_FP8),
    ATTN(CALL_PREFILL, 1, 1, 50, 90, 4, 2, 64, 20, 64, CALL_FP8),
    ATTN(CALL_PREFILL, 1, 2, 33, 50, 4, 2, 64, 0, 16, CALL_BF16),
    ATTN(CALL_PREFILL, 1, 1, 45, 150, 8, 1, 128, 0, 64, CALL_BF16),
    ATTN(CALL_PREFILL, 1, 1, 60, 200, 4, 1, 128, 31, 16, CALL_BF16),
    ATTN(CALL_DECODE, 0, 1, 1, 1, 8, 1, 128, 0, 16, CALL_BF16),
    ATTN(CALL_DECODE, 0, 3, 1, 1100, 16, 2, 128, 0, 16, CALL_BF16),
    ATTN(CALL_DECODE, 0, 2, 1, 777, 8, 1, 64, 0, 64, CALL_BF16),
    ATTN(CALL_DECODE, 0, 2, 1, 513, 10, 2, 128, 0, 64, CALL_FP8),
    ATTN(CALL_DECODE, 0, 2, 1, 1300, 8, 2, 64, 0, 16, CALL_FP8),
    ATTN(CALL_DECODE, 0, 2, 1, 300, 8, 1, 64, 128, 16, CALL_BF16),
    ATTN(CALL_DECODE, 0, 1, 1, 900, 4, 1, 128, 500, 16, CALL_FP8),
    ATTN(CALL_DECODE, 0, 1, 1, 600, 16, 1, 128, 0, 16, CALL_BF16),
    MOE(1, 64, 32, 4, 2, BED_BALANCED),
    MOE(5, 160, 96, 8, 4, BED_BALANCED),
    MOE(40, 96, 64, 4, 4, BED_SKEWED),
    MOE(150, 96, 160, 8, 2, BED_SKEWED),
    NORM(CALL_RMS, 3, 2880),
    NORM(CALL_RMS_QUANT, 2, 8192),
    NORM(CALL_QUANT_TOKEN, 5, 1024),
    NORM(CALL_QUANT_TOKEN, 1, 28672),
    NORM(CALL_QUANT_STATIC, 4, 520),
    {.call = {.op = CALL_GATHER,
              .gather = {.blocks = 7, .block_bytes = 33 * 1024}}},
    COPY(CALL_COPY_KERNEL, 160016),
    COPY(CALL_COPY_DEVICE, 65536),
    COPY(CALL_COPY_IN, 32768),
    COPY(CALL_READ, 65552),
    REDUCE(CALL_ONE_SHOT, 2, 8192),
    REDUCE(CALL_TWO_STAGE, 3, 768 * 5),
    REDUCE(CALL_INT4, 2, 8192),
    {.call = {.op = CALL_N}},
};

static const char *const ops[CALL_N] = {
    [CALL_SKINNY] = "stream", [CALL_GEMM] = "gemm", [CALL_PREFILL] = "prefill",
    [CALL_DECODE] = "decode", [CALL_MOE] = "moe",   [CALL_NORM] = "norm",
    [CALL_GATHER] = "gather", [CALL_COPY] = "copy", [CALL_REDUCE] = "reduce",
    [CALL_EMPTY] = "empty",
};

static const char *type(enum call_type t)
{
    return t == CALL_FP8 ? "fp8" : "bf16";
}

void cases_name(const struct call *c, char *text, size_t n)
{
    const struct call_gemm *g = &c->gemm;
    const struct call_attn *a = &c->attn;
    const struct call_moe *m = &c->moe;
    const char *op = c->op < CALL_N ? ops[c->op] : "none";
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        snprintf(text, n, "%s %s m %d n %d k %d", op, type(g->type), g->m, g->n,
                 g->k);
        return;
    case CALL_PREFILL:
    case CALL_DECODE:
        snprintf(text, n,
                 "%s%s batch %d q %d kv %d heads %d/%d size %d window %d block "
                 "%d %s",
                 op, c->variant ? " (portable)" : "", a->batch, a->q_len,
                 a->kv_len, a->heads, a->kv_heads, a->head_dim, a->window,
                 a->block, type(a->kv));
        return;
    case CALL_MOE:
        snprintf(text, n, "%s tokens %d hidden %d inter %d experts %d topk %d",
                 op, m->tokens, m->hidden, m->inter, m->experts, m->topk);
        return;
    case CALL_NORM:
        snprintf(text, n, "%s kind %d rows %d cols %d", op, (int)c->norm.kind,
                 c->norm.rows, c->norm.cols);
        return;
    case CALL_GATHER:
        snprintf(text, n, "%s blocks %d of %zu bytes", op, c->gather.blocks,
                 c->gather.block_bytes);
        return;
    case CALL_COPY:
        snprintf(text, n, "%s kind %d bytes %zu", op, (int)c->copy.kind,
                 c->copy.bytes);
        return;
    case CALL_REDUCE:
        snprintf(text, n, "%s kind %d ranks %d elements %zu", op,
                 (int)c->reduce.kind, c->reduce.ranks, c->reduce.elements);
        return;
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    snprintf(text, n, "%s", op);
}
