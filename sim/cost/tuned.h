/* tuned - what whole engines add to the laws of single operators: the named
 * physical parameters of a GPU's fit "engine" (efficiencies that divide a
 * kernel family's time or one of its rates, time between kernels and between
 * steps, how routed tokens spread over experts).
 * A parameter that a store lacks is neutral: efficiency 1, time 0.  A GPU
 * without the fit takes its donor's whole, marked uncalibrated.
 * Pure functions over const structs; any thread; O(1). */
#ifndef SIM_COST_TUNED_H
#define SIM_COST_TUNED_H

#include "sim/cost/op.h"

enum tuned_param {
    TUNED_GEMM_FP8_MEM, /* rate at which weights stream */
    TUNED_GEMM_FP8_MID, /* kernels for 17 to 128 rows */
    TUNED_GEMM_FP8_MUL, /* rate of multiplications: the sustained clock */
    TUNED_GEMM_BF16_MEM,
    TUNED_GEMM_BF16_MUL,
    TUNED_MOE_MEM,
    TUNED_MOE_MUL,
    TUNED_MOE_SPREAD, /* share of tokens that choose experts freely */
    TUNED_DECODE_D64, /* decode attention by head size */
    TUNED_DECODE_D128,
    TUNED_PREFILL_ATTN,
    TUNED_REDUCE_US,  /* ranks wait for each other, a collective */
    TUNED_REDUCE_RATE,
    TUNED_ELEMENT, /* norms, quantisation, rotary, activation */
    TUNED_GAP_US,  /* between two kernels */
    TUNED_LAUNCH,  /* host's launches outside of graphs */
    TUNED_STEP_US, /* between two steps */
    TUNED_STEP_REQUEST_US,
    TUNED_HOST, /* scheduler, preparation, update */
    TUNED_FRONT_US,       /* request to engine: parse, tokenise, queue ... */
    TUNED_FRONT_TOKEN_US, /* ... a prompt token */
    TUNED_N
};

struct tuned_info {
    const char *name, *what;
    double neutral;
    /* before any run was seen: mean, deviation (of the logarithm where
     * relative), bounds */
    double prior, sigma, lo, hi;
    bool relative;
};
const struct tuned_info *tuned_info(enum tuned_param p);

struct tuned {
    double v[TUNED_N];
    const struct fit *fit; /* NULL: all neutral */
    bool donor;            /* the donor's */
};

struct tuned tuned_neutral(void);
/* From the store's fit engine/all of the GPU, else of its donor. */
struct tuned tuned_of(const struct op_costs *c);
/* Adjusts coefficients of a form in place, before its value is taken. */
void tuned_coefs(const struct tuned *t, const struct op_call *c,
                 const char *const *name, int n, double *coef);
/* Seconds of the call with what the coefficients do not show. */
double tuned_time(const struct tuned *t, const struct op_call *c,
                  double seconds);
/* The distinct experts a call touches. */
double tuned_active(const struct tuned *t, const struct op_call *c);

#endif
