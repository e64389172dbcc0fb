/* memory - what fits on a GPU: weights, activations, KV blocks (engine.md
 * 3.9).  Bytes per rank.  A pool that cannot hold one request of max_model_len
 * is refused by the caller with these sizes.  Pure. */
#ifndef SIM_COST_MEMORY_H
#define SIM_COST_MEMORY_H

#include "sim/cost/card.h"

struct memory_ask {
    const struct gpu_card *gpu;
    const struct llm_card *llm;
    int tp;
    double gpu_memory_utilization;
    int32_t max_num_batched_tokens;
    int32_t max_num_seqs;  /* 0: unknown, activations are a flat prior */
    double sampler_copies; /* live copies of the 32-bit logits while the engine
                               profiles itself: 9.6 up to vLLM 0.15, 3.3 at
                               0.22; 0 = 9.6 */
    int32_t block_size;
    enum dtype kv;
    bool hybrid; /* two KV groups for sliding-window models */
    bool graph_memory_in_budget;
    int64_t num_blocks; /* > 0: measured, wins */
};

struct memory {
    double weights, activation, non_torch, graphs, kv; /* bytes a rank */
    int n_groups;
    int32_t window[2];  /* of each group, 0 = full */
    double block_bytes; /* one block of one group on one rank */
    int layers_per_group;
    int64_t num_blocks; /* block 0, the null block, included */
    bool measured;      /* num_blocks was given */
};

/* ERR_INPUT with the sizes when the weights do not fit. */
bool memory_plan(const struct memory_ask *ask, struct memory *m, struct err *e);
/* KV bytes of one token over all layers and all ranks (no window clipping). */
double memory_kv_token(const struct llm_card *m, enum dtype kv);

#endif
