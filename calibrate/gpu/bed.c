/* Each kind of number has one pool of device memory, filled by formula, so that
 * any aligned piece of it is an operand whose contents a reference can make
 * again from its offset.  Pools grow and are then filled anew. */
#include "calibrate/gpu/bed.h"

#include "sim/base/must.h"
#include "sim/des/rng.h"

#include <math.h>
#include <string.h>

enum pool_name {
    X16,
    W16,
    X8,
    W8,
    F32,
    KV16,
    KV8,
    FP4,
    E8M0, /* random, to here */
    OUT,
    OUT2,
    OUT3, /* results */
    WORK,
    FLAGS, /* zeroed */
    INTS,
    FLOATS, /* uploaded */
    HOST,   /* pinned */
    POOLS
};

enum {
    ALIGN = 4096,
    MOE_TURNS = 16,
    KEPT_GIB = 24, /* of caches, for turns' sake */
    FLUSH = 2,     /* last-level caches that go by between two uses */
};
#define GROW 1.5
#define SKEW 1.2 /* an expert's share falls with its rank to this power */

struct pool {
    void *at;
    size_t bytes;
};

struct bed {
    struct gpu *g;
    struct arena *a; /* host copies of one reservation */
    uint64_t seed;
    size_t llc;
    struct pool pool[POOLS];
    /* of the last reservation */
    int turns;
    const int32_t *ints;
    const float *floats;
    size_t ints_a_turn, blocks;
};

/* What a pool of random numbers holds. */
static const struct fill fills[] = {
    [X16] = {FILL_BF16, 0, 1, 0},  /* activations: deviation 1.15 */
    [W16] = {FILL_BF16, -6, 2, 0}, /* weights: 0.018 */
    [X8] = {FILL_FP8, 6, 3, 0},    /* scaled to use FP8's range */
    [W8] = {FILL_FP8, 6, 4, 0},
    [F32] = {FILL_F32, -10, 5, 0}, /* the scales that undo it */
    [KV16] = {FILL_BF16, 0, 6, 0},
    [KV8] = {FILL_FP8, 0, 7, 0},
    [FP4] = {FILL_FP4, 0, 8, 0},
    [E8M0] = {FILL_E8M0, -8, 9, 0},
};

/* Bits of an element, FP4's two in a byte. */
static uint64_t elements(enum pool_name p, size_t bytes)
{
    switch (fills[p].kind) {
    case FILL_BF16:
        return bytes / 2;
    case FILL_FP4:
        return bytes * 2;
    case FILL_F32:
        return bytes / 4;
    case FILL_FP8:
    case FILL_E8M0:
        break;
    }
    return bytes;
}

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

struct bed *bed_open(struct gpu *g, size_t llc_bytes, uint64_t seed,
                     struct arena *a)
{
    struct bed *b = ARENA_NEW(a, struct bed);
    b->g = g;
    b->a = arena_open();
    b->seed = seed;
    b->llc = llc_bytes > g->info.llc_bytes ? llc_bytes : g->info.llc_bytes;
    return b;
}

static void drop_pool(struct bed *b, enum pool_name p)
{
    struct pool *pool = &b->pool[p];
    if (pool->at && p == HOST)
        b->g->p->unpin(b->g->d, pool->at);
    else if (pool->at)
        b->g->p->give(b->g->d, pool->at);
    *pool = (struct pool){0};
}

void bed_close(struct bed *b)
{
    for (int p = 0; p < POOLS; p++)
        drop_pool(b, (enum pool_name)p);
    arena_close(b->a);
}

/* gpu_null's addresses have nothing behind them. */
static void fill_host(struct bed *b, size_t bytes)
{
    uint16_t *to = b->pool[HOST].at;
    for (size_t i = 0; b->g->library && i < bytes / 2; i++)
        to[i] = (uint16_t)fill_bits(&fills[KV16], i, false);
}

