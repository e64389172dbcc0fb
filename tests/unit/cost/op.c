#include "tests/t.h"

#include "sim/cost/form.h"
#include "sim/cost/op.h"

static const struct gpu_card own = {
    .name = "own",
    .hbm_Bps = 6e12,
    .fabric_Bps = 9e11,
    .bf16_flops = 1e15,
    .fp8_flops = 4e15,
    .cus = 200,
};
static const struct gpu_card other = {
    .name = "other",
    .hbm_Bps = 3e12,
    .fabric_Bps = 3e11,
    .bf16_flops = 5e14,
    .fp8_flops = 1e15,
    .cus = 100,
};

static struct fit fit_of(const char *op, const char *variant, const char *form)
{
    const struct form *law = form_find(form);
    struct fit f = {
        .gpu = "other",
        .op = op,
        .variant = variant,
        .form = form,
        .basis = "measured",
        .n_coef = law->n_coef,
    };
    for (int i = 0; i < f.n_coef; i++) /* in the other order: by name */
        f.coef[i] = (struct fit_coef){law->coef[f.n_coef - 1 - i],
                                      law->guess[f.n_coef - 1 - i], NAN, "x"};
    return f;
}

static void set(struct fit *f, const char *name, double v)
{
    for (int i = 0; i < f->n_coef; i++)
        if (strcmp(f->coef[i].name, name) == 0)
            f->coef[i].value = v;
}

static const struct op_call norm_call = {
    .kind = OP_NORM,
    .dtype = DT_BF16,
    .bytes = 3e6,
};

static void prices_by_name(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit f = fit_of("norm", "bf16", "stream");
    set(&f, "t0_us", 2);
    set(&f, "rate_Bps", 1e12);
    set(&f, "sharp", 1);
    struct costs c = {.gpu = "other", .fit = &f, .n = 1};
    struct op_costs t = {.gpu = &other, .own = &c};
    struct op_basis b;
    double s;
    OK(op_time(&t, &norm_call, &s, &b, &e), e);
    NEAR(s, 5e-6, 1e-15);
    EQ(b.law || b.uncalibrated || b.extrapolated, false);
    EQ(b.fit == &f, true);
}

static void scales_a_donor_term_by_term(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit f = fit_of("norm", "bf16", "stream");
    set(&f, "t0_us", 2);
    set(&f, "rate_Bps", 1e12);
    set(&f, "sharp", 1);
    f.basis = "law";
    struct costs none = {.gpu = "own"};
    struct costs c = {.gpu = "other", .fit = &f, .n = 1};
    struct op_costs t = {
        .gpu = &own, .own = &none, .donor_gpu = &other, .donor = &c};
    struct op_basis b;
    double s;
    OK(op_time(&t, &norm_call, &s, &b, &e), e);
    NEAR(s, 2e-6 + 1.5e-6, 1e-15); /* the floor stays, HBM is twice as fast */
    EQ(b.uncalibrated && b.law, true);
    t.donor = NULL;
    EQ(op_time(&t, &norm_call, &s, &b, &e), false);
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "norm/bf16 on own");
}

static double through_donor(struct fit *f, const struct op_call *call)
{
    struct err e = {ERR_NONE, ""};
    struct costs none = {.gpu = "own"};
    struct costs c = {.gpu = "other", .fit = f, .n = 1};
    struct op_costs t = {
        .gpu = &own, .own = &none, .donor_gpu = &other, .donor = &c};
    struct op_basis b;
    double s = 0;
    OK(op_time(&t, call, &s, &b, &e), e);
    return s;
}

static void scales_by_the_right_line(void **state)
{
    (void)state;
    struct op_call sum = {
        .kind = OP_ALLREDUCE, .gpus = 2, .bytes = 3e6, .algo = COMM_CUSTOM};
    struct fit f = fit_of("allreduce", "custom-tp2", "stream");
    set(&f, "t0_us", 1);
    set(&f, "rate_Bps", 1e11);
    set(&f, "sharp", 1);
    NEAR(through_donor(&f, &sum), 1e-6 + 1e-5, 1e-14); /* fabric: three times */

    struct op_call mul = {
        .kind = OP_GEMM, .dtype = DT_FP8, .m = 8192, .n = 8192, .k = 8192};
    f = fit_of("gemm", "fp8", "gemm");
    set(&f, "t0_us", 0.1);
    set(&f, "mem_Bps", 1e15); /* all out of the way but the multiplications */
    set(&f, "store_Bps", 1e15);
    set(&f, "walk_ns", 1e-9);
    set(&f, "overlap", 20);
    set(&f, "fill", 0);
    set(&f, "peak_flops", 1e14);
    double flop = 2.0 * 8192 * 8192 * 8192;
    NEAR(through_donor(&f, &mul), flop / 4e14, 1e-3 * flop / 4e14);
    mul.dtype = DT_BF16;
    f.variant = "bf16";
    NEAR(through_donor(&f, &mul), flop / 2e14, 1e-3 * flop / 2e14);
}

