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
#include "sim/cost/tuned_list.h"

enum tuned_param {
#define TUNED_ENUM(id, ...) id,
    TUNED_LIST(TUNED_ENUM)
#undef TUNED_ENUM
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

/* Kernels that the engine's version or flags choose; all false: its default
 * today. */
struct tuned_ways {
    bool marlin;     /* MXFP4 experts */
    bool old_fp8;    /* FP8 GEMMs of vLLM before 0.14 */
    bool triton_mha; /* prefill attention on ROCm */
    bool uniform;    /* a router of random weights spreads all tokens */
    bool mixed;      /* a median over runs of several versions */
    bool zeros;      /* dummy weights draw little power */
};

struct tuned {
    double v[TUNED_N];
    const struct fit *fit; /* NULL: all neutral */
    bool donor;            /* the donor's */
};

struct tuned tuned_neutral(void);
/* From the store's fit engine/all of the GPU, else of its donor. */
struct tuned tuned_of(const struct op_costs *c);
/* Puts the parameters of other kernels in the place of the default ones. */
void tuned_choose(struct tuned *t, const struct tuned_ways *w);
/* Adjusts coefficients of a form in place, before its value is taken. */
void tuned_coefs(const struct tuned *t, const struct op_call *c,
                 const char *const *name, int n, double *coef);
/* Seconds of the call with what the coefficients do not show. */
double tuned_time(const struct tuned *t, const struct op_call *c,
                  double seconds);
/* The distinct experts a call touches. */
double tuned_active(const struct tuned *t, const struct op_call *c);

#endif
