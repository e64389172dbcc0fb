/* The operators of vLLM's decoder layers, per rank at TP = t.
 *
 * Element-wise work is counted as inductor fuses it: add + RMSNorm (with the
 * FP8 quantisation of its output), RoPE (with the norm of queries and keys),
 * SiLU * mul (with the quantisation of its output), the KV write.  What is not
 * fused stands alone: quantisation of the attention's output, and all four
 * quantisations of block-scaled FP8, whose group kernel is opaque to inductor.
 * Biases, sinks and routing arithmetic cost under 0.1 % and are left out.
 *
 * MXFP4 experts: ROCm pads hidden and intermediate to 256.  On CUDA the fits
 * were made on unpadded sizes, so the padding is inside their coefficients. */
#include "sim/cost/shape.h"

#include <math.h>

#include "sim/base/must.h"

#define MiB 1048576.0
#define B16 2.0 /* bytes of a 16-bit activation */
#define B8 1.0

/* ---- sizes ---- */

double shape_pairs(double tokens, double past, double window)
{
    if (window <= 0 || past + tokens <= window)
        return tokens * past + tokens * (tokens + 1) / 2;
    if (past + 1 >= window)
        return tokens * window;
    double ramp = window - past; /* tokens that still see everything */
    return ramp * past + ramp * (ramp + 1) / 2 + (tokens - ramp) * window;
}

double shape_active(int experts, int topk, double tokens)
{
    double e = experts;
    return e * (1 - pow(1 - topk / e, tokens));
}

static double round_up(double x, double to)
{
    return ceil(x / to) * to;
}

/* quantization/mxfp4.py: round_up(.., 256) on ROCm, both dimensions. */
#define ROCM_MXFP4_PAD 256.0

static bool padded(const struct llm_card *m, const struct gpu_card *g)
{
    return g->rocm && m->experts && m->expert == DT_MXFP4;
}

double shape_inter(const struct llm_card *m, const struct gpu_card *g, int tp)
{
    double inter = ceil((double)m->expert_inter / tp);
    return padded(m, g) ? round_up(inter, ROCM_MXFP4_PAD) : inter;
}

double shape_hidden(const struct llm_card *m, const struct gpu_card *g)
{
    return padded(m, g) ? round_up(m->hidden, ROCM_MXFP4_PAD) : m->hidden;
}

int shape_captures(int32_t max, int32_t *size, int cap)
{
    int n = 0;
    for (int32_t x = 1; x <= max;) {
        if (n < cap)
            size[n] = x;
        n++;
        x = x < 4 ? 2 * x : x < 8 ? 8 : x < 256 ? x + 8 : x + 16;
    }
    return n;
}

/* ---- collectives (cuda_communicator.py, custom_all_reduce.py,
 * quick_all_reduce.py) ---- */

#define CUSTOM_BELOW (8 * MiB) /* exclusive */
#define QUICK_MAX (2048 * MiB)

static double quick_min(int tp)
{
    switch (tp) { /* INT4, bf16 cast to fp16, inclusive */
    case 2:
        return 1 * MiB;
    case 4:
    case 8:
        return 2 * MiB;
    default:
        return INFINITY;
    }
}

enum comm_algo shape_algo(const struct shape_ask *s, double bytes)
{
    if (s->gpu->rocm && s->quick_reduce_int4 && bytes >= quick_min(s->tp)
        && bytes <= QUICK_MAX)
        return COMM_QR_INT4;
    bool even = s->tp == 2 || s->tp == 4 || s->tp == 6 || s->tp == 8;
    if (even && bytes < CUSTOM_BELOW && fmod(bytes, 16) == 0)
        return COMM_CUSTOM;
    return COMM_RCCL;
}

/* FlashInfer's fused all-reduce + RMSNorm takes messages up to this
 * (config/compilation.py, FI_ALLREDUCE_FUSION_MAX_SIZE_MB, SM90). */
