/* engine - one vLLM instance in time: a host that schedules, launches and
 * updates, a GPU that computes one batch after the other, and up to two batches
 * in flight (engine.md 3.8, 4.2).
 *
 *          poke                    launch, queue full or batch empty
 *   IDLE --------> FILL ------------------------------------> BLOCKED
 *    ^              ^  ^ more to schedule                        |  ^
 *    |              |  +----- FILL              oldest batch done|  |
 *    | nothing left |                                            |  |
 *    +--------------+<----------------- engine_wake -------------+  |
 *    |                 1 ms sleep after a step that executed nothing|
 *    +--> POLL --(tick)--> FILL        BLOCKED <--> QUIET ----------+
 *
 * QUIET is BLOCKED with a promise: the next n rounds (update the oldest batch,
 * schedule one more) change nothing but counters, so their times are computed
 * in one go and one event stands for all of them.  A poke in mid-run keeps the
 * rounds that are over and drops the rest; results are those of single steps,
 * to the nanosecond.
 *
 * Rounding: GPU and host times are picoseconds from price.h, rounded to ns once
 * a step.  Lives in the trial's arena; one thread.  A wake costs O(requests in
 * the batch); a quiet run O(rounds). */
#ifndef SIM_SERVE_ENGINE_H
#define SIM_SERVE_ENGINE_H

#include "sim/base/units.h"
#include "sim/serve/plant.h"
#include "sim/serve/prefix_index.h"

enum { ENGINE_DEPTH = 2, ENGINE_RUN = 128, ENGINE_LEAST = 8 };
/* Batches whose output time is kept.  A gap is counted too long only where a
 * request is passed over by more of them in a row without being preempted. */
enum { ENGINE_RING = 1024 };

/* vLLM's engine core sleeps this long after a step that executed nothing while
 * requests remain (engine.md 4.2, point 6). */
#define ENGINE_POLL_NS ((ns_t)1000000)

enum engine_state {
    ENGINE_IDLE,
    ENGINE_FILL,
    ENGINE_BLOCKED,
    ENGINE_POLL,
    ENGINE_QUIET
};

struct engine_list { /* request handles, growing in the arena */
    uint32_t *v;
    uint32_t n, cap;
};

struct engine_flight {
    struct sched_batch b;
    ns_t end;                  /* its GPU work is done */
    struct engine_list rx, tx; /* receives and sends its worker noticed */
    struct engine_list lost, lost_from; /* failed receives: sched_input */
};

struct engine_quiet {
    uint32_t n;     /* rounds promised */
    uint32_t reach; /* rounds worth promising: twice what the last run kept */
    ns_t update, schedule; /* host times of every round */
    /* of round i: oldest batch done, worker free again, end of the batch it
     * launches, GPU time of that batch and of those before it */
    ns_t wake[ENGINE_RUN], worker[ENGINE_RUN], end[ENGINE_RUN];
    ns_t busy[ENGINE_RUN];
};

struct engine {
    uint32_t id, slot, pool;
    uint32_t node, gpu; /* of its first rank; ranks follow */
    const struct plant_pool *plan;
    struct sched *sched;
    enum engine_state state;
    uint32_t depth; /* batches that may be in flight */
    struct engine_flight flight[ENGINE_DEPTH];
    uint32_t head, n_out;
    struct sched_output out;
    ns_t host_free, worker_free, gpu_free;
    ns_t poll_at;              /* next tick while POLL */
    bool flush;                /* requests ended since the last schedule */
    bool executed;             /* the last schedule gave tokens */
    struct engine_list inbox;  /* world requests to add */
    struct engine_list rx, tx; /* done, not yet noticed by the worker */
    struct engine_list lost, lost_from;
    ns_t *met;               /* by engine: handshake done; NULL, 0: not begun */
    ns_t met_free;           /* handshakes so far are over */
    struct engine_list away; /* preempted by the last schedule */
    struct engine_quiet quiet;
    struct price_chunk *chunk; /* scratch for price_shape */
    uint32_t cap_chunk;

    uint64_t ring_s;        /* batch number after the newest in ring */
    ns_t ring[ENGINE_RING]; /* output time of batch s at s % RING */
    ns_t out_prev;          /* output time of the last batch processed */

    /* router signals */
    uint32_t active;            /* sent here and not yet answered */
    int64_t tokens;             /* of their prompts */
    struct prefix_index *index; /* NULL: nobody asks */
    ns_t scrape_phase;
    ns_t scrape_next;        /* its first scrape not yet seen */
    uint32_t gauge, scraped; /* num_requests_waiting now, and as scraped */
    double gauge_kv, scraped_kv;

    /* statistics */
    ns_t busy;
    int64_t steps;
    double kv_area, wait_area; /* time integrals: blocks x ns, requests x ns */
    int64_t kv_max, kv_used;   /* blocks: most, and at area_at */
    ns_t area_at;
    int64_t preemptions;
};

struct world;

void engine_init(struct engine *g, struct world *w, const struct plant_pool *p,
                 uint32_t id, uint32_t slot);
/* Its event: the promised or blocked-on moment has come. */
void engine_wake(struct world *w, struct engine *g, ns_t now);
/* Something for it arrived (inbox, rx, tx). */
void engine_push(struct world *w, struct engine *g, uint32_t request, ns_t now);
void engine_received(struct world *w, struct engine *g, uint32_t sched_req,
                     ns_t now);
void engine_sent(struct world *w, struct engine *g, uint32_t sched_req,
                 ns_t now);
/* A receive that its launch begins fails at once; `from` of its tokens are here
 * all the same. */
void engine_lost(struct world *w, struct engine *g, uint32_t sched_req,
                 int32_t from);
/* Makes real what a quiet run has promised up to `now`. */
void engine_catch_up(struct world *w, struct engine *g, ns_t now);
/* Brings the statistics up to `now` (end of the run). */
void engine_settle(struct engine *g, ns_t now);

#endif
