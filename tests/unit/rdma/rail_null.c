#include "tests/t.h"

#include "calibrate/rdma/feed.h"

static const struct rail_law law = {
    .latency_s = {6e-6, 5e-6},
    .flow_Bps = {10e9, 12e9},
    .rail_Bps = {40e9, 50e9},
    .gap_s = 0.1e-6,
    .incast = 0.8,
    .both = 0.9,
    .post_s = 1e-9,
    .post_base_s = 1e-8,
};

static struct rail *open_null(const struct rail_law *l)
{
    struct rail *r;
    struct err e = {ERR_NONE, ""};
    const struct rail_ask ask = {.device = "null0",
                                 .bytes = 1 << 20,
                                 .qps = RAIL_QPS,
                                 .law = l,
                                 .seed = 3};
    OK(rail_find("null")->open(&ask, &r, &e), e);
    return r;
}

/* Of a batch, less what its first chain took to post. */
static double batch(struct rail *r, enum rail_op op, uint64_t bytes, uint32_t n,
                    uint32_t qps)
{
    struct feed_job j = {.op = op, .bytes = bytes, .messages = n, .qps = qps};
    struct feed_took took;
    struct err e = {ERR_NONE, ""};
    OK(feed_run(r, &j, 1, &took, &e), e);
    uint32_t part = n / qps, first = part < RAIL_CHAIN ? part : RAIL_CHAIN;
    return took.seconds - 1e-8 - 1e-9 * first;
}

static void a_message_alone(void **state)
{
    (void)state;
    struct rail *r = open_null(&law);
    NEAR(batch(r, RAIL_READ, 4096, 1, 1), 6e-6 + 4096 / 10e9, 1e-15);
    NEAR(batch(r, RAIL_WRITE, 1 << 20, 1, 1), 5e-6 + 1048576 / 12e9, 1e-15);
    r->ops->close(r);
}

static void batches_follow_the_law(void **state)
{
    (void)state;
    struct rail *r = open_null(&law);
    /* 256 x 64 KiB: bound by the pair, then by the port */
    double pair = 6e-6 + 256 * 65536 / 10e9;
    double port = 6e-6 + 256 * (0.1e-6 + 65536 / 40e9);
    NEAR(batch(r, RAIL_READ, 65536, 256, 1), pair, 1e-6 * pair);
    NEAR(batch(r, RAIL_READ, 65536, 256, 2), 6e-6 + (pair - 6e-6) / 2,
         1e-3 * pair);
    NEAR(batch(r, RAIL_READ, 65536, 256, 16), port, 1e-3 * port);
    /* by the number of messages: 256 x (0.1 us + 64 B at 40 GB/s) */
    NEAR(batch(r, RAIL_READ, 64, 256, 16), 6e-6 + 256 * 0.1016e-6, 2e-7);
    r->ops->close(r);
}

static void a_crowd_narrows_the_port(void **state)
{
    (void)state;
    struct rail *r = open_null(&law);
    struct rail_crowd crowd = {.senders = 4};
    r->ops->begin(r, &crowd);
    double t = 5e-6 + 64 * (0.1e-6 + 65536 / (50e9 * 0.8 / 4));
    NEAR(batch(r, RAIL_WRITE, 65536, 64, 16), t, 1e-3 * t);
    crowd = (struct rail_crowd){.senders = 1, .both = true};
    r->ops->begin(r, &crowd);
    t = 5e-6 + 64 * (0.1e-6 + 65536 / (50e9 * 0.9));
    NEAR(batch(r, RAIL_WRITE, 65536, 64, 16), t, 1e-3 * t);
    r->ops->close(r);
}

static void noise_is_of_the_seed(void **state)
{
    (void)state;
    struct rail_law noisy = law;
    noisy.noise = 0.1;
    struct rail *r = open_null(&noisy), *same = open_null(&noisy);
    double t = 6e-6 + 1048576 / 10e9, sum = 0;
    for (int i = 0; i < 100; i++) {
        double x = batch(r, RAIL_READ, 1 << 20, 1, 1);
        NEAR(x, t, 0.1 * t);
        NEAR(x, batch(same, RAIL_READ, 1 << 20, 1, 1), 0);
        sum += x;
    }
    NEAR(sum / 100, t, 0.02 * t);
    r->ops->close(r);
    same->ops->close(same);
    same = NULL;
    rail_find("null")->close(same);
}

static void the_table_has_both(void **state)
{
    (void)state;
    STR_EQ(rail_find("verbs")->name, "verbs");
    assert_null(rail_find("tcp"));
    size_t n = 0;
    while (rail_table[n])
        n++;
    EQ(n, 2);
}

T_MAIN(cmocka_unit_test(a_message_alone),
       cmocka_unit_test(batches_follow_the_law),
       cmocka_unit_test(a_crowd_narrows_the_port),
       cmocka_unit_test(noise_is_of_the_seed),
       cmocka_unit_test(the_table_has_both))