static bool make(struct bed *b, enum pool_name p, struct err *e)
{
    struct pool *pool = &b->pool[p];
    if (p <= E8M0)
        return GPU_DO(b->g, e, fill, pool->at, &fills[p],
                      elements(p, pool->bytes));
    if (p == WORK || p == FLAGS)
        return GPU_DO(b->g, e, zero, pool->at, 0, pool->bytes);
    if (p == HOST)
        fill_host(b, pool->bytes);
    return true;
}

static bool grow(struct bed *b, enum pool_name p, size_t bytes, struct err *e)
{
    struct pool *pool = &b->pool[p];
    size_t want = (size_t)((double)pool->bytes * GROW);
    if (bytes <= pool->bytes)
        return true;
    want = aligned(want > bytes ? want : bytes);
    if (!GPU_DO0(b->g, e, wait))
        return false;
    drop_pool(b, p);
    bool ok = p == HOST ? GPU_DO(b->g, e, pinned, want, &pool->at)
                        : GPU_DO(b->g, e, take, want, &pool->at);
    if (!ok && want > aligned(bytes)) {
        want = aligned(bytes);
        ok = p != HOST && GPU_DO(b->g, e, take, want, &pool->at);
    }
    if (!ok) {
        pool->at = NULL;
        return err_in(e, "%zu MiB", want >> 20);
    }
    pool->bytes = want;
    return make(b, p, e);
}

static struct call_in in(const struct bed *b, enum pool_name p, size_t offset)
{
    struct call_in i = {(const char *)b->pool[p].at + offset, fills[p]};
    i.fill.first = elements(p, offset);
    return i;
}

static void *out(const struct bed *b, enum pool_name p, size_t offset)
{
    return (char *)b->pool[p].at + offset;
}

/* Turns after which `bytes` read in each have gone twice through the cache. */
static int turns_for(const struct bed *b, double bytes, int most)
{
    double n = 1 + ceil(FLUSH * (double)b->llc / bytes);
    return n > most ? most : (int)n;
}

static size_t cell_bytes(enum call_type t)
{
    return t == CALL_FP8 ? 1 : 2;
}

/* ---- gemm ---- */

static size_t weight_bytes(const struct call_gemm *g)
{
    return aligned((size_t)g->n * (size_t)g->k * cell_bytes(g->type));
}

static bool reserve_gemm(struct bed *b, const struct call_gemm *g, int most,
                         struct err *e)
{
    bool fp8 = g->type == CALL_FP8;
    size_t w = weight_bytes(g), x = (size_t)g->m * (size_t)g->k;
    b->turns = turns_for(b, (double)w, most);
    return grow(b, fp8 ? X8 : X16, x * cell_bytes(g->type), e)
        && grow(b, fp8 ? W8 : W16, w * (size_t)b->turns, e)
        && grow(b, OUT, (size_t)g->m * (size_t)g->n * 2, e)
        && grow(b, F32, aligned((size_t)g->m * 4) + (size_t)g->n * 4, e);
}

static void place_gemm(struct bed *b, struct call_gemm *g, int turn)
{
    bool fp8 = g->type == CALL_FP8;
    g->x = in(b, fp8 ? X8 : X16, 0);
    g->w = in(b, fp8 ? W8 : W16, weight_bytes(g) * (size_t)turn);
    g->row_scale = in(b, F32, 0);
    g->col_scale = in(b, F32, aligned((size_t)g->m * 4));
    g->y = out(b, OUT, 0);
}

/* ---- block tables: a permutation of as many blocks as all turns use ---- */

static bool shuffled(struct bed *b, size_t n, struct err *e)
{
    struct rng rng = rng_stream(b->seed, RNG_NOISE, (uint32_t)n);
    int32_t *t = ARENA_ARRAY(b->a, int32_t, n);
    for (size_t i = 0; i < n; i++) {
        size_t j = rng_below(&rng, (uint32_t)i + 1);
        t[i] = t[j];
        t[j] = (int32_t)i;
    }
    b->ints = t;
    b->blocks = n;
    return grow(b, INTS, n * sizeof *t, e)
        && GPU_DO(b->g, e, copy_in, b->pool[INTS].at, t, n * sizeof *t);
}

/* ---- attention ---- */