static bool fused(const struct shape_ask *s, double bytes)
{
    if (!s->fused_allreduce_norm || s->gpu->rocm || s->tp == 1)
        return false;
    double max = s->tp == 2 ? 64 * MiB : s->tp == 4 ? 2 * MiB : 0.5 * MiB;
    return bytes <= max;
}

/* ---- building the list ---- */

static void add(struct shape_ops *o, enum price_part part, double count,
                struct op_call call)
{
    must(o->n < SHAPE_OPS);
    if (count > 0)
        o->op[o->n++] = (struct shape_op){call, count, part};
}

static void add_gemm(struct shape_ops *o, enum price_part part, double count,
                     struct op_call call)
{
    call.kind = OP_GEMM;
    add(o, part, count, call);
}

static void add_bytes(struct shape_ops *o, double count, double bytes,
                      bool graph)
{
    add(o, PART_NORM, count,
        (struct op_call){.kind = OP_NORM, .bytes = bytes, .graph = graph});
}

static bool fp8(enum dtype d)
{
    return d == DT_FP8 || d == DT_FP8_BLOCK;
}

/* What every list of one step shares. */
struct cut {
    const struct shape_ask *s;
    const struct llm_card *m;
    double t, tokens, layers, moe, dense; /* layers with and without experts */
    double q, kv;      /* width of queries and of keys on this rank */
    bool graph, alone; /* alone: quantisation is its own kernel everywhere */
    double out;        /* bytes of an element a norm or activation writes */
};

static struct cut cut(const struct shape_ask *s, double tokens,
                      enum price_mode mode)
{
    const struct llm_card *m = s->llm;
    struct cut c = {.s = s,
                    .m = m,
                    .t = s->tp,
                    .tokens = tokens,
                    .layers = m->layers,
                    .graph = mode != PRICE_EAGER};
    c.moe = m->experts ? m->layers - m->dense_layers : 0;
    c.dense = m->layers - c.moe;
    c.q = m->heads / c.t * m->head_dim;
    c.kv = fmax(1, m->kv_heads / c.t) * m->head_dim;
    c.alone = m->linear == DT_FP8_BLOCK;
    c.out = m->linear == DT_FP8 ? B8 : B16;
    return c;
}

static void add_quant(struct shape_ops *o, const struct cut *c, double count,
                      double k)
{
    if (fp8(c->m->linear))
        add(o, PART_QUANT, count,
            (struct op_call){.kind = OP_QUANT,
                             .m = c->tokens,
                             .k = k,
                             .dtype = c->m->linear,
                             .graph = c->graph,
                             .act_static = !c->m->act_dynamic});
}

static void add_linears(struct shape_ops *o, const struct cut *c)
{
    const struct llm_card *m = c->m;
    struct op_call g = {.dtype = m->linear, .m = c->tokens, .graph = c->graph};
    double h = m->hidden;
    g.n = c->q + 2 * c->kv, g.k = h;
    add_gemm(o, PART_LINEAR, c->layers, g);
    g.n = h, g.k = c->q;
    add_gemm(o, PART_LINEAR, c->layers, g);
    g.n = 2 * m->inter / c->t, g.k = h;
    add_gemm(o, PART_LINEAR, c->dense, g);
    g.n = h, g.k = m->inter / c->t;
    add_gemm(o, PART_LINEAR, c->dense, g);
    if (!m->shared_inter)
        return;
    g.n = 2 * m->shared_inter / c->t, g.k = h;
    add_gemm(o, PART_LINEAR, c->moe, g);
    g.n = h, g.k = m->shared_inter / c->t;
    add_gemm(o, PART_LINEAR, c->moe, g);
}

static void add_experts(struct shape_ops *o, const struct cut *c)
{
    const struct llm_card *m = c->m;
    if (!m->experts)
        return;
    add_gemm(o, PART_MOE, c->moe,
             (struct op_call){.dtype = DT_BF16,
                              .m = c->tokens,
                              .n = m->experts,
                              .k = m->hidden,
                              .graph = c->graph});
    add(o, PART_MOE, c->moe,
        (struct op_call){.kind = OP_MOE,
                         .dtype = m->expert,
                         .tokens = c->tokens,
                         .hidden = shape_hidden(m, c->s->gpu),
                         .inter = shape_inter(m, c->s->gpu, c->s->tp),
                         .topk = m->topk,
                         .experts = m->experts,
                         .active = shape_active(m->experts, m->topk, c->tokens),
                         .graph = c->graph});
}

