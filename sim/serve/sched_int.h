/* sched_int - the inside of the scheduler, for sched*.c alone.
 *
 * A request is two records with one index, its handle: what a decode step
 * touches (sched_hot, 40 bytes) and the rest (sched_cold). */
#ifndef SIM_SERVE_SCHED_INT_H
#define SIM_SERVE_SCHED_INT_H

#include "sim/serve/kv.h"
#include "sim/serve/sched.h"

#define SCHED_NONE UINT32_MAX /* no request */

enum sched_status {
    SCHED_UNUSED,
    SCHED_WAITING,
    SCHED_LOADING, /* vLLM's WAITING_FOR_REMOTE_KVS */
    SCHED_RUNNING,
    SCHED_PREEMPTED,
    SCHED_ENDED, /* blocks or batches in flight still name it */
};

struct sched_hot {
    int32_t computed;     /* advanced when scheduled */
    int32_t tokens;       /* prompt and outputs */
    int32_t placeholders; /* outputs that batches in flight will bring */
    int32_t calm;         /* below this computed, one token more takes nothing
                             but counting: see sched_refresh */
    int32_t end;          /* tokens at which it ends at the latest */
    int32_t in_flight;    /* tokens scheduled and not processed; not 0 while a
                             batch in flight lists it */
    uint64_t last_out;    /* batch that brought its last token */
    int32_t stale;        /* of in_flight, scheduled before a preemption */
    uint8_t status;       /* enum sched_status */
    uint8_t failed;       /* bad blocks in the batch being processed */
    uint8_t steady;       /* counted by sched_drift: what else is here is old */
};

struct sched_cold {
    struct kv_req kv;
    uint64_t user;
    uint64_t serial; /* order of arrival */
    uint64_t fence;  /* last non-empty batch that lists it */
    int32_t prompt;
    int32_t limit;    /* prompt + max_tokens */
    int32_t room;     /* tokens its blocks hold */
    int32_t skip_at;  /* computed at which a block leaves a window */
    int32_t cache_at; /* tokens at which a block is to be hashed */
    int32_t priority;
    int32_t stop_at;
    int32_t max_tokens;
    int32_t preemptions;
    int32_t first_computed; /* at the first admission, -1 before */
    uint32_t next, prev;    /* FCFS queue */
    uint32_t at;            /* place in the heap */
    uint32_t prefill_at;    /* place in s->prefill, SCHED_NONE = not there */
    uint8_t queue;          /* index of the queue it is in */
    bool remote_decode;
    bool remote_prefill; /* not yet asked for */
    bool filled;         /* DecodeBench has filled it */
    bool received, load_failed;
    bool pinned;
};

/* A steady request: what it is follows from the numbers of calls and updates
 * (sched_drift.c). */
struct sched_drift {
    int64_t c0, t0; /* computed = c0 + calls, tokens = t0 + updates */
    uint64_t join;  /* first call that counts it */
    uint64_t stop;  /* first call that does not */
    uint64_t fin;   /* batch with its last token */
    uint32_t pos;   /* place in s->steady */
    uint32_t next;  /* with the same fin, by the ring */
};

/* Who was in the unlisted part of a batch in flight when counting ended. */
struct sched_snap {
    bool there;
    uint64_t batch;
    uint32_t *req, n, cap;
};

/* vLLM's FCFSRequestQueue and PriorityRequestQueue. */
struct sched_queue {
    uint32_t n;
    uint32_t head, tail; /* FCFS */
    uint32_t *heap, cap; /* priority */
};

enum { SCHED_Q_WAITING, SCHED_Q_FIRST, SCHED_QUEUES };

struct sched {
    struct sched_opt o;
    struct arena *a;
    struct kv *kv;

    struct sched_hot *hot;
    struct sched_cold *cold;
    uint32_t n_pool, cap_pool;
    uint32_t *spare, n_spare, cap_spare; /* dead handles */

    uint32_t *running, n_running, cap_running;
    struct sched_queue q[SCHED_QUEUES];
    uint32_t *aside, n_aside, cap_aside;       /* set aside in this call */
    uint32_t *prefill, n_prefill, cap_prefill; /* 0.32: in-flight prefills */

