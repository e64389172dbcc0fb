/* sched - vLLM's V1 scheduler: which tokens of which requests form the next
 * batch, and what becomes of a batch's output.  Decisions and their order only;
 * time is the engine's.  Semantics and sources: engine.md 3 and 5 as restated
 * in sched.c; ground truth: schedules recorded from the real scheduler.
 *
 * Life of a call: sched_add / sched_abort between steps; sched_schedule fills a
 * batch; later sched_update processes that batch's output, oldest batch first.
 * With asynchronous scheduling up to `depth` batches are out at once.
 *
 * Requests are uint32 handles into a pool that is reused: a handle dies when
 * sched_update or sched_abort reports it finished and, for a pinned one, when
 * its send is reported done.  Everything lives in the arena given to sched_new.
 * One thread.  schedule and update cost O(requests in the batch that begin, end
 * or prefill); where decodes are listed (sched_list), O(requests in the batch).
 * sched_skip advances n identical decode steps in O(running) at most.
 * Memory is proportional to live requests and blocks. */
#ifndef SIM_SERVE_SCHED_H
#define SIM_SERVE_SCHED_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum sched_policy { SCHED_FCFS, SCHED_PRIORITY };
enum sched_connector { SCHED_NO_CONNECTOR, SCHED_NIXL, SCHED_DECODE_BENCH };

enum { SCHED_GROUPS = 2 };

/* One row of switches; names are vLLM's where vLLM has one.  The profile
 * (profile.h) fills it, a scenario may override. */
struct sched_opt {
    bool async_scheduling;
    int32_t max_num_batched_tokens; /* tokens a step */
    int32_t max_num_seqs;
    int32_t max_model_len;
    int32_t long_prefill_token_threshold; /* 0 = off */
    enum sched_policy policy;
    bool enable_chunked_prefill;
    bool enable_prefix_caching;
    enum sched_connector connector;
    bool load_failure_fails; /* false: recompute on decode (0.15) */
    /* what differs between engine versions (engine.md 1, 9) */
    bool skipped_waiting_queue;  /* 0.21: second queue, drained first */
    bool reserve_full_isl;       /* 0.21: scheduler_reserve_full_isl */
    bool cap_window_reserve;     /* 0.21: sliding part of that check capped */
    bool steps_while_pinned;     /* 0.22: empty steps until pins are freed */
    bool stop_pins;              /* 0.21: a stop id hands over as length */
    bool load_keeps_blocks;      /* 0.21: aborted while loading: blocks are
                                       held until the receive is reported */
    bool load_tracks_tokens;     /* 0.21: computed after a load is exact */
    bool skip_by_computed;       /* 0.21: window at the end by computed */
    bool kv_holding_queue;       /* 0.32: second queue = waiting requests
                                       with blocks, always drained first */
    bool lone_ignores_threshold; /* 0.32: no long-prefill cap when alone */
    bool unhashed_first;         /* 0.32: unhashed blocks freed to front */
    bool hits_before_loads;      /* 0.32: all groups' hits touched first */
    bool defer_block_free;       /* 0.32: async with connector: not before
                                       the step that writes them is processed */
    bool skip_by_processed;      /* 0.32: window by processed tokens */
    bool stale_outputs;          /* 0.32: a victim resumes only after its
                                       step in flight has been processed */
    bool reserve_for_prefills;   /* 0.32: a load leaves room for prefills */
    bool exact_victim_index;     /* 0.32: running loop keeps its place */
    bool window_cap_in_flight;   /* 0.32: sliding cap counts two batches */
    bool empty_fills_queue;      /* 0.32: engine queues empty batches too */
    bool sparse_windows;         /* 0.32: prefix_cache_retention_interval 0:
                                       window groups keep what can be hit */

    /* KV cache */
    int32_t block_size;           /* tokens */
    int64_t num_blocks;           /* block 0 is the null block */
    int n_groups;                 /* 1..SCHED_GROUPS */
    int32_t window[SCHED_GROUPS]; /* 0 = full attention */
    /* Sliding window of the model's own attention, 0 = none: for the context
     * sums of struct sched_batch, whatever the KV groups are. */
    int32_t attn_window;
};