/* Norms and the quantisation of what they write. */
static void add_norms(struct shape_ops *o, const struct cut *c, bool fuse)
{
    const struct llm_card *m = c->m;
    double row = c->tokens * m->hidden;
    bool own_quant = c->alone || (fuse && m->act_dynamic);
    double first = c->layers, second = c->dense; /* norms that feed FP8 */
    if (own_quant) {
        add_quant(o, c, first + second, m->hidden);
    }
    if (fuse)
        return;
    double out = own_quant ? B16 : c->out;
    /* read x and residual, write residual and the normed row */
    add_bytes(o, first + second, row * (3 * B16 + out), c->graph);
    add_bytes(o, c->moe + 1, row * 4 * B16, c->graph);
}

static void add_elementwise(struct shape_ops *o, const struct cut *c,
                            enum price_mode mode)
{
    const struct llm_card *m = c->m;
    double silu = c->alone ? B16 : c->out;
    double inter = m->inter / c->t, shared = m->shared_inter / c->t;
    add_bytes(o, 1, c->tokens * m->hidden * 2 * B16, c->graph); /* embedding */
    add_bytes(o, c->layers, c->tokens * (c->q + c->kv) * 2 * B16, c->graph);
    add_bytes(o, c->dense, c->tokens * inter * (2 * B16 + silu), c->graph);
    if (m->shared_inter)
        add_bytes(o, c->moe, c->tokens * shared * (2 * B16 + silu), c->graph);
    add_quant(o, c, c->layers, c->q);
    if (c->alone)
        add_quant(o, c, c->dense, inter);
    /* CUDA's decode attention was measured with its cache write. */
    if (c->s->gpu->rocm || mode != PRICE_FULL)
        add_bytes(o, c->layers,
                  c->tokens * 2 * c->kv * (B16 + card_dtype_bytes(c->s->kv)),
                  c->graph);
}

void shape_tokens(const struct shape_ask *s, double tokens,
                  enum price_mode mode, struct shape_ops *o)
{
    struct cut c = cut(s, tokens, mode);
    double bytes = tokens * s->llm->hidden * B16;
    add_linears(o, &c);
    add_experts(o, &c);
    add_norms(o, &c, fused(s, bytes));
    add_elementwise(o, &c, mode);
    if (s->tp > 1)
        add(o, PART_ALLREDUCE, 2 * c.layers + 1,
            (struct op_call){.kind = OP_ALLREDUCE,
                             .bytes = bytes,
                             .gpus = s->tp,
                             .algo = shape_algo(s, bytes),
                             .dtype = DT_BF16,
                             .graph = c.graph});
}

void shape_rows(const struct shape_ask *s, double rows, struct shape_ops *o)
{
    const struct llm_card *m = s->llm;
    add_gemm(o, PART_HEAD, 1,
             (struct op_call){.dtype = m->head,
                              .m = rows,
                              .n = (double)m->vocab / s->tp,
                              .k = m->hidden});
    if (s->tp > 1)
        add(o, PART_HEAD, 1,
            (struct op_call){.kind = OP_ALLGATHER,
                             .gpus = s->tp,
                             .bytes = rows * m->vocab * B16,
                             .dtype = DT_BF16,
                             .algo = COMM_RCCL});
    add(o, PART_SAMPLE, 1,
        (struct op_call){.kind = OP_SAMPLE,
                         .rows = rows,
                         .vocab = m->vocab,
                         .dtype = DT_BF16});
}

static struct op_call attention(const struct shape_ask *s)
{
    const struct llm_card *m = s->llm;
    return (struct op_call){.dtype = DT_BF16,
                            .kv = s->kv,
                            .heads = (double)m->heads / s->tp,
                            .kv_heads = fmax(1, (double)m->kv_heads / s->tp),
                            .head_dim = m->head_dim};
}

