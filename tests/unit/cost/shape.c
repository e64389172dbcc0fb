/* Vectors O1-O4 and the list of operators of a step. */
#include "tests/t.h"

#include "sim/cost/shape.h"

static struct arena *arena;
static struct llm_card llama, oss, qwen;
static struct gpu_card mi300x, h200;

static struct shape_ask ask(const struct llm_card *m, const struct gpu_card *g,
                            int tp)
{
    return (struct shape_ask){.llm = m, .gpu = g, .tp = tp, .kv = DT_BF16};
}

static void o1_experts_touched(void **state)
{
    (void)state;
    static const double want[] = {4.0,  7.9,   15.3,  28.7, 51.0,
                                  81.7, 111.2, 125.8, 128.0};
    for (int i = 0; i < 9; i++)
        NEAR(shape_active(128, 4, ldexp(1, i)), want[i], 0.05);
}

static void o2_rocm_padding(void **state)
{
    (void)state;
    NEAR(shape_inter(&oss, &mi300x, 1), 3072, 0);
    NEAR(shape_inter(&oss, &mi300x, 2), 1536, 0);
    NEAR(shape_inter(&oss, &mi300x, 8), 512, 0);
    NEAR(shape_hidden(&oss, &mi300x), 3072, 0);
    NEAR(shape_inter(&oss, &h200, 8), 360, 0);
    NEAR(shape_inter(&qwen, &mi300x, 8), 192, 0);
    NEAR(shape_hidden(&qwen, &mi300x), 4096, 0);
}

static enum comm_algo algo(const struct llm_card *m, const struct gpu_card *g,
                           int tp, bool quick, double tokens)
{
    struct shape_ask s = ask(m, g, tp);
    s.quick_reduce_int4 = quick;
    return shape_algo(&s, tokens * m->hidden * 2);
}

static void o3_custom_below_8_mib(void **state)
{
    (void)state;
    for (int tp = 2; tp <= 8; tp *= 2) {
        EQ(algo(&oss, &mi300x, tp, false, 1), COMM_CUSTOM);
        EQ(algo(&oss, &mi300x, tp, false, 1456), COMM_CUSTOM);
        EQ(algo(&oss, &mi300x, tp, false, 1457), COMM_RCCL);
        EQ(algo(&llama, &mi300x, tp, false, 511), COMM_CUSTOM);
        EQ(algo(&llama, &mi300x, tp, false, 512), COMM_RCCL);
    }
}

static void o4_quick_reduce_thresholds(void **state)
{
    (void)state;
    EQ(algo(&llama, &mi300x, 2, true, 63), COMM_CUSTOM);
    EQ(algo(&llama, &mi300x, 2, true, 64), COMM_QR_INT4);
    for (int tp = 4; tp <= 8; tp *= 2) {
        EQ(algo(&llama, &mi300x, tp, true, 127), COMM_CUSTOM);
        EQ(algo(&llama, &mi300x, tp, true, 128), COMM_QR_INT4);
    }
    EQ(algo(&oss, &mi300x, 2, true, 182), COMM_CUSTOM);
    EQ(algo(&oss, &mi300x, 2, true, 183), COMM_QR_INT4);
    EQ(algo(&llama, &mi300x, 8, true, 131072), COMM_QR_INT4);
    EQ(algo(&llama, &mi300x, 8, true, 131073), COMM_RCCL); /* above 2 GiB */
    EQ(algo(&llama, &h200, 8, true, 128), COMM_CUSTOM);    /* AMD only */
}

static void captured_sizes(void **state)
{
    (void)state;
    int32_t size[128];
    EQ(shape_captures(512, size, 128), 51);
    EQ(size[0], 1);
    EQ(size[1], 2);
    EQ(size[2], 4);
    EQ(size[3], 8);
    EQ(size[33], 248);
    EQ(size[34], 256);
    EQ(size[35], 272);
    EQ(size[50], 512);
    EQ(shape_captures(1024, size, 128), 83);
    EQ(shape_captures(0, size, 128), 0);
    EQ(shape_captures(12, size, 128), 4);
}

static void pairs_count_keys_seen(void **state)
{
    (void)state;
    for (int past = 0; past < 12; past++)
        for (int n = 1; n < 12; n++)
            for (int w = 0; w < 8; w++) {
                double want = 0;
                for (int i = past; i < past + n; i++)
                    want += w && i + 1 > w ? w : i + 1;
                NEAR(shape_pairs(n, past, w), want, 0);
            }
}