/* A prompt is a list of segments: the first n tokens of a text.  Two prompts
 * share a prefix exactly where their leading segments do.  A text with
 * SCHED_TEXT_OUTPUT set is the output of the request whose `user` is the
 * rest. */
#define SCHED_TEXT_OUTPUT (1ULL << 63)
struct sched_seg {
    uint64_t text;
    int32_t n;
};

/* What is asked; copied by sched_add. */
struct sched_spec {
    uint64_t user;   /* the caller's handle; names the output text ... */
    uint64_t output; /* ... unless this does; 0: it does not */
    const struct sched_seg *seg; /* NULL with n_seg 0: a unique prompt */
    uint32_t n_seg;
    int32_t prompt_tokens;
    int32_t max_tokens;
    int32_t stop_at;    /* output token that is a stop token, 0 = none */
    int32_t priority;   /* lower first */
    bool remote_decode; /* prefill side: pin the blocks at the end */
    bool
        remote_prefill; /* decode side: KV of the whole prompt comes from out */
};

enum sched_kind { SCHED_WAS_RUNNING = 0, SCHED_NEW = 1, SCHED_RESUMED = 2 };
enum sched_end {
    SCHED_END_LENGTH,
    SCHED_END_STOP,
    SCHED_END_ABORT,
    SCHED_END_ERROR
};

struct sched_item {
    uint32_t req;
    int32_t tokens;   /* scheduled in this step */
    int32_t computed; /* before this step */
    uint8_t kind;     /* enum sched_kind */
    bool samples;     /* gets a token when processed */
};

struct sched_hit {
    uint32_t req;
    int32_t local, external; /* prefix-cache and connector tokens */
};

/* What one sched_schedule decided.  Arrays belong to the batch and grow in the
 * scheduler's arena; a batch is reused once processed. */
struct sched_batch {
    uint64_t s; /* number of the schedule call, from 0 */
    struct sched_item *item;
    uint32_t n, cap;
    /* The first so many items are running requests with one token each, which
     * are counted in every sum but not written; see sched_list. */
    uint32_t unlisted;
    int32_t tokens; /* sum over items */
    /* sums the step's cost needs: items with exactly one token ... */
    uint32_t ones;
    int64_t ones_ctx; /* sum of computed + 1 */
    int64_t ones_win; /* same, each capped at attn_window (= ones_ctx if 0) */
    /* ... and the indices of the others (prefill chunks) */
    uint32_t *chunk;
    uint32_t n_chunk, cap_chunk;
    /* what happened on the way */
    uint32_t *preempted, n_preempted, cap_preempted;
    uint32_t *failed, n_failed, cap_failed; /* head of queue, got no blocks */
    struct sched_hit *hit;
    uint32_t n_hit, cap_hit;
    uint32_t *remote, n_remote, cap_remote; /* now waiting for remote KV */
};

/* What the worker side reports with a batch's output. */
struct sched_input {
    const uint32_t *rx; /* requests whose receive is done */
    uint32_t n_rx;
    const uint32_t *tx; /* pinned requests whose send is done (or expired) */
    uint32_t n_tx;
    const uint32_t *bad; /* block ids that failed to load */
    uint32_t n_bad;
    /* Requests whose whole load failed, as if every block of it were bad, and
     * how many of their tokens are here all the same; block identities are not
     * needed.  They are in rx too. */
    const uint32_t *lost, *lost_from;
    uint32_t n_lost;
};

struct sched_fin {
    uint32_t req; /* dead after this call unless pinned */
    uint64_t user;
    int32_t output; /* output tokens */
    enum sched_end end;
    bool pinned; /* blocks held until its tx, or until its rx when it
                          ended while loading */
    int32_t blocks[SCHED_GROUPS]; /* blocks handed over, when pinned */
};

/* What one sched_update produced; arrays as in sched_batch. */
struct sched_output {
    uint32_t tokens; /* delivered */
    /* requests whose token here did not follow one in the batch processed just
     * before: first tokens and those coming back from a preemption */
    uint32_t *irregular, n_irregular, cap_irregular;
    /* beside each: number s of the batch that brought the token before it,
     * UINT64_MAX for a first token (same count and capacity) */
    uint64_t *irregular_prev;
    struct sched_fin *fin;
    uint32_t n_fin, cap_fin;
};