    bool drifts; /* steady requests are counted */
    struct sched_drift *drift;
    uint32_t cap_drift;
    uint32_t *steady; /* in the order of running, before s->running; holes */
    uint32_t n_slots, cap_steady, n_steady;
    uint32_t listing; /* of these, in the next call */
    int64_t sum_c0;   /* over those listing */
    uint32_t *takes;  /* those listing that take blocks at call mod size */
    uint32_t *frees[SCHED_GROUPS];       /* ... that free one of a window */
    uint32_t *ring;                      /* fin mod size -> first of a list */
    uint64_t next_fin;                   /* no fin before this one */
    uint32_t *ghost, n_ghost, cap_ghost; /* ended, in the next batch yet */
    uint32_t *ends, cap_ends;            /* scratch */
    struct sched_snap snap[2];

    uint64_t n_schedule;         /* calls so far */
    uint64_t n_update;           /* batches processed, empty ones too */
    uint64_t batches_before;     /* `batches` before the last call */
    uint64_t added;              /* requests so far */
    uint64_t alive;              /* not yet dead to the caller */
    uint64_t batches, processed; /* non-empty ones scheduled, processed */
    uint32_t n_loading;          /* LOADING */
    uint32_t n_received;         /* of these, received */
    uint32_t n_pinned;
    uint32_t quiet;    /* rounds known to be quiet but for `most` ... */
    bool quiet_known;  /* ... since nothing has changed */
    uint32_t *residue; /* running requests by slots left in their blocks */
    bool ended_since;  /* something ended since the last schedule */
    bool defer;        /* blocks are freed behind the steps in flight */
};

/* ---- sched.c ---- */
void sched_refresh(struct sched *s, uint32_t r); /* after kv calls */
void sched_unload(struct sched *s, uint32_t r);  /* frees blocks, or defers */
void sched_retire(struct sched *s, uint32_t r);  /* its handle, once unused */
void sched_release(struct sched *s, uint32_t r); /* a pinned one's blocks */
void sched_finish(struct sched *s, uint32_t r, enum sched_end why,
                  struct sched_output *out);
void sched_unprefill(struct sched *s, uint32_t r);
void sched_clear(struct sched_output *out);

/* ---- sched_queue.c ---- */
void sched_queue_init(struct sched *s);
void sched_queue_push(struct sched *s, int q, uint32_t r);
void sched_queue_prepend(struct sched *s, int q, uint32_t r);
void sched_queue_remove(struct sched *s, uint32_t r);
uint32_t sched_queue_peek(const struct sched *s, int q);
bool sched_queue_at(const struct sched *s, int q, uint32_t j, uint32_t *req);
bool sched_queue_before(const struct sched *s, uint32_t x, uint32_t y);

/* ---- sched_drift.c ---- */
void sched_drift_init(struct sched *s);
/* Counts the steady part of a call into b, or makes all requests ordinary. */
void sched_drift_begin(struct sched *s, struct sched_batch *b, int32_t *budget);
/* Leading running requests that have become steady. */
void sched_drift_join(struct sched *s);
void sched_drift_flush(struct sched *s);
/* The steady part of a batch's output; n_update counts it already. */
void sched_drift_update(struct sched *s, struct sched_batch *b,
                        struct sched_output *out);
/* What a request is now. */
void sched_drift_see(const struct sched *s, uint32_t r, struct sched_hot *h,
                     struct kv_req *kv);
uint32_t sched_drift_quiet(struct sched *s, struct sched_batch *const out[],
                           uint32_t n_out, uint32_t max);
void sched_drift_skip(struct sched *s, uint32_t n);

/* ---- sched_update.c ---- */
/* A request has its last token; true: it was running. */
bool sched_update_end(struct sched *s, uint32_t r, struct sched_output *out);

/* ---- sched_admit.c ---- */
void sched_admit(struct sched *s, struct sched_batch *b, int32_t budget,
                 int32_t threshold);
/* What the waiting loop would do, again and again, with this budget while free
 * blocks do not grow: nothing (*head SCHED_NONE), or refuse *head blocks.
 * false: it would do something else. */
bool sched_admit_idle(struct sched *s, int32_t budget, int32_t threshold,
                      uint32_t *head);

#endif
