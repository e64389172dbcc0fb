#include "sim/cost/tuned.h"

#include "sim/base/must.h"
#include "sim/cost/shape.h"

#include <math.h>
#include <string.h>

/* Priors: operator tables are made of kernels that ran for moments on a cool
 * card and one after the other, so a server's kernels are as fast or somewhat
 * slower; how far the tables of one kernel version miss another is the 4 to
 * 13 % that the fits' own errors show, with room.  Times between kernels and
 * steps are of the order of a launch and of a Python step loop. */
static const struct tuned_info infos[TUNED_N] = {
    [TUNED_GEMM_FP8_MEM] = {"gemm_fp8_mem", "rate of FP8 weights from memory",
                            1, 1, 0.08, 0.7, 1.4, true},
    [TUNED_GEMM_FP8_MID] = {"gemm_fp8_mid", "FP8 GEMM of 17 to 128 rows", 1, 1,
                            0.15, 0.5, 1.6, true},
    [TUNED_GEMM_FP8_MUL] = {"gemm_fp8_mul", "rate of FP8 multiplications", 1,
                            0.85, 0.15, 0.4, 1.3, true},
    [TUNED_GEMM_BF16_MEM] = {"gemm_bf16_mem",
                             "rate of 16-bit weights from memory", 1, 1, 0.08,
                             0.7, 1.4, true},
    [TUNED_GEMM_BF16_MUL] = {"gemm_bf16_mul", "rate of 16-bit multiplications",
                             1, 0.9, 0.15, 0.4, 1.3, true},
    [TUNED_MOE_MEM] = {"moe_mem", "rate of expert weights from memory", 1, 1,
                       0.2, 0.4, 2, true},
    [TUNED_MOE_MUL] = {"moe_mul", "rate of expert multiplications", 1, 0.8,
                       0.4, 0.15, 2, true},
    [TUNED_MOE_SPREAD] = {"moe_spread", "tokens that choose experts freely", 1,
                          0.8, 0.3, 0.2, 1, true},
    [TUNED_DECODE_D64] = {"attn_decode_d64", "decode attention, head size 64",
                          1, 1, 0.2, 0.3, 2, true},
    [TUNED_DECODE_D128] = {"attn_decode_d128",
                           "decode attention, head size 128", 1, 1, 0.2, 0.3,
                           2, true},
    [TUNED_PREFILL_ATTN] = {"attn_prefill", "prefill attention", 1, 0.9, 0.2,
                            0.3, 1.5, true},
    [TUNED_REDUCE_US] = {"allreduce_wait_us", "wait of ranks, a collective", 0,
                         2, 3, 0, 30, false},
    [TUNED_REDUCE_RATE] = {"allreduce_rate", "rate of collectives", 1, 1, 0.15,
                           0.4, 1.6, true},
    [TUNED_ELEMENT] = {"elementwise", "norms, quantisation, activations", 1, 1,
                       0.2, 0.3, 2, true},
    [TUNED_GAP_US] = {"gap_us", "between two kernels", 0, 0.5, 0.5, 0, 5,
                      false},
    [TUNED_LAUNCH] = {"launch", "speed of launches outside of graphs", 1, 1,
                      0.5, 0.2, 10, true},
    [TUNED_STEP_US] = {"step_us", "between two steps", 0, 200, 200, 0, 3000,
                       false},
    [TUNED_STEP_REQUEST_US] = {"step_request_us",
                               "between two steps, a request", 0, 5, 10, 0,
                               100, false},
    [TUNED_HOST] = {"host", "speed of scheduler, preparation and update", 1, 1,
                    0.3, 0.3, 3, true},
    [TUNED_FRONT_US] = {"front_us", "request to engine", 0, 3000, 3000, 0,
                        30000, false},
    [TUNED_FRONT_TOKEN_US] = {"front_token_us",
                              "request to engine, a prompt token", 0, 1.5, 1.5,
                              0, 20, false},
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
            return (struct rates){v[TUNED_GEMM_FP8_MEM],
                                  v[TUNED_GEMM_FP8_MUL]};
        return (struct rates){v[TUNED_GEMM_BF16_MEM], v[TUNED_GEMM_BF16_MUL]};
    case OP_MOE:
        return (struct rates){v[TUNED_MOE_MEM], v[TUNED_MOE_MUL]};
    case OP_ATTN_PREFILL:
        return (struct rates){v[TUNED_PREFILL_ATTN], v[TUNED_PREFILL_ATTN]};
    case OP_ALLREDUCE:
    case OP_ALLGATHER:
        return (struct rates){v[TUNED_REDUCE_RATE], 1};
    case OP_NORM:
    case OP_QUANT:
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

void tuned_coefs(const struct tuned *t, const struct op_call *c,
                 const char *const *name, int n, double *coef)
{
    struct rates r = rates_of(t, c);
    if (c->kind == OP_GEMM && c->m < MANY_ROWS)
        r.mul = 1;
    for (int i = 0; i < n; i++) {
        if (ends(name[i], "_Bps"))
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
        return fp8 && c->m > 16 && c->m < MANY_ROWS ? v[TUNED_GEMM_FP8_MID]
                                                    : 1;
    case OP_ATTN_DECODE:
        return c->head_dim > 64 ? v[TUNED_DECODE_D128] : v[TUNED_DECODE_D64];
    case OP_NORM:
    case OP_QUANT:
        return v[TUNED_ELEMENT];
    case OP_HOST:
        return c->piece == HOST_LAUNCH ? v[TUNED_LAUNCH] : v[TUNED_HOST];
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
    return shape_active((int)c->experts, (int)c->topk, free);
}