struct sched;

struct sched *sched_new(const struct sched_opt *o, struct arena *a);

/* Queues a request.  Requests added earlier count as arrived earlier. */
uint32_t sched_add(struct sched *s, const struct sched_spec *spec);
/* Ends a request wherever it is; out holds nothing else.  One that has ended
 * already (pinned) is left alone. */
void sched_abort(struct sched *s, uint32_t req, struct sched_output *out);

/* Forms the next batch (possibly empty). */
void sched_schedule(struct sched *s, struct sched_batch *b);
/* Processes the output of the oldest batch that is out; in may be NULL. */
void sched_update(struct sched *s, struct sched_batch *b,
                  const struct sched_input *in, struct sched_output *out);

/* Quiet running.  out[0..n_out) are the batches in flight, oldest first, n_out
 * = 2 with asynchronous scheduling, 1 without (synchronous: the batch just
 * scheduled).  Returns for how many further rounds (update the oldest, then
 * schedule) every running request gets exactly one token, none of them
 * irregular, and nothing is admitted, ended, preempted or newly refused blocks
 * (a head of the queue that is refused in every round stays in `failed`), at
 * most max; perhaps fewer than there are, never more.  0 when the next round is
 * not quiet, when batches are not uniform, or when prefix caching or priority
 * makes identity matter.  O(running) at worst, O(rounds) where decodes are
 * counted, O(1) when asked again in an unchanged state. */
uint32_t sched_quiet(struct sched *s, struct sched_batch *const out[],
                     uint32_t n_out, uint32_t max);
/* Advances n <= sched_quiet rounds: same state, batch numbers, contexts, block
 * counts as n rounds one by one. */
void sched_skip(struct sched *s, struct sched_batch *const out[],
                uint32_t n_out, uint32_t n);

/* State, all O(1). */
uint32_t sched_running(const struct sched *s);
/* vLLM's num_requests_waiting: both queues, remote included. */
uint32_t sched_waiting(const struct sched *s);
uint32_t sched_skipped(const struct sched *s);
uint32_t sched_remote(const struct sched *s); /* WAITING_FOR_REMOTE_KVS */
uint32_t sched_pinned(const struct sched *s);
int64_t sched_free_blocks(const struct sched *s);
bool sched_unfinished(const struct sched *s); /* running or waiting */
/* vLLM's has_requests: the engine loop calls sched_schedule while this holds;
 * besides unfinished requests, once more after any ended, and on and on while
 * some are pinned where the version does so. */
bool sched_wanted(const struct sched *s);

/* A request's figures; valid while the handle is, and for one reported dead
 * until the next sched_add. */
struct sched_view {
    uint64_t user;
    int32_t prompt, output, computed, preemptions;
    uint64_t last_out; /* number s of the batch that brought its last token,
                          UINT64_MAX before the first */
};
struct sched_view sched_view(const struct sched *s, uint32_t req);
/* The j-th request of the queue in the order in which it would be taken
 * (skipped: of the queue drained first, vLLM's skipped_waiting or, 0.32,
 * kv_holding_waiting); false past the end.  O(j), with priorities O(j n). */
bool sched_peek(const struct sched *s, bool skipped, uint32_t j, uint32_t *req);
/* Block ids held by a request in a group, in order; only kept when identities
 * matter (prefix caching or opt.n_groups with ids asked by sched_ids). */
void sched_ids(struct sched *s); /* keep block identities; before sched_add */
uint32_t sched_blocks(const struct sched *s, uint32_t req, int group,
                      const uint32_t **ids);

/* Writes every item of every batch; before the first sched_schedule.  Without
 * it steady decodes are counted, not listed (FCFS, no prefix caching, no block
 * identities), and cost nothing while nothing happens to them. */
void sched_list(struct sched *s);

/* Conservation: every block is free, held or null; every request added has
 * ended or is somewhere.  O(blocks) when identities are kept, else O(live). */
bool sched_check(const struct sched *s, struct err *e);

#endif
