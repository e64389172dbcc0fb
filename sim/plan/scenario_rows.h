/* scenario_rows - the keys of a scenario file, one table an object, and the
 * structs they fill before cards and profiles are looked up.  Shared by
 * scenario.c and by whoever lists the keys (show, man page). */
#ifndef SIM_PLAN_SCENARIO_ROWS_H
#define SIM_PLAN_SCENARIO_ROWS_H

#include "sim/base/json.h"

struct scenario_file {
    const char *model, *gpu, *wire;
    const cJSON *engine, *router, *cluster, *load, *slo, *sweep, *phases;
    const cJSON *pools; /* list or short name */
    uint64_t seed;
};

struct scenario_cluster_file {
    int64_t nodes, gpus_per_node;
};

struct scenario_router_file {
    int profile; /* index into scenario_rows_routers */
    double scrape_ms, hop_ms, sidecar_ms;
    int decider; /* index into scenario_rows_deciders */
    double threshold;
    const cJSON *prefill_weights, *decode_weights;
    double affinity_hit, affinity_penalty_ms, affinity_tok_s;
    int64_t index_block_tokens, index_prompt_blocks, index_blocks;
};

extern const char *const scenario_rows_routers[];
extern const char *const scenario_rows_deciders[]; /* by-profile first */
extern const struct json_row scenario_rows_top[];
extern const struct json_row scenario_rows_cluster[];
extern const struct json_row scenario_rows_router[];
/* double[SCORE_N] */
extern const struct json_row scenario_rows_weights[];
extern const struct json_row scenario_rows_engine[]; /* scenario_engine */
extern const struct json_row scenario_rows_slo[];    /* scenario_slo */
extern const struct json_row scenario_rows_sweep[];  /* scenario_sweep */
extern const struct json_row scenario_rows_phases[]; /* scenario_phases */

#endif
