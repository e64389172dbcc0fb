/* From a topology to a plant: engine options by profile and device, KV blocks
 * by memory, prices by tables.  Pools with the same TP, role and engine block
 * share one compiled pool, so a sweep of thousands of topologies builds a
 * handful. */
#include "sim/plan/scenario_router.h"

#include "sim/base/json.h"
#include "sim/base/must.h"

#include <math.h>
#include <string.h>

/* Where the API server's defaults split by device memory (engine.md 3.3). */
#define BIG_GPU_BYTES (70.0 * 1024 * 1024 * 1024)
enum {
    BIG_TOKENS = 8192,
    BIG_SEQS = 1024,
    SMALL_TOKENS = 2048,
    SMALL_SEQS = 256
};
enum { BLOCK = 16, BLOCK_AITER_UNIFIED = 64 }; /* engine.md 3.11 */
enum { ENGINE_AITER_UNIFIED = 2 };             /* scenario_rows: attention */
enum {
    CONNECTOR_BY_ROLE,
    CONNECTOR_NIXL,
    CONNECTOR_DECODE_BENCH,
    CONNECTOR_MORIIO_READ,
    CONNECTOR_MORIIO_WRITE
};
enum { FAILURE_BY_PROFILE, FAILURE_RECOMPUTE, FAILURE_FAIL };
enum { KV_FP8 = 1 }; /* scenario_rows: kv_cache_dtype */

struct scenario_compiled {
    struct scenario_pool key;
    struct plant_pool pool;
    struct scenario_compiled *next;
};

struct scenario_cache {
    struct arena *a;
    struct scenario_compiled *first;
};

struct scenario_cache *scenario_plant_cache(const struct scenario *s,
                                            struct arena *a)
{
    struct scenario_cache *c = ARENA_NEW(a, struct scenario_cache);
    (void)s;
    c->a = a;
    return c;
}

static int32_t pick(int64_t given, int64_t dflt)
{
    return (int32_t)(given == JSON_NOINT ? dflt : given);
}

static void plant_options(const struct scenario *s,
                          const struct scenario_engine *g, enum pool_role role,
                          struct sched_opt *o)
{
    bool big = s->gpu.hbm_bytes >= BIG_GPU_BYTES;
    bool unified = g->attention_backend == ENGINE_AITER_UNIFIED;
    o->max_num_batched_tokens = pick(g->max_num_batched_tokens,
                                     big ? BIG_TOKENS : SMALL_TOKENS);
    o->max_num_seqs = pick(g->max_num_seqs, big ? BIG_SEQS : SMALL_SEQS);
    o->max_model_len = pick(g->max_model_len, s->llm.max_len);
    o->block_size = pick(g->block_size, unified ? BLOCK_AITER_UNIFIED : BLOCK);
    o->long_prefill_token_threshold = (int32_t)g->long_prefill_token_threshold;
    o->policy = (enum sched_policy)g->scheduling_policy;
    o->async_scheduling = g->async_scheduling;
    o->enable_prefix_caching = g->prefix_caching;
    o->enable_chunked_prefill = g->enable_chunked_prefill;
    o->attn_window = s->llm.window;
    if (g->kv_load_failure_policy != FAILURE_BY_PROFILE)
        o->load_failure_fails = g->kv_load_failure_policy == FAILURE_FAIL;
    o->connector = g->kv_connector == CONNECTOR_DECODE_BENCH
                     ? SCHED_DECODE_BENCH
                 : role != ROLE_AGGREGATED ? SCHED_NIXL
                                           : SCHED_NO_CONNECTOR;
    /* a prompt must fit a step; the default then does (engine/arg_utils.py) */
    if (!o->enable_chunked_prefill && g->max_num_batched_tokens == JSON_NOINT
        && o->max_num_batched_tokens < o->max_model_len)
        o->max_num_batched_tokens = o->max_model_len;
    int64_t room = (int64_t)o->max_num_seqs * o->max_model_len;
    if (o->max_num_batched_tokens > room)
        o->max_num_batched_tokens = (int32_t)room;
    if (o->max_num_seqs > o->max_num_batched_tokens)
        o->max_num_seqs = o->max_num_batched_tokens;
}

