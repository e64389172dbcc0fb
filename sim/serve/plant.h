/* plant - what is simulated, compiled: pools of engines with their scheduler
 * options and prices, the wire, the router.  Built by sim/plan/scenario from
 * cards and fits; const from then on and shared by trials and threads. */
#ifndef SIM_SERVE_PLANT_H
#define SIM_SERVE_PLANT_H

#include "sim/cost/memory.h"
#include "sim/cost/price.h"
#include "sim/serve/profile.h"

enum { PLANT_POOLS = 2 };

enum pool_role { ROLE_AGGREGATED, ROLE_PREFILL, ROLE_DECODE };

struct plant_pool {
    enum pool_role role;
    uint32_t replicas;
    int tp;
    struct sched_opt sched;
    const struct price *price;
    struct memory memory;
    double pin_expiry_s;
    bool pin_heartbeat;
    /* KV hand-over, per rank and token block: bytes of one block over the
     * layers of each KV group, and descriptors a block makes (engine.md 5.3) */
    double kv_block_bytes[SCHED_GROUPS];
    int kv_layers[SCHED_GROUPS];
};

/* How the router picks a replica. */
enum route_kind {
    ROUTE_QUEUE,  /* queue-scorer 1 on scraped metrics: llm-d-0.5 */
    ROUTE_KV,     /* kv-cache-utilization scorer, scraped */
    ROUTE_ACTIVE, /* active-request scorer, the picker's own counters */
    ROUTE_LEAST,  /* fewest requests sent and not yet answered */
    ROUTE_RANDOM,
    ROUTE_ROUND_ROBIN,
    ROUTE_SCORED, /* the weighted scores of a struct route_side */
    ROUTE_N
};

/* The scorers of engine.md 8.3, in llm-d's words. */
enum route_scorer {
    SCORE_QUEUE,   /* scraped: requests waiting, between the candidates' */
    SCORE_KV,      /* scraped: share of KV blocks free */
    SCORE_LOAD,    /* scraped: requests waiting, up to 128 */
    SCORE_ACTIVE,  /* requests in flight, against the most */
    SCORE_PREFIX,  /* share of the prompt that the index has */
    SCORE_TOKENS,  /* prompt tokens in flight, up to 4,194,304 */
    SCORE_SESSION, /* 1 for the pod that had the session's last turn */
    SCORE_N
};

struct route_side { /* of prefill or of decode */
    double weight[SCORE_N];
    /* prefix-cache-affinity-filter; affinity_hit 0: no filter */
    double affinity_hit;       /* share of the prompt */
    double affinity_penalty_s; /* later than the best pod, at most */
    double affinity_tok_s;     /* prefill rate that estimates it */
};

/* Whether a request of a P/D plant is prefilled apart (engine.md 8.1). */
enum route_decider {
    DECIDE_ALWAYS,
    DECIDE_NEVER,      /* no decider: decode pods alone serve */
    DECIDE_CHARACTERS, /* v0.5 threshold: uncached characters, 0 = always */
    DECIDE_TOKENS      /* nonCachedTokens: uncached tokens, 0 = never */
};

enum { ROUTE_CHARS_A_TOKEN = 4 }; /* llm-d's estimate */

struct plant_router {
    enum route_kind prefill, decode; /* aggregated pools use decode */
    double scrape_s;           /* period of metric scrapes; 0.05 in llm-d */
    double hop_s;              /* client to engine through gateway and picker */
    double sidecar_s;          /* prefill's reply to the decode engine */
    struct route_side side[2]; /* ROUTE_SCORED: prefill's and decode's */
    enum route_decider decider;
    double threshold; /* characters or tokens */
    /* The approximate prefix index: tokens a block at least (AutoTune takes a
     * pod's larger one), blocks of a prompt at most, blocks a pod (0: as many
     * as the pod has). */
    int32_t index_tokens;
    uint32_t index_most;
    int64_t index_blocks;
};

/* Whether its decisions ask what a pod has cached. */
static inline bool plant_indexed(const struct plant_router *r)
{
    bool asks = r->decider == DECIDE_CHARACTERS || r->decider == DECIDE_TOKENS;
    const enum route_kind kind[2] = {r->prefill, r->decode};
    for (int i = 0; i < 2; i++)
        asks = asks
            || (kind[i] == ROUTE_SCORED
                && (r->side[i].weight[SCORE_PREFIX] > 0
                    || r->side[i].affinity_hit > 0));
    return asks;
}

struct plant {
    const char *name; /* topology short name: "2p-tp1-1d-tp2" */
    struct plant_pool pool[PLANT_POOLS];
    uint32_t n_pools;
    struct plant_router router;
    const struct wire_card *wire;
    /* MoRI-IO WRITE: prefill pushes into blocks that decode holds already;
     * kv_parallel: both sides get a request at once (engine.md 5.9) */
    bool kv_write, kv_parallel;
    double handshake_s; /* first contact of a pair of engines; 0 = warmed up */
    uint32_t nodes, gpus_per_node;
    uint32_t gpus; /* used by the pools */
};

/* Most blocks that one request of so many tokens holds at a time, over all KV
 * groups.  A sliding group is given a chunk's blocks before it frees what the
 * window has left (engine.md 3.5; SlidingWindowSpec.max_memory_usage_bytes). */
static inline int64_t plant_blocks(const struct sched_opt *o, int64_t tokens)
{
    int64_t n = 0, bs = o->block_size, all = (tokens + bs - 1) / bs;
    int64_t batches = o->window_cap_in_flight && o->async_scheduling ? 2 : 1;
    for (int g = 0; g < o->n_groups; g++) {
        int64_t span = o->window[g] - 1 + batches * o->max_num_batched_tokens;
        int64_t cap = o->window[g] ? (span + bs - 1) / bs + 1 : all;
        n += all < cap ? all : cap;
    }
    return n;
}

#endif