static size_t block_bytes(const struct call_attn *a)
{
    return (size_t)a->block * (size_t)a->kv_heads * (size_t)a->head_dim
         * cell_bytes(a->kv);
}

static size_t blocks_of(const struct call_attn *a)
{
    return (size_t)((a->kv_len + a->block - 1) / a->block);
}

static bool reserve_attn(struct bed *b, const struct call_attn *a, int most,
                         struct err *e)
{
    size_t each = blocks_of(a) * (size_t)a->batch, wide = block_bytes(a);
    size_t q = (size_t)a->batch * (size_t)a->q_len * (size_t)a->heads
             * (size_t)a->head_dim * 2;
    double seen = a->window > 0 ? fmin(a->window + a->q_len, a->kv_len)
                                : a->kv_len;
    double read = 2 * seen * a->batch * (double)wide / a->block;
    size_t fit = ((size_t)KEPT_GIB << 30) / (2 * each * wide);
    b->turns = turns_for(b, read, most);
    if ((size_t)b->turns > fit)
        b->turns = fit ? (int)fit : 1;
    b->ints_a_turn = each;
    return grow(b, X16, q, e) && grow(b, OUT, q, e)
        && grow(b, a->kv == CALL_FP8 ? KV8 : KV16,
                2 * aligned(each * (size_t)b->turns * wide), e)
        && shuffled(b, each * (size_t)b->turns, e);
}

static void place_attn(struct bed *b, struct call_attn *a, int turn)
{
    enum pool_name kv = a->kv == CALL_FP8 ? KV8 : KV16;
    size_t at = b->ints_a_turn * (size_t)turn;
    a->q = in(b, X16, 0);
    a->k = in(b, kv, 0);
    a->v = in(b, kv, aligned(b->blocks * block_bytes(a)));
    a->table = (const int32_t *)b->pool[INTS].at + at;
    a->table_host = b->ints + at;
    a->table_stride = (int)blocks_of(a);
    a->y = out(b, OUT, 0);
}

/* ---- experts ---- */

/* Distinct experts for each token: dealt out in turn, or drawn without return
 * by shares that fall with an expert's rank; ranks change from turn to turn. */
static int draw(struct rng *rng, double *share, int n)
{
    double left = 0;
    int x = 0;
    for (int i = 0; i < n; i++)
        left += share[i];
    left *= rng_unit(rng);
    while (x + 1 < n && (left >= share[x] || share[x] <= 0))
        left -= share[x++];
    share[x] = 0;
    return x;
}

static void route(struct bed *b, const struct call_moe *m,
                  enum bed_routing routing, int turn, int32_t *to)
{
    struct rng rng = rng_stream(b->seed, RNG_NOISE, 1000u + (uint32_t)turn);
    int n = m->experts, first = (int)rng_below(&rng, (uint32_t)n);
    double *share = ARENA_ARRAY(b->a, double, (size_t)n);
    double *left = ARENA_ARRAY(b->a, double, (size_t)n);
    for (int x = 0; x < n; x++)
        share[x] = pow((x + first) % n + 1, -SKEW);
    for (int i = 0; i < m->tokens; i++) {
        memcpy(left, share, (size_t)n * sizeof *left);
        for (int k = 0; k < m->topk; k++)
            *to++ = routing == BED_SKEWED ? draw(&rng, left, n)
                                          : (first + i * m->topk + k) % n;
    }
}

static bool routings(struct bed *b, const struct call_moe *m,
                     enum bed_routing routing, struct err *e)
{
    size_t each = (size_t)m->tokens * (size_t)m->topk;
    size_t n = each * (size_t)b->turns;
    int32_t *expert = ARENA_ARRAY(b->a, int32_t, n);
    float *weight = ARENA_ARRAY(b->a, float, n);
    struct rng rng = rng_stream(b->seed, RNG_NOISE, 999);
    for (int t = 0; t < b->turns; t++)
        route(b, m, routing, t, expert + each * (size_t)t);
    for (size_t i = 0; i < n; i++)
        weight[i] = (float)((0.5 + rng_unit(&rng)) / m->topk);
    b->ints = expert;
    b->floats = weight;
    b->ints_a_turn = each;
    return grow(b, INTS, n * 4, e) && grow(b, FLOATS, n * 4, e)
        && GPU_DO(b->g, e, copy_in, b->pool[INTS].at, expert, n * 4)
        && GPU_DO(b->g, e, copy_in, b->pool[FLOATS].at, weight, n * 4);
}

