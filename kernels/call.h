/* call - what a kernel is asked to do: sizes, where operands lie on the device,
 * and by which formula their contents were made.
 * Row-major, no gaps between rows unless said.  Pointers in it are device
 * addresses, but for those that end in _host: copies for the reference.
 * Weights multiply from the right, transposed: y = x w^T, w is n x k.
 * Plain C, read by host and device code. */
#ifndef KERNELS_CALL_H
#define KERNELS_CALL_H

#include "kernels/fill.h"

#include <stddef.h>

enum call_op {
    CALL_SKINNY,  /* gemm, weights streamed once; m <= CALL_SKINNY_M */
    CALL_GEMM,    /* gemm by tiles in shared memory */
    CALL_PREFILL, /* attn */
    CALL_DECODE,  /* attn with q_len 1 */
    CALL_MOE,
    CALL_NORM,
    CALL_GATHER,
    CALL_COPY,
    CALL_REDUCE,
    CALL_EMPTY,   /* a kernel that does nothing */
    CALL_N
};

enum call_type { CALL_BF16, CALL_FP8 };

enum {
    CALL_SKINNY_M = 64,
    CALL_RANKS = 8,
    /* Scratch begins with counters, which every kernel leaves at zero. */
    CALL_COUNTERS = 16384,
    CALL_COUNTER_BYTES = 4 * CALL_COUNTERS,
};

/* What is read: where, and how a reference makes it again. */
struct call_in {
    const void *at;
    struct fill fill;
};

/* y (bf16, m x n) = x (m x k) w (n x k)^T; FP8: times row_scale[m]
 * col_scale[n] (f32).  n a multiple of 16, k of 32 (FP8: 64). */
struct call_gemm {
    int m, n, k;
    enum call_type type;
    struct call_in x, w, row_scale, col_scale;
    void *y;
};

/* Causal attention over a paged cache.  The newest q_len of each sequence's
 * kv_len tokens ask; token i (counted from the sequence's begin) sees tokens
 * j <= i and, with a window, j > i - window.
 * q and y: [batch][q_len][heads][head_dim] bf16.  k and v: [blocks][block]
 * [kv_heads][head_dim] in type kv (FP8 with scale 1); table: [batch]
 * [table_stride] numbers of blocks.  head_dim 64 or 128; heads / kv_heads
 * at most 16; block a multiple of 16 and a power of two. */
struct call_attn {
    int batch, q_len, kv_len;
    int heads, kv_heads, head_dim;
    int window; /* 0: none */
    int block, table_stride;
    enum call_type kv;
    struct call_in q, k, v;
    const int32_t *table, *table_host;
    void *y;
};

/* Routed experts with MXFP4 weights and bf16 activations (gpt-oss).
 * w1: [experts][2 inter][hidden], gate rows first, then up rows; w2: [experts]
 * [hidden][inter]; e2m1, two in a byte, with a power of two for each 32 along
 * the row.  In each group of 8 the nibbles lie in the order of CALL_NIBBLE.
 * h = clamp(gate) sigmoid(alpha gate) (clamp(up) + 1); y = sum over chosen
 * experts of weight * h w2^T.  hidden and inter are multiples of 32. */
struct call_moe {
    int tokens, hidden, inter, experts, topk;
    struct call_in x, w1, s1, w2, s2;
    const int32_t *expert, *expert_host; /* [tokens][topk] */
    const float *weight, *weight_host;   /* [tokens][topk] */
    void *y;                             /* [tokens][hidden] bf16 */
};
/* Nibble i of a group of 8 holds element CALL_NIBBLE(i): 0 2 4 6 1 3 5 7. */
#define CALL_NIBBLE(i) ((i) < 4 ? 2 * (i) : 2 * (i) - 7)
#define CALL_MOE_ALPHA 1.702f /* of gpt-oss */
#define CALL_MOE_LIMIT 7.0f

enum call_norm_kind {
    CALL_RMS,          /* residual += x; y = norm(residual) gain, bf16 */
    CALL_RMS_QUANT,    /* the same, y in FP8 with a scale for each row */
    CALL_QUANT_TOKEN,  /* y = x / scale in FP8; scale for each row */
    CALL_QUANT_STATIC, /* y = x / given scale in FP8 */
};
/* rows x cols bf16; cols a multiple of 8, at most 32768.
 * residual_out, of RMS kinds, receives x + residual (bf16); scale_out (f32,
 * rows) of kinds with a scale for each row. */
struct call_norm {
    enum call_norm_kind kind;
    int rows, cols;
    float static_scale;
    struct call_in x, residual, gain;
    void *y, *residual_out, *scale_out;
};
#define CALL_NORM_EPS 1e-5f

/* Blocks of a paged cache into one contiguous piece (or back: scatter). */
struct call_gather {
    int blocks;
    size_t block_bytes; /* a multiple of 16 */
    struct call_in cache;
    const int32_t *table, *table_host;
    void *y;
};

enum call_copy_kind {
    CALL_COPY_KERNEL, /* own kernel; bytes a multiple of 16 */
    CALL_COPY_DEVICE, /* the runtime's, device to device */
    CALL_COPY_IN,     /* the runtime's, from pinned host memory */
    CALL_COPY_OUT,    /* and to it */
    CALL_READ,        /* own kernel that reads and keeps a sum (y: f32 x 1) */
};
struct call_copy {
    enum call_copy_kind kind;
    size_t bytes;
    struct call_in x;
    void *y;
};

enum call_reduce_kind {
    CALL_ONE_SHOT,  /* each rank reads all */
    CALL_TWO_STAGE, /* each sums its part, then all read the parts */
    CALL_INT4,      /* two stages, 4-bit with a scale for each 32 */
};
/* All-reduce, bf16, summed in f32.  One kernel on each rank; or, to check on
 * one device, all ranks in one launch (local = 1).  elements a multiple of
 * 256 * ranks.  flags: CALL_REDUCE_FLAGS words a rank, zeroed before the first
 * launch; all ranks launch the same calls in the same order. */
struct call_reduce {
    enum call_reduce_kind kind;
    int ranks, rank, local;
    size_t elements;
    struct call_in x[CALL_RANKS];
    void *y[CALL_RANKS];
    void *stage[CALL_RANKS]; /* plugin.work bytes each */
    uint32_t *flags[CALL_RANKS];
};
enum {
    CALL_REDUCE_BLOCKS = 36,
    /* a word a meeting, block and rank, then each block's count of launches */
    CALL_REDUCE_ROUNDS = 3 * CALL_REDUCE_BLOCKS * CALL_RANKS,
    CALL_REDUCE_FLAGS = CALL_REDUCE_ROUNDS + CALL_REDUCE_BLOCKS,
};

struct call {
    enum call_op op;
    int variant; /* 0: the target's best; 1: the portable one, where two are */
    union {
        struct call_gemm gemm;
        struct call_attn attn;
        struct call_moe moe;
        struct call_norm norm;
        struct call_gather gather;
        struct call_copy copy;
        struct call_reduce reduce;
    };
    void *work; /* scratch of plugin.work bytes; zeroed before its first use */
};

#endif
