/* Model cards: what is read, and what is refused. */
#include "tests/t.h"

#include "sim/base/json.h"
#include "sim/cost/card.h"

#include <sys/stat.h>

static struct arena *arena;
static const char *tmp;

static bool read_text(const char *text, struct llm_card *c, struct err *e)
{
    char path[256];
    snprintf(path, sizeof path, "%s/llm/x.json", tmp);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return card_llm(tmp, "x", arena, c, e);
}

static void every_card_loads_and_says_where_from(void **state)
{
    (void)state;
    struct err e = {0};
    const char **name;
    struct llm_card c;
    OK(card_list("models", "llm", arena, &name, &e), e);
    for (; *name; name++) {
        OK(card_llm("models", *name, arena, &c, &e), e);
        STR_EQ(c.name, *name);
        struct card_weights w;
        card_weights(&c, &w);
        NEAR(w.split + w.kv + w.expert + w.vocab + w.copied, c.weight_bytes, 1);
        cJSON *root;
        OK(json_load(arena_fmt(arena, "models/llm/%s.json", *name), &root, &e),
           e);
        assert_true(cJSON_HasObjectItem(root, "source"));
        assert_true(cJSON_HasObjectItem(root, "why"));
        json_free(root);
    }
}

static void gpt_oss(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    OK(card_llm("models", "gpt-oss-120b", arena, &c, &e), e);
    EQ(c.layers, 36);
    EQ(c.window, 128);
    EQ(c.window_layers, 18);
    EQ(c.experts, 128);
    EQ(c.topk, 4);
    EQ(c.expert_inter, 2880);
    EQ(c.graph_max, 1024);
    EQ(c.expert, DT_MXFP4);
    EQ(c.linear, DT_BF16);
    EQ(c.sinks, true);
}

static void latent_attention(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    OK(card_llm("models", "deepseek-r1", arena, &c, &e), e);
    EQ(c.kv_lora, 512);
    EQ(c.rope_dim, 64);
    EQ(c.head_dim, 192);
    EQ(c.dense_layers, 3);
    EQ(c.shared_inter, 2048);
}

#define HEAD                                                                   \
    "{\"hf_id\": \"a/b\", \"model_type\": \"llama\", "                         \
    "\"num_hidden_layers\": 2, \"hidden_size\": 64, "                          \
    "\"intermediate_size\": 128, \"num_attention_heads\": 4, "                 \
    "\"num_key_value_heads\": 2, \"vocab_size\": 100, "                        \
    "\"max_position_embeddings\": 2048"

static void a_plain_config_is_16_bit(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    OK(read_text(HEAD ", \"rope_theta\": 10000, \"hidden_act\": \"silu\"}", &c,
                 &e),
       e);
    EQ(c.head_dim, 16);
    EQ(c.linear, DT_BF16);
    EQ(c.experts, 0);
    /* 2 layers of q 64*64, kv 2*64*32, o 64*64, 3*64*128, norms 2*64; last
     * norm; 2 * 100 * 64 */
    NEAR(c.weight_bytes / 2,
         2 * (4096 + 4096 + 4096 + 24576 + 128) + 64 + 12800, 0);
}

static void misspelt_keys_are_refused(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    EQ(read_text(HEAD ", \"slidin_window\": 128}", &c, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "slidin_window");
    STR_HAS(e.text, "llm/x.json");
}

static void a_quantised_config_must_say_how(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    EQ(read_text(HEAD ", \"quantization_config\": {\"quant_method\": "
                      "\"fp8\"}}",
                 &c, &e),
       false);
    STR_HAS(e.text, "\"quant\"");
    OK(read_text(HEAD ", \"quantization_config\": {}, \"quant\": "
                      "{\"linear\": \"fp8\", \"activation\": \"static\"}}",
                 &c, &e),
       e);
    EQ(c.linear, DT_FP8);
    EQ(c.act_dynamic, false);
    EQ(read_text(HEAD ", \"quant\": {\"linear\": \"int3\"}}", &c, &e), false);
    STR_HAS(e.text, "quant.linear");
}

static void windows_must_agree_with_layers(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    EQ(read_text(HEAD ", \"sliding_window\": 16, \"layer_types\": "
                      "[\"sliding_attention\"]}",
                 &c, &e),
       false);
    STR_HAS(e.text, "1 names for 2 layers");
    EQ(read_text(HEAD ", \"layer_types\": [\"sliding_attention\", "
                      "\"full_attention\"]}",
                 &c, &e),
       false);
    STR_HAS(e.text, "without sliding_window");
    EQ(read_text(HEAD ", \"layer_types\": [\"linear_attention\", "
                      "\"full_attention\"]}",
                 &c, &e),
       false);
    STR_HAS(e.text, "not modelled");
}

static void impossible_experts_and_heads_are_refused(void **state)
{
    (void)state;
    struct llm_card c;
    struct err e = {0};
    EQ(read_text(HEAD ", \"num_experts\": 4, \"num_experts_per_tok\": 5}", &c,
                 &e),
       false);
    STR_HAS(e.text, "num_experts_per_tok");
    EQ(read_text("{\"hf_id\": \"a\", \"model_type\": \"b\", "
                 "\"num_hidden_layers\": 1, \"hidden_size\": 64, "
                 "\"intermediate_size\": 1, \"num_attention_heads\": 5, "
                 "\"num_key_value_heads\": 2, \"vocab_size\": 1, "
                 "\"max_position_embeddings\": 1}",
                 &c, &e),
       false);
    STR_HAS(e.text, "not a multiple");
    EQ(read_text(HEAD ", \"kv_lora_rank\": 8}", &c, &e), false);
    STR_HAS(e.text, "qk_nope_head_dim");
}

int main(void)
{
    arena = arena_open();
    char *dir = t_dir(), sub[256];
    tmp = dir;
    snprintf(sub, sizeof sub, "%s/llm", dir);
    if (mkdir(sub, 0700) != 0)
        abort();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_card_loads_and_says_where_from),
        cmocka_unit_test(gpt_oss),
        cmocka_unit_test(latent_attention),
        cmocka_unit_test(a_plain_config_is_16_bit),
        cmocka_unit_test(misspelt_keys_are_refused),
        cmocka_unit_test(a_quantised_config_must_say_how),
        cmocka_unit_test(windows_must_agree_with_layers),
        cmocka_unit_test(impossible_experts_and_heads_are_refused),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    t_files(sub, 1);
    rmdir(sub);
    t_undir(dir);
    arena_close(arena);
    return bad != 0;
}