static size_t expert_numbers(const struct call_moe *m, int rows)
{
    return (size_t)m->experts * (size_t)rows * (size_t)m->hidden
         * (size_t)m->inter;
}

static bool reserve_moe(struct bed *b, const struct call_moe *m,
                        enum bed_routing routing, int most, struct err *e)
{
    size_t x = (size_t)m->tokens * (size_t)m->hidden * 2;
    double busy = fmin(m->experts, (double)m->tokens * m->topk);
    double read = busy * 1.5 * m->hidden * m->inter;
    size_t w1 = expert_numbers(m, 2), w2 = expert_numbers(m, 1);
    b->turns = turns_for(b, read, most < MOE_TURNS ? most : MOE_TURNS);
    return grow(b, X16, x, e) && grow(b, OUT, x, e)
        && grow(b, FP4, aligned(w1 / 2) + w2 / 2, e)
        && grow(b, E8M0, aligned(w1 / 32) + w2 / 32, e)
        && routings(b, m, routing, e);
}

static void place_moe(struct bed *b, struct call_moe *m, int turn)
{
    size_t w1 = expert_numbers(m, 2), at = b->ints_a_turn * (size_t)turn;
    m->x = in(b, X16, 0);
    m->w1 = in(b, FP4, 0);
    m->w2 = in(b, FP4, aligned(w1 / 2));
    m->s1 = in(b, E8M0, 0);
    m->s2 = in(b, E8M0, aligned(w1 / 32));
    m->expert = (const int32_t *)b->pool[INTS].at + at;
    m->expert_host = b->ints + at;
    m->weight = (const float *)b->pool[FLOATS].at + at;
    m->weight_host = b->floats + at;
    m->y = out(b, OUT, 0);
}

/* ---- the rest ---- */

static bool reserve_norm(struct bed *b, const struct call_norm *n,
                         struct err *e)
{
    size_t x = aligned((size_t)n->rows * (size_t)n->cols * 2);
    b->turns = 1;
    return grow(b, X16, 2 * x + (size_t)n->cols * 2, e) && grow(b, OUT, x, e)
        && grow(b, OUT2, x, e) && grow(b, OUT3, (size_t)n->rows * 4, e);
}

static void place_norm(struct bed *b, struct call_norm *n)
{
    size_t x = aligned((size_t)n->rows * (size_t)n->cols * 2);
    n->x = in(b, X16, 0);
    n->residual = in(b, X16, x);
    n->gain = in(b, X16, 2 * x);
    n->static_scale = 0.01f;
    n->y = out(b, OUT, 0);
    n->residual_out = out(b, OUT2, 0);
    n->scale_out = out(b, OUT3, 0);
}

static bool reserve_gather(struct bed *b, const struct call_gather *g, int most,
                           struct err *e)
{
    size_t each = (size_t)g->blocks, bytes = each * g->block_bytes;
    b->turns = turns_for(b, (double)bytes, most);
    b->ints_a_turn = each;
    return grow(b, KV16, bytes * (size_t)b->turns, e)
        && grow(b, OUT, aligned(bytes) * (size_t)b->turns, e)
        && shuffled(b, each * (size_t)b->turns, e);
}

static void place_gather(struct bed *b, struct call_gather *g, int turn)
{
    size_t at = b->ints_a_turn * (size_t)turn;
    g->cache = in(b, KV16, 0);
    g->table = (const int32_t *)b->pool[INTS].at + at;
    g->table_host = b->ints + at;
    g->y = out(b, OUT, aligned(b->ints_a_turn * g->block_bytes) * (size_t)turn);
}

