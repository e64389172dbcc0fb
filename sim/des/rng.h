/* rng - a stream of chance per (seed, purpose, who), from Random123's Philox
 * 4x32-10 (Salmon et al., SC'11): counter based, so streams never overlap and
 * a policy change does not move the arrivals (common random numbers).
 * A struct rng is plain data; one thread each.  O(1) per draw. */
#ifndef SIM_DES_RNG_H
#define SIM_DES_RNG_H

#include <stdint.h>

enum rng_purpose {
    RNG_ARRIVAL = 1,
    RNG_ISL,
    RNG_OSL,
    RNG_ROUTER,
    RNG_PHASE, /* scrape clocks, start offsets */
    RNG_NOISE,
    RNG_TRIAL, /* seeds of trials */
    RNG_TEST,
};

struct rng {
    uint32_t key[2];
    uint32_t ctr[4];
    uint32_t buf[4];
    unsigned have;
};

struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, uint32_t who);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
double rng_unit(struct rng *r);                /* [0, 1), 53 bits */
uint32_t rng_below(struct rng *r, uint32_t n); /* [0, n), unbiased; n > 0 */
int64_t rng_range(struct rng *r, int64_t lo, int64_t hi); /* inclusive */
double rng_exp(struct rng *r);                            /* mean 1 */
/* Gamma with the given shape > 0 and mean 1 (GSL's gsl_ran_gamma over this
 * stream as a gsl_rng). */
double rng_gamma(struct rng *r, double shape);
/* A seed for trial i of a run, mixed from the run's seed. */
uint64_t rng_seed(uint64_t seed, uint64_t i);

#endif
