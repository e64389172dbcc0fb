/* Prices from a store of round numbers: vectors G1 and G2, tables against
 * op_time, and sums to the picosecond. */
#include "tests/t.h"

#include "sim/cost/price.h"
#include "sim/cost/shape.h"
#include "tests/unit/cost/fake_costs.h"

#include <time.h>

static struct arena *arena;
static struct llm_card llama, oss;
static struct gpu_card mi300x, h200;
static struct costs store;

static struct price_ask ask(const struct llm_card *m, int tp)
{
    struct op_costs *c = ARENA_NEW(arena, struct op_costs);
    *c = (struct op_costs){.gpu = &mi300x, .own = &store};
    return (struct price_ask){.llm = m,
                              .costs = c,
                              .tp = tp,
                              .kv = DT_BF16,
                              .max_num_batched_tokens = 8192,
                              .max_num_seqs = 1024,
                              .max_model_len = 32768,
                              .block_size = 16,
                              .graph_max = 512};
}

static const struct price *made(struct price_ask q)
{
    struct err e = {0};
    const struct price *p = price_new(&q, arena, &e);
    OK(p != NULL, e);
    return p;
}

static struct price_shape decode(uint32_t n, int64_t ctx, int64_t win)
{
    return (struct price_shape){.tokens = (int32_t)n,
                                .reqs = n,
                                .ones = n,
                                .ones_ctx = ctx,
                                .ones_win = win};
}

static void g1_padding(void **state)
{
    (void)state;
    static const int32_t pairs[][2] = {{1, 1},     {3, 4},     {5, 8},
                                       {9, 16},    {249, 256}, {257, 272},
                                       {512, 512}, {513, 513}};
    const struct price *p = made(ask(&llama, 1));
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        enum price_mode mode;
        EQ(price_padded(p, pairs[i][0], true, &mode), pairs[i][1]);
        EQ(mode, pairs[i][0] > 512 ? PRICE_EAGER : PRICE_FULL);
    }
}

static void g2_mixed_steps_run_in_pieces(void **state)
{
    (void)state;
    const struct price *p = made(ask(&llama, 1));
    enum price_mode mode;
    /* 63 decodes and a one-token prefill */
    EQ(price_padded(p, 64, true, &mode), 64);
    EQ(mode, PRICE_FULL);
    /* 63 decodes and a two-token chunk */
    EQ(price_padded(p, 65, false, &mode), 72);
    EQ(mode, PRICE_PIECEWISE);
    EQ(price_padded(p, 4096, false, &mode), 4096);
    EQ(mode, PRICE_EAGER);
}

static void eager_engines_have_no_graphs(void **state)
{
    (void)state;
    struct price_ask q = ask(&llama, 1);
    q.graph_max = 0;
    const struct price *p = made(q);
    enum price_mode mode;
    EQ(price_padded(p, 1, true, &mode), 1);
    EQ(mode, PRICE_EAGER);
    struct price_shape s = decode(3, 300, 300);
    EQ(price_step(p, &s), price_decode(p, 3, 300, 300));
    q.graph_max = 512;
    q.max_num_batched_tokens = 100; /* no size is larger than a step */
    EQ(price_padded(made(q), 97, true, &mode), 97);
    EQ(mode, PRICE_EAGER);
    q.max_num_batched_tokens = 8192;
    q.graph_max = 12; /* sizes 1 2 4 8 */
    p = made(q);
    EQ(price_padded(p, 9, true, &mode), 9);
    EQ(mode, PRICE_EAGER);
    EQ(price_padded(p, 7, true, &mode), 8);
}

/* ---- against op_time ---- */

static double direct(const struct price_ask *q, const struct shape_ops *o)
{
    double sum = 0;
    for (int i = 0; i < o->n; i++) {
        struct op_basis b;
        struct err e = {0};
        double s;
        OK(op_time(q->costs, &o->op[i].call, &s, &b, &e), e);
        sum += s * o->op[i].count;
    }
    return sum * 1e12;
}

static struct shape_ask cut(const struct price_ask *q)
{
    return (struct shape_ask){.llm = q->llm,
                              .gpu = q->costs->gpu,
                              .tp = q->tp,
                              .kv = q->kv,
                              .quick_reduce_int4 = q->quick_reduce_int4,
                              .fused_allreduce_norm = q->fused_allreduce_norm};
}

static double kernels(const int64_t *part)
{
    int64_t sum = 0;
    for (int i = 0; i < PART_N; i++)
        sum += i == PART_LAUNCH ? 0 : part[i];
    return (double)sum;
}

