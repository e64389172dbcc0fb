/* shape - a step as the list of operator calls one rank makes (engine.md
 * 6.1-6.4).  Four lists make a step: what scales with (padded) tokens, what
 * scales with the rows of the LM head, decode attention, and the attention of
 * each prefill chunk.  price.c turns them into tables; nothing here is called
 * while a simulation runs.  Pure; any thread. */
#ifndef SIM_COST_SHAPE_H
#define SIM_COST_SHAPE_H

#include "sim/cost/price.h"

struct shape_ask {
    const struct llm_card *llm;
    const struct gpu_card *gpu;
    int tp;
    enum dtype kv;
    bool quick_reduce_int4;
    bool fused_allreduce_norm; /* honoured on CUDA */
};

struct shape_op {
    struct op_call call;
    double count; /* times a step */
    enum price_part part;
};

enum { SHAPE_OPS = 32 };
struct shape_ops {
    struct shape_op op[SHAPE_OPS];
    int n;
};

/* ERR_INPUT when the model cannot be cut into tp parts, ERR_ABSENT when it has
 * operators that no law here prices (latent attention). */
bool shape_check(const struct shape_ask *s, struct err *e);

/* Each appends to o. */
void shape_tokens(const struct shape_ask *s, double tokens,
                  enum price_mode mode, struct shape_ops *o);
void shape_rows(const struct shape_ask *s, double rows, struct shape_ops *o);
/* seqs sequences of one new token; ctx: sum of contexts, win: each capped at
 * the model's window. */
void shape_decode(const struct shape_ask *s, double seqs, double ctx,
                  double win, struct shape_ops *o);
/* Full and sliding layers of one chunk; window layers only if the model has
 * them. */
void shape_chunk(const struct shape_ask *s, double tokens, double past,
                 struct shape_ops *o);

/* Kernels behind one call of a kind. */
double shape_kernels_of(enum op_kind k);
/* Kernels a list launches one by one (graphs apart). */
double shape_kernels(const struct shape_ops *o);
/* Host launches of a step's token list in a mode: pieces of a captured graph
 * count as one each. */
double shape_launches(const struct shape_ask *s, enum price_mode mode,
                      bool decodes, bool chunks);

/* Sum over a chunk's tokens of the keys each sees; window 0 = all. */
double shape_pairs(double tokens, double past, double window);
/* Distinct experts B independent uniform tokens touch: an upper bound. */
double shape_active(int experts, int topk, double tokens);
/* Expert sizes as the back end pads them, on one rank. */
double shape_inter(const struct llm_card *m, const struct gpu_card *g, int tp);
double shape_hidden(const struct llm_card *m, const struct gpu_card *g);
/* Which algorithm sums `bytes` over tp ranks of one node. */
enum comm_algo shape_algo(const struct shape_ask *s, double bytes);
/* Largest captured sizes: 1 2 4, then by 8 to 248, then by 16, up to max;
 * writes at most cap and returns how many there are. */
int shape_captures(int32_t max, int32_t *size, int cap);

#endif