/* FLOPs and bytes of the GEMMs in a list. */
static double gemm_flops(const struct shape_ops *o)
{
    double sum = 0;
    for (int i = 0; i < o->n; i++)
        if (o->op[i].call.kind == OP_GEMM)
            sum += o->op[i].count * 2 * o->op[i].call.m * o->op[i].call.n
                 * o->op[i].call.k;
    return sum;
}

static void llama_linears_are_68_billion(void **state)
{
    (void)state;
    for (int tp = 1; tp <= 8; tp *= 2) {
        struct shape_ask s = ask(&llama, &mi300x, tp);
        struct shape_ops o = {.n = 0};
        shape_tokens(&s, 1, PRICE_EAGER, &o);
        NEAR(gemm_flops(&o) / 2 * tp, 68.45e9, 0.01e9);
        o.n = 0;
        shape_rows(&s, 1, &o);
        NEAR(gemm_flops(&o) / 2 * tp, 1.05e9, 0.01e9);
    }
}

static int find(const struct shape_ops *o, enum op_kind kind)
{
    for (int i = 0; i < o->n; i++)
        if (o->op[i].call.kind == kind)
            return i;
    return -1;
}

static double count(const struct shape_ops *o, enum op_kind kind)
{
    double sum = 0;
    for (int i = 0; i < o->n; i++)
        sum += o->op[i].call.kind == kind ? o->op[i].count : 0;
    return sum;
}

static void sums_are_two_a_layer_and_the_embedding(void **state)
{
    (void)state;
    struct shape_ask s = ask(&llama, &mi300x, 4);
    struct shape_ops o = {.n = 0};
    shape_tokens(&s, 40, PRICE_FULL, &o);
    NEAR(count(&o, OP_ALLREDUCE), 161, 0);
    NEAR(o.op[find(&o, OP_ALLREDUCE)].call.bytes, 40 * 8192 * 2, 0);
    shape_rows(&s, 32, &o);
    NEAR(o.op[find(&o, OP_ALLGATHER)].call.bytes, 32 * 128256 * 2.0, 0);
    s.tp = 1;
    o.n = 0;
    shape_tokens(&s, 40, PRICE_FULL, &o);
    shape_rows(&s, 32, &o);
    NEAR(count(&o, OP_ALLREDUCE) + count(&o, OP_ALLGATHER), 0, 0);
}

static void fp8_quantises_what_is_not_fused(void **state)
{
    (void)state;
    struct shape_ask s = ask(&llama, &mi300x, 1);
    struct shape_ops o = {.n = 0};
    shape_tokens(&s, 64, PRICE_FULL, &o);
    NEAR(count(&o, OP_QUANT), 80, 0); /* attention's output only */
    NEAR(o.op[find(&o, OP_QUANT)].call.k, 8192, 0);
    EQ(o.op[find(&o, OP_QUANT)].call.act_static, false);
    struct llm_card block = llama;
    block.linear = DT_FP8_BLOCK;
    s.llm = &block;
    o.n = 0;
    shape_tokens(&s, 64, PRICE_FULL, &o);
    NEAR(count(&o, OP_QUANT), 4 * 80, 0);
    block.linear = DT_BF16;
    o.n = 0;
    shape_tokens(&s, 64, PRICE_FULL, &o);
    NEAR(count(&o, OP_QUANT), 0, 0);
}

static void fusion_drops_norms_on_cuda_only(void **state)
{
    (void)state;
    struct shape_ask s = ask(&llama, &h200, 2), r = ask(&llama, &mi300x, 2);
    struct shape_ops plain = {.n = 0}, fused = {.n = 0}, rocm = {.n = 0};
    shape_tokens(&s, 64, PRICE_FULL, &plain);
    s.fused_allreduce_norm = r.fused_allreduce_norm = true;
    shape_tokens(&s, 64, PRICE_FULL, &fused);
    shape_tokens(&r, 64, PRICE_FULL, &rocm);
    NEAR(count(&plain, OP_NORM) - count(&fused, OP_NORM), 161, 0);
    /* the KV write is inside CUDA's decode attention */
    NEAR(count(&rocm, OP_NORM) - count(&plain, OP_NORM), 80, 0);
    /* per-token scales cannot be part of it */
    NEAR(count(&fused, OP_QUANT) - count(&plain, OP_QUANT), 160, 0);
}