static bool plant_memory(const struct scenario *s,
                         const struct scenario_engine *g,
                         const struct profile *p, struct plant_pool *pool,
                         struct err *e)
{
    struct sched_opt *o = &pool->sched;
    struct memory_ask ask = {
        .gpu = &s->gpu,
        .llm = &s->llm,
        .tp = pool->tp,
        .gpu_memory_utilization = isnan(g->gpu_memory_utilization)
                                    ? p->gpu_memory_utilization
                                    : g->gpu_memory_utilization,
        .max_num_batched_tokens = o->max_num_batched_tokens,
        .block_size = o->block_size,
        .max_num_seqs = o->max_num_seqs,
        .sampler_copies = p->sampler_copies,
        .kv = g->kv_cache_dtype == KV_FP8 ? DT_FP8 : DT_BF16,
        .hybrid = s->llm.window > 0
               && (o->connector == SCHED_NO_CONNECTOR
                   || p->hybrid_with_connector),
        .graph_memory_in_budget = p->graph_memory_in_budget,
        .num_blocks = g->num_gpu_blocks_override == JSON_NOINT
                        ? 0
                        : g->num_gpu_blocks_override,
    };
    struct memory *m = &pool->memory;
    if (!memory_plan(&ask, m, e))
        return false;
    o->num_blocks = m->num_blocks;
    o->n_groups = m->n_groups;
    for (int i = 0; i < m->n_groups; i++) {
        o->window[i] = m->window[i];
        pool->kv_block_bytes[i] = m->block_bytes;
        pool->kv_layers[i] = m->layers_per_group;
    }
    int64_t usable = o->num_blocks - 1;
    if (plant_blocks(o, o->max_model_len) <= usable)
        return true;
    if (g->max_model_len != JSON_NOINT)
        return err_set(e, ERR_INPUT,
                       "max_model_len %d needs %lld KV blocks, "
                       "%.1f GiB of KV cache hold %lld",
                       o->max_model_len,
                       (long long)plant_blocks(o, o->max_model_len),
                       m->kv / (1024.0 * 1024 * 1024), (long long)usable);
    /* as vLLM's --max-model-len auto: what the pool holds */
    while (o->max_model_len > o->block_size
           && plant_blocks(o, o->max_model_len) > usable)
        o->max_model_len -= o->block_size;
    return true;
}

static bool plant_price(const struct scenario *s,
                        const struct scenario_engine *g,
                        const struct profile *p, struct arena *a,
                        struct plant_pool *pool, struct err *e)
{
    const struct sched_opt *o = &pool->sched;
    int32_t most = s->llm.graph_max > 0 ? s->llm.graph_max : p->graph_max;
    int32_t graph = o->max_num_seqs * 2 < most ? o->max_num_seqs * 2 : most;
    graph = pick(g->cudagraph_max, graph);
    if (graph > o->max_num_batched_tokens)
        graph = o->max_num_batched_tokens;
    struct price_ask ask = {
        .llm = &s->llm,
        .costs = &s->costs,
        .tp = pool->tp,
        .kv = g->kv_cache_dtype == KV_FP8 ? DT_FP8 : DT_BF16,
        .max_num_batched_tokens = o->max_num_batched_tokens,
        .max_num_seqs = o->max_num_seqs,
        .max_model_len = o->max_model_len,
        .block_size = o->block_size,
        .graph_max = g->enforce_eager ? 0 : graph,
        .quick_reduce_int4 = g->quick_reduce == 1,
        .fused_allreduce_norm = p->fused_allreduce_norm,
    };
    pool->price = price_new(&ask, a, e);
    return pool->price != NULL;
}

static bool plant_compile(const struct scenario *s,
                          const struct scenario_pool *key, struct arena *a,
                          struct plant_pool *pool, struct err *e)
{
    struct profile p;
    if (!profile_load(s->models, key->engine.profile, a, &p, e))
        return err_in(e, "engine.profile");
    *pool = (struct plant_pool){.role = key->role,
                                .tp = key->tp,
                                .sched = p.sched,
                                .pin_expiry_s = p.pin_expiry_s,
                                .pin_heartbeat = p.pin_heartbeat};
    plant_options(s, &key->engine, key->role, &pool->sched);
    if (!isnan(key->engine.kv_expiry_s))
        pool->pin_expiry_s = key->engine.kv_expiry_s;
    if (key->engine.kv_connector != CONNECTOR_BY_ROLE
        && key->engine.kv_connector != CONNECTOR_DECODE_BENCH
        && key->role == ROLE_AGGREGATED)
        return err_set(e, ERR_INPUT,
                       "engine.kv_connector: \"%s\" needs "
                       "a prefill and a decode pool",
                       key->engine.kv_connector == CONNECTOR_NIXL ? "nixl"
                                                                  : "moriio");
    if (!plant_memory(s, &key->engine, &p, pool, e))
        return false;
    const struct sched_opt *o = &pool->sched;
    if (!o->enable_chunked_prefill
        && o->max_num_batched_tokens < o->max_model_len)
        return err_set(e, ERR_INPUT,
                       "engine.max_num_batched_tokens: without "
                       "chunked prefill at least max_model_len %d, got %d",
                       o->max_model_len, o->max_num_batched_tokens);
    return plant_price(s, &key->engine, &p, a, pool, e);
}

