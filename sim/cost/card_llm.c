/* Model cards: the keys of a Hugging Face config.json, plus "quant", which says
 * how the served checkpoint stores its weights.  A config.json copied as it is
 * works once "quant" and "hf_id" stand in it; keys that do not change a cost
 * are read past by name, so that a misspelt one is still refused. */
#include "sim/cost/card.h"

#include <string.h>

#include "sim/base/json.h"

static const char *const dtypes[] = {"bf16", "fp8", "fp8_block", "mxfp4", NULL};
static const char *const schemes[] = {"dynamic", "static", NULL};

struct quant_raw {
    int linear, expert, head, activation;
};

static const struct json_row quant_rows[] = {
    {"linear", JSON_CHOICE, offsetof(struct quant_raw, linear), 0, 0, NULL,
     "Attention and dense linear weights.", dtypes},
    {"expert", JSON_CHOICE, offsetof(struct quant_raw, expert), 0, 0,
     "\"bf16\"", "Expert weights.", dtypes},
    {"head", JSON_CHOICE, offsetof(struct quant_raw, head), 0, 0, "\"bf16\"",
     "LM head and embeddings.", dtypes},
    {"activation", JSON_CHOICE, offsetof(struct quant_raw, activation), 0, 0,
     "\"dynamic\"", "Activation scales of FP8 linears.", schemes},
    {.key = NULL},
};

struct llm_raw {
    const char *hf_id, *type;
    int64_t layers, hidden, inter, heads, kv_heads, head_dim, vocab, max_len;
    int64_t window, experts, local_experts, routed_experts, topk, topk_alias;
    int64_t expert_inter, shared_inter, shared_experts, dense_layers;
    int64_t kv_lora, q_lora, nope_dim, rope_dim, v_dim, graph_max;
    bool qk_norm, attn_bias, expert_bias, sinks, tied, use_window;
    const cJSON *layer_types, *quant, *hf_quant, *skip;
};

#define AT(field) offsetof(struct llm_raw, field)
#define COUNT(key, field, dflt, help)                                          \
    {                                                                          \
        key, JSON_INT, AT(field), 1, 1e9, dflt, help, NULL                     \
    }
#define FLAG(key, field, help)                                                 \
    {                                                                          \
        key, JSON_BOOL, AT(field), 0, 0, "false", help, NULL                   \
    }
#define SKIP(key)                                                              \
    {                                                                          \
        key, JSON_ANY, AT(skip), 0, 0, JSON_ABSENT, "Does not change a cost.", \
            NULL                                                               \
    }

