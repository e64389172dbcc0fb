/* kv_int - the inside of the block pool, for kv.c and kv_prefix.c. */
#ifndef SIM_SERVE_KV_INT_H
#define SIM_SERVE_KV_INT_H

#include "sim/serve/kv.h"

/* The hit that kv_prefix_find leaves for kv_alloc. */
struct kv_hit {
    uint32_t *ids[SCHED_GROUPS]; /* n each, null blocks first */
    int32_t n;
    uint32_t cap;
};

/* A place of the table; the home spares most looks at the block's key. */
struct kv_slot {
    uint32_t block; /* 0 = empty */
    uint32_t home;  /* where it would like to be, mod slots */
};

/* Blocks whose return waits for a step. */
struct kv_later {
    uint64_t fence;
    int64_t count;
    uint32_t *ids; /* in the order of allocation; freed backwards */
    uint32_t n, cap;
};

struct kv {
    struct arena *a;
    int32_t bs;
    int32_t max_len;
    int n_groups;
    int32_t window[SCHED_GROUPS];
    int64_t cap[SCHED_GROUPS]; /* of the whole-length check; 0 = none */
    int64_t total;             /* usable blocks */
    int64_t free;
    int64_t deferred;
    bool caching, ids;
    bool unhashed_first, hits_first, sparse_windows;

    /* per block, with identities; block 0 is null and heads the free list.
     * Arrays apart: neighbours in the list mostly have neighbouring ids. */
    uint32_t *next, *prev; /* free list */
    uint32_t *ref;
    uint64_t *key;                 /* 0 = not hashed */
    uint32_t *home;                /* of the key, in the table */
    uint32_t *dup_next, *dup_prev; /* blocks of equal key, a ring */
    struct kv_slot *table;         /* key -> first block, open addressing */
    uint32_t mask;

    struct kv_hit hit;
    uint32_t *scratch;
    uint32_t cap_scratch;
    struct kv_later *later; /* a ring */
    uint32_t later_at, later_n, later_cap;
};

#endif
