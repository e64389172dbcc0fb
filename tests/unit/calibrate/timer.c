#include "calibrate/gpu/timer.h"

#include "tests/unit/calibrate/null.h"

static struct timer_ask plain(const struct call *c)
{
    return (struct timer_ask){.call = c, .spans = 2};
}

static void median_is_the_laws(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(16, 512, 1024);
    struct timer_ask ask = plain(&c);
    struct timer_result r;
    (void)state;
    null_open(&n, null_plain);
    assert_true(timer_run(&n.t, &ask, &r, &e));
    NEAR(r.time.median_s, gpu_null_seconds(&c), 0.01 * gpu_null_seconds(&c));
    assert_true(r.worst <= 1);
    assert_true(isnan(r.meter.clock_hz));
    ask.vendor = true;
    assert_true(timer_run(&n.t, &ask, &r, &e));
    NEAR(r.time.median_s, gpu_null_seconds(&c), 0.01 * gpu_null_seconds(&c));
    STR_EQ(r.scheme, "null");
    null_close(&n);
}

static void wrong_is_not_timed(void **state)
{
    struct gpu_null_ask of = null_plain;
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(16, 512, 1024);
    struct timer_ask ask = plain(&c);
    struct timer_result r;
    (void)state;
    of.wrong = CALL_GEMM;
    null_open(&n, of);
    assert_false(timer_run(&n.t, &ask, &r, &e));
    EQ(e.kind, ERR_NO);
    assert_true(r.wrong);
    EQ(r.time.n, 0);
    assert_true(timer_alive(&n.t));
    null_close(&n);
}

static void no_vendor_is_said(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(16, 512, 1024);
    struct timer_ask ask = plain(&c);
    struct timer_result r;
    (void)state;
    null_open(&n, null_plain);
    const struct vendor *v = n.t.vendor;
    ask.vendor = true;
    n.t.vendor = NULL;
    assert_false(timer_run(&n.t, &ask, &r, &e));
    EQ(e.kind, ERR_NO);
    assert_false(r.wrong);
    STR_HAS(e.text, "vendor");
    n.t.vendor = v;
    null_close(&n);
}

static void lost_device_is_an_error(void **state)
{
    struct gpu_null_ask of = null_plain;
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(16, 512, 1024);
    struct timer_ask ask = plain(&c);
    struct timer_result r;
    (void)state;
    of.fail_after = 100;
    null_open(&n, of);
    assert_false(timer_run(&n.t, &ask, &r, &e));
    EQ(e.kind, ERR_SYSTEM);
    assert_false(timer_alive(&n.t));
    null_close(&n);
}

struct held {
    double last_s, call_s;
    int n;
};

static void told(void *to, double at_s, double call_s,
                 const struct meter_reading *m)
{
    struct held *h = to;
    assert_true(at_s > h->last_s);
    assert_false(m->known);
    h->last_s = at_s;
    h->call_s = call_s;
    h->n++;
}

static void hold_lasts(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(512, 512, 1024);
    struct timer_ask ask = plain(&c);
    struct held h = {0};
    (void)state;
    null_open(&n, null_plain);
    assert_true(timer_hold(&n.t, &ask, 0.2, told, &h, &e));
    assert_true(h.last_s >= 0.2 && h.last_s < 0.3);
    assert_true(h.n >= 5);
    NEAR(h.call_s, gpu_null_seconds(&c), 0.02 * gpu_null_seconds(&c));
    null_close(&n);
}

T_MAIN(cmocka_unit_test(median_is_the_laws),
       cmocka_unit_test(wrong_is_not_timed),
       cmocka_unit_test(no_vendor_is_said),
       cmocka_unit_test(lost_device_is_an_error), cmocka_unit_test(hold_lasts))
