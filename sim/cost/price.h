/* price - how long one engine step takes, from tables built once per (model,
 * GPU, TP, engine flags) and shared read-only by all trials and threads.
 * Times are integers in picoseconds (int64 holds 106 days), so a run of k
 * decode steps adds up exactly however it is grouped.
 * price_new evaluates every operator of a step (engine.md 6) through op_time at
 * the captured graph sizes, and on a grid above them; between grid points the
 * tables are piecewise linear.  Costs of price_step: O(chunks), a few ns for a
 * decode step. */
#ifndef SIM_COST_PRICE_H
#define SIM_COST_PRICE_H

#include "sim/cost/op.h"

enum price_mode { PRICE_FULL, PRICE_PIECEWISE, PRICE_EAGER };

/* Where a step's time goes; ps of GPU time each, host apart. */
enum price_part {
    PART_LINEAR,
    PART_QUANT,
    PART_ATTN_PREFILL,
    PART_ATTN_DECODE,
    PART_MOE,
    PART_NORM,
    PART_ALLREDUCE,
    PART_HEAD,
    PART_SAMPLE,
    PART_LAUNCH,
    PART_N
};
const char *price_part_name(enum price_part p);

struct price_ask {
    const struct llm_card *llm;
    const struct op_costs *costs;
    int tp;
    enum dtype kv;
    int32_t max_num_batched_tokens, max_num_seqs, max_model_len;
    int32_t block_size;
    int32_t graph_max;      /* largest captured size; 0 = enforce_eager */
    bool quick_reduce_int4; /* VLLM_ROCM_QUICK_REDUCE_QUANTIZATION=INT4 */
    bool fused_allreduce_norm;
};

struct price; /* opaque, const after price_new */

/* A prefill chunk: `tokens` new tokens over `past` already in the cache. */
struct price_chunk {
    int32_t tokens, past;
};

struct price_shape {
    int32_t tokens;   /* scheduled in the step */
    uint32_t reqs;    /* requests in it: rows of the LM head */
    uint32_t ones;    /* requests with exactly one token ... */
    int64_t ones_ctx; /* ... sum of their contexts, new token included */
    int64_t ones_win; /* ... each capped at the model's window */
    const struct price_chunk *chunk;
    uint32_t n_chunk;
};

const struct price *price_new(const struct price_ask *ask, struct arena *a,
                              struct err *e);
/* GPU time of a step. */
int64_t price_step(const struct price *p, const struct price_shape *s);
/* Same, split by part: part[PART_N], sums to price_step exactly. */
int64_t price_parts(const struct price *p, const struct price_shape *s,
                    int64_t *part);
/* A decode-only step of n requests: price_step of that shape, fast. */
int64_t price_decode(const struct price *p, uint32_t n, int64_t ctx,
                     int64_t win);
/* A run of decode steps in which ctx grows by n and win by dwin a step:
 * price_decode of step i is exactly first + i * grow for 0 <= i <= last. */
struct price_run {
    int64_t first, grow, last;
};
struct price_run price_decode_run(const struct price *p, uint32_t n,
                                  int64_t ctx, int64_t win, int64_t dwin);
/* Host time (ps) around a step with that many requests, in the three pieces of
 * engine.md 4.2: schedule, prepare and launch, update. */
struct price_host {
    int64_t schedule, prepare, update;
};
struct price_host price_hosts(const struct price *p, uint32_t reqs,
                              enum price_mode mode);
/* Padded token count and graph mode of a step (engine.md 3.10). */
int32_t price_padded(const struct price *p, int32_t tokens, bool uniform,
                     enum price_mode *mode);

/* What the prices rest on, for reports. */
struct price_basis {
    uint32_t ops, laws, uncalibrated, extrapolated;
    const char *const *extrapolated_ops; /* names, NULL at the end */
    const char *const *law_ops;
    const char *engine; /* the engine parameters, in words */
    double ape_median;  /* of the fits used, weighted by their share of a
                          decode step at 32 requests; NAN: none fitted */
};
const struct price_basis *price_basis(const struct price *p);
/* The engine parameters in them (tuned.h). */
const struct tuned *price_tuned(const struct price *p);

#endif