static const struct json_row rows[] = {
    {"hf_id", JSON_STR, AT(hf_id), 0, 0, NULL, "Hugging Face name.", NULL},
    {"model_type", JSON_STR, AT(type), 0, 0, NULL, "Architecture.", NULL},
    COUNT("num_hidden_layers", layers, NULL, "Decoder layers."),
    COUNT("hidden_size", hidden, NULL, "Width of the residual stream."),
    COUNT("intermediate_size", inter, NULL,
          "Feed-forward width; the experts' where no other key says theirs."),
    COUNT("num_attention_heads", heads, NULL, "Query heads."),
    COUNT("num_key_value_heads", kv_heads, NULL, "Key and value heads."),
    COUNT("head_dim", head_dim, JSON_ABSENT, "Width of a head."),
    COUNT("vocab_size", vocab, NULL, "Rows of the LM head."),
    COUNT("max_position_embeddings", max_len, NULL, "Longest context, tokens."),
    COUNT("sliding_window", window, JSON_ABSENT, "Window, tokens."),
    FLAG("use_sliding_window", use_window, "All layers slide (Qwen keys)."),
    {"layer_types", JSON_LIST, AT(layer_types), 0, 0, JSON_ABSENT,
     "sliding_attention or full_attention, a layer each.", NULL},
    FLAG("use_qk_norm", qk_norm, "Norm on queries and keys."),
    FLAG("attention_bias", attn_bias, "Bias on the attention linears."),
    FLAG("expert_bias", expert_bias, "Bias on the expert linears."),
    FLAG("attention_sinks", sinks, "Learned sink logits."),
    COUNT("num_experts", experts, JSON_ABSENT, "Routed experts."),
    COUNT("num_local_experts", local_experts, JSON_ABSENT, "Routed experts."),
    COUNT("n_routed_experts", routed_experts, JSON_ABSENT, "Routed experts."),
    COUNT("num_experts_per_tok", topk, JSON_ABSENT, "Experts a token takes."),
    COUNT("experts_per_token", topk_alias, JSON_ABSENT, "The same."),
    COUNT("moe_intermediate_size", expert_inter, JSON_ABSENT,
          "Width of an expert."),
    {"shared_intermediate_size", JSON_INT, AT(shared_inter), 0, 1e6,
     JSON_ABSENT, "Width of the shared expert, 0 = none.", NULL},
    COUNT("n_shared_experts", shared_experts, JSON_ABSENT,
          "Shared experts, each as wide as a routed one."),
    COUNT("first_k_dense_replace", dense_layers, JSON_ABSENT,
          "Leading layers without experts."),
    COUNT("kv_lora_rank", kv_lora, JSON_ABSENT, "Latent width of K and V."),
    COUNT("q_lora_rank", q_lora, JSON_ABSENT, "Latent width of Q."),
    COUNT("qk_nope_head_dim", nope_dim, JSON_ABSENT,
          "Unrotated part of a query head."),
    COUNT("qk_rope_head_dim", rope_dim, JSON_ABSENT,
          "Rotated part of a query head."),
    COUNT("v_head_dim", v_dim, JSON_ABSENT, "Width of a value head."),
    FLAG("tie_word_embeddings", tied, "LM head shares the embeddings."),
    COUNT("max_cudagraph_capture_size", graph_max, JSON_ABSENT,
          "Largest graph size the engine's model config asks for, tokens."),
    {"quant", JSON_OBJ, AT(quant), 0, 0, JSON_ABSENT,
     "Weight dtypes of the served checkpoint.", NULL},
    {"quantization_config", JSON_OBJ, AT(hf_quant), 0, 0, JSON_ABSENT,
     "Hugging Face's own; \"quant\" must stand beside it.", NULL},
    SKIP("architectures"),
    SKIP("attention_dropout"),
    SKIP("beta_fast"),
    SKIP("bos_token_id"),
    SKIP("decoder_sparse_step"),
    SKIP("eos_token_id"),
    SKIP("ep_size"),
    SKIP("hidden_act"),
    SKIP("initial_context_length"),
    SKIP("initializer_range"),
    SKIP("max_window_layers"),
    SKIP("mlp_bias"),
    SKIP("mlp_only_layers"),
    SKIP("moe_layer_freq"),
    SKIP("mtp_transformer_layers"),
    SKIP("n_group"),
    SKIP("norm_topk_prob"),
    SKIP("num_mtp_modules"),
    SKIP("num_nextn_predict_layers"),
    SKIP("output_router_logits"),
    SKIP("pad_token_id"),
    SKIP("pretraining_tp"),
    SKIP("qk_norm_type"),
    SKIP("rms_norm_eps"),
    SKIP("rope_scaling"),
    SKIP("rope_theta"),
    SKIP("rotary_dim"),
    SKIP("routed_scaling_factor"),
    SKIP("router_aux_loss_coef"),
    SKIP("scoring_func"),
    SKIP("swiglu_limit"),
    SKIP("topk_group"),
    SKIP("topk_method"),
    SKIP("torch_dtype"),
    SKIP("transformers_version"),
    SKIP("use_cache"),
    SKIP("use_mtp"),
    SKIP("use_routing_bias"),
    {.key = NULL},
};

static int given(int64_t v, int other)
{
    return v == JSON_NOINT ? other : (int)v;
}

static bool read_windows(const struct llm_raw *r, struct llm_card *c,
                         struct err *e)
{
    c->window = given(r->window, 0);
    c->window_layers = r->use_window && c->window ? c->layers : 0;
    if (!r->layer_types)
        return true;
    int n = 0, slide = 0;
    for (const cJSON *t = r->layer_types->child; t; t = t->next, n++) {
        if (!cJSON_IsString(t))
            return err_set(e, ERR_INPUT, "layer_types: must be names");
        bool sliding = strcmp(t->valuestring, "sliding_attention") == 0;
        if (!sliding && strcmp(t->valuestring, "full_attention") != 0)
            return err_set(e, ERR_INPUT,
                           "layer_types: \"%.40s\" is not modelled",
                           t->valuestring);
        slide += sliding;
    }
    if (n != c->layers)
        return err_set(e, ERR_INPUT, "layer_types: %d names for %d layers", n,
                       c->layers);
    if (slide && !c->window)
        return err_set(e, ERR_INPUT,
                       "layer_types: sliding layers without "
                       "sliding_window");
    c->window_layers = slide;
    return true;
}

