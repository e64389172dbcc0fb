#include "tests/unit/calibrate/null.h"

/* Its clock is its law's, with the noise that was asked for. */
static void time_is_the_law(void **state)
{
    enum { N = 400 };
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(8, 4096, 4096);
    double want = gpu_null_seconds(&c), sum = 0, squares = 0;
    (void)state;
    null_open(&n, null_plain);
    for (int i = 0; i < N; i++) {
        double s;
        assert_true(GPU_DO(&n.g, &e, mark, 0));
        assert_true(GPU_DO(&n.g, &e, launch, &c));
        assert_true(GPU_DO(&n.g, &e, mark, 1));
        assert_true(GPU_DO(&n.g, &e, between, 0, 1, &s));
        sum += s / want - 1;
        squares += (s / want - 1) * (s / want - 1);
    }
    NEAR(sum / N, 0, 4 * 0.01 / sqrt(N));
    NEAR(sqrt(squares / N), 0.01, 0.002);
    null_close(&n);
}

static void law_has_its_limits(void **state)
{
    struct call small = null_gemm(1, 8192, 8192), large = small;
    (void)state;
    large.gemm.m = 8192;
    /* weights at the memory's rate; multiplications at the peak */
    NEAR(gpu_null_seconds(&small), 3.5e-6 + 2.0 * 8192 * 8192 / 3e12, 1e-7);
    NEAR(gpu_null_seconds(&large), 2.0 * 8192 * 8192 * 8192 / 6e14, 3e-5);
}

static double two_seconds(void *to, const struct call *c)
{
    (void)c;
    return *(const double *)to;
}

static void law_may_be_the_callers(void **state)
{
    double two = 2, s;
    struct gpu_null_ask ask = {.wrong = CALL_N, .law = two_seconds, .to = &two};
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(1, 16, 32);
    struct null n;
    (void)state;
    null_open(&n, ask);
    assert_true(GPU_DO(&n.g, &e, mark, 0));
    assert_true(GPU_DO(&n.g, &e, launch, &c));
    assert_true(GPU_DO(&n.g, &e, mark, 1));
    assert_true(GPU_DO(&n.g, &e, between, 0, 1, &s));
    NEAR(s, 2, 1e-12);
    null_close(&n);
}

static void graphs_hold_calls(void **state)
{
    struct gpu_null_ask ask = null_plain;
    struct plugin_graph *g;
    struct err e = {ERR_NONE, ""};
    struct call c = {.op = CALL_EMPTY};
    struct null n;
    double s;
    (void)state;
    ask.noise = 0;
    null_open(&n, ask);
    assert_true(GPU_DO(&n.g, &e, mark, 0));
    assert_true(GPU_DO0(&n.g, &e, record));
    for (int i = 0; i < 7; i++)
        assert_true(GPU_DO(&n.g, &e, launch, &c));
    assert_true(GPU_DO(&n.g, &e, keep, &g));
    for (int i = 0; i < 3; i++)
        assert_true(GPU_DO(&n.g, &e, replay, g));
    assert_true(GPU_DO(&n.g, &e, mark, 1));
    assert_true(GPU_DO(&n.g, &e, between, 0, 1, &s));
    NEAR(s, 21 * gpu_null_seconds(&c), 1e-12);
    n.g.p->drop(n.g.d, g);
    null_close(&n);
}

static void is_lost_when_asked(void **state)
{
    struct gpu_null_ask ask = null_plain;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(1, 16, 32);
    struct null n;
    (void)state;
    ask.fail_after = 2;
    null_open(&n, ask);
    assert_true(GPU_DO(&n.g, &e, launch, &c));
    assert_true(GPU_DO(&n.g, &e, launch, &c));
    assert_false(GPU_DO(&n.g, &e, launch, &c));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "the device is lost");
    assert_false(timer_alive(&n.t));
    null_close(&n);
}

T_MAIN(cmocka_unit_test(time_is_the_law), cmocka_unit_test(law_has_its_limits),
       cmocka_unit_test(law_may_be_the_callers),
       cmocka_unit_test(graphs_hold_calls),
       cmocka_unit_test(is_lost_when_asked))
