#include "sim/plan/scenario_rows.h"

#include "sim/plan/scenario.h"

#define ROW(s, field, type, min, max, dflt, help)                              \
    {                                                                          \
#field, type, offsetof(struct s, field), min, max, dflt, help, NULL    \
    }
#define PICK(s, field, dflt, choices, help)                                    \
    {                                                                          \
#field, JSON_CHOICE, offsetof(struct s, field), 0, 0, dflt, help,      \
            choices                                                            \
    }

/* Above these a value is taken for a slip of the pen. */
#define MAX_TOKENS 1e8
#define MAX_MS 1e7

const struct json_row scenario_rows_top[] = {
    ROW(scenario_file, model, JSON_STR, 0, 0, NULL, "card in models/llm"),
    ROW(scenario_file, gpu, JSON_STR, 0, 0, NULL, "card in models/gpu"),
    ROW(scenario_file, wire, JSON_STR, 0, 0, "\"plain-400g\"",
        "card in models/wire"),
    ROW(scenario_file, engine, JSON_OBJ, 0, 0, JSON_ABSENT, "engine options"),
    ROW(scenario_file, router, JSON_OBJ, 0, 0, JSON_ABSENT, "router options"),
    ROW(scenario_file, cluster, JSON_OBJ, 0, 0, JSON_ABSENT, "nodes and GPUs"),
    ROW(scenario_file, pools, JSON_ANY, 0, 0, JSON_ABSENT,
        "list of pools, or a short name as \"2p-tp1-1d-tp2\""),
    ROW(scenario_file, load, JSON_OBJ, 0, 0, JSON_ABSENT,
        "arrivals and lengths"),
    ROW(scenario_file, slo, JSON_OBJ, 0, 0, JSON_ABSENT, "promises to keep"),
    ROW(scenario_file, sweep, JSON_OBJ, 0, 0, JSON_ABSENT,
        "topologies and loads to try"),
    ROW(scenario_file, phases, JSON_OBJ, 0, 0, JSON_ABSENT,
        "prefill and decode measured apart"),
    ROW(scenario_file, seed, JSON_SEED, 0, 0, "\"1\"",
        "seed of all chance, digits in quotes"),
    {0},
};

const struct json_row scenario_rows_cluster[] = {
    ROW(scenario_cluster_file, nodes, JSON_INT, 1, 4096, "1", "hosts"),
    ROW(scenario_cluster_file, gpus_per_node, JSON_INT, 1, 64, "8",
        "GPUs of a host"),
    {0},
};

const char *const scenario_rows_routers[] = {"llm-d-0.5",
                                             "round-robin",
                                             "random",
                                             "least-loaded",
                                             "active-request",
                                             "kv-cache-utilization",
                                             "llm-d-router-0.10",
                                             "llm-d-default",
                                             "llm-d-pd-sample",
                                             "load-aware",
                                             "prefix-cache",
                                             "session-affinity",
                                             NULL};
const char *const scenario_rows_deciders[] = {
    "by-profile",        "always", "never", "threshold-characters",
    "non-cached-tokens", NULL};

const struct json_row scenario_rows_router[] = {
    PICK(scenario_router_file, profile, "\"llm-d-0.5\"", scenario_rows_routers,
         "llm-d-0.5 = queue-scorer on both sides, P/D threshold 0; "
         "llm-d-router-0.10 = affinity filter and token-load on prefill, "
         "active-request on decode, always P/D; llm-d-default = queue 2, KV 2, "
         "prefix 3"),
    /* llm-d polls /metrics every 50 ms (engine.md 8.4) */
    ROW(scenario_router_file, scrape_ms, JSON_NUM, 0, MAX_MS, "50",
        "period of metric scrapes, ms"),
    ROW(scenario_router_file, hop_ms, JSON_NUM, 0, MAX_MS, "0",
        "client to engine through gateway and picker, ms"),
    ROW(scenario_router_file, sidecar_ms, JSON_NUM, 0, MAX_MS, "0",
        "prefill's reply to the decode engine, ms"),
    PICK(scenario_router_file, decider, "\"by-profile\"",
         scenario_rows_deciders,
         "whether a request is prefilled apart, on what its decode pod has "
         "cached; threshold-characters is v0.5's, non-cached-tokens its "
         "successor's"),
    ROW(scenario_router_file, threshold, JSON_NUM, 0, MAX_TOKENS, JSON_ABSENT,
        "uncached characters (0 = always) or tokens (0 = never) from which on "
        "it is"),
    ROW(scenario_router_file, prefill_weights, JSON_OBJ, 0, 0, JSON_ABSENT,
        "scorers of the prefill pods and their weights"),
    ROW(scenario_router_file, decode_weights, JSON_OBJ, 0, 0, JSON_ABSENT,
        "scorers of the decode pods, or of all where they are one pool"),
    ROW(scenario_router_file, affinity_hit, JSON_NUM, 0, 1, JSON_ABSENT,
        "prefix-cache-affinity-filter of the prefill pods: share of the prompt "
        "that a pod must have; 0 = no filter"),
    ROW(scenario_router_file, affinity_penalty_ms, JSON_NUM, 0, MAX_MS,
        JSON_ABSENT, "how much later its pods may answer; 18000"),
    ROW(scenario_router_file, affinity_tok_s, JSON_NUM, 1, 1e9, JSON_ABSENT,
        "prefill rate that estimates this; 15928, in the guide 33821"),
    ROW(scenario_router_file, index_block_tokens, JSON_INT, 1, 65536,
        JSON_ABSENT,
        "approximate prefix index: tokens a block, at least; a pod's larger "
        "block size wins"),
    ROW(scenario_router_file, index_prompt_blocks, JSON_INT, 1, 1e6,
        JSON_ABSENT, "its blocks a prompt, at most"),
    ROW(scenario_router_file, index_blocks, JSON_INT, 0, 1e9, "0",
        "its blocks a pod, least recently routed dropped; 0 = as many as the "
        "pod's KV cache"),
    {0},
};