static bool plant_same(const struct scenario_pool *a,
                       const struct scenario_pool *b)
{
    return a->role == b->role && a->tp == b->tp
        && a->engine.kv_connector == b->engine.kv_connector
        && strcmp(a->engine.id, b->engine.id) == 0;
}

static bool plant_pool(const struct scenario *s, const struct scenario_pool *p,
                       struct scenario_cache *c, struct plant_pool *out,
                       struct err *e)
{
    struct scenario_compiled *k = c->first;
    while (k && !plant_same(&k->key, p))
        k = k->next;
    if (!k) {
        k = ARENA_NEW(c->a, struct scenario_compiled);
        k->key = *p;
        if (!plant_compile(s, p, c->a, &k->pool, e))
            return err_in(e, "tp %d", p->tp);
        k->next = c->first;
        c->first = k;
    }
    *out = k->pool;
    out->replicas = (uint32_t)p->replicas;
    return true;
}

/* What the profile and the back end cannot serve (engine.md 5.6). */
static bool plant_pair(const struct scenario *s,
                       const struct scenario_topology *t,
                       const struct plant *plant, struct err *e)
{
    int p = t->pool[0].tp, d = t->pool[1].tp, kv = s->llm.kv_heads;
    const struct plant_pool *a = &plant->pool[0], *b = &plant->pool[1];
    bool fp8 = t->pool[0].engine.kv_cache_dtype == KV_FP8;
    const struct scenario_engine *pe = &t->pool[0].engine;
    const struct scenario_engine *de = &t->pool[1].engine;
    bool pair = (pe->kv_connector == CONNECTOR_MORIIO_WRITE)
                 == (de->kv_connector == CONNECTOR_MORIIO_WRITE)
             && pe->kv_parallel_dispatch == de->kv_parallel_dispatch
             && a->sched.connector == SCHED_NIXL
             && b->sched.connector == SCHED_NIXL
             && fp8 == (t->pool[1].engine.kv_cache_dtype == KV_FP8);
    if (p > d && p > kv && !s->llm.kv_lora)
        return err_set(e, ERR_INPUT,
                       "%s: prefill TP %d replicates KV heads, "
                       "so decode TP %d cannot read them",
                       t->name, p, d);
    if (p % d && d % p)
        return err_set(e, ERR_INPUT, "%s: one TP must divide the other",
                       t->name);
    /* _validate_remote_agent_handshake: block size, layers, element */
    if (!pair || a->sched.block_size != b->sched.block_size
        || a->sched.n_groups != b->sched.n_groups
        || a->kv_layers[0] != b->kv_layers[0])
        return err_set(e, ERR_INPUT,
                       "%s: prefill and decode must have one KV "
                       "connector, layout, block size and cache dtype",
                       t->name);
    return true;
}

bool scenario_plant(const struct scenario *s, const struct scenario_topology *t,
                    struct scenario_cache *cache, struct plant *p,
                    struct err *e)
{
    *p = (struct plant){.name = t->name,
                        .n_pools = t->n_pools,
                        .router = s->router,
                        .wire = &s->wire,
                        .nodes = (uint32_t)s->nodes,
                        .gpus_per_node = (uint32_t)s->gpus_per_node,
                        .gpus = t->gpus};
    must(t->n_pools >= 1 && t->n_pools <= PLANT_POOLS);
    if (t->gpus > p->nodes * p->gpus_per_node)
        return err_set(e, ERR_INPUT, "%s needs %u GPUs, the cluster has %u",
                       t->name, (unsigned)t->gpus,
                       (unsigned)(p->nodes * p->gpus_per_node));
    for (uint32_t i = 0; i < t->n_pools; i++) {
        if (t->pool[i].tp > s->gpus_per_node)
            return err_set(e, ERR_INPUT,
                           "%s: TP %d does not fit a node of %d "
                           "GPUs",
                           t->name, t->pool[i].tp, s->gpus_per_node);
        if (!plant_pool(s, &t->pool[i], cache, &p->pool[i], e))
            return false;
    }
    const struct scenario_engine *last = &t->pool[t->n_pools - 1].engine;
    p->kv_write = last->kv_connector == CONNECTOR_MORIIO_WRITE;
    p->kv_parallel = p->kv_write && last->kv_parallel_dispatch;
    p->handshake_s = t->n_pools > 1 ? last->kv_handshake_ms / 1e3 : 0;
    return scenario_router_fits(s, t, e)
        && (t->n_pools < 2 || plant_pair(s, t, p, e));
}