static bool reserve_copy(struct bed *b, const struct call_copy *c, int most,
                         struct err *e)
{
    bool host = c->kind == CALL_COPY_IN;
    size_t each = aligned(c->bytes);
    b->turns = host ? 1 : turns_for(b, (double)each, most);
    return grow(b, host ? HOST : KV16, each * (size_t)b->turns, e)
        && grow(b, OUT, c->kind == CALL_READ ? 64 : each * (size_t)b->turns, e);
}

static void place_copy(struct bed *b, struct call_copy *c, int turn)
{
    size_t at = aligned(c->bytes) * (size_t)turn;
    c->x = in(b, KV16, at);
    if (c->kind == CALL_COPY_IN)
        c->x.at = (const char *)b->pool[HOST].at + at;
    c->y = out(b, OUT, c->kind == CALL_READ ? 0 : at);
}

static bool reserve_reduce(struct bed *b, const struct call *c, struct err *e)
{
    const struct call_reduce *r = &c->reduce;
    size_t n = (size_t)r->ranks, x = aligned(r->elements * 2);
    size_t stage = aligned(b->g->p->work(b->g->d, c));
    b->turns = 1;
    return grow(b, X16, n * x, e) && grow(b, OUT, n * x, e)
        && grow(b, OUT2, n * stage, e)
        && grow(b, FLAGS, n * aligned(CALL_REDUCE_FLAGS * 4), e);
}

static void place_reduce(struct bed *b, struct call *c)
{
    struct call_reduce *r = &c->reduce;
    size_t stage = aligned(b->g->p->work(b->g->d, c));
    r->rank = 0;
    r->local = 1;
    for (int k = 0; k < r->ranks; k++) {
        size_t at = (size_t)k * aligned(r->elements * 2);
        r->x[k] = in(b, X16, at);
        r->y[k] = out(b, OUT, at);
        r->stage[k] = out(b, OUT2, (size_t)k * stage);
        r->flags[k] = out(b, FLAGS, (size_t)k * aligned(CALL_REDUCE_FLAGS * 4));
    }
}

static bool reserve(struct bed *b, const struct call *c,
                    enum bed_routing routing, int most, struct err *e)
{
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        return reserve_gemm(b, &c->gemm, most, e);
    case CALL_PREFILL:
    case CALL_DECODE:
        return reserve_attn(b, &c->attn, most, e);
    case CALL_MOE:
        return reserve_moe(b, &c->moe, routing, most, e);
    case CALL_NORM:
        return reserve_norm(b, &c->norm, e);
    case CALL_GATHER:
        return reserve_gather(b, &c->gather, most, e);
    case CALL_COPY:
        return reserve_copy(b, &c->copy, most, e);
    case CALL_REDUCE:
        return reserve_reduce(b, c, e);
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    b->turns = 1;
    return true;
}

bool bed_reserve(struct bed *b, const struct call *c, enum bed_routing routing,
                 int most, int *turns, struct err *e)
{
    must(most >= 1);
    arena_reset(b->a);
    size_t work = c->op == CALL_REDUCE ? 0 : b->g->p->work(b->g->d, c);
    if (!reserve(b, c, routing, most, e) || !grow(b, WORK, work, e))
        return false;
    *turns = b->turns;
    return true;
}

void bed_place(struct bed *b, struct call *c, int turn)
{
    must(turn >= 0 && turn < b->turns);
    c->work = b->pool[WORK].at;
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        place_gemm(b, &c->gemm, turn);
        return;
    case CALL_PREFILL:
    case CALL_DECODE:
        place_attn(b, &c->attn, turn);
        return;
    case CALL_MOE:
        place_moe(b, &c->moe, turn);
        return;
    case CALL_NORM:
        place_norm(b, &c->norm);
        return;
    case CALL_GATHER:
        place_gather(b, &c->gather, turn);
        return;
    case CALL_COPY:
        place_copy(b, &c->copy, turn);
        return;
    case CALL_REDUCE:
        place_reduce(b, c);
        return;
    case CALL_EMPTY:
    case CALL_N:
        return;
    }
}