#define WEIGHT(scorer, name, help)                                             \
    {                                                                          \
        name, JSON_NUM, (scorer) * sizeof(double), 0, 1e6, "0", help, NULL     \
    }

const struct json_row scenario_rows_weights[] = {
    WEIGHT(SCORE_QUEUE, "queue", "requests waiting, scraped"),
    WEIGHT(SCORE_KV, "kv-cache-utilization", "KV blocks free, scraped"),
    WEIGHT(SCORE_LOAD, "load-aware", "requests waiting up to 128, scraped"),
    WEIGHT(SCORE_ACTIVE, "active-request", "requests in flight"),
    WEIGHT(SCORE_PREFIX, "prefix-cache", "share of the prompt in the index"),
    WEIGHT(SCORE_TOKENS, "token-load", "prompt tokens in flight"),
    WEIGHT(SCORE_SESSION, "session-affinity",
           "the pod of the session's last turn"),
    {0},
};

static const char *const kv_dtypes[] = {"auto", "fp8", "bfloat16", NULL};
static const char *const policies[] = {"fcfs", "priority", NULL};
static const char *const quick_reduce[] = {"none", "int4", NULL};
static const char *const connectors[] = {
    "by-role", "nixl", "decode-bench", "moriio-read", "moriio-write", NULL};
static const char *const failures[] = {"by-profile", "recompute", "fail", NULL};
static const char *const attention[] = {
    "default",    "triton", "aiter-unified", "aiter-fa", "rocm-attn",
    "flash-attn", NULL};

#define ENGINE(field, type, min, max, dflt, help)                              \
    ROW(scenario_engine, field, type, min, max, dflt, help)

const struct json_row scenario_rows_engine[] = {
    ENGINE(profile, JSON_STR, 0, 0, "\"vllm-0.15\"",
           "engine version, card in models/engine"),
    ENGINE(max_num_batched_tokens, JSON_INT, 1, MAX_TOKENS, JSON_ABSENT,
           "tokens a step; default by device"),
    ENGINE(max_num_seqs, JSON_INT, 1, 65536, JSON_ABSENT,
           "running requests; default by device"),
    ENGINE(max_model_len, JSON_INT, 1, MAX_TOKENS, JSON_ABSENT,
           "tokens of prompt and answer; default: the model's, or what the KV "
           "pool holds"),
    ENGINE(block_size, JSON_INT, 1, 1024, JSON_ABSENT,
           "tokens a KV block; default by attention backend"),
    ENGINE(long_prefill_token_threshold, JSON_INT, 0, MAX_TOKENS, "0",
           "cap on a prefill chunk, 0 = off"),
    ENGINE(num_gpu_blocks_override, JSON_INT, 2, 1e9, JSON_ABSENT,
           "measured number of KV blocks"),
    ENGINE(gpu_memory_utilization, JSON_NUM, 0.01, 1, JSON_ABSENT,
           "share of GPU memory; default by profile"),
    PICK(scenario_engine, kv_cache_dtype, "\"auto\"", kv_dtypes,
         "KV cache element; auto = bfloat16"),
    PICK(scenario_engine, scheduling_policy, "\"fcfs\"", policies,
         "order of admission"),
    ENGINE(prefix_caching, JSON_BOOL, 0, 0, "true", "reuse of cached prefixes"),
    ENGINE(async_scheduling, JSON_BOOL, 0, 0, "true",
           "schedule the next step while one runs"),
    ENGINE(enable_chunked_prefill, JSON_BOOL, 0, 0, "true",
           "split prompts over steps"),
    ENGINE(enforce_eager, JSON_BOOL, 0, 0, "false", "no CUDA or HIP graphs"),
    PICK(scenario_engine, quick_reduce, "\"none\"", quick_reduce,
         "VLLM_ROCM_QUICK_REDUCE_QUANTIZATION"),
    PICK(scenario_engine, kv_connector, "\"by-role\"", connectors,
         "KV connector: nixl under P/D; decode-bench fills the cache; "
         "moriio-read pulls as nixl does, moriio-write pushes layer by layer"),
    ENGINE(kv_parallel_dispatch, JSON_BOOL, 0, 0, "true",
           "moriio-write: both sides get a request at once"),
    PICK(scenario_engine, kv_load_failure_policy, "\"by-profile\"", failures,
         "what becomes of a request whose KV fails to load"),
    ENGINE(kv_expiry_s, JSON_NUM, 0.001, 1e6, JSON_ABSENT,
           "unfetched prefill blocks are freed after this; default by profile"),
    ENGINE(kv_handshake_ms, JSON_NUM, 0, MAX_MS, "0",
           "first contact of a decode and a prefill engine; 0 = warmed up"),
    PICK(scenario_engine, attention_backend, "\"default\"", attention,
         "decides the default block size"),
    ENGINE(cudagraph_max, JSON_INT, 1, 8192, JSON_ABSENT,
           "largest captured size, tokens; default min(2 max_num_seqs, 512)"),
    {0},
};

