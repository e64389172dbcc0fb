/* scenario - scenarios/X.json as a struct, and from it the plant of each
 * topology.  Everything lives in the caller's arena and is const once read;
 * shared between threads.  Contract: contract section 3; unknown keys, wrong
 * types, values out of range and what does not fit are ERR_INPUT with file,
 * path, value and what is allowed. */
#ifndef SIM_PLAN_SCENARIO_H
#define SIM_PLAN_SCENARIO_H

#include "sim/load/load.h"
#include "sim/serve/plant.h"

#include <cjson/cJSON.h>

/* An engine block; vLLM's flag names.  JSON_NOINT / NAN = not given. */
struct scenario_engine {
    const char *profile;
    int64_t max_num_batched_tokens, max_num_seqs, max_model_len, block_size;
    int64_t long_prefill_token_threshold, num_gpu_blocks_override;
    double gpu_memory_utilization;
    int kv_cache_dtype;    /* 0 auto, 1 fp8, 2 bf16 */
    int scheduling_policy; /* enum sched_policy */
    bool prefix_caching, async_scheduling, enable_chunked_prefill;
    bool enforce_eager;
    int quick_reduce; /* 0 none, 1 int4 */
    int kv_connector; /* 0 by role, 1 nixl, 2 decode-bench, 3 moriio-read,
                         4 moriio-write */
    bool kv_parallel_dispatch;
    int kv_load_failure_policy; /* 0 by profile, 1 recompute, 2 fail */
    double kv_expiry_s, kv_handshake_ms;
    int attention_backend; /* 0 default, 1 triton, 2 aiter-unified ... */
    int64_t cudagraph_max; /* largest captured size */
    const char *id; /* all of the above as text: equal options, equal text */
};

struct scenario_pool {
    enum pool_role role;
    int replicas, tp;
    struct scenario_engine engine;
};

struct scenario_topology {
    const char *name;
    struct scenario_pool pool[PLANT_POOLS];
    uint32_t n_pools;
    uint32_t gpus;
};

struct scenario_slo { /* NAN = no bound */
    double ttft_ms_p99, itl_ms_p99, tpot_ms_p99, e2e_ms_p99, tpsu_min;
};

struct scenario_phases {
    bool given;
    struct json_nums tp, prefill_concurrency, decode_concurrency;
    int64_t requests;        /* a point */
    int64_t pair_prefill_tp; /* 0: no pairing */
    struct json_nums pair_decode_tp;
};

struct scenario_sweep {
    bool given;
    const cJSON *raw_pools; /* while reading */
    const char *pools;  /* "all" | "aggregated" | "disaggregated", or NULL */
    const char **names; /* short names instead, NULL at the end */
    size_t n_names;
    int64_t max_gpus, min_gpus;
    struct json_nums tp;
    /* loads tried on each topology: closed loop, or open loop where the
     * scenario's arrivals have a rate */
    struct json_nums concurrency, concurrency_per_gpu;
    struct json_nums rate_rps, rate_rps_per_gpu;
    int64_t waves;                   /* requests >= waves * concurrency */
    double min_seconds;              /* requests >= rate * this */
    bool decode_tp_at_least_prefill; /* llm-d: D_TP >= P_TP */
    struct json_nums bands;          /* TPSU band edges of the ranking */
};

struct scenario {
    const char *path, *why;
    struct gpu_card gpu, donor_gpu;
    struct llm_card llm;
    struct wire_card wire;
    struct scenario_engine engine;
    struct plant_router router;
    const char *router_profile;
    bool router_decides; /* it knows when to prefill apart */
    int nodes, gpus_per_node;
    struct scenario_topology topology; /* n_pools 0: none given */
    struct load_spec load;
    struct scenario_slo slo;
    struct scenario_phases phases;
    struct scenario_sweep sweep;
    uint64_t seed;
    struct op_costs costs;
    struct costs own, donor;
    const char *models; /* folder of the cards */
};

struct scenario_ask {
    const char *path;       /* file, or what to call `text` in messages */
    const char *text;       /* JSON text instead of the file; NULL = read */
    const char *models;     /* models folder */
    const char *const *set; /* --set assignments, NULL at the end */
    const char *seed;       /* --seed, NULL = the file's */
    struct db *store;
};

/* Loads the file; cJSON's tree is freed, what stays lies in the arena.
 * scenario_resolved's tree is the caller's. */
bool scenario_load(const struct scenario_ask *ask, struct arena *a,
                   struct scenario *s, struct err *e);
/* The scenario with every default filled in. */
cJSON *scenario_resolved(const struct scenario *s);

/* "agg-tp4", "8x-agg-tp2", "2p-tp1-1d-tp2"; engine blocks from the scenario. */
bool scenario_topology(const struct scenario *s, const char *name,
                       struct arena *a, struct scenario_topology *t,
                       struct err *e);
const char *scenario_topology_name(const struct scenario_topology *t,
                                   struct arena *a);

/* Compiles a topology.  Prices are cached in `cache` by (tp, engine) and live
 * in its arena; one thread builds, many read the result. */
struct scenario_cache;
struct scenario_cache *scenario_plant_cache(const struct scenario *s,
                                            struct arena *a);
bool scenario_plant(const struct scenario *s, const struct scenario_topology *t,
                    struct scenario_cache *cache, struct plant *p,
                    struct err *e);

#endif
