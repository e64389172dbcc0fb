#include "sim/des/hist.h"

#include "sim/base/must.h"

#include <math.h>
#include <string.h>

void hist_init(struct hist *h, struct arena *a)
{
    *h = (struct hist){
        .min = INT64_MAX,
        .max = INT64_MIN,
        .lo = HIST_N,
        .hi = 0,
        .count = ARENA_ARRAY(a, uint64_t, HIST_N),
    };
}

void hist_reset(struct hist *h)
{
    uint64_t *count = h->count;
    if (h->lo <= h->hi)
        memset(count + h->lo, 0, (h->hi - h->lo + 1) * sizeof *count);
    *h = (struct hist){
        .min = INT64_MAX,
        .max = INT64_MIN,
        .lo = HIST_N,
        .hi = 0,
        .count = count,
    };
}

void hist_merge(struct hist *into, const struct hist *from)
{
    if (from->n == 0)
        return;
    for (uint32_t b = from->lo; b <= from->hi; b++)
        into->count[b] += from->count[b];
    into->n += from->n;
    into->sum += from->sum;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    if (from->lo < into->lo)
        into->lo = from->lo;
    if (from->hi > into->hi)
        into->hi = from->hi;
}

double hist_mean(const struct hist *h)
{
    return h->n ? h->sum / (double)h->n : NAN;
}

/* The inverse of hist_bucket: the middle of the integers that fall into b.
 * Bucket b of octave e holds 2^(e-7) of them from (128 + b mod 128) 2^(e-7)
 * on, so the middle is off by at most 2^(e-8), and the value at least 2^e:
 * 1/256.  One per bucket below 256: no error. */
static double middle(uint32_t b)
{
    if (b < HIST_SUB)
        return b;
    int shift = (int)(b / HIST_SUB) - 1;
    double first = ldexp(HIST_SUB + b % HIST_SUB, shift);
    return first + (ldexp(1, shift) - 1) / 2;
}

static double clamped(const struct hist *h, uint32_t b)
{
    double v = middle(b);
    return fmin(fmax(v, (double)h->min), (double)h->max);
}

double hist_quantile(const struct hist *h, double p)
{
    must(p >= 0 && p <= 100);
    if (h->n == 0)
        return NAN;
    /* numpy.percentile, method "linear": place p/100 (n - 1), counted from 0,
     * between two order statistics.  The first and last are known exactly. */
    double place = p / 100 * (double)(h->n - 1);
    uint64_t k = (uint64_t)place;
    if (k >= h->n - 1)
        return (double)h->max;
    uint64_t below = 0;
    uint32_t b = h->lo;
    while (below + h->count[b] <= k)
        below += h->count[b++];
    uint32_t next = b;
    if (below + h->count[b] == k + 1)
        do
            next++;
        while (h->count[next] == 0);
    double x = k == 0 ? (double)h->min : clamped(h, b);
    double y = k + 1 == h->n - 1 ? (double)h->max : clamped(h, next);
    return x + (y - x) * (place - (double)k);
}