#define SLO(field, help)                                                       \
    ROW(scenario_slo, field, JSON_NUM, 1e-3, MAX_MS, JSON_ABSENT, help)

const struct json_row scenario_rows_slo[] = {
    SLO(ttft_ms_p99, "P99 time to first token, ms"),
    SLO(itl_ms_p99, "P99 gap between tokens, pooled, ms"),
    SLO(tpot_ms_p99, "P99 time per output token, ms"),
    SLO(e2e_ms_p99, "P99 end-to-end latency, ms"),
    SLO(tpsu_min, "tokens per second and user, at least"),
    {0},
};

#define SWEEP(field, type, min, max, dflt, help)                               \
    ROW(scenario_sweep, field, type, min, max, dflt, help)

const struct json_row scenario_rows_sweep[] = {
    /* read by hand: a set's name or a list; the row makes the key known */
    {"pools", JSON_ANY, offsetof(struct scenario_sweep, raw_pools), 0, 0,
     JSON_ABSENT, "\"all\", \"aggregated\", \"disaggregated\" or short names",
     NULL},
    SWEEP(max_gpus, JSON_INT, 1, 65536, JSON_ABSENT,
          "largest topology; default: the cluster"),
    SWEEP(min_gpus, JSON_INT, 1, 65536, "1", "smallest topology"),
    SWEEP(tp, JSON_NUMS, 1, 64, "[1, 2, 4, 8]", "tensor-parallel sizes"),
    SWEEP(concurrency, JSON_NUMS, 0, 0, "[]", "closed-loop clients"),
    SWEEP(concurrency_per_gpu, JSON_NUMS, 0, 0, "[]",
          "closed-loop clients a GPU of the topology"),
    SWEEP(rate_rps, JSON_NUMS, 0, 0, "[]", "open-loop arrivals per second"),
    SWEEP(rate_rps_per_gpu, JSON_NUMS, 0, 0, "[]",
          "open-loop arrivals per second and GPU of the topology"),
    SWEEP(min_seconds, JSON_NUM, 0, 1e6, "0",
          "requests are at least the rate times this"),
    SWEEP(waves, JSON_INT, 1, 1000, "1",
          "requests are at least this times the concurrency"),
    SWEEP(decode_tp_at_least_prefill, JSON_BOOL, 0, 0, "true",
          "only decode TP >= prefill TP, as llm-d asks of non-MLA models"),
    SWEEP(bands, JSON_NUMS, 0, 1e6, "[0, 15, 20, 25, 30, 41, 60, 100, 200]",
          "edges of the TPSU bands of the ranking"),
    {0},
};

const struct json_row scenario_rows_phases[] = {
    ROW(scenario_phases, tp, JSON_NUMS, 1, 64, "[1, 2, 4, 8]",
        "tensor-parallel sizes"),
    ROW(scenario_phases, prefill_concurrency, JSON_NUMS, 0, 0, "[1, 4, 8, 16]",
        "clients of the prefill-only runs"),
    ROW(scenario_phases, decode_concurrency, JSON_NUMS, 0, 0,
        "[4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 128]",
        "clients of the decode-only runs"),
    ROW(scenario_phases, requests, JSON_INT, 1, 1e9, "1000",
        "requests a point"),
    ROW(scenario_phases, pair_prefill_tp, JSON_INT, 0, 64, "0",
        "TP of the prefill engines to pair with; 0 = no pairing"),
    ROW(scenario_phases, pair_decode_tp, JSON_NUMS, 1, 64, "[2]",
        "TP of the decode engines to pair"),
    {0},
};
