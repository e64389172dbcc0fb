/* Weights from shapes: published parameter counts and measured sizes. */
#include "tests/t.h"

#include "sim/cost/card.h"

static struct arena *arena;

/* Published parameter counts, billions; 16-bit cards weigh two bytes each. */
static void parameter_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double billions;
    } known[] = {
        {"llama-3.3-70b", 70.55}, {"llama-3.1-8b", 8.03},
        {"llama-2-70b", 68.98},   {"mixtral-8x7b", 46.70},
        {"qwen3-32b", 32.76},     {"qwen3-235b-a22b", 235.09},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct llm_card c;
        struct err e = {0};
        OK(card_llm("models", known[i].name, arena, &c, &e), e);
        NEAR(c.weight_bytes / 2e9, known[i].billions, 0.01);
    }
}

static void quantised_sizes(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    OK(card_llm("models", "llama-3.3-70b-fp8", arena, &c, &e), e);
    EQ(c.act_dynamic, false);
    NEAR(c.weight_bytes / 1073741824, 67.7, 0.05); /* as an H200 reports */
    OK(card_llm("models", "llama-3.3-70b-fp8-dynamic", arena, &c, &e), e);
    EQ(c.act_dynamic, true);
    /* 671 billion parameters, one byte each but for embeddings and norms */
    OK(card_llm("models", "deepseek-r1", arena, &c, &e), e);
    NEAR(c.weight_bytes / 1e9, 671 + 1.9, 1.0);
}

static void latent_attention_is_mostly_experts(void **state)
{
    (void)state;
    struct llm_card c;
    struct card_weights w;
    struct err e = {0};
    OK(card_llm("models", "deepseek-r1", arena, &c, &e), e);
    card_weights(&c, &w);
    /* 58 layers of 256 experts, 3 x 7168 x 2048 each */
    NEAR(w.expert / 1e9, 58 * 256 * 3 * 7168 * 2048.0 / 1e9, 0.2);
    NEAR(w.kv, 0, 0); /* its K and V come out of the latent */
    /* latent down-projections and routers are on every rank */
    double down = 61 * 7168.0 * (1536 + 512 + 64);
    double rest = 58 * 7168.0 * 256 * 2 + 7168.0 * 2 * (2 * 61 + 1);
    NEAR(w.copied, down + rest, 1e-3 * down);
}

int main(void)
{
    arena = arena_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts),
        cmocka_unit_test(quantised_sizes),
        cmocka_unit_test(latent_attention_is_mostly_experts),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return bad != 0;
}
