/* profile - engine profiles: one JSON of switches a version (models/engine),
 * with vLLM's defaults by device (engine.md 1, 3.3, 3.9).  A profile is data:
 * the scheduler never tests a version.  Strings and structs live in the arena;
 * const after load. */
#ifndef SIM_SERVE_PROFILE_H
#define SIM_SERVE_PROFILE_H

#include "sim/serve/sched.h"

struct profile {
    const char *name;       /* "vllm-0.15" */
    struct sched_opt sched; /* version switches and defaults */
    double gpu_memory_utilization;
    bool graph_memory_in_budget; /* CUDA-graph memory taken out of KV budget */
    bool hybrid_with_connector;  /* hybrid KV manager stays on under P/D */
    double pin_expiry_s;         /* unfetched prefill blocks: timeout */
    bool pin_heartbeat;          /* lease renewed by decode heartbeats */
    bool fused_allreduce_norm;   /* FlashInfer fusion on CUDA, TP > 1 */
    int32_t graph_max;           /* largest captured size, tokens */
    double sampler_copies; /* float copies of the logits at the memory peak */
};

/* dir is the models folder; name without suffix.  Unknown: ERR_INPUT naming
 * the nearest. */
bool profile_load(const char *dir, const char *name, struct arena *a,
                  struct profile *p, struct err *e);

#endif
