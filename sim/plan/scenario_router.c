#include "sim/plan/scenario_router.h"

#include "sim/base/json.h"
#include "sim/base/must.h"
#include "sim/plan/scenario_rows.h"

#include <math.h>
#include <string.h>

/* llm-d's index (engine.md 8.3): v0.5 has blocks of 16 tokens, 256 a prompt;
 * v0.10 blocks of 64, 131,072 tokens a prompt. */
enum { BLOCK_05 = 16, MOST_05 = 256, BLOCK_10 = 64, MOST_10 = 131072 / 64 };
/* prefix-cache-affinity-filter: its own defaults, and the rate that the v0.10
 * guide sets (engine.md 8.2, 8.3). */
#define AFFINITY_HIT 0.8
#define AFFINITY_PENALTY_S 18.0
#define AFFINITY_TOK_S 15928.0
#define AFFINITY_GUIDE_TOK_S 33821.0

/* In the order of scenario_rows_routers. */
static const struct {
    enum route_kind kind;
    enum route_decider decider;
    double threshold;
    struct route_side prefill, decode;
    int32_t index_tokens;
    uint32_t index_most;
} profiles[] = {
    {.kind = ROUTE_QUEUE}, /* llm-d-0.5 */
    {.kind = ROUTE_ROUND_ROBIN},
    {.kind = ROUTE_RANDOM},
    {.kind = ROUTE_LEAST},
    {.kind = ROUTE_ACTIVE},
    {.kind = ROUTE_KV},
    /* llm-d-router-0.10: the P/D guide */
    {.kind = ROUTE_SCORED,
     .prefill = {.weight[SCORE_TOKENS] = 1,
                 .affinity_hit = AFFINITY_HIT,
                 .affinity_tok_s = AFFINITY_GUIDE_TOK_S},
     .decode = {.weight[SCORE_ACTIVE] = 1},
     .index_tokens = BLOCK_10,
     .index_most = MOST_10},
    /* llm-d-default: no configuration file */
    {.kind = ROUTE_SCORED,
     .decider = DECIDE_NEVER,
     .prefill.weight = {[SCORE_QUEUE] = 2, [SCORE_KV] = 2, [SCORE_PREFIX] = 3},
     .decode.weight = {[SCORE_QUEUE] = 2, [SCORE_KV] = 2, [SCORE_PREFIX] = 3}},
    /* llm-d-pd-sample: pd-epp-config.yaml */
    {.kind = ROUTE_SCORED,
     .decider = DECIDE_TOKENS,
     .threshold = 16,
     .prefill.weight = {[SCORE_PREFIX] = 2, [SCORE_QUEUE] = 1},
     .decode.weight = {[SCORE_PREFIX] = 2, [SCORE_QUEUE] = 1}},
    /* load-aware */
    {.kind = ROUTE_SCORED,
     .prefill.weight[SCORE_LOAD] = 1,
     .decode.weight[SCORE_LOAD] = 1},
    /* prefix-cache */
    {.kind = ROUTE_SCORED,
     .prefill.weight[SCORE_PREFIX] = 1,
     .decode.weight[SCORE_PREFIX] = 1},
    /* session-affinity: the queue decides on a session's first turn */
    {.kind = ROUTE_SCORED,
     .prefill.weight = {[SCORE_SESSION] = 2, [SCORE_QUEUE] = 1},
     .decode.weight = {[SCORE_SESSION] = 2, [SCORE_QUEUE] = 1}},
};

static bool weights(const cJSON *obj, const char *where, struct route_side *to,
                    enum route_kind *kind, struct arena *a, struct err *e)
{
    if (!obj)
        return true;
    *kind = ROUTE_SCORED;
    return json_read(obj, scenario_rows_weights, to->weight, where, a, e);
}

static double given(double v, double dflt)
{
    return isnan(v) ? dflt : v;
}

static void filter(const struct scenario_router_file *f, struct route_side *s)
{
    s->affinity_hit = given(f->affinity_hit, s->affinity_hit);
    s->affinity_tok_s = given(f->affinity_tok_s, s->affinity_tok_s > 0
                                                     ? s->affinity_tok_s
                                                     : AFFINITY_TOK_S);
    s->affinity_penalty_s = given(f->affinity_penalty_ms / 1e3,
                                  AFFINITY_PENALTY_S);
}

static bool decider(const struct scenario_router_file *f, struct scenario *s,
                    struct err *e)
{
    static const enum route_decider kinds[] = {DECIDE_ALWAYS, DECIDE_ALWAYS,
                                               DECIDE_NEVER, DECIDE_CHARACTERS,
                                               DECIDE_TOKENS};
    struct plant_router *r = &s->router;
    s->router_decides = f->decider > 0 || r->decider != DECIDE_NEVER;
    if (f->decider > 0) {
        r->decider = kinds[f->decider];
        r->threshold = 0;
    }
    bool counts = r->decider == DECIDE_CHARACTERS
               || r->decider == DECIDE_TOKENS;
    if (!isnan(f->threshold) && !counts)
        return err_set(e, ERR_INPUT,
                       "router.threshold: the decider \"%s\" has "
                       "none; set router.decider",
                       scenario_rows_deciders[f->decider]);
    r->threshold = given(f->threshold, r->threshold);
    return true;
}