static void experts_see_padded_rows(void **state)
{
    (void)state;
    struct shape_ask s = ask(&oss, &mi300x, 2);
    struct shape_ops o = {.n = 0};
    shape_tokens(&s, 16, PRICE_FULL, &o);
    const struct shape_op *moe = &o.op[find(&o, OP_MOE)];
    NEAR(moe->count, 36, 0);
    NEAR(moe->call.tokens, 16, 0);
    NEAR(moe->call.inter, 1536, 0);
    NEAR(moe->call.hidden, 3072, 0);
    NEAR(moe->call.active, 51.0, 0.05);
    EQ(moe->call.dtype, DT_MXFP4);
    /* the router is whole on every rank */
    int i = 0;
    while (o.op[i].part != PART_MOE)
        i++;
    NEAR(o.op[i].call.n, 128, 0);
    NEAR(o.op[i].call.k, 2880, 0);
}

static void attention_by_kind_of_layer(void **state)
{
    (void)state;
    struct shape_ask s = ask(&oss, &mi300x, 8);
    struct shape_ops o = {.n = 0};
    shape_decode(&s, 4, 16384, 512, &o);
    EQ(o.n, 2);
    NEAR(o.op[0].count, 18, 0);
    NEAR(o.op[0].call.kv_tokens, 16384, 0);
    NEAR(o.op[1].call.kv_tokens, 512, 0);
    NEAR(o.op[0].call.heads, 8, 0);
    NEAR(o.op[0].call.kv_heads, 1, 0);
    o.n = 0;
    shape_chunk(&s, 1000, 3000, &o);
    NEAR(o.op[0].call.pairs, 1000 * 3000 + 1000 * 1001 / 2.0, 0);
    NEAR(o.op[1].call.pairs, 1000 * 128, 0);
    NEAR(o.op[1].call.kv_tokens, 1127, 0);
    s = ask(&llama, &mi300x, 8);
    o.n = 0;
    shape_decode(&s, 4, 16384, 512, &o);
    EQ(o.n, 1);
    NEAR(o.op[0].count, 80, 0);
}

static void launches_by_mode(void **state)
{
    (void)state;
    struct shape_ask s = ask(&llama, &mi300x, 2);
    double full = shape_launches(&s, PRICE_FULL, true, false);
    double piece = shape_launches(&s, PRICE_PIECEWISE, true, true);
    double eager = shape_launches(&s, PRICE_EAGER, true, true);
    NEAR(full, 1, 0);
    /* 81 pieces, a KV write a layer, decode (2) and prefill (1) attention */
    NEAR(piece, 81 + 80 + 80 * 3, 0);
    assert_true(eager > piece);
    /* 4 GEMMs, 2 norms, RoPE, SiLU, KV write, quantisation, 2 sums and
     * attention a layer; embedding, last norm and its sum */
    NEAR(eager, 80 * (4 + 2 + 3 + 1 + 2 + 3) + 3, 0);
}

static void what_cannot_be_cut_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct llm_card mla;
    OK(card_llm("models", "deepseek-r1", arena, &mla, &e), e);
    struct shape_ask s = ask(&mla, &mi300x, 8);
    EQ(shape_check(&s, &e), false);
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "latent attention");
    s = ask(&llama, &mi300x, 3);
    EQ(shape_check(&s, &e), false);
    EQ(e.kind, ERR_INPUT);
    struct llm_card odd = llama;
    odd.heads = 36;
    odd.kv_heads = 12;
    s = ask(&odd, &mi300x, 8);
    EQ(shape_check(&s, &e), false);
    STR_HAS(e.text, "does not divide");
}

int main(void)
{
    arena = arena_open();
    struct err e = {0};
    OK(card_llm("models", "llama-3.3-70b-fp8-dynamic", arena, &llama, &e), e);
    OK(card_llm("models", "gpt-oss-120b", arena, &oss, &e), e);
    OK(card_llm("models", "qwen3-235b-a22b", arena, &qwen, &e), e);
    OK(card_gpu("models", "mi300x", arena, &mi300x, &e), e);
    OK(card_gpu("models", "h200_sxm", arena, &h200, &e), e);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(o1_experts_touched),
        cmocka_unit_test(o2_rocm_padding),
        cmocka_unit_test(o3_custom_below_8_mib),
        cmocka_unit_test(o4_quick_reduce_thresholds),
        cmocka_unit_test(captured_sizes),
        cmocka_unit_test(pairs_count_keys_seen),
        cmocka_unit_test(llama_linears_are_68_billion),
        cmocka_unit_test(sums_are_two_a_layer_and_the_embedding),
        cmocka_unit_test(fp8_quantises_what_is_not_fused),
        cmocka_unit_test(fusion_drops_norms_on_cuda_only),
        cmocka_unit_test(experts_see_padded_rows),
        cmocka_unit_test(attention_by_kind_of_layer),
        cmocka_unit_test(launches_by_mode),
        cmocka_unit_test(what_cannot_be_cut_is_refused),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return bad != 0;
}
