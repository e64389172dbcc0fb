#include "calibrate/rdma/spread.h"

#include "sim/base/must.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double rank(const double *v, size_t n, double share)
{
    double at = ceil(share * (double)n);
    size_t i = at < 1 ? 0 : (size_t)at - 1;
    return v[i < n ? i : n - 1];
}

static double middle(const double *v, size_t n)
{
    return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

/* Distances from the median grow outwards on both sides: merge the sides up to
 * the middle. */
static double median_distance(const double *v, size_t n, double mid)
{
    size_t right = 0;
    while (right < n && v[right] < mid)
        right++;
    size_t left = right; /* v[left - 1] is the next one down */
    double d = 0, before = 0;
    for (size_t k = 0; k <= n / 2; k++) {
        double down = left > 0 ? mid - v[left - 1] : INFINITY;
        double up = right < n ? v[right] - mid : INFINITY;
        before = d;
        d = fmin(down, up);
        if (down < up)
            left--;
        else
            right++;
    }
    return n % 2 ? d : (before + d) / 2;
}

struct spread spread_of(double *v, size_t n)
{
    must(n > 0);
    qsort(v, n, sizeof *v, by_value);
    double mid = middle(v, n);
    return (struct spread){v[0],
                           mid,
                           rank(v, n, 0.9),
                           rank(v, n, 0.99),
                           v[n - 1],
                           median_distance(v, n, mid)};
}
