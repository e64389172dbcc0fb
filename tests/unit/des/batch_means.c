#include "sim/des/batch_means.h"

#include "sim/des/rng.h"
#include "tests/t.h"

/* 1 ... 10: mean 5.5, standard deviation 3.0276504; Student's t of 9 degrees
 * at 0.975 is 2.2621572 in any table. */
static void one_to_ten(void **state)
{
    (void)state;
    struct batch_means b = {0};
    for (int i = 1; i <= 10; i++) {
        batch_means_add(&b, i);
        batch_means_add(&b, NAN);
    }
    EQ(b.n, 10);
    NEAR(b.mean, 5.5, 1e-12);
    NEAR(batch_means_half95(&b), 2.2621572 * 3.0276504 / sqrt(10), 1e-6);
}

static void few_say_nothing(void **state)
{
    (void)state;
    struct batch_means b = {0};
    assert_true(isnan(batch_means_half95(&b)));
    batch_means_add(&b, 3);
    assert_true(isnan(batch_means_half95(&b)));
    batch_means_add(&b, 3);
    NEAR(batch_means_half95(&b), 0, 0);
}

/* Of 2,000 runs of 10 normal-ish batches about 95 % hold the true mean. */
static void covers_the_mean(void **state)
{
    (void)state;
    enum { RUNS = 2000 };
    struct rng r = rng_stream(1, RNG_TEST, 0);
    int held = 0;
    for (int i = 0; i < RUNS; i++) {
        struct batch_means b = {0};
        for (int k = 0; k < 10; k++)
            batch_means_add(&b, rng_gamma(&r, 200));
        held += fabs(b.mean - 1) <= batch_means_half95(&b);
    }
    NEAR(held, 0.95 * RUNS, 4 * sqrt(RUNS * 0.95 * 0.05));
}

T_MAIN(cmocka_unit_test(one_to_ten), cmocka_unit_test(few_say_nothing),
       cmocka_unit_test(covers_the_mean))
