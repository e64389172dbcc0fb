/* kv - the KV cache of one engine: a pool of blocks, what each request holds of
 * it, and the prefix cache over it (kv_prefix.h).
 *
 * Two modes.  Counting (the default): only numbers of blocks, all O(1).  With
 * identities (prefix caching, or kv_keep_ids before the first request): block
 * ids, reference counts and the order of the free list as vLLM has them, O(1) a
 * block.  The same calls serve both.
 *
 * All groups of a request have lists of equal length: every group is given
 * blocks for the whole sequence, and those a sliding window has left behind are
 * replaced by the null block 0 at the front of the list.
 *
 * Everything lives in the arena given to kv_new; buffers of a request stay with
 * its kv_req and are reused.  One thread.  Nothing fails: kv_alloc answers
 * false when blocks are short. */
#ifndef SIM_SERVE_KV_H
#define SIM_SERVE_KV_H

#include "sim/base/arena.h"
#include "sim/serve/sched.h"

#include <stdbool.h>
#include <stdint.h>

struct kv;

/* One request's blocks; zero before first use. */
struct kv_req {
    int32_t len;                 /* blocks in each list, null ones included */
    int32_t nulls[SCHED_GROUPS]; /* leading null blocks */
    int32_t cached;              /* leading blocks hashed or hit */
    uint32_t *ids[SCHED_GROUPS]; /* with identities: len ids each */
    uint32_t cap_ids;
    /* prefix caching: hashes of the leading full blocks, made when asked for */
    uint64_t *hash;
    uint32_t *home; /* where the table would like to have each */
    uint32_t n_hash, cap_hash;
    uint64_t run_text; /* of the last hashed block, and its successor's place */
    int64_t run_next;
    uint32_t run_left;     /* blocks whose homes may still follow */
    struct sched_seg *seg; /* the prompt */
    uint32_t n_seg, cap_seg;
    uint32_t at_seg; /* where hashing stands */
    int32_t at_off;
    int32_t prompt;
    int32_t boundary; /* shared prefix that a window group lacks, tokens */
    uint64_t user;
};

/* What a request asks for, in tokens. */
struct kv_ask {
    int32_t known;     /* prompt + outputs */
    int32_t computed;  /* before, in its own blocks */
    int32_t local;     /* prefix hit found by kv_prefix_find just before */
    int32_t external;  /* from the connector, beyond local */
    int32_t fresh;     /* to be computed in this step */
    int32_t in_flight; /* of computed: not yet processed (0 = ignore) */
    int64_t reserved;  /* blocks to leave free */
    bool whole;        /* all known tokens must fit */
    bool delay;        /* hash nothing now: an asynchronous load */
};

struct kv *kv_new(const struct sched_opt *o, struct arena *a);
void kv_keep_ids(struct kv *kv);
bool kv_has_ids(const struct kv *kv);

/* Names the request's tokens for prefix caching; copied. */
void kv_name(struct kv *kv, struct kv_req *r, const struct sched_spec *spec,
             uint64_t serial);

/* vLLM's allocate_slots: frees what has left the windows, takes hits and new
 * blocks, hashes full blocks.  false: short of blocks, nothing taken. */
bool kv_alloc(struct kv *kv, struct kv_req *r, const struct kv_ask *q);
/* Counting, without windows: kv_alloc would refuse, and will while free blocks
 * do not grow. */
bool kv_stays_short(const struct kv *kv, const struct kv_req *r,
                    const struct kv_ask *q);
/* Counting: as kv_alloc for one token after another up to `tokens` in all, the
 * last with `computed` as the basis of its windows.  Blocks must be there. */
void kv_grow(struct kv *kv, struct kv_req *r, int32_t tokens, int32_t computed);
/* Counting: brings a request's lists, not the pool, to where kv_grow would;
 * kv_move brings the pool. */
void kv_settle(const struct kv *kv, struct kv_req *r, int32_t tokens,
               int32_t computed);
void kv_move(struct kv *kv, int64_t freed);
/* Frees blocks wholly outside the windows of the token after `computed`. */
void kv_skip(struct kv *kv, struct kv_req *r, int32_t computed);
/* Frees everything the request holds. */
void kv_drop(struct kv *kv, struct kv_req *r);
/* Takes everything from the request and frees it in kv_drain(fence). */
void kv_defer(struct kv *kv, struct kv_req *r, uint64_t fence);
void kv_drain(struct kv *kv, uint64_t processed);

/* Blocks the request still lacks for its known tokens. */
int64_t kv_lacks(const struct kv *kv, const struct kv_req *r, int32_t computed,
                 int32_t known);
/* The least computed that makes another block leave a window. */
int32_t kv_skip_at(const struct kv *kv, const struct kv_req *r);
/* Blocks held, null ones excluded, in a group or in all (group < 0). */
int64_t kv_held(const struct kv *kv, const struct kv_req *r, int group);

int64_t kv_free_blocks(const struct kv *kv);
int64_t kv_deferred(const struct kv *kv);
/* With identities: the free list, references and hash table agree, and blocks
 * are neither lost nor doubled.  O(blocks). */
bool kv_check(const struct kv *kv, struct err *e);

#endif