static bool read_experts(const struct llm_raw *r, struct llm_card *c,
                         struct err *e)
{
    c->experts = given(r->experts,
                       given(r->local_experts, given(r->routed_experts, 0)));
    c->topk = given(r->topk, given(r->topk_alias, 0));
    if (!c->experts) {
        c->topk = 0;
        return true;
    }
    if (c->topk < 1 || c->topk > c->experts)
        return err_set(e, ERR_INPUT,
                       "num_experts_per_tok: must be 1 to %d, "
                       "got %d",
                       c->experts, c->topk);
    c->expert_inter = given(r->expert_inter, c->inter);
    c->shared_inter = given(r->shared_inter,
                            given(r->shared_experts, 0) * c->expert_inter);
    c->dense_layers = given(r->dense_layers, 0);
    if (c->dense_layers > c->layers)
        return err_set(e, ERR_INPUT,
                       "first_k_dense_replace: more than %d "
                       "layers",
                       c->layers);
    return true;
}

static bool read_latent(const struct llm_raw *r, struct llm_card *c,
                        struct err *e)
{
    if (r->kv_lora == JSON_NOINT)
        return true;
    if (r->nope_dim == JSON_NOINT || r->rope_dim == JSON_NOINT
        || r->v_dim == JSON_NOINT)
        return err_set(e, ERR_INPUT,
                       "kv_lora_rank needs qk_nope_head_dim, "
                       "qk_rope_head_dim and v_head_dim");
    c->kv_lora = (int)r->kv_lora;
    c->q_lora = given(r->q_lora, 0);
    c->rope_dim = (int)r->rope_dim;
    c->v_dim = (int)r->v_dim;
    c->head_dim = (int)(r->nope_dim + r->rope_dim);
    return true;
}

static bool read_quant(const struct llm_raw *r, struct llm_card *c,
                       struct arena *a, struct err *e)
{
    struct quant_raw q = {
        .linear = DT_BF16, .expert = DT_BF16, .head = DT_BF16, .activation = 0};
    if (!r->quant && r->hf_quant)
        return err_set(e, ERR_INPUT,
                       "quantization_config: say in \"quant\" "
                       "how the checkpoint stores its weights");
    if (r->quant && !json_read(r->quant, quant_rows, &q, "quant", a, e))
        return false;
    c->linear = (enum dtype)q.linear;
    c->expert = (enum dtype)q.expert;
    c->head = (enum dtype)q.head;
    c->act_dynamic = q.activation == 0;
    return true;
}

static bool fill(const struct llm_raw *r, struct llm_card *c, struct arena *a,
                 struct err *e)
{
    c->hf_id = r->hf_id;
    c->layers = (int)r->layers;
    c->hidden = (int)r->hidden;
    c->inter = (int)r->inter;
    c->heads = (int)r->heads;
    c->kv_heads = (int)r->kv_heads;
    c->head_dim = given(r->head_dim, c->hidden / c->heads);
    c->vocab = (int)r->vocab;
    c->max_len = (int)r->max_len;
    c->qk_norm = r->qk_norm;
    c->attn_bias = r->attn_bias;
    c->sinks = r->sinks;
    c->expert_bias = r->expert_bias;
    c->tied = r->tied;
    c->graph_max = given(r->graph_max, 0);
    if (c->heads % c->kv_heads != 0)
        return err_set(e, ERR_INPUT,
                       "num_attention_heads: %d is not a "
                       "multiple of %d key and value heads",
                       c->heads, c->kv_heads);
    return read_windows(r, c, e) && read_experts(r, c, e)
        && read_latent(r, c, e) && read_quant(r, c, a, e);
}

bool card_llm(const char *dir, const char *name, struct arena *a,
              struct llm_card *c, struct err *e)
{
    struct llm_raw raw = {.hf_id = NULL};
    cJSON *root;
    struct card_at at = {dir, "llm", name, NULL};
    if (!card_file(&at, a, &root, e))
        return false;
    struct llm_card card = {.name = arena_str(a, name)};
    bool ok = json_read(root, rows, &raw, "", a, e) && fill(&raw, &card, a, e);
    json_free(root);
    if (!ok)
        return err_in(e, "%s", at.path);
    struct card_weights w;
    card_weights(&card, &w);
    card.weight_bytes = w.split + w.kv + w.expert + w.vocab + w.copied;
    *c = card;
    return true;
}
