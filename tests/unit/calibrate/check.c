#include "calibrate/gpu/check.h"

#include "calibrate/gpu/cases.h"
#include "tests/unit/calibrate/null.h"

/* Every case of the list, on a device that is right. */
static void right_results_pass(void **state)
{
    struct null n;
    (void)state;
    null_open(&n, null_plain);
    for (const struct cases_one *c = cases_all; c->call.op != CALL_N; c++) {
        struct err e = {ERR_NONE, ""};
        struct check k = {.spans = 3, .seed = 1};
        struct call call = c->call;
        int turns;
        if (n.g.p->lacks(&call))
            continue;
        assert_true(bed_reserve(n.t.bed, &call, c->routing, 2, &turns, &e));
        bed_place(n.t.bed, &call, turns - 1);
        if (!check_call(&n.g, &call, NULL, &k, n.a, &e))
            fail_msg("%s", e.text);
        assert_true(k.worst <= 1);
    }
    null_close(&n);
}

static void wrong_results_do_not(void **state)
{
    int wrong = 0;
    (void)state;
    for (const struct cases_one *c = cases_all; c->call.op != CALL_N; c++) {
        struct gpu_null_ask ask = null_plain;
        struct err e = {ERR_NONE, ""};
        struct check k = {.spans = 1, .seed = 1};
        struct call call = c->call;
        struct null n;
        int turns;
        ask.wrong = call.op;
        null_open(&n, ask);
        assert_true(bed_reserve(n.t.bed, &call, c->routing, 1, &turns, &e));
        bed_place(n.t.bed, &call, 0);
        if (!n.g.p->lacks(&call)) {
            assert_false(check_call(&n.g, &call, NULL, &k, n.a, &e));
            EQ(e.kind, ERR_NO);
            STR_HAS(e.text, "element");
            wrong++;
        }
        null_close(&n);
    }
    assert_true(wrong > 20);
}

/* What a kernel did not write is not a number, and is found. */
static bool do_nothing(void *to, const struct call *c, struct err *e)
{
    (void)to;
    (void)c;
    (void)e;
    return true;
}

static void unwritten_results_do_not(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct check k = {.spans = 1, .seed = 1};
    struct check_runner lazy = {do_nothing, NULL};
    struct call call = null_gemm(2, 16, 32);
    int turns;
    (void)state;
    null_open(&n, null_plain);
    assert_true(bed_reserve(n.t.bed, &call, BED_BALANCED, 1, &turns, &e));
    bed_place(n.t.bed, &call, 0);
    /* the null device makes results of the last launch: there was none */
    assert_false(check_call(&n.g, &call, &lazy, &k, n.a, &e));
    EQ(e.kind, ERR_NO);
    null_close(&n);
}

T_MAIN(cmocka_unit_test(right_results_pass),
       cmocka_unit_test(wrong_results_do_not),
       cmocka_unit_test(unwritten_results_do_not))
