/* What vLLM computes before it serves (gpu_worker.determine_available_memory,
 * kv_cache_utils):
 *
 *   KV = ceil(device * utilisation) - weights - activation peak - non-torch
 *        (- graphs, where the engine counts them)
 *   blocks = floor(KV / block bytes)
 *
 * Weights come from the shapes.  The activation peak of the engine's profiling
 * run, which serves max_num_batched_tokens tokens of max_num_seqs requests, is
 * the larger of
 *   sampling   copies * requests * vocabulary * 4 B + tokens * hidden * 2 B
 *   forward    tokens * (4 * hidden * 2 B + what the widest layer holds)
 * with copies = 9.6: that reproduces six measured peaks (vLLM 0.11, H100,
 * 4.8 to 7.4 GiB) within 0.5 %, and block counts of eight engines of 0.15's
 * time within 1.5 %; from 0.22 on 3.3 fits two H200 engines within 0.5 % of
 * their KV cache.  The unit test holds the rows whose models have cards. */
#include "sim/cost/memory.h"

#include <math.h>

#include "sim/cost/shape.h"

#define GiB 1073741824.0

/* llm-d-planner's constants, per GPU; the flat activations stand in where
 * max_num_seqs is not known. */
#define ACTIVATION_DENSE (5.5 * GiB)
#define ACTIVATION_MOE (8.0 * GiB)
#define SAMPLER_COPIES 9.6
#define LOGIT_BYTES 4.0
#define HIDDEN_BUFFERS 4.0 /* residual, normed input, output, its sum */
#define NON_TORCH_TP1 (0.15 * GiB)
#define NON_TORCH_TP (0.6 * GiB)
/* Graph pool of a TP1 engine with 51 and 83 sizes: 1.33 and 1.22 GiB (vLLM
 * 0.22.1, H200, Llama-3.3-70B FP8 and gpt-oss-120b). */
#define GRAPHS (1.3 * GiB)

/* MXFP4 experts on Hopper (Triton): one dimension of each matrix is padded to
 * 256 when the weights are laid out; without it the weights of gpt-oss-120b
 * would be 4 GiB under the 64.67 GiB that an H200 reports. */
#define CUDA_MXFP4_PAD 256.0

static double expert_padding(const struct memory_ask *q)
{
    const struct llm_card *m = q->llm;
    if (!m->experts || m->expert != DT_MXFP4)
        return 1;
    double inter = ceil((double)m->expert_inter / q->tp);
    double wide = ceil(inter / CUDA_MXFP4_PAD) * CUDA_MXFP4_PAD;
    if (q->gpu->rocm)
        wide = shape_inter(m, q->gpu, q->tp);
    return wide / m->expert_inter * shape_hidden(m, q->gpu) / m->hidden * q->tp;
}

static double weights_of_rank(const struct memory_ask *q)
{
    struct card_weights w;
    card_weights(q->llm, &w);
    double tp = q->tp;
    double kv = w.kv / fmin(tp, q->llm->kv_heads);
    return (w.split + w.vocab) / tp + kv + w.copied
         + w.expert * expert_padding(q) / tp;
}

/* Bytes a token and layer hold in the cache of one rank. */
static double kv_layer(const struct llm_card *m, enum dtype kv, int tp)
{
    double el = card_dtype_bytes(kv);
    if (m->kv_lora) /* one latent row, whole on every rank */
        return (m->kv_lora + (double)m->rope_dim) * el;
    return fmax(1, (double)m->kv_heads / tp) * 2 * m->head_dim * el;
}

double memory_kv_token(const struct llm_card *m, enum dtype kv)
{
    return m->layers * kv_layer(m, kv, 1);
}

static double forward_peak(const struct memory_ask *q)
{
    const struct llm_card *m = q->llm;
    double b16 = card_dtype_bytes(DT_BF16), tp = q->tp;
    double gate_up = 2 * b16, silu = m->linear == DT_BF16 ? b16 : 1;
    double wide = m->inter / tp * (gate_up + silu);
    if (m->experts) /* each of top-k copies: in, between, out */
        wide = m->topk
             * (m->expert_inter / tp * (gate_up + b16) + m->hidden * b16);
    return q->max_num_batched_tokens
         * (HIDDEN_BUFFERS * m->hidden * b16 + wide);
}

