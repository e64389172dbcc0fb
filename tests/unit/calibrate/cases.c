#include "calibrate/gpu/cases.h"

#include "tests/t.h"

/* Every operation that computes something has cases, and both cache formats,
 * both blocks, pasts and windows occur. */
static void cover_every_operation(void **state)
{
    int of[CALL_N] = {0}, fp8 = 0, block64 = 0, past = 0, window = 0, wide = 0;
    (void)state;
    for (const struct cases_one *c = cases_all; c->call.op != CALL_N; c++) {
        const struct call_attn *a = &c->call.attn;
        char name[200];
        cases_name(&c->call, name, sizeof name);
        assert_true(strlen(name) > 3 && strlen(name) < sizeof name - 1);
        of[c->call.op]++;
        if (c->call.op != CALL_PREFILL && c->call.op != CALL_DECODE)
            continue;
        fp8 += a->kv == CALL_FP8;
        block64 += a->block == 64;
        past += c->call.op == CALL_PREFILL && a->kv_len > a->q_len;
        window += a->window > 0;
        wide += a->heads / a->kv_heads > 8;
    }
    for (int i = 0; i < CALL_N; i++)
        assert_true(of[i] > 0 || i == CALL_EMPTY);
    assert_true(fp8 > 2 && block64 > 2 && past > 2 && window > 2 && wide > 0);
}

T_MAIN(cmocka_unit_test(cover_every_operation))
