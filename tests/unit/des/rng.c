#include "sim/des/rng.h"

#include "tests/t.h"

enum { DRAWS = 40000, WELL = 4 /* standard errors that chance may take */ };

/* Random123's kat_vectors, "philox4x32 10": counter, key, answer. */
static const struct {
    uint32_t ctr[4], key[2], out[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
     {UINT32_MAX, UINT32_MAX},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void is_philox(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct rng r = {0};
        memcpy(r.ctr, known[k].ctr, sizeof r.ctr);
        memcpy(r.key, known[k].key, sizeof r.key);
        for (int i = 0; i < 4; i++)
            EQ(rng_u32(&r), known[k].out[i]);
    }
}

static void blocks_carry(void **state)
{
    (void)state;
    struct rng r = rng_stream(1, RNG_TEST, 2);
    struct rng next = r;
    r.ctr[0] = UINT32_MAX;
    next.ctr[1] = 1;
    for (int i = 0; i < 4; i++)
        rng_u32(&r);
    for (int i = 0; i < 9; i++)
        EQ(rng_u32(&r), rng_u32(&next));
}

static void streams_differ_and_repeat(void **state)
{
    (void)state;
    enum { WORDS = 64 };
    struct rng s[] = {
        rng_stream(1, RNG_ARRIVAL, 0),          rng_stream(2, RNG_ARRIVAL, 0),
        rng_stream(1ull << 32, RNG_ARRIVAL, 0), rng_stream(1, RNG_ISL, 0),
        rng_stream(1, RNG_ARRIVAL, 1),          rng_stream(1, RNG_ISL, 1),
    };
    enum { N = sizeof s / sizeof *s };
    struct rng first = s[0], again = rng_stream(1, RNG_ARRIVAL, 0);
    uint32_t w[N][WORDS];
    for (int i = 0; i < N; i++)
        for (int k = 0; k < WORDS; k++)
            w[i][k] = rng_u32(&s[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) {
            int same = 0;
            for (int k = 0; k < WORDS; k++)
                same += w[i][k] == w[j][k];
            EQ(same, 0);
        }
    for (int k = 0; k < WORDS; k++)
        EQ(rng_u64(&first), rng_u64(&again));
}

static void unit_is_in_0_1(void **state)
{
    (void)state;
    struct rng r = rng_stream(3, RNG_TEST, 0);
    double sum = 0, low = 1, high = 0;
    for (int i = 0; i < DRAWS; i++) {
        double u = rng_unit(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
        low = fmin(low, u);
        high = fmax(high, u);
    }
    NEAR(sum / DRAWS, 0.5, WELL * sqrt(1.0 / 12 / DRAWS));
    assert_true(low < 0.001 && high > 0.999);
}

/* Without the second draw a third of the values of [0, 3 2^30) would come
 * twice as often as the others: exactly those divisible by 3. */
static void below_has_no_bias(void **state)
{
    (void)state;
    struct rng r = rng_stream(4, RNG_TEST, 0);
    const uint32_t n = 3u << 30;
    int count[3] = {0}, die[6] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t x = rng_below(&r, n);
        assert_true(x < n);
        count[x % 3]++;
        die[rng_below(&r, 6)]++;
        EQ(rng_below(&r, 1), 0);
    }
    for (int i = 0; i < 3; i++)
        NEAR(count[i], DRAWS / 3.0, WELL * sqrt(DRAWS * (1 / 3.0) * (2 / 3.0)));
    for (int i = 0; i < 6; i++)
        NEAR(die[i], DRAWS / 6.0, WELL * sqrt(DRAWS * (1 / 6.0) * (5 / 6.0)));
    DIES(rng_below(&r, 0));
}

static void range_is_inclusive(void **state)
{
    (void)state;
    struct rng r = rng_stream(5, RNG_TEST, 0);
    int seen[11] = {0}, negative = 0, past_32_bits = 0;
    const int64_t wide = (int64_t)1 << 40;
    for (int i = 0; i < 2000; i++) {
        seen[rng_range(&r, -5, 5) + 5]++;
        negative += rng_range(&r, INT64_MIN, INT64_MAX) < 0;
        int64_t x = rng_range(&r, -wide, wide);
        assert_true(x >= -wide && x <= wide);
        past_32_bits += x > UINT32_MAX || x < -(int64_t)UINT32_MAX;
        EQ(rng_range(&r, INT64_MAX, INT64_MAX), INT64_MAX);
    }
    for (int i = 0; i < 11; i++)
        NEAR(seen[i], 2000 / 11.0, WELL * sqrt(2000 / 11.0));
    NEAR(negative, 1000, WELL * sqrt(500));
    assert_true(past_32_bits > 1900);
    DIES(rng_range(&r, 1, 0));
}

/* Of [0, 3 2^62) the lowest third would come half the time without the second
 * draw. */
static void wide_range_has_no_bias(void **state)
{
    (void)state;
    struct rng r = rng_stream(9, RNG_TEST, 0);
    const int64_t third = (int64_t)1 << 62, lo = INT64_MIN;
    int low = 0;
    for (int i = 0; i < DRAWS; i++)
        low += rng_range(&r, lo, lo + third + third - 1 + third) < lo + third;
    NEAR(low, DRAWS / 3.0, WELL * sqrt(DRAWS * (1 / 3.0) * (2 / 3.0)));
}

static void mean_and_variance(double (*draw)(struct rng *, double), double arg,
                              double variance, double excess)
{
    struct rng r = rng_stream(6, RNG_TEST, 0);
    double sum = 0, sum2 = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = draw(&r, arg);
        assert_true(x >= 0 && isfinite(x));
        sum += x;
        sum2 += (x - 1) * (x - 1);
    }
    NEAR(sum / DRAWS, 1, WELL * sqrt(variance / DRAWS));
    NEAR(sum2 / DRAWS, variance, WELL * variance * sqrt((2 + excess) / DRAWS));
}

static double draw_exp(struct rng *r, double unused)
{
    (void)unused;
    return rng_exp(r);
}

/* The gamma of mean 1 has variance 1/shape and excess kurtosis 6/shape. */
static void exp_and_gamma_have_their_moments(void **state)
{
    (void)state;
    mean_and_variance(draw_exp, 0, 1, 6);
    static const double shapes[] = {0.25, 0.9, 1, 4, 50};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        mean_and_variance(rng_gamma, shapes[i], 1 / shapes[i], 6 / shapes[i]);
    struct rng r = {0};
    DIES(rng_gamma(&r, 0));
    DIES(rng_gamma(&r, NAN));
}

static void gamma_moves_its_own_stream(void **state)
{
    (void)state;
    struct rng a = rng_stream(8, RNG_TEST, 0), b = a;
    double x = rng_gamma(&a, 2), y = rng_gamma(&b, 2);
    NEAR(x, y, 0);
    assert_true(rng_gamma(&a, 2) != x);
    rng_gamma(&b, 2);
    EQ(rng_u32(&a), rng_u32(&b));
}

static void trial_seeds_differ(void **state)
{
    (void)state;
    enum { N = 500 };
    uint64_t s[N + 1];
    for (uint64_t i = 0; i < N; i++)
        s[i] = rng_seed(1, i);
    s[N] = rng_seed(1, (uint64_t)1 << 32);
    for (int i = 0; i <= N; i++)
        for (int j = 0; j < i; j++)
            assert_true(s[i] != s[j]);
    assert_true(rng_seed(2, 0) != s[0]);
    EQ(rng_seed(1, 3), s[3]);
}

T_MAIN(cmocka_unit_test(is_philox), cmocka_unit_test(blocks_carry),
       cmocka_unit_test(streams_differ_and_repeat),
       cmocka_unit_test(unit_is_in_0_1), cmocka_unit_test(below_has_no_bias),
       cmocka_unit_test(range_is_inclusive),
       cmocka_unit_test(wide_range_has_no_bias),
       cmocka_unit_test(exp_and_gamma_have_their_moments),
       cmocka_unit_test(gamma_moves_its_own_stream),
       cmocka_unit_test(trial_seeds_differ))
