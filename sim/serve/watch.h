/* watch - somebody who looks on while a world runs: every engine step, every
 * KV transfer, every request's life.  A callback that is NULL is not called;
 * what it is given lives until it returns.  Engines then take every step by
 * itself, so that each is seen; the outcome is the same.  Times are ns since
 * the trial began; steps come in the order in which engines launch them.
 * Called from the trial's own thread. */
#ifndef SIM_SERVE_WATCH_H
#define SIM_SERVE_WATCH_H

#include "sim/base/units.h"

#include <stdbool.h>
#include <stdint.h>

#define WATCH_NOBODY UINT32_MAX

/* A request that is in a step otherwise than by one more decode token. */
struct watch_part {
    uint64_t life; /* number of the request, in the order of sending */
    int32_t tokens, computed; /* scheduled; before this step */
};

struct watch_step {
    uint32_t engine, pool;
    uint64_t number; /* of the engine's schedule calls */
    ns_t at, end;    /* its GPU work */
    int32_t tokens;
    int32_t prefill_tokens; /* of prompts, or recomputed after a preemption */
    uint32_t decodes;       /* requests with one token, past their prompt */
    int64_t context;        /* tokens attended to, over all requests */
    int32_t padded;         /* tokens after rounding up to a captured graph */
    int64_t kv_used, kv_blocks; /* after scheduling, of how many */
    uint32_t running, waiting;
    const struct watch_part *part; /* all but decodes */
    uint32_t n_part;
};

struct watch_transfer {
    uint64_t life;
    uint32_t from, to; /* engines */
    ns_t posted, received;
    int64_t bytes;
};

struct watch_life {
    uint64_t life;
    uint32_t prefill, decode; /* engines; WATCH_NOBODY: not disaggregated */
    int32_t isl, osl;
    bool warmup; /* before the clock started */
    bool failed; /* got no answer, or only a part of one */
    /* 0: did not happen */
    ns_t sent, queued, admitted, prefilled, posted, received, first, end;
};

struct watch {
    void *user;
    void (*step)(void *user, const struct watch_step *);
    void (*transfer)(void *user, const struct watch_transfer *);
    void (*life)(void *user, const struct watch_life *);
};

#endif
