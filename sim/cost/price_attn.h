/* price_attn - attention's tables.
 * Decode: for each batch size a function of the summed context that is
 * piecewise linear with integer slopes (ps a token), never falling, so that a
 * run of steps is an arithmetic series.  Prefill: picoseconds of one chunk from
 * a surface over (new tokens, tokens before them).  Const once built; O(1). */
#ifndef SIM_COST_PRICE_ATTN_H
#define SIM_COST_PRICE_ATTN_H

#include "sim/cost/shape.h"

/* Knots stand at (4 + j) << i for j = 0..3. */
struct price_attn_axis {
    uint32_t i; /* the knot at or below */
    double f;   /* way to the next, [0, 1) */
};

struct price_seg {
    int64_t at, slope; /* ps at the knot, ps a token from there on */
};

struct price_rows { /* decode */
    uint32_t knots;
    uint32_t *of;          /* batch size -> row */
    struct price_seg *seg; /* rows of `knots` */
};

struct price_surface { /* one chunk; new tokens x tokens before */
    uint32_t news, past_knots;
    double *rate;  /* ps a unit of work over the floor */
    double window; /* 0 = full attention */
    int64_t floor; /* ps of a chunk of one token, once a step */
};

struct price_attn_ask {
    const struct op_costs *costs;
    const struct shape_ask *shape;
    const int32_t *capture; /* batch sizes that share a row with smaller ones */
    int n_capture;
    int32_t max_seqs;
    int64_t max_len;
    int32_t max_chunk;
};

/* sliding picks the model's sliding layers, else the full ones. */
bool price_attn_rows(const struct price_attn_ask *ask, bool sliding,
                     struct price_rows *r, struct arena *a, struct err *e);
bool price_attn_surface(const struct price_attn_ask *ask, bool sliding,
                        struct price_surface *s, struct arena *a,
                        struct err *e);

/* The knot at or below, and where that knot and the next stand. */
static inline uint32_t price_attn_knot(uint64_t v)
{
    unsigned e = 61U - (unsigned)__builtin_clzll(v | 4);
    return 4 * e + (uint32_t)((v >> e) & 3);
}

static inline int64_t price_attn_x(uint32_t knot)
{
    return (int64_t)(4 + (knot & 3)) << (knot >> 2);
}

enum { PRICE_ATTN_CTX0 = 4, PRICE_ATTN_NEW0 = 4, PRICE_ATTN_PAST0 = 256 };

static inline const struct price_seg *price_attn_seg(const struct price_rows *r,
                                                     uint32_t n, int64_t ctx,
                                                     int64_t *from)
{
    uint32_t k = price_attn_knot((uint64_t)ctx + PRICE_ATTN_CTX0);
    if (k >= r->knots)
        k = r->knots - 1;
    *from = price_attn_x(k) - PRICE_ATTN_CTX0;
    return &r->seg[r->of[n] * r->knots + k];
}

static inline int64_t price_attn_decode(const struct price_rows *r, uint32_t n,
                                        int64_t ctx)
{
    int64_t from;
    const struct price_seg *s = price_attn_seg(r, n, ctx, &from);
    return s->at + s->slope * (ctx - from);
}

/* Without the floor. */
int64_t price_attn_chunk(const struct price_surface *s, int32_t tokens,
                         int32_t past);

#endif