static void index_keys(const struct scenario_router_file *f,
                       struct plant_router *r)
{
    if (f->index_block_tokens != JSON_NOINT)
        r->index_tokens = (int32_t)f->index_block_tokens;
    if (f->index_prompt_blocks != JSON_NOINT)
        r->index_most = (uint32_t)f->index_prompt_blocks;
    r->index_blocks = f->index_blocks;
}

bool scenario_router_read(const cJSON *obj, struct arena *a, struct scenario *s,
                          struct err *e)
{
    struct scenario_router_file f;
    if (!json_read(obj, scenario_rows_router, &f, "router", a, e))
        return false;
    struct plant_router *r = &s->router;
    *r = (struct plant_router){
        .prefill = profiles[f.profile].kind,
        .decode = profiles[f.profile].kind,
        .scrape_s = f.scrape_ms / 1e3,
        .hop_s = f.hop_ms / 1e3,
        .sidecar_s = f.sidecar_ms / 1e3,
        .side = {profiles[f.profile].prefill, profiles[f.profile].decode},
        .decider = profiles[f.profile].decider,
        .threshold = profiles[f.profile].threshold,
        .index_tokens = profiles[f.profile].index_tokens,
        .index_most = profiles[f.profile].index_most};
    if (!r->index_tokens) {
        r->index_tokens = BLOCK_05;
        r->index_most = MOST_05;
    }
    s->router_profile = scenario_rows_routers[f.profile];
    if (!weights(f.prefill_weights, "router.prefill_weights", &r->side[0],
                 &r->prefill, a, e)
        || !weights(f.decode_weights, "router.decode_weights", &r->side[1],
                    &r->decode, a, e))
        return false;
    filter(&f, &r->side[0]);
    index_keys(&f, r);
    return decider(&f, s, e);
}

static void put_weights(cJSON *o, const char *key, const struct route_side *s)
{
    cJSON_AddItemToObject(o, key, json_write(scenario_rows_weights, s->weight));
}

cJSON *scenario_router_json(const struct scenario *s)
{
    static const int word[] = {[DECIDE_ALWAYS] = 1,
                               [DECIDE_NEVER] = 2,
                               [DECIDE_CHARACTERS] = 3,
                               [DECIDE_TOKENS] = 4};
    const struct plant_router *r = &s->router;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "profile", s->router_profile);
    cJSON_AddNumberToObject(o, "scrape_ms", r->scrape_s * 1e3);
    cJSON_AddNumberToObject(o, "hop_ms", r->hop_s * 1e3);
    cJSON_AddNumberToObject(o, "sidecar_ms", r->sidecar_s * 1e3);
    int d = s->router_decides ? word[r->decider] : 0;
    cJSON_AddStringToObject(o, "decider", scenario_rows_deciders[d]);
    if (d > 2)
        cJSON_AddNumberToObject(o, "threshold", r->threshold);
    if (r->prefill == ROUTE_SCORED)
        put_weights(o, "prefill_weights", &r->side[0]);
    if (r->decode == ROUTE_SCORED)
        put_weights(o, "decode_weights", &r->side[1]);
    if (r->side[0].affinity_hit > 0) {
        cJSON_AddNumberToObject(o, "affinity_hit", r->side[0].affinity_hit);
        cJSON_AddNumberToObject(o, "affinity_tok_s", r->side[0].affinity_tok_s);
        cJSON_AddNumberToObject(o, "affinity_penalty_ms",
                                r->side[0].affinity_penalty_s * 1e3);
    }
    if (!plant_indexed(r))
        return o;
    cJSON_AddNumberToObject(o, "index_block_tokens", r->index_tokens);
    cJSON_AddNumberToObject(o, "index_prompt_blocks", r->index_most);
    cJSON_AddNumberToObject(o, "index_blocks", (double)r->index_blocks);
    return o;
}

bool scenario_router_fits(const struct scenario *s,
                          const struct scenario_topology *t, struct err *e)
{
    const struct plant_router *r = &s->router;
    if (t->n_pools > 1 && !s->router_decides)
        return err_set(e, ERR_INPUT,
                       "%s: router profile \"%s\" has no P/D "
                       "decider; set router.decider",
                       t->name, s->router_profile);
    if (r->side[0].affinity_hit > 0 && r->prefill != ROUTE_SCORED)
        return err_set(e, ERR_INPUT,
                       "router.affinity_hit: router profile "
                       "\"%s\" scores nothing; give router.prefill_weights",
                       s->router_profile);
    return true;
}
