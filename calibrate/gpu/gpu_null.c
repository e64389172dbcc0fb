/* A device that is a law.  Memory is addresses without anything behind them;
 * time is a counter that every launch moves on by the law's seconds, times a
 * little noise; what an operation would have written is made, when it is read
 * back, by the reference (kernels/ref.h), so that checks pass where they should
 * and fail where the caller asked for wrong results.
 *
 * Its own law knows three constants an operation: a floor, the memory's rate
 * and the multiplications', the larger of the two ruling (square root of the
 * sum of squares where they meet). */
#include "calibrate/gpu/gpu.h"

#include "kernels/ref.h"
#include "sim/base/arena.h"
#include "sim/base/must.h"
#include "sim/des/rng.h"

#include <math.h>
#include <string.h>

enum { EVENTS = 16, GRAPH_MAX = 4096, MEMORY_GIB = 256, UNITS = 100 };
#define US 1e-6
#define LAUNCH_S 2.5e-6 /* of an empty kernel */
#define MEM_BPS 3e12
#define BF16_FLOPS 6e14
#define FP8_FLOPS 1.1e15
#define GEMM_S (3.5 * US)
#define ATTN_S (8 * US)
#define MOE_S (20 * US)
#define MOVE_S (2 * US)

static double larger(double floor_s, double bytes, double operations,
                     double flops)
{
    return floor_s + hypot(bytes / MEM_BPS, operations / flops);
}

static double gemm(const struct call_gemm *g)
{
    bool fp8 = g->type == CALL_FP8;
    double m = g->m, n = g->n, k = g->k;
    double bytes = (n * k + m * k) * (fp8 ? 1 : 2) + m * n * 2;
    return larger(GEMM_S, bytes, 2 * m * n * k, fp8 ? FP8_FLOPS : BF16_FLOPS);
}

/* Keys that the new tokens of a sequence see. */
static double pairs_of(const struct call_attn *a)
{
    double pairs = 0, w = a->window > 0 ? a->window : a->kv_len;
    for (int i = a->kv_len - a->q_len; i < a->kv_len; i++)
        pairs += fmin(i + 1, w);
    return pairs;
}

static double attn(const struct call_attn *a)
{
    double w = a->window > 0 ? a->window + a->q_len : a->kv_len;
    double seen = fmin(w, a->kv_len), wide = (double)a->heads * a->head_dim;
    double cache = 2 * seen * a->kv_heads * a->head_dim
                 * (a->kv == CALL_FP8 ? 1 : 2);
    return larger(ATTN_S, a->batch * (cache + 4 * a->q_len * wide),
                  4 * a->batch * pairs_of(a) * wide, BF16_FLOPS);
}

static double moe(const struct call_moe *m)
{
    double pairs = (double)m->tokens * m->topk;
    double one = 3.0 * m->hidden * m->inter;
    return larger(MOE_S, fmin(m->experts, pairs) * one * 17 / 32,
                  2 * pairs * one, BF16_FLOPS);
}

