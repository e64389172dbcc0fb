/* A device that is a law.  Memory is addresses without anything behind them;
 * time is a counter that every launch moves on by the law's seconds, times a
 * little noise; what an operation would have written is made, when it is read
 * back, by the reference (kernels/ref.h), so that checks pass where they should
 * and fail where the caller asked for wrong results.
 *
 * The laws are those of the forms that fits take (sim/cost/form_X.c), with the
 * constants below: what a fit of this device's tables must find again. */
#include "calibrate/gpu/gpu.h"

#include "kernels/ref.h"
#include "sim/base/arena.h"
#include "sim/base/must.h"
#include "sim/des/rng.h"

#include <math.h>
#include <string.h>

enum { EVENTS = 16, GRAPH_MAX = 4096, MEMORY_GIB = 256, UNITS = 100 };
#define US 1e-6
#define NS 1e-9
#define LAUNCH_S 2.5e-6 /* of an empty kernel */

#define GEMM_T0 3.5
#define GEMM_WALK 0.4
#define GEMM_SHARP 2.5
#define ATTN_SHARP 2.0
#define EDGE_KEYS 60.0

const struct gpu_null_constant gpu_null_constants[] = {
    {"gemm", "bf16", "t0_us", GEMM_T0},
    {"gemm", "bf16", "mem_Bps", 3e12},
    {"gemm", "bf16", "peak_flops", 6e14},
    {"gemm", "bf16", "walk_ns", GEMM_WALK},
    {"gemm", "bf16", "sharp", GEMM_SHARP},
    {"gemm", "fp8", "t0_us", GEMM_T0},
    {"gemm", "fp8", "mem_Bps", 2.8e12},
    {"gemm", "fp8", "peak_flops", 1.1e15},
    {"gemm", "fp8", "walk_ns", GEMM_WALK},
    {"gemm", "fp8", "sharp", GEMM_SHARP},
    {"attn_prefill", "d128-bf16", "t0_us", 9},
    {"attn_prefill", "d128-bf16", "mem_Bps", 2e12},
    {"attn_prefill", "d128-bf16", "peak_flops", 5e14},
    {"attn_prefill", "d128-bf16", "edge_keys", EDGE_KEYS},
    {"attn_prefill", "d128-bf16", "sharp", ATTN_SHARP},
    {"attn_decode", "d128-bf16", "t0_us", 8},
    {"attn_decode", "d128-bf16", "mem_Bps", 3.4e12},
    {"norm", "bf16", "t0_us", 2},
    {"norm", "bf16", "rate_Bps", 2.5e12},
    {"norm", "bf16", "sharp", 2},
    {NULL, NULL, NULL, 0},
};

static double constant(const char *op, const char *variant, const char *name)
{
    for (const struct gpu_null_constant *c = gpu_null_constants; c->op; c++)
        if (strcmp(c->op, op) == 0 && strcmp(c->variant, variant) == 0
            && strcmp(c->name, name) == 0)
            return c->value;
    must(false);
    return NAN;
}

static double norm_of(double a, double b, double p)
{
    return pow(pow(a, p) + pow(b, p), 1 / p);
}

static double gemm(const struct call_gemm *g)
{
    const char *v = g->type == CALL_FP8 ? "fp8" : "bf16";
    double element = g->type == CALL_FP8 ? 1 : 2, m = g->m, n = g->n, k = g->k;
    double bytes = (n * k + m * k) * element + m * n * 2;
    double p = constant("gemm", v, "sharp");
    double mem = bytes / constant("gemm", v, "mem_Bps");
    double mul = 2 * m * n * k / constant("gemm", v, "peak_flops");
    double walk = k * constant("gemm", v, "walk_ns") * NS;
    double sum = pow(mem, p) + pow(mul, p) + pow(walk, p);
    return constant("gemm", v, "t0_us") * US + pow(sum, 1 / p);
}

/* Keys that the new tokens of a sequence see. */
static double pairs_of(const struct call_attn *a)
{
    double pairs = 0, w = a->window > 0 ? a->window : a->kv_len;
    for (int i = a->kv_len - a->q_len; i < a->kv_len; i++)
        pairs += fmin(i + 1, w);
    return pairs;
}

static double prefill(const struct call_attn *a)
{
    const char *op = "attn_prefill", *v = "d128-bf16";
    double q = (double)a->batch * a->q_len, kv = (double)a->batch * a->kv_len;
    double element = a->kv == CALL_FP8 ? 1 : 2;
    double wide = (double)a->heads * a->head_dim;
    double bytes = 2 * q * wide * 2
                 + 2 * kv * a->kv_heads * a->head_dim * element;
    double seen = a->batch * pairs_of(a) + q * constant(op, v, "edge_keys");
    double mem = bytes / constant(op, v, "mem_Bps");
    double mul = 4 * seen * wide / constant(op, v, "peak_flops");
    return constant(op, v, "t0_us") * US
         + norm_of(mem, mul, constant(op, v, "sharp"));
}

static double decode(const struct call_attn *a)
{
    const char *op = "attn_decode", *v = "d128-bf16";
    double seen = a->window > 0 ? fmin(a->window, a->kv_len) : a->kv_len;
    double bytes = 2.0 * a->batch * seen * a->kv_heads * a->head_dim
                 * (a->kv == CALL_FP8 ? 1 : 2);
    return constant(op, v, "t0_us") * US + bytes / constant(op, v, "mem_Bps");
}

static double moe(const struct call_moe *m)
{
    double pairs = (double)m->tokens * m->topk;
    double active = fmin(m->experts, pairs);
    double one = 3.0 * m->hidden * m->inter;
    return 20 * US
         + norm_of(active * one * 17 / 32 / 2.5e12, 2 * pairs * one / 4e14, 2);
}

static double norm_bytes(const struct call_norm *n)
{
    double all = (double)n->rows * n->cols;
    return n->kind == CALL_RMS       ? 8 * all
         : n->kind == CALL_RMS_QUANT ? 7 * all
                                     : 3 * all;
}

static double moved(double bytes)
{
    return norm_of(constant("norm", "bf16", "t0_us") * US,
                   bytes / constant("norm", "bf16", "rate_Bps"),
                   constant("norm", "bf16", "sharp"));
}

double gpu_null_seconds(const struct call *c)
{
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        return gemm(&c->gemm);
    case CALL_PREFILL:
        return prefill(&c->attn);
    case CALL_DECODE:
        return decode(&c->attn);
    case CALL_MOE:
        return moe(&c->moe);
    case CALL_NORM:
        return moved(norm_bytes(&c->norm));
    case CALL_GATHER:
        return moved(2.0 * c->gather.blocks * (double)c->gather.block_bytes);
    case CALL_COPY:
        return moved((c->copy.kind == CALL_READ ? 1 : 2)
                     * (double)c->copy.bytes);
    case CALL_REDUCE:
        return moved((double)c->reduce.elements * 2 * c->reduce.ranks);
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
    if (d->ask.fail_after && ++d->launches > d->ask.fail_after) {
        *why = lost;
        return 1;
    }
    d->last = *c;
    d->now_s += gpu_null_seconds(c) * (1 + d->ask.noise * bell);
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

static int wait_all(struct plugin_device *d, const char **why)
{
    (void)d;
    (void)why;
    return 0;
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
