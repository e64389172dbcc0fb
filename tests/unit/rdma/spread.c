#include "tests/t.h"

#include "calibrate/rdma/spread.h"
#include "sim/des/rng.h"

static void few(void **state)
{
    (void)state;
    double one[] = {3}, two[] = {5, 1}, four[] = {4, 1, 100, 2};
    struct spread s = spread_of(one, 1);
    NEAR(s.p50, 3, 0);
    NEAR(s.mad, 0, 0);
    NEAR(s.p99, 3, 0);
    s = spread_of(two, 2);
    NEAR(s.min, 1, 0);
    NEAR(s.p50, 3, 0);
    NEAR(s.mad, 2, 0);
    NEAR(s.max, 5, 0);
    s = spread_of(four, 4); /* 1 2 4 100: distances 1, 1, 2, 97 */
    NEAR(s.p50, 3, 0);
    NEAR(s.mad, 1.5, 0);
    DIES(spread_of(one, 0));
}

static void percentiles_are_of_the_nearest_rank(void **state)
{
    (void)state;
    double v[200];
    for (int i = 0; i < 200; i++)
        v[i] = 200 - i;
    struct spread s = spread_of(v, 200);
    NEAR(s.min, 1, 0);
    NEAR(s.p50, 100.5, 0);
    NEAR(s.p90, 180, 0);
    NEAR(s.p99, 198, 0);
    NEAR(s.max, 200, 0);
    NEAR(s.mad, 50, 0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void the_mad_is_the_median_of_distances(void **state)
{
    (void)state;
    struct rng r = rng_stream(1, RNG_TEST, 0);
    for (int k = 0; k < 300; k++) {
        double v[40], d[40];
        size_t n = 1 + rng_below(&r, 40);
        for (size_t i = 0; i < n; i++)
            v[i] = rng_below(&r, 3) ? rng_unit(&r) : rng_below(&r, 4);
        struct spread s = spread_of(v, n);
        for (size_t i = 0; i < n; i++)
            d[i] = fabs(v[i] - s.p50);
        qsort(d, n, sizeof *d, by_value);
        NEAR(s.mad, (d[(n - 1) / 2] + d[n / 2]) / 2, 1e-15);
    }
}

T_MAIN(cmocka_unit_test(few),
       cmocka_unit_test(percentiles_are_of_the_nearest_rank),
       cmocka_unit_test(the_mad_is_the_median_of_distances))
