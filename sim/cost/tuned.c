#include "sim/cost/tuned.h"

#include "sim/base/must.h"
#include "sim/cost/shape.h"

#include <math.h>
#include <string.h>

static const struct tuned_info infos[TUNED_N] = {
#define TUNED_INFO(id, ...) [id] = {__VA_ARGS__},
    TUNED_LIST(TUNED_INFO)
#undef TUNED_INFO
};

const struct tuned_info *tuned_info(enum tuned_param p)
{
    must(p < TUNED_N);
    return &infos[p];
}

struct tuned tuned_neutral(void)
{
    struct tuned t = {.fit = NULL};
    for (int i = 0; i < TUNED_N; i++)
        t.v[i] = infos[i].neutral;
    return t;
}

struct tuned tuned_of(const struct op_costs *c)
{
    struct tuned t = tuned_neutral();
    t.fit = costs_find(c->own, "engine", "all");
    if (!t.fit && c->donor) {
        t.fit = costs_find(c->donor, "engine", "all");
        t.donor = t.fit != NULL;
    }
    for (int i = 0; t.fit && i < t.fit->n_coef; i++)
        for (int p = 0; p < TUNED_N; p++)
            if (strcmp(t.fit->coef[i].name, infos[p].name) == 0)
                t.v[p] = t.fit->coef[i].value;
    return t;
}

/* All rates that make a step. */
static const enum tuned_param slows[] = {
    TUNED_GEMM_FP8_MEM,  TUNED_GEMM_FP8_MID,  TUNED_GEMM_FP8_MUL,
    TUNED_GEMM_BF16_MEM, TUNED_GEMM_BF16_MUL, TUNED_MOE_MEM,
    TUNED_MOE_MUL,       TUNED_MOE_MOVE,      TUNED_DECODE_D64,
    TUNED_DECODE_D128,   TUNED_DECODE_FP8,    TUNED_PREFILL_D64,
    TUNED_PREFILL_D128,  TUNED_REDUCE_RATE,   TUNED_ELEMENT,
    TUNED_LAUNCH};

void tuned_choose(struct tuned *t, const struct tuned_ways *w)
{
    double *v = t->v;
    if (w->marlin) {
        v[TUNED_MOE_MEM] = v[TUNED_MARLIN_MEM];
        v[TUNED_MOE_MUL] = v[TUNED_MARLIN_MUL];
        v[TUNED_MOE_MOVE] = v[TUNED_MARLIN_MOVE];
    } else if (w->old_fp8 && !w->mixed) {
        v[TUNED_MOE_MUL] *= v[TUNED_MOE_OLD];
        v[TUNED_MOE_MOVE] *= v[TUNED_MOE_OLD];
    }
    if (w->old_fp8)
        v[TUNED_GEMM_FP8_MID] = v[TUNED_GEMM_FP8_MID_OLD];
    if (w->uniform)
        v[TUNED_MOE_SPREAD] = 1;
    for (size_t i = 0; w->mixed && i < sizeof slows / sizeof *slows; i++)
        v[slows[i]] /= v[TUNED_MIXED];
    if (w->mixed) {
        v[TUNED_GAP_US] *= v[TUNED_MIXED];
        v[TUNED_STEP_US] *= v[TUNED_MIXED];
        v[TUNED_REDUCE_US] *= v[TUNED_MIXED];
    }
    if (w->zeros) {
        v[TUNED_GEMM_FP8_MUL] *= v[TUNED_ZERO];
        v[TUNED_GEMM_BF16_MUL] *= v[TUNED_ZERO];
        v[TUNED_MOE_MUL] *= v[TUNED_ZERO];
    }
    if (w->triton_mha) {
        v[TUNED_PREFILL_D64] *= v[TUNED_PREFILL_TRITON];
        v[TUNED_PREFILL_D128] *= v[TUNED_PREFILL_TRITON];
    }
}

static bool ends(const char *s, const char *tail)
{
    size_t n = strlen(s), t = strlen(tail);
    return n >= t && strcmp(s + n - t, tail) == 0;
}

/* Where a family's rates of memory and of multiplications are. */
struct rates {
    double mem, mul;
};

