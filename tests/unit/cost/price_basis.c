#include "tests/t.h"

#include "sim/cost/price_basis.h"
#include "tests/unit/cost/fake_costs.h"

static struct arena *arena;
static struct llm_card oss;
static struct gpu_card mi300x;

static struct fit *fit(struct costs *c, const char *op, const char *variant)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->fit[i].op, op) == 0
            && strcmp(c->fit[i].variant, variant) == 0)
            return &c->fit[i];
    fail();
    return NULL;
}

static struct price_basis noted(struct costs *store)
{
    struct op_costs costs = {.gpu = &mi300x, .own = store};
    struct shape_ask cut = {
        .llm = &oss, .gpu = &mi300x, .tp = 1, .kv = DT_BF16};
    struct price_ask q = {.llm = &oss,
                          .costs = &costs,
                          .tp = 1,
                          .kv = DT_BF16,
                          .max_num_batched_tokens = 8192,
                          .max_num_seqs = 256,
                          .max_model_len = 32768};
    struct price_basis b;
    struct err e = {0};
    OK(price_basis_note(&q, &cut, arena, &b, &e), e);
    return b;
}

static void laws_and_boxes_are_named_once(void **state)
{
    (void)state;
    struct costs c = fake_costs(arena);
    fit(&c, "moe", "mxfp4")->basis = "law";
    fit(&c, "host", "launch")->basis = "law";
    struct fit *norm = fit(&c, "norm", "bf16");
    norm->n_box = 1;
    norm->box[0] = (struct fit_box){"bytes", 1, 2};
    struct price_basis b = noted(&c);
    /* gemm, moe, norm, decode, prefill, sample, 4 of the host */
    EQ(b.ops, 12);
    EQ(b.laws, 2);
    STR_EQ(b.law_ops[0], "moe/mxfp4");
    STR_EQ(b.law_ops[1], "host/launch");
    assert_null(b.law_ops[2]);
    EQ(b.extrapolated, 1);
    STR_EQ(b.extrapolated_ops[0], "norm/bf16");
    assert_null(b.extrapolated_ops[1]);
}

static void error_is_weighted_by_time(void **state)
{
    (void)state;
    struct costs c = fake_costs(arena);
    for (size_t i = 0; i < c.n; i++)
        c.fit[i].ape_median = 0;
    fit(&c, "moe", "mxfp4")->ape_median = 10;
    double moe = noted(&c).ape_median; /* share of the experts, in tenths */
    assert_true(moe > 4 && moe < 10);
    fit(&c, "moe", "mxfp4")->basis = "law";
    NEAR(noted(&c).ape_median, 0, 0);
    for (size_t i = 0; i < c.n; i++)
        c.fit[i].basis = "law";
    assert_true(isnan(noted(&c).ape_median));
}

int main(void)
{
    arena = arena_open();
    struct err e = {0};
    OK(card_llm("models", "gpt-oss-120b", arena, &oss, &e), e);
    OK(card_gpu("models", "mi300x", arena, &mi300x, &e), e);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_and_boxes_are_named_once),
        cmocka_unit_test(error_is_weighted_by_time),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return bad != 0;
}
