#include "sim/des/rng.h"

#include "sim/base/must.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <limits.h>
#include <math.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

enum { BLOCK = 4 }; /* words a Philox 4x32 block gives */

/* The seed is the key; purpose and who are the counter's upper half, and the
 * lower half counts blocks.  Philox is a bijection of the counter, so two
 * streams of a seed never share a block before 2^64 of them. */
struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, uint32_t who)
{
    return (struct rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .ctr = {0, 0, (uint32_t)purpose, who},
    };
}

static void refill(struct rng *r)
{
    philox4x32_ctr_t c = {{r->ctr[0], r->ctr[1], r->ctr[2], r->ctr[3]}};
    philox4x32_key_t k = {{r->key[0], r->key[1]}};
    philox4x32_ctr_t out = philox4x32_R(10, c, k);
    for (int i = 0; i < BLOCK; i++)
        r->buf[i] = out.v[i];
    if (++r->ctr[0] == 0)
        r->ctr[1]++;
    r->have = BLOCK;
}

uint32_t rng_u32(struct rng *r)
{
    if (r->have == 0)
        refill(r);
    return r->buf[BLOCK - r->have--];
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t low = rng_u32(r);
    return low | (uint64_t)rng_u32(r) << 32;
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

/* Lemire, "Fast random integer generation in an interval", ACM TOMACS 29(1),
 * 2019, algorithm 5: the few low products that would favour some values are
 * drawn again. */
uint32_t rng_below(struct rng *r, uint32_t n)
{
    must(n > 0);
    uint64_t m = (uint64_t)rng_u32(r) * n;
    if ((uint32_t)m < n) {
        uint32_t floor = -n % n;
        while ((uint32_t)m < floor)
            m = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(m >> 32);
}

int64_t rng_range(struct rng *r, int64_t lo, int64_t hi)
{
    must(lo <= hi);
    uint64_t span = (uint64_t)hi - (uint64_t)lo + 1;
    uint64_t x;
    if (span == 0) {
        x = rng_u64(r); /* every int64 */
    } else if (span <= UINT32_MAX) {
        x = rng_below(r, (uint32_t)span);
    } else {
        uint64_t floor = -span % span;
        do
            x = rng_u64(r);
        while (x < floor);
        x %= span;
    }
    return (int64_t)((uint64_t)lo + x);
}

double rng_exp(struct rng *r)
{
    return -log1p(-rng_unit(r));
}

/* struct rng behind GSL's interface; gsl_rng's state is the pointer itself. */
static unsigned long gsl_get(void *state)
{
    return rng_u32(state);
}

static double gsl_unit(void *state)
{
    return rng_unit(state);
}

static void gsl_set(void *state, unsigned long seed)
{
    (void)seed;
    must(state == NULL); /* never called: rng_stream seeds */
}

static const gsl_rng_type philox_type = {
    .name = "philox4x32-10",
    .max = UINT32_MAX,
    .min = 0,
    .size = sizeof(struct rng),
    .set = gsl_set,
    .get = gsl_get,
    .get_double = gsl_unit,
};

double rng_gamma(struct rng *r, double shape)
{
    must(shape > 0 && isfinite(shape));
    gsl_rng g = {.type = &philox_type, .state = r};
    return gsl_ran_gamma(&g, shape, 1 / shape);
}

uint64_t rng_seed(uint64_t seed, uint64_t i)
{
    struct rng r = rng_stream(seed, RNG_TRIAL, (uint32_t)i);
    r.ctr[1] = (uint32_t)(i >> 32);
    return rng_u64(&r);
}
