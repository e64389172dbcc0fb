/* op - one operator call on one GPU, and how long it takes by the store.
 * An op_call carries sizes already divided by TP; op_features turns it into the
 * features of its fit's form, so that a row of an op table and a call in a
 * simulated step go through the same door.
 * op_time: seconds by the fit (gpu, op, variant).  Where the GPU has no fit but
 * its card names a donor, the donor's time is scaled by the data-sheet resource
 * that bounds the op and marked uncalibrated.  No fit and no donor: ERR_ABSENT
 * with the op's name, never a guess.  Const inputs; any thread; O(1). */
#ifndef SIM_COST_OP_H
#define SIM_COST_OP_H

#include "sim/cost/card.h"
#include "sim/store/costs.h"

enum op_kind {
    OP_GEMM,         /* (m x k) * (k x n), variant by weight dtype */
    OP_QUANT,        /* dynamic activation quantisation of m x k */
    OP_NORM,         /* element-wise and norm kernels: bytes moved */
    OP_ATTN_PREFILL, /* causal, chunks over past KV */
    OP_ATTN_DECODE,  /* paged, one new token a sequence */
    OP_MOE,          /* router output to combined experts */
    OP_ALLREDUCE,    /* variant by algorithm */
    OP_ALLGATHER,
    OP_SAMPLE, /* logits of rows x vocab */
    OP_HOST,   /* scheduler, input preparation, update on the CPU */
    OP_N
};
const char *op_name(enum op_kind k); /* "gemm" ... */

enum comm_algo { COMM_CUSTOM, COMM_QR_INT4, COMM_RCCL, COMM_N };

/* Pieces of a step's host time (engine.md 4.2): the scheduler; input
 * preparation up to the launch; the update from sampled tokens; and what the
 * launches of one step cost when they are not in a captured graph. */
enum host_piece {
    HOST_SCHEDULE,
    HOST_PREPARE,
    HOST_UPDATE,
    HOST_LAUNCH,
    HOST_N
};

struct op_call {
    enum op_kind kind;
    enum dtype dtype; /* weights of gemm and moe, compute otherwise */
    enum dtype kv;    /* cache element of attention */
    double m, n, k;   /* gemm, quant */
    double seqs;      /* attention: sequences; host: requests in the step */
    double q_tokens;  /* attention: new tokens, summed over sequences */
    double pairs;     /* attention: sum over new tokens of keys they see */
    double kv_tokens; /* attention: cache tokens read, summed over sequences */
    double heads, kv_heads, head_dim;            /* this rank's */
    double tokens, hidden, inter, topk, experts; /* moe: inter of this rank,
                                          padded as the backend pads it */
    double active;      /* moe: distinct experts touched (engine.md 6.3) */
    double rows, vocab; /* sample: rows of logits over the whole vocabulary */
    double launches;    /* host, HOST_LAUNCH: kernels launched in the step */
    enum host_piece piece; /* host; requests in seqs */
    bool act_static;       /* quant: scales known beforehand */
    bool window;           /* attention: a sliding-window layer */
    /* what op tables have and simulated calls have not */
    bool with_quant; /* gemm: timed with its quantisation */
    bool even;       /* moe: tokens dealt to experts evenly */
    double bytes;    /* norm, all-reduce, all-gather */
    int gpus;        /* collectives */
    enum comm_algo algo;
    bool graph; /* launched inside a captured graph */
};

struct op_basis {
    bool law;          /* no measured rows behind it */
    bool uncalibrated; /* scaled from another GPU's fits by data sheet */
    bool extrapolated; /* outside the fitted box */
    const struct fit *fit;
};

struct op_costs { /* what op_time reads */
    const struct gpu_card *gpu;
    const struct costs *own;
    const struct gpu_card *donor_gpu; /* NULL when none is needed */
    const struct costs *donor;
    /* what whole engines add (tuned.h); NULL: price_new takes it from the
     * store, op_time alone adds nothing */
    const struct tuned *tuned;
};

/* One kind of operator: sim/cost/op_X.c ends with `const struct op op_X`, and
 * op.c lists it beside its enumerator.  variant returns a string constant.
 * resource says what a coefficient that ends in _Bps is made of, so that a
 * donor's coefficients scale by the right line of the data sheet. */
enum op_resource { OP_BY_HBM, OP_BY_FABRIC, OP_BY_CPU };
enum { OP_FEATURE = 8 };
struct op {
    const char *name;
    const char *form; /* its fits take, unless a source states another */
    int n_box; /* the first so many features bound what a fit was made for */
    const char *feature[OP_FEATURE + 1]; /* of its forms; NULL at the end */
    enum op_resource resource;
    const char *(*variant)(const struct op_call *c);
    void (*features)(const struct op_call *c, double *x);
};
const struct op *op_of(enum op_kind k);

/* What several descriptors share.  Variants: attention by head size, cache
 * element and window; collectives by algorithm and number of GPUs.  Features of
 * a collective: bytes, GPUs. */
const char *op_heads(const struct op_call *c);
const char *op_ranks(enum comm_algo algo, int gpus);
void op_link(const struct op_call *c, double *x);

/* "gemm" / "fp8" ...: the key of the fit that prices this call. */
const char *op_variant(const struct op_call *c);
/* Features in the order of the form's feature names; returns their number. */
int op_features(const struct op_call *c, double *x);
bool op_time(const struct op_costs *costs, const struct op_call *c,
             double *seconds, struct op_basis *basis, struct err *e);

#endif