static void decode_is_the_list_of_its_operators(void **state)
{
    (void)state;
    struct price_ask q = ask(&llama, 4);
    const struct price *p = made(q);
    struct shape_ask s = cut(&q);
    for (int32_t n = 1; n <= 512; n += n < 16 ? 1 : 31) {
        enum price_mode mode;
        int32_t pad = price_padded(p, n, true, &mode);
        struct shape_ops o = {.n = 0};
        shape_tokens(&s, pad, PRICE_FULL, &o);
        shape_rows(&s, n, &o);
        shape_decode(&s, pad, n * 3001.0, n * 3001.0, &o);
        double want = direct(&q, &o);
        NEAR((double)price_decode(p, (uint32_t)n, n * 3001, n * 3001), want,
             want * 0.002);
    }
}

static double eager_error(const struct price_ask *q, int32_t tokens)
{
    struct shape_ask s = cut(q);
    const struct price *p = made(*q);
    double worst = 0;
    for (int32_t n = 513; n <= tokens; n += 1 + n / 997) {
        struct price_chunk c = {n, 0};
        struct price_shape step = {
            .tokens = n, .reqs = 1, .chunk = &c, .n_chunk = 1};
        int64_t part[PART_N];
        price_parts(p, &step, part);
        struct shape_ops o = {.n = 0};
        shape_tokens(&s, n, PRICE_EAGER, &o);
        shape_rows(&s, 1, &o);
        shape_chunk(&s, n, 0, &o);
        double want = direct(q, &o);
        worst = fmax(worst, fabs(kernels(part) - want) / want);
    }
    return worst;
}

static void grid_within_one_per_cent(void **state)
{
    (void)state;
    const struct llm_card *model[] = {&llama, &oss};
    for (int i = 0; i < 2; i++)
        for (int tp = 1; tp <= 8; tp *= 2) {
            struct price_ask q = ask(model[i], tp);
            q.max_num_batched_tokens = 131072;
            q.max_model_len = 131072;
            q.quick_reduce_int4 = tp == 4;
            double off = eager_error(&q, 131072);
            print_message("%s tp %d: grid within %.3f %%\n", model[i]->name, tp,
                          100 * off);
            assert_true(off < 0.01);
        }
}

static void chunks_over_a_past_within_one_per_cent(void **state)
{
    (void)state;
    const struct llm_card *model[] = {&llama, &oss};
    double worst = 0;
    for (int i = 0; i < 2; i++) {
        struct price_ask q = ask(model[i], 2);
        struct shape_ask s = cut(&q);
        const struct price *p = made(q);
        for (int32_t n = 2; n <= 8192; n += 1 + n / 7)
            for (int32_t past = 0; past + n <= 32768; past += 1 + past / 5) {
                struct price_chunk c = {n, past};
                struct price_shape step = {
                    .tokens = n, .reqs = 1, .chunk = &c, .n_chunk = 1};
                int64_t part[PART_N];
                price_parts(p, &step, part);
                struct shape_ops o = {.n = 0};
                shape_chunk(&s, n, past, &o);
                double want = direct(&q, &o);
                double off = fabs((double)part[PART_ATTN_PREFILL] - want);
                worst = fmax(worst, off / want);
            }
    }
    print_message("chunk attention within %.3f %%\n", 100 * worst);
    assert_true(worst < 0.01);
}

static void many_chunks_pay_one_launch(void **state)
{
    (void)state;
    struct price_ask q = ask(&llama, 1);
    const struct price *p = made(q);
    struct price_chunk c[3] = {{1000, 0}, {1000, 0}, {1000, 0}};
    int64_t t[4] = {0};
    for (uint32_t n = 1; n <= 3; n++) {
        struct price_shape s = {
            .tokens = 1000 * (int32_t)n, .reqs = n, .chunk = c, .n_chunk = n};
        int64_t part[PART_N];
        price_parts(p, &s, part);
        t[n] = part[PART_ATTN_PREFILL];
    }
    EQ(t[3] - t[2], t[2] - t[1]);
    struct shape_ask s = cut(&q);
    struct shape_ops o = {.n = 0};
    shape_chunk(&s, 1, 0, &o);
    double floor = direct(&q, &o);
    NEAR((double)(t[1] - (t[2] - t[1])), floor, 1);
}

/* ---- launches ---- */

static void eager_steps_are_bound_by_launches(void **state)
{
    (void)state;
    struct price_ask q = ask(&llama, 8);
    const struct price *p = made(q);
    struct price_chunk c = {30, 0};
    struct price_shape s = {.tokens = 31,
                            .reqs = 2,
                            .ones = 1,
                            .ones_ctx = 9,
                            .ones_win = 9,
                            .chunk = &c,
                            .n_chunk = 1};
    struct shape_ask cutting = cut(&q);
    int64_t part[PART_N];
    int64_t t = price_parts(p, &s, part);
    double launches = shape_launches(&cutting, PRICE_PIECEWISE, true, true);
    double host = launches * 12e6; /* 12 us each in the fake store */
    NEAR((double)t, fmax(host, kernels(part)), 1e6);
    q.graph_max = 0;
    p = made(q);
    launches = shape_launches(&cutting, PRICE_EAGER, true, false);
    t = price_decode(p, 1, 10, 10);
    NEAR((double)t, launches * 12e6, 1e6);
    s = decode(1, 10, 10);
    EQ(price_parts(p, &s, part), t);
    assert_true(part[PART_LAUNCH] > 0);
}