static void takes_its_own_units(void **state)
{
    (void)state;
    struct op_call c = {.kind = OP_ATTN_DECODE,
                        .kv = DT_BF16,
                        .seqs = 200,
                        .kv_tokens = 0,
                        .heads = 8,
                        .kv_heads = 1,
                        .head_dim = 128};
    struct fit f = fit_of("attn_decode", "d128-bf16", "attn_decode");
    set(&f, "t0_us", 10);
    set(&f, "unit_ns", 50);
    NEAR(through_donor(&f, &c), 10e-6, 1e-12); /* 200 pairs on 200 units */
    c.seqs = 300;
    NEAR(through_donor(&f, &c), 10e-6 + 100 * 50e-9, 1e-12);
}

static void tells_extrapolation(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit f = fit_of("norm", "bf16", "stream");
    f.n_box = 1;
    f.box[0] = (struct fit_box){"bytes", 1e6, 3e6};
    struct costs c = {.gpu = "other", .fit = &f, .n = 1};
    struct op_costs t = {.gpu = &other, .own = &c};
    struct op_call call = norm_call;
    struct op_basis b;
    double s;
    OK(op_time(&t, &call, &s, &b, &e), e);
    EQ(b.extrapolated, false); /* on the edge */
    call.bytes = 3.1e6;
    OK(op_time(&t, &call, &s, &b, &e), e);
    EQ(b.extrapolated, true);
    call.bytes = 0.9e6;
    OK(op_time(&t, &call, &s, &b, &e), e);
    EQ(b.extrapolated, true);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit f = fit_of("norm", "bf16", "quant"); /* other features */
    struct costs c = {.gpu = "other", .fit = &f, .n = 1};
    struct op_costs t = {.gpu = &other, .own = &c};
    struct op_basis b;
    double s;
    EQ(op_time(&t, &norm_call, &s, &b, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "form quant is not for this operator");
    f.form = "nothing";
    EQ(op_time(&t, &norm_call, &s, &b, &e), false);
    STR_HAS(e.text, "no form nothing");
    f = fit_of("norm", "bf16", "stream");
    f.n_coef--;
    EQ(op_time(&t, &norm_call, &s, &b, &e), false);
    STR_HAS(e.text, "lacks t0_us");
}

static void names_variants(void **state)
{
    (void)state;
    struct op_call c = {.kind = OP_QUANT, .dtype = DT_FP8};
    STR_EQ(op_variant(&c), "token");
    c.act_static = true;
    STR_EQ(op_variant(&c), "static");
    c = (struct op_call){
        .kind = OP_ATTN_DECODE, .kv = DT_FP8, .head_dim = 64, .window = true};
    STR_EQ(op_variant(&c), "d64-fp8-window");
    c.kind = OP_ATTN_PREFILL;
    c.window = false;
    c.head_dim = 128;
    STR_EQ(op_variant(&c), "d128-fp8");
    c = (struct op_call){.kind = OP_ALLREDUCE, .gpus = 4, .algo = COMM_QR_INT4};
    STR_EQ(op_variant(&c), "qr_int4-tp4");
    c.kind = OP_ALLGATHER;
    STR_EQ(op_variant(&c), "rccl-tp4");
    c = (struct op_call){.kind = OP_HOST, .piece = HOST_LAUNCH};
    STR_EQ(op_variant(&c), "launch");
    for (int k = 0; k < OP_N; k++) {
        const struct op *o = op_of((enum op_kind)k);
        STR_EQ(o->name, op_name((enum op_kind)k));
        EQ(o->n_box >= 1 && o->feature[o->n_box - 1] != NULL, true);
    }
}

static void gives_features_in_order(void **state)
{
    (void)state;
    struct op_call c = {.kind = OP_GEMM,
                        .dtype = DT_MXFP4,
                        .m = 1,
                        .n = 2,
                        .k = 3,
                        .with_quant = true};
    double x[OP_FEATURE];
    EQ(op_features(&c, x), 6);
    NEAR(x[0] + 10 * x[1] + 100 * x[2], 321, 0);
    NEAR(x[3], 0.53125, 0); /* four bits and a scale per 32 */
    NEAR(x[4], 2, 0);
    NEAR(x[5], 1, 0);
    c.kind = OP_HOST;
    EQ(op_features(&c, x), 2);
}

T_MAIN(cmocka_unit_test(prices_by_name),
       cmocka_unit_test(scales_a_donor_term_by_term),
       cmocka_unit_test(scales_by_the_right_line),
       cmocka_unit_test(takes_its_own_units),
       cmocka_unit_test(tells_extrapolation),
       cmocka_unit_test(refuses_what_does_not_fit),
       cmocka_unit_test(names_variants),
       cmocka_unit_test(gives_features_in_order))