void shape_decode(const struct shape_ask *s, double seqs, double ctx,
                  double win, struct shape_ops *o)
{
    const struct llm_card *m = s->llm;
    struct op_call c = attention(s);
    c.kind = OP_ATTN_DECODE;
    c.seqs = c.q_tokens = seqs;
    c.pairs = c.kv_tokens = ctx;
    add(o, PART_ATTN_DECODE, m->layers - m->window_layers, c);
    c.pairs = c.kv_tokens = win;
    c.window = true;
    add(o, PART_ATTN_DECODE, m->window_layers, c);
}

void shape_chunk(const struct shape_ask *s, double tokens, double past,
                 struct shape_ops *o)
{
    const struct llm_card *m = s->llm;
    struct op_call c = attention(s);
    c.kind = OP_ATTN_PREFILL;
    c.seqs = 1;
    c.q_tokens = tokens;
    c.kv_tokens = past + tokens;
    c.pairs = shape_pairs(tokens, past, 0);
    add(o, PART_ATTN_PREFILL, m->layers - m->window_layers, c);
    if (!m->window_layers)
        return;
    c.window = true;
    c.kv_tokens = tokens + fmin(past, m->window - 1);
    c.pairs = shape_pairs(tokens, past, m->window);
    add(o, PART_ATTN_PREFILL, m->window_layers, c);
}

/* ---- launches ---- */

/* Kernels behind one call of each kind: GEMM epilogues are fused; decode
 * attention splits the context and combines (2); MoE is top-k, sort and align
 * (3), two grouped GEMMs, activation, reduction (vLLM fused_moe). */
double shape_kernels_of(enum op_kind k)
{
    switch (k) {
    case OP_GEMM:
    case OP_QUANT:
    case OP_NORM:
    case OP_ATTN_PREFILL:
    case OP_ALLREDUCE:
    case OP_ALLGATHER:
        return 1;
    case OP_ATTN_DECODE:
        return 2;
    case OP_MOE:
        return 7;
    case OP_SAMPLE: /* cast and arg-max */
        return 2;
    case OP_HOST:
    case OP_N:
        break;
    }
    return 0;
}

double shape_kernels(const struct shape_ops *o)
{
    double n = 0;
    for (int i = 0; i < o->n; i++)
        n += o->op[i].count * shape_kernels_of(o->op[i].call.kind);
    return n;
}

double shape_launches(const struct shape_ask *s, enum price_mode mode,
                      bool decodes, bool chunks)
{
    struct shape_ops o = {.n = 0};
    if (mode == PRICE_FULL)
        return 1;
    if (decodes)
        shape_decode(s, 1, 1, 1, &o);
    if (chunks)
        shape_chunk(s, 1, 0, &o);
    double attention = shape_kernels(&o);
    if (mode == PRICE_PIECEWISE)
        return attention + 2.0 * s->llm->layers + 1; /* pieces, KV writes */
    o.n = 0;
    shape_tokens(s, 1, mode, &o);
    return attention + shape_kernels(&o);
}

/* ---- what can be priced ---- */

bool shape_check(const struct shape_ask *s, struct err *e)
{
    const struct llm_card *m = s->llm;
    int tp = s->tp;
    if (m->kv_lora)
        return err_set(e, ERR_ABSENT,
                       "%s: no law for latent attention (MLA); "
                       "its steps cannot be priced",
                       m->name);
    if (tp != 1 && tp != 2 && tp != 4 && tp != 8)
        return err_set(e, ERR_INPUT, "tp: must be 1, 2, 4 or 8, got %d", tp);
    if (m->heads % tp != 0)
        return err_set(e, ERR_INPUT,
                       "tp: %d does not divide the %d attention "
                       "heads of %s",
                       tp, m->heads, m->name);
    if (m->kv_heads % tp != 0 && tp % m->kv_heads != 0)
        return err_set(e, ERR_INPUT,
                       "tp: %d and the %d KV heads of %s do not "
                       "divide each other",
                       tp, m->kv_heads, m->name);
    return true;
}