static double activation_peak(const struct memory_ask *q)
{
    const struct llm_card *m = q->llm;
    if (q->max_num_seqs < 1)
        return m->experts ? ACTIVATION_MOE : ACTIVATION_DENSE;
    double copies = q->sampler_copies > 0 ? q->sampler_copies : SAMPLER_COPIES;
    double sampling = copies * q->max_num_seqs * m->vocab * LOGIT_BYTES
                    + (double)q->max_num_batched_tokens * m->hidden
                          * card_dtype_bytes(DT_BF16);
    return fmax(sampling, forward_peak(q));
}

/* Two groups need as many sliding as full layers, as in gpt-oss: then a group
 * is one layer type and every block has the same size.  Other mixes make more
 * groups than two. */
static bool group(const struct memory_ask *q, struct memory *m, struct err *e)
{
    const struct llm_card *c = q->llm;
    int full = c->layers - c->window_layers;
    m->n_groups = 1;
    m->layers_per_group = c->layers;
    if (c->window_layers == c->layers)
        m->window[0] = c->window;
    if (!q->hybrid || !c->window_layers || !full)
        return true;
    if (full != c->window_layers)
        return err_set(e, ERR_INPUT,
                       "%s: %d full and %d sliding layers make "
                       "more than two KV groups, which is not modelled",
                       c->name, full, c->window_layers);
    m->n_groups = 2;
    m->layers_per_group = full;
    m->window[0] = 0;
    m->window[1] = c->window;
    return true;
}

static bool check(const struct memory_ask *q, struct err *e)
{
    const struct llm_card *c = q->llm;
    if (q->tp < 1 || c->heads % q->tp != 0)
        return err_set(e, ERR_INPUT,
                       "tp: %d does not divide the %d attention "
                       "heads of %s",
                       q->tp, c->heads, c->name);
    if (!(q->gpu_memory_utilization > 0 && q->gpu_memory_utilization <= 1))
        return err_set(e, ERR_INPUT,
                       "gpu_memory_utilization: must be in "
                       "(0, 1], got %g",
                       q->gpu_memory_utilization);
    if (q->block_size < 1)
        return err_set(e, ERR_INPUT, "block_size: must be >= 1, got %d",
                       q->block_size);
    return true;
}

bool memory_plan(const struct memory_ask *q, struct memory *m, struct err *e)
{
    struct memory r = {.weights = 0};
    if (!check(q, e) || !group(q, &r, e))
        return false;
    const struct llm_card *c = q->llm;
    r.weights = weights_of_rank(q);
    r.activation = activation_peak(q);
    r.non_torch = q->tp > 1 ? NON_TORCH_TP : NON_TORCH_TP1;
    r.graphs = q->graph_memory_in_budget && !q->gpu->rocm ? GRAPHS : 0;
    r.block_bytes = q->block_size * kv_layer(c, q->kv, q->tp)
                  * r.layers_per_group;
    double budget = ceil(q->gpu->hbm_bytes * q->gpu_memory_utilization);
    r.kv = budget - r.weights - r.activation - r.non_torch - r.graphs;
    r.measured = q->num_blocks > 0;
    if (r.measured) {
        r.num_blocks = q->num_blocks;
        r.kv = (double)r.num_blocks * r.block_bytes;
    } else {
        r.num_blocks = (int64_t)floor(r.kv / r.block_bytes);
    }
    if (r.weights > budget || r.num_blocks < 2)
        return err_set(e, ERR_INPUT,
                       "%s at tp %d does not fit %s: %.1f GiB of weights, "
                       "%.1f of activations and %.1f beside them leave "
                       "%.1f GiB of %.1f for KV",
                       c->name, q->tp, q->gpu->name, r.weights / GiB,
                       r.activation / GiB, (r.non_torch + r.graphs) / GiB,
                       r.kv / GiB, budget / GiB);
    *m = r;
    return true;
}
