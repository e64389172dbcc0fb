/* hist - a log-bucket histogram of non-negative int64 values (ns) with weights.
 * 128 buckets per octave above 128 ns, exact below: a value reported for a
 * quantile is within 1/256 = 0.4 % of the true order statistic.  Mean, min and
 * max are exact.  Values from 2^46 ns (19.5 hours) on share the last bucket:
 * only mean, min and max still tell them.  add is O(1); quantile O(buckets in
 * use).  Caller owns; from an arena; one thread; merge is exact. */
#ifndef SIM_DES_HIST_H
#define SIM_DES_HIST_H

#include "sim/base/arena.h"

#include <stdint.h>

enum { HIST_SUB = 128, HIST_OCTAVES = 40, HIST_N = HIST_SUB * HIST_OCTAVES };

struct hist {
    uint64_t n; /* total weight */
    double sum; /* exact to double rounding: sum of value * weight */
    int64_t min, max;
    uint32_t lo, hi; /* buckets in use, lo > hi when empty */
    uint64_t *count; /* HIST_N */
};

void hist_init(struct hist *h, struct arena *a);
void hist_reset(struct hist *h); /* O(buckets in use) */
void hist_merge(struct hist *into, const struct hist *from);
double hist_mean(const struct hist *h); /* NAN when empty */
/* numpy's linear definition on bucket midpoints clamped to [min, max];
 * the first and last order statistics are min and max themselves; p in
 * [0, 100]; NAN when empty. */
double hist_quantile(const struct hist *h, double p);

static inline uint32_t hist_bucket(int64_t v)
{
    if (v < HIST_SUB)
        return v < 0 ? 0 : (uint32_t)v;
    int e = 63 - __builtin_clzll((unsigned long long)v); /* >= 7 */
    uint32_t b = (uint32_t)(e - 6) * HIST_SUB
               + (uint32_t)((v >> (e - 7)) & (HIST_SUB - 1));
    return b < HIST_N ? b : HIST_N - 1;
}

static inline void hist_add(struct hist *h, int64_t v, uint64_t weight)
{
    if (weight == 0)
        return;
    uint32_t b = hist_bucket(v);
    h->count[b] += weight;
    h->n += weight;
    h->sum += (double)v * (double)weight;
    if (v < h->min)
        h->min = v;
    if (v > h->max)
        h->max = v;
    if (b < h->lo)
        h->lo = b;
    if (b > h->hi)
        h->hi = b;
}

#endif