static double moved(const struct call *c)
{
    double all = (double)c->norm.rows * c->norm.cols;
    switch (c->op) {
    case CALL_NORM:
        return (c->norm.kind == CALL_RMS ? 8 : 3) * all;
    case CALL_GATHER:
        return 2.0 * c->gather.blocks * (double)c->gather.block_bytes;
    case CALL_COPY:
        return (c->copy.kind == CALL_READ ? 1 : 2) * (double)c->copy.bytes;
    case CALL_REDUCE:
        return (double)c->reduce.elements * 2 * c->reduce.ranks;
    case CALL_SKINNY:
    case CALL_GEMM:
    case CALL_PREFILL:
    case CALL_DECODE:
    case CALL_MOE:
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    return 0;
}

double gpu_null_seconds(const struct call *c)
{
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        return gemm(&c->gemm);
    case CALL_PREFILL:
    case CALL_DECODE:
        return attn(&c->attn);
    case CALL_MOE:
        return moe(&c->moe);
    case CALL_NORM:
    case CALL_GATHER:
    case CALL_COPY:
    case CALL_REDUCE:
        return larger(MOVE_S, moved(c), 0, BF16_FLOPS);
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    return LAUNCH_S;
}

/* ---- the plug-in's functions ---- */

struct plugin_device {
    struct gpu_null_ask ask;
    struct arena *a, *scratch; /* this lies in a */
    struct rng rng;
    double now_s, event[EVENTS];
    uintptr_t next; /* address */
    long launches;
    struct call last;
    struct plugin_graph *recording, *spare;
};

struct plugin_graph {
    struct plugin_graph *next; /* of the spare ones */
    size_t n;
    struct call call[GRAPH_MAX];
};

static const char lost[] = "the device is lost";

static int count(const char **why)
{
    (void)why;
    return 1;
}

static int info(struct plugin_device *d, struct plugin_info *i,
                const char **why)
{
    (void)d;
    (void)why;
    *i = (struct plugin_info){
        .name = "null device",
        .arch = "null",
        .pci = "none",
        .driver = "null",
        .units = UNITS,
        .lanes = 1,
        .memory_bytes = (size_t)MEMORY_GIB << 30,
        .free_bytes = (size_t)MEMORY_GIB << 30,
        .llc_bytes = (size_t)50 << 20,
    };
    return 0;
}

static int take(struct plugin_device *d, size_t bytes, void **p,
                const char **why)
{
    if (bytes > (size_t)MEMORY_GIB << 30) {
        *why = "out of memory";
        return 1;
    }
    *(uintptr_t *)p = d->next;
    d->next += (bytes + 4095) / 4096 * 4096;
    return 0;
}

static void give(struct plugin_device *d, void *p)
{
    (void)d;
    (void)p;
}

static int copy_in(struct plugin_device *d, void *to, const void *from,
                   size_t bytes, const char **why)
{
    (void)d;
    (void)to;
    (void)from;
    (void)bytes;
    (void)why;
    return 0;
}

static void put(enum ref_type t, void *p, double v, bool spoil)
{
    float f = (float)(spoil ? 2 * v + 1 : v);
    uint16_t h = fill_to_bf16(f);
    uint8_t b = fill_to_fp8(f, false);
    switch (t) {
    case REF_BF16:
        memcpy(p, &h, sizeof h);
        return;
    case REF_FP8:
        memcpy(p, &b, sizeof b);
        return;
    case REF_F32:
        break;
    }
    memcpy(p, &f, sizeof f);
}

/* Elements of out o that lie in [first, first + n). */
static void make(struct plugin_device *d, int o, const struct ref_out *out,
                 uint64_t first, uint64_t n, unsigned char *to)
{
    uint64_t span = (uint64_t)out->span, begin = first / span * span;
    size_t bytes = (size_t)ref_bytes(out->type);
    double *scratch = ARENA_ARRAY(d->scratch, double, ref_scratch(&d->last));
    struct ref *r = ARENA_ARRAY(d->scratch, struct ref, (size_t)span);
    for (uint64_t at = begin; at < first + n; at += span) {
        ref_span(&d->last, false, o, at, scratch, r);
        for (uint64_t i = 0; i < span; i++)
            if (at + i >= first && at + i < first + n)
                put(out->type, to + (at + i - first) * bytes, r[i].value,
                    d->last.op == d->ask.wrong);
    }
    arena_reset(d->scratch);
}

static int copy_out(struct plugin_device *d, void *to, const void *from,
                    size_t bytes, const char **why)
{
    struct ref_out out[REF_OUTS];
    int n = ref_outs(&d->last, out);
    (void)why;
    memset(to, 0, bytes);
    for (int o = 0; o < n; o++) {
        size_t each = (size_t)ref_bytes(out[o].type);
        uintptr_t begin = (uintptr_t)out[o].at, at = (uintptr_t)from;
        if (at >= begin && at + bytes <= begin + out[o].n * each)
            make(d, o, &out[o], (at - begin) / each, bytes / each, to);
    }
    return 0;
}

static int zero(struct plugin_device *d, void *p, int byte, size_t bytes,
                const char **why)
{
    (void)d;
    (void)p;
    (void)byte;
    (void)bytes;
    (void)why;
    return 0;
}

static int fill(struct plugin_device *d, void *p, const struct fill *f,
                uint64_t n, const char **why)
{
    (void)d;
    (void)p;
    (void)f;
    (void)n;
    (void)why;
    return 0;
}

static const char *lacks(const struct call *c)
{
    return c->op == CALL_REDUCE ? "one device" : NULL;
}

static size_t work(struct plugin_device *d, const struct call *c)
{
    (void)d;
    (void)c;
    return 4096;
}

static int run(struct plugin_device *d, const struct call *c, const char **why)
{
    double bell = (rng_unit(&d->rng) + rng_unit(&d->rng) + rng_unit(&d->rng)
                   + rng_unit(&d->rng) - 2)
                * sqrt(3); /* deviation 1 */
    d->launches++;
    if (d->ask.fail_after && d->launches > d->ask.fail_after) {
        *why = lost;
        return 1;
    }
    d->last = *c;
    double law = d->ask.law ? d->ask.law(d->ask.to, c) : gpu_null_seconds(c);
    d->now_s += law * (1 + d->ask.noise * bell);
    return 0;
}

static int launch(struct plugin_device *d, const struct call *c,
                  const char **why)
{
    struct plugin_graph *g = d->recording;
    if (!g)
        return run(d, c, why);
    must(g->n < GRAPH_MAX);
    g->call[g->n++] = *c;
    return 0;
}

static bool is_lost(const struct plugin_device *d)
{
    return d->ask.fail_after && d->launches > d->ask.fail_after;
}

static int wait_all(struct plugin_device *d, const char **why)
{
    if (is_lost(d))
        *why = lost;
    return is_lost(d);
}

static int mark(struct plugin_device *d, int event, const char **why)
{
    (void)why;
    d->event[event] = d->now_s;
    return 0;
}

static int between(struct plugin_device *d, int from, int to, double *seconds,
                   const char **why)
{
    (void)why;
    *seconds = d->event[to] - d->event[from];
    return 0;
}

static int record(struct plugin_device *d, const char **why)
{
    (void)why;
    d->recording = d->spare ? d->spare : ARENA_NEW(d->a, struct plugin_graph);
    if (d->spare)
        d->spare = d->spare->next;
    d->recording->n = 0;
    return 0;
}

static int keep(struct plugin_device *d, struct plugin_graph **g,
                const char **why)
{
    (void)why;
    *g = d->recording;
    d->recording = NULL;
    return 0;
}

static int replay(struct plugin_device *d, struct plugin_graph *g,
                  const char **why)
{
    for (size_t i = 0; i < g->n; i++)
        if (run(d, &g->call[i], why))
            return 1;
    return 0;
}

static void drop(struct plugin_device *d, struct plugin_graph *g)
{
    g->next = d->spare;
    d->spare = g;
}

static void *stream(struct plugin_device *d)
{
    (void)d;
    return NULL;
}

static const struct plugin plugin = {
    .version = PLUGIN_VERSION,
    .name = "null",
    .count = count,
    .info = info,
    .take = take,
    .take_shared = take,
    .give = give,
    .pinned = take,
    .unpin = give,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .zero = zero,
    .fill = fill,
    .lacks = lacks,
    .work = work,
    .launch = launch,
    .wait = wait_all,
    .mark = mark,
    .between = between,
    .record = record,
    .keep = keep,
    .replay = replay,
    .drop = drop,
    .stream = stream,
};

void gpu_null_open(struct gpu *g, const struct gpu_null_ask *ask)
{
    struct arena *a = arena_open();
    struct plugin_device *d = ARENA_NEW(a, struct plugin_device);
    d->ask = *ask;
    d->a = a;
    d->scratch = arena_open();
    d->rng = rng_stream(ask->seed, RNG_NOISE, 0);
    d->next = 1 << 20;
    *g = (struct gpu){.p = &plugin, .d = d, .devices = 1};
    info(d, &g->info, &g->why);
}

void gpu_null_close(struct gpu *g)
{
    if (g->d) {
        arena_close(g->d->scratch);
        arena_close(g->d->a);
    }
    *g = (struct gpu){0};
}
