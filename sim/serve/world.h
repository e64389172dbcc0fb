/* world - one trial: a plant under a load, from the first send to the last
 * token, and what came of it.  world_run simulates the client's whole life,
 * ramp and drain included, and checks at its end that requests, KV blocks and
 * wire bytes are conserved (must()).  Everything lives in the given arena; one
 * thread; same plant, load and seed give the same outcome to the bit. */
#ifndef SIM_SERVE_WORLD_H
#define SIM_SERVE_WORLD_H

#include "sim/load/load.h"
#include "sim/serve/plant.h"
#include "sim/serve/watch.h"
#include "sim/serve/wire.h"

/* A distribution in milliseconds; NAN where there is no sample. */
struct world_dist {
    double mean, p50, p90, p95, p99, p999, max;
};

struct world_pool {
    double busy; /* share of the run its engines' GPUs computed */
    double kv;   /* mean share of KV blocks in use */
    double kv_max;
    double nic;     /* busiest direction of its nodes' NICs */
    double waiting; /* mean requests waiting, remote included */
};

enum world_bottleneck {
    WORLD_NONE, /* nothing above 0.7: the load is the limit */
    WORLD_COMPUTE_AGG,
    WORLD_COMPUTE_PREFILL,
    WORLD_COMPUTE_DECODE,
    WORLD_KV_AGG,
    WORLD_KV_PREFILL,
    WORLD_KV_DECODE,
    WORLD_WIRE
};
const char *world_bottleneck_name(enum world_bottleneck b);

struct outcome {
    int64_t requests; /* completed; with `failed` all that was asked */
    int64_t failed;   /* ended by the engine with an error; in nothing else */
    int64_t output_tokens, input_tokens;
    double duration_s;  /* first send to last token */
    double concurrency; /* client slots, or mean in flight when open loop */
    double req_s, output_tok_s, total_tok_s;
    double tpsu, tpsg;    /* output tok/s per slot, per GPU (engine.md 2) */
    double interactivity; /* 1000 / median TPOT */
    struct world_dist ttft, tpot, itl, e2e; /* itl pooled over gaps */
    struct world_dist kv_transfer; /* READ posted to received; P/D only */
    /* where mean TTFT went, ms: router and hops, prefill queue, prefill, hand-
     * over wait on decode, transfer, notice and first step */
    double ttft_route, ttft_queue, ttft_prefill, ttft_stage, ttft_transfer,
        ttft_first;
    /* half-widths of the 95 % interval (batch means) */
    double ci_tpsu, ci_tpsg, ci_ttft_p99, ci_itl_p99, ci_e2e_p99;
    struct world_pool pool[PLANT_POOLS];
    struct wire_sum wire; /* where transfers waited */
    enum world_bottleneck bottleneck;
    int64_t preemptions;
    int64_t steps; /* engine steps simulated */
    int64_t events;
};

struct world_ask {
    const struct plant *plant;
    const struct load_spec *load;
    uint64_t seed;
    bool engine_steps; /* take every engine step by itself (no quiet runs) */
    const struct watch *watch; /* who looks on; NULL: nobody */
};

/* ERR_INPUT when the load cannot be served at all (a request longer than
 * max_model_len or the KV pool), named with sizes; the arena holds garbage
 * afterwards and may be reset. */
bool world_run(const struct world_ask *ask, struct arena *a,
               struct outcome *out, struct err *e);

#endif
