#include "calibrate/gpu/bed.h"

#include "tests/unit/calibrate/null.h"

enum { MIB = 1 << 20 };

/* Weights of two turns share nothing, and all turns together are more than
 * twice the last-level cache (50 MiB here). */
static void weights_move_on(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(4, 1024, 1024), first = c;
    int turns;
    (void)state;
    null_open(&n, null_plain);
    assert_true(bed_reserve(n.t.bed, &c, BED_BALANCED, 512, &turns, &e));
    assert_true((double)turns * 2 * MIB > 2 * 50.0 * MIB);
    bed_place(n.t.bed, &first, 0);
    for (int t = 1; t < turns; t++) {
        bed_place(n.t.bed, &c, t);
        EQ((const char *)c.gemm.w.at - (const char *)first.gemm.w.at,
           (long long)t * 2 * MIB);
        EQ(c.gemm.w.fill.first, (uint64_t)t * MIB);
        assert_ptr_equal(c.gemm.x.at, first.gemm.x.at);
    }
    null_close(&n);
}

static void large_weights_need_no_turns(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(1, 65536, 8192);
    int turns;
    (void)state;
    null_open(&n, null_plain);
    assert_true(bed_reserve(n.t.bed, &c, BED_BALANCED, 512, &turns, &e));
    EQ(turns, 2);
    null_close(&n);
}

/* Blocks of all turns are a permutation, so no two turns share one. */
static void tables_are_a_permutation(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = {.op = CALL_DECODE};
    char seen[10000] = {0};
    int turns, all = 0;
    (void)state;
    c.attn = (struct call_attn){.batch = 3,
                                .q_len = 1,
                                .kv_len = 100,
                                .heads = 8,
                                .kv_heads = 2,
                                .head_dim = 64,
                                .block = 16};
    null_open(&n, null_plain);
    assert_true(bed_reserve(n.t.bed, &c, BED_BALANCED, 20, &turns, &e));
    EQ(turns, 20);
    for (int t = 0; t < turns; t++) {
        bed_place(n.t.bed, &c, t);
        EQ(c.attn.table_stride, 7);
        for (int i = 0; i < 3 * 7; i++, all++) {
            int block = c.attn.table_host[i];
            assert_in_range(block, 0, 20 * 21 - 1);
            assert_false(seen[block]);
            seen[block] = 1;
        }
    }
    EQ(all, 20 * 21);
    null_close(&n);
}

static void route(enum bed_routing routing, int *count, int experts)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = {.op = CALL_MOE};
    int turns;
    c.moe = (struct call_moe){.tokens = 256,
                              .hidden = 64,
                              .inter = 64,
                              .experts = experts,
                              .topk = 4};
    null_open(&n, null_plain);
    assert_true(bed_reserve(n.t.bed, &c, routing, 1, &turns, &e));
    bed_place(n.t.bed, &c, 0);
    memset(count, 0, (size_t)experts * sizeof *count);
    for (int i = 0; i < 256; i++)
        for (int k = 0; k < 4; k++) {
            int x = c.moe.expert_host[4 * i + k];
            assert_in_range(x, 0, experts - 1);
            for (int j = 0; j < k; j++)
                assert_int_not_equal(x, c.moe.expert_host[4 * i + j]);
            assert_true(c.moe.weight_host[4 * i + k] > 0);
            count[x]++;
        }
    null_close(&n);
}

static void experts_are_dealt_or_drawn(void **state)
{
    int count[32], most = 0;
    (void)state;
    route(BED_BALANCED, count, 32);
    for (int i = 0; i < 32; i++)
        EQ(count[i], 32);
    route(BED_SKEWED, count, 32);
    for (int i = 0; i < 32; i++)
        most = count[i] > most ? count[i] : most;
    assert_true(most > 4 * 32); /* the first rank: nearly every token */
}

static void memory_runs_out(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct call c = null_gemm(1 << 20, 1 << 20, 32);
    int turns;
    (void)state;
    null_open(&n, null_plain);
    assert_false(bed_reserve(n.t.bed, &c, BED_BALANCED, 1, &turns, &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "out of memory");
    STR_HAS(e.text, "MiB");
    c = null_gemm(1, 16, 32); /* and it goes on */
    assert_true(bed_reserve(n.t.bed, &c, BED_BALANCED, 1, &turns, &e));
    null_close(&n);
}

T_MAIN(cmocka_unit_test(weights_move_on),
       cmocka_unit_test(large_weights_need_no_turns),
       cmocka_unit_test(tables_are_a_permutation),
       cmocka_unit_test(experts_are_dealt_or_drawn),
       cmocka_unit_test(memory_runs_out))
