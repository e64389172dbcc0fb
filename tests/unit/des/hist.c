#include "sim/des/hist.h"

#include "sim/des/rng.h"
#include "tests/t.h"

#define BOUND (1.0 / 256) /* the relative error that hist.h promises */

static const double places[] = {0,  0.1, 1,  5,  10,   25,    33.3, 50,
                                75, 90,  95, 99, 99.9, 99.99, 100};

static int by_value(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

/* numpy.percentile, method "linear". */
static double exact(const int64_t *sorted, size_t n, double p)
{
    double place = p / 100 * (double)(n - 1);
    size_t k = (size_t)place;
    if (k + 1 >= n)
        return (double)sorted[n - 1];
    double x = (double)sorted[k], y = (double)sorted[k + 1];
    return x + (y - x) * (place - (double)k);
}

static void check(const struct hist *h, int64_t *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        double want = exact(v, n, places[i]);
        NEAR(hist_quantile(h, places[i]), want, BOUND * want);
    }
    EQ(h->n, n);
    EQ(h->min, v[0]);
    EQ(h->max, v[n - 1]);
    NEAR(hist_quantile(h, 0), (double)v[0], 0);
    NEAR(hist_quantile(h, 100), (double)v[n - 1], 0);
}

static void quantiles_against_sorted_samples(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct arena *a = arena_open();
    int64_t *v = ARENA_ARRAY(a, int64_t, N);
    static const size_t sizes[] = {1, 2, 3, 10, 101, N};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct rng r = rng_stream(1, RNG_TEST, (uint32_t)s);
        struct hist h;
        hist_init(&h, a);
        double sum = 0;
        for (size_t i = 0; i < sizes[s]; i++) { /* 1 ns to 1,000 s */
            v[i] = (int64_t)exp(rng_unit(&r) * log(1e12));
            hist_add(&h, v[i], 1);
            sum += (double)v[i];
        }
        NEAR(hist_mean(&h), sum / (double)sizes[s], 1e-9 * hist_mean(&h));
        check(&h, v, sizes[s]);
    }
    arena_close(a);
}

/* The middle one of three far apart is the bucket's midpoint, unclamped. */
static double midpoint(struct hist *h, int64_t v)
{
    hist_reset(h);
    hist_add(h, 0, 1);
    hist_add(h, v, 1);
    hist_add(h, INT64_MAX, 1);
    return hist_quantile(h, 50);
}

static void midpoints_invert_the_buckets(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct hist h;
    hist_init(&h, a);
    for (int64_t v = 1; v < 256; v++)
        NEAR(midpoint(&h, v), (double)v, 0);
    for (int e = 8; e < 46; e++)
        for (int64_t d = -3; d <= 3; d++) {
            int64_t v = ((int64_t)1 << e) + d;
            double m = midpoint(&h, v);
            NEAR(m, (double)v, BOUND * (double)v);
            EQ(hist_bucket((int64_t)m), hist_bucket(v));
        }
    arena_close(a);
}

/* Buckets are runs of consecutive values without a gap. */
static void buckets_are_dense(void **state)
{
    (void)state;
    for (int64_t v = 0; v < 1 << 16; v++) {
        uint32_t step = hist_bucket(v + 1) - hist_bucket(v);
        assert_true(step <= 1);
        if (v < 255)
            EQ(step, 1);
    }
    EQ(hist_bucket(((int64_t)1 << 46) - 1), HIST_N - 1);
    EQ(hist_bucket(INT64_MAX), HIST_N - 1);
    EQ(hist_bucket(0), 0);
}

static void same(const struct hist *x, const struct hist *y)
{
    EQ(x->n, y->n);
    EQ(x->min, y->min);
    EQ(x->max, y->max);
    EQ(x->lo, y->lo);
    EQ(x->hi, y->hi);
    NEAR(x->sum, y->sum, 1e-9 * fabs(x->sum));
    assert_memory_equal(x->count, y->count, HIST_N * sizeof *x->count);
}

static void weights_and_merge_are_exact(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct hist part[3], all, one, empty;
    struct rng r = rng_stream(2, RNG_TEST, 0);
    hist_init(&all, a);
    hist_init(&one, a);
    hist_init(&empty, a);
    for (int i = 0; i < 3; i++)
        hist_init(&part[i], a);
    for (int i = 0; i < 3000; i++) {
        int64_t v = rng_range(&r, 0, 5000000);
        uint64_t w = rng_below(&r, 4); /* zero counts for nothing */
        hist_add(&part[i % 3], v, w);
        hist_add(&all, v, w);
        for (uint64_t k = 0; k < w; k++)
            hist_add(&one, v, 1);
    }
    same(&all, &one);
    hist_merge(&part[0], &part[1]);
    hist_merge(&part[0], &empty);
    hist_merge(&part[0], &part[2]);
    same(&part[0], &all);
    hist_merge(&empty, &all);
    same(&empty, &all);
    arena_close(a);
}

static void empty_and_reset(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct hist h, fresh;
    hist_init(&h, a);
    hist_init(&fresh, a);
    assert_true(isnan(hist_mean(&h)));
    assert_true(isnan(hist_quantile(&h, 50)));
    hist_add(&h, 77, 0);
    same(&h, &fresh);
    hist_add(&h, 12, 3);
    hist_add(&h, (int64_t)1 << 50, 1);
    hist_reset(&h);
    same(&h, &fresh);
    hist_reset(&h);
    same(&h, &fresh);
    DIES(hist_quantile(&h, 100.1));
    DIES(hist_quantile(&h, NAN));
    arena_close(a);
}

T_MAIN(cmocka_unit_test(quantiles_against_sorted_samples),
       cmocka_unit_test(midpoints_invert_the_buckets),
       cmocka_unit_test(buckets_are_dense),
       cmocka_unit_test(weights_and_merge_are_exact),
       cmocka_unit_test(empty_and_reset))