static struct rates rates_of(const struct tuned *t, const struct op_call *c)
{
    const double *v = t->v;
    struct rates one = {1, 1};
    switch (c->kind) {
    case OP_GEMM:
        if (c->dtype == DT_FP8 || c->dtype == DT_FP8_BLOCK)
            return (struct rates){v[TUNED_GEMM_FP8_MEM], v[TUNED_GEMM_FP8_MUL]};
        return (struct rates){v[TUNED_GEMM_BF16_MEM], v[TUNED_GEMM_BF16_MUL]};
    case OP_MOE:
        return (struct rates){v[TUNED_MOE_MEM], v[TUNED_MOE_MUL]};
    case OP_ATTN_PREFILL:
        if (c->head_dim > 64)
            return (struct rates){v[TUNED_PREFILL_D128], v[TUNED_PREFILL_D128]};
        return (struct rates){v[TUNED_PREFILL_D64], v[TUNED_PREFILL_D64]};
    case OP_ALLREDUCE:
    case OP_ALLGATHER:
        return (struct rates){v[TUNED_REDUCE_RATE], 1};
    case OP_NORM:
    case OP_QUANT:
        return (struct rates){v[TUNED_ELEMENT], 1};
    case OP_ATTN_DECODE:
    case OP_SAMPLE:
    case OP_HOST:
    case OP_N:
        break;
    }
    return one;
}

/* A GEMM of few rows fills no tile: its multiplications hide behind memory
 * and draw little power, so the sustained clock does not show. */
enum { MANY_ROWS = 129 };

/* A card falls to its sustained clock under its power limit as a step goes on:
 * a step of few tokens is over before, one of many runs at it throughout. */
static double clock_of(const struct tuned *t, double mul, double tokens)
{
    double half = t->v[TUNED_POWER_TOKENS];
    double share = tokens * tokens / (tokens * tokens + half * half);
    return mul >= 1 ? mul : 1 - (1 - mul) * share;
}

void tuned_coefs(const struct tuned *t, const struct op_call *c,
                 const char *const *name, int n, double *coef)
{
    struct rates r = rates_of(t, c);
    if (c->kind == OP_GEMM && c->m < MANY_ROWS)
        r.mul = 1;
    if (c->kind == OP_GEMM)
        r.mul = clock_of(t, r.mul, c->m);
    if (c->kind == OP_MOE)
        r.mul = clock_of(t, r.mul, c->tokens);
    for (int i = 0; i < n; i++) {
        if (strcmp(name[i], "act_Bps") == 0)
            coef[i] *= t->v[TUNED_MOE_MOVE];
        else if (ends(name[i], "_Bps"))
            coef[i] *= r.mem;
        if (ends(name[i], "_flops"))
            coef[i] *= r.mul;
    }
}

/* Whole-call efficiency, where a family has no split. */
static double whole(const struct tuned *t, const struct op_call *c)
{
    const double *v = t->v;
    bool fp8 = c->dtype == DT_FP8 || c->dtype == DT_FP8_BLOCK;
    switch (c->kind) {
    case OP_GEMM:
        return fp8 && c->m > 16 && c->m < MANY_ROWS ? v[TUNED_GEMM_FP8_MID] : 1;
    case OP_ATTN_DECODE:
        if (c->kv != DT_BF16)
            return v[TUNED_DECODE_FP8];
        return c->head_dim > 64 ? v[TUNED_DECODE_D128] : v[TUNED_DECODE_D64];
    case OP_HOST:
        return c->piece == HOST_LAUNCH ? v[TUNED_LAUNCH] : v[TUNED_HOST];
    case OP_QUANT:
    case OP_NORM:
    case OP_MOE:
    case OP_ATTN_PREFILL:
    case OP_ALLREDUCE:
    case OP_ALLGATHER:
    case OP_SAMPLE:
    case OP_N:
        break;
    }
    return 1;
}

double tuned_time(const struct tuned *t, const struct op_call *c,
                  double seconds)
{
    double s = seconds / whole(t, c);
    s += 1e-6 * t->v[TUNED_GAP_US] * shape_kernels_of(c->kind);
    if (c->kind == OP_ALLREDUCE || c->kind == OP_ALLGATHER)
        s += 1e-6 * t->v[TUNED_REDUCE_US];
    return s;
}

double tuned_active(const struct tuned *t, const struct op_call *c)
{
    double free = 1 + (c->tokens - 1) * t->v[TUNED_MOE_SPREAD];
    return shape_active((int)c->experts, (int)c->topk, free)
         + t->v[TUNED_MOE_TAIL];
}
