/* Prefill and decode apart, and the pairing worked out from them. */
#include "tests/t.h"

#include "sim/plan/phases.h"
#include "tests/unit/plan/plan_fix.h"

static struct plan_fix *fix;

static struct phases ran(const char *phases, int workers)
{
    struct phases p;
    struct err e = {0};
    struct scenario *s = plan_read(
        fix, arena_fmt(fix->a, "{" PLAN_BASE ", \"phases\": %s}", phases));
    struct phases_ask ask = {.s = s, .workers = workers};
    OK(phases_run(&ask, fix->a, &p, &e), e);
    return p;
}

static void points_and_figures(void **state)
{
    (void)state;
    struct phases p = ran("{\"tp\": [1, 2], \"prefill_concurrency\": [1, 4], "
                          "\"decode_concurrency\": [2, 8, 16], "
                          "\"requests\": 40}",
                          2);
    EQ(p.n, 2 * 2 + 2 * 3);
    EQ(p.n_prefill, 4);
    EQ(p.n_pair, 0);
    for (size_t i = 0; i < p.n; i++) {
        const struct phases_point *k = &p.point[i];
        assert_true(k->ok);
        EQ(k->decode, i >= 4);
        EQ(k->tp, i < 4 ? 1 + (int)i / 2 : 1 + (int)(i - 4) / 3);
        EQ(k->out.requests, 40);
        NEAR(k->req_s, 40 / k->out.duration_s, 1e-9);
        NEAR(k->tpsu, k->tok_s / (double)k->concurrency, 1e-9);
        if (k->decode)
            NEAR(k->tok_s, 20 * k->req_s, 1e-6);
        else
            NEAR(k->tok_s, 500 * k->req_s, 1e-6);
        EQ(k->out.output_tokens, k->decode ? 800 : 40);
    }
    EQ(p.point[0].concurrency, 1);
    EQ(p.point[9].concurrency, 16);
}

/* Decode has its cache filled: no prompt is computed, TTFT is a step. */
static void decode_does_not_prefill(void **state)
{
    (void)state;
    struct phases p = ran("{\"tp\": [1], \"prefill_concurrency\": [1], "
                          "\"decode_concurrency\": [1], \"requests\": 5}",
                          1);
    const struct outcome *pre = &p.point[0].out, *dec = &p.point[1].out;
    assert_true(dec->ttft.mean < pre->ttft.mean);
    NEAR(dec->ttft.mean, dec->itl.mean, 0.2 * dec->itl.mean);
}

static void pairs(void **state)
{
    (void)state;
    struct phases p = ran(
        "{\"tp\": [1, 2], \"prefill_concurrency\": [1, 4, 8], "
        "\"decode_concurrency\": [4, 32], \"requests\": 64, "
        "\"pair_prefill_tp\": 1, \"pair_decode_tp\": [2]}",
        2);
    double best = 0;
    for (size_t i = 0; i < 3; i++)
        best = fmax(best, p.point[i].req_s);
    EQ(p.n_pair, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct phases_pair *k = &p.pair[i];
        const struct phases_point *d = &p.point[p.n_prefill + 2 + i];
        EQ(d->tp, 2);
        EQ(k->prefill_tp, 1);
        EQ(k->decode_tp, 2);
        EQ(k->concurrency, d->concurrency);
        double n = (double)k->p_engines;
        assert_true(n * best >= d->req_s && (n - 1) * best < d->req_s);
        EQ(k->gpus, k->p_engines + 2);
        NEAR(k->tpsg, d->tok_s / (double)k->gpus, 1e-9);
        NEAR(k->tpsu, d->tpsu, 0);
    }
    p = ran("{\"tp\": [1], \"prefill_concurrency\": [1], "
            "\"decode_concurrency\": [4], \"requests\": 4, "
            "\"pair_prefill_tp\": 4}",
            1);
    EQ(p.n_pair, 0); /* no such prefill point */
}

static void refusals(void **state)
{
    (void)state;
    struct phases p = ran("{\"tp\": [1, 64], \"prefill_concurrency\": [1], "
                          "\"decode_concurrency\": [1], \"requests\": 2}",
                          1);
    assert_true(p.point[0].ok && !p.point[1].ok && p.point[2].ok);
    STR_HAS(p.point[1].why, "agg-tp64 needs 64 GPUs");
    STR_HAS(p.point[3].why, "agg-tp64 needs 64 GPUs");
    struct err e = {0};
    struct phases_ask ask = {.s = plan_read(fix, "{" PLAN_BASE "}"),
                             .workers = 1};
    assert_false(phases_run(&ask, fix->a, &p, &e));
    STR_HAS(e.text, "no \"phases\"");
    static const volatile sig_atomic_t stop = 1;
    ask.s = plan_read(fix, "{" PLAN_BASE ", \"phases\": {}}");
    ask.stop = &stop;
    assert_false(phases_run(&ask, fix->a, &p, &e));
    EQ(e.kind, ERR_SYSTEM);
}

static int open_fix(void **state)
{
    (void)state;
    fix = plan_open();
    return 0;
}

static int close_fix(void **state)
{
    (void)state;
    plan_close(fix);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_fix, close_fix)

T_MAIN(TEST(points_and_figures), TEST(decode_does_not_prefill), TEST(pairs),
       TEST(refusals))