static void host_pieces(void **state)
{
    (void)state;
    const struct price *p = made(ask(&llama, 1));
    struct price_host h = price_hosts(p, 100, PRICE_FULL);
    EQ(h.schedule, 400 * 1000000);
    EQ(h.prepare, 1200 * 1000000);
    EQ(h.update, 480 * 1000000);
}

/* ---- what it rests on ---- */

static void basis_counts(void **state)
{
    (void)state;
    struct price_ask q = ask(&llama, 2);
    const struct price_basis *b = price_basis(made(q));
    /* gemm fp8 and bf16, quant, norm, decode, prefill, 2 all-reduces (custom
     * and RCCL), gather, sample, 4 of the host */
    EQ(b->ops, 14);
    EQ(b->laws, 0);
    EQ(b->uncalibrated, 0);
    NEAR(b->ape_median, 5, 1e-9);
    assert_null(b->law_ops[0]);
}

static void a_donor_is_said(void **state)
{
    (void)state;
    struct price_ask q = ask(&llama, 2);
    struct costs none = {.gpu = "x"};
    struct op_costs c = {
        .gpu = &h200, .own = &none, .donor_gpu = &mi300x, .donor = &store};
    q.costs = &c;
    const struct price_basis *b = price_basis(made(q));
    EQ(b->uncalibrated, b->ops);
}

static void an_absent_law_is_named(void **state)
{
    (void)state;
    struct price_ask q = ask(&llama, 2);
    struct costs part = store;
    struct op_costs c = {.gpu = &mi300x, .own = &part};
    struct err e = {0};
    part.n = 9; /* the all-reduces only */
    q.costs = &c;
    assert_null(price_new(&q, arena, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "gemm/fp8");
    STR_HAS(e.text, "llama-3.3-70b-fp8-dynamic, tp 2, on mi300x");
    q.kv = DT_MXFP4;
    assert_null(price_new(&q, arena, &e));
    EQ(e.kind, ERR_INPUT);
    q.kv = DT_BF16;
    q.graph_max = 1 << 20;
    assert_null(price_new(&q, arena, &e));
    STR_HAS(e.text, "captured size");
}

static void shapes_that_cannot_be_are_mistakes(void **state)
{
    (void)state;
    const struct price *p = made(ask(&llama, 1));
    struct price_chunk c = {9000, 0};
    struct price_shape s = {
        .tokens = 9000, .reqs = 1, .chunk = &c, .n_chunk = 1};
    DIES(price_step(p, &s));
    s = decode(1025, 2000, 2000);
    DIES(price_step(p, &s));
    s = decode(0, 0, 0);
    DIES(price_step(p, &s));
}

static void tables_are_quick(void **state)
{
    (void)state;
    struct price_ask q = ask(&oss, 1);
    q.max_num_batched_tokens = q.max_model_len = 131072;
    clock_t t = clock();
    made(q);
    double ms = 1e3 * (double)(clock() - t) / CLOCKS_PER_SEC;
    print_message("price_new: %.1f ms\n", ms);
    assert_true(ms < 500); /* 5 ms; sanitizers are slower */
}

int main(void)
{
    arena = arena_open();
    struct err e = {0};
    OK(card_llm("models", "llama-3.3-70b-fp8-dynamic", arena, &llama, &e), e);
    OK(card_llm("models", "gpt-oss-120b", arena, &oss, &e), e);
    OK(card_gpu("models", "mi300x", arena, &mi300x, &e), e);
    OK(card_gpu("models", "h200_sxm", arena, &h200, &e), e);
    store = fake_costs(arena);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(g1_padding),
        cmocka_unit_test(g2_mixed_steps_run_in_pieces),
        cmocka_unit_test(eager_engines_have_no_graphs),
        cmocka_unit_test(decode_is_the_list_of_its_operators),
        cmocka_unit_test(grid_within_one_per_cent),
        cmocka_unit_test(chunks_over_a_past_within_one_per_cent),
        cmocka_unit_test(many_chunks_pay_one_launch),
        cmocka_unit_test(eager_steps_are_bound_by_launches),
        cmocka_unit_test(host_pieces),
        cmocka_unit_test(basis_counts),
        cmocka_unit_test(a_donor_is_said),
        cmocka_unit_test(an_absent_law_is_named),
        cmocka_unit_test(shapes_that_cannot_be_are_mistakes),
        cmocka_unit_test(tables_are_quick),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return bad != 0;
}
