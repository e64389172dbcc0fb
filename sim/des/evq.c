#include "sim/des/evq.h"

#include "sim/base/must.h"

enum {
    SEQ_BITS = 40, /* 1e12 pushes before the order would wrap: days of run */
    RANK_BITS = 64 - SEQ_BITS,
    IDLE = -1,
};

/* rank and seq in one word: rank in the top bits decides before seq. */
struct entry {
    ns_t at;
    uint64_t order;
    uint32_t slot;
};

struct evq {
    struct entry *heap; /* binary, the earliest in heap[0] */
    int64_t *where;     /* slot -> place in heap, or IDLE */
    uint32_t *rank;
    uint32_t n, slots;
    uint64_t seq;
    ns_t now;  /* time of the last pop */
    bool hole; /* heap[0] has been popped: the next entry may sink from there,
                  one walk instead of two */
};

struct evq *evq_new(struct arena *a, uint32_t n)
{
    struct evq *q = ARENA_NEW(a, struct evq);
    q->slots = n;
    q->heap = ARENA_ARRAY(a, struct entry, n);
    q->where = ARENA_ARRAY(a, int64_t, n);
    q->rank = ARENA_ARRAY(a, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        q->where[i] = IDLE;
    return q;
}

void evq_rank(struct evq *q, uint32_t slot, uint32_t rank)
{
    must(slot < q->slots && q->seq == 0 && rank >> RANK_BITS == 0);
    q->rank[slot] = rank;
}

static inline bool before(const struct entry *x, const struct entry *y)
{
    return x->at != y->at ? x->at < y->at : x->order < y->order;
}

static inline void put(struct evq *q, uint32_t i, struct entry x)
{
    q->heap[i] = x;
    q->where[x.slot] = i;
}

/* Puts x at i or above it. */
static void rise(struct evq *q, uint32_t i, struct entry x)
{
    while (i > 0) {
        uint32_t up = (i - 1) / 2;
        if (!before(&x, &q->heap[up]))
            break;
        put(q, i, q->heap[up]);
        i = up;
    }
    put(q, i, x);
}

/* Puts x at i or below it. */
static void sink(struct evq *q, uint32_t i, struct entry x)
{
    for (;;) {
        uint64_t down = 2 * (uint64_t)i + 1;
        if (down >= q->n)
            break;
        if (down + 1 < q->n && before(&q->heap[down + 1], &q->heap[down]))
            down++;
        if (!before(&q->heap[down], &x))
            break;
        put(q, i, q->heap[down]);
        i = (uint32_t)down;
    }
    put(q, i, x);
}

static void settle(struct evq *q, uint32_t i, struct entry x)
{
    if (i > 0 && before(&x, &q->heap[(i - 1) / 2]))
        rise(q, i, x);
    else
        sink(q, i, x);
}

static void drop(struct evq *q, uint32_t i)
{
    q->where[q->heap[i].slot] = IDLE;
    struct entry last = q->heap[--q->n];
    if (i < q->n)
        settle(q, i, last);
}

static void close_hole(struct evq *q)
{
    q->hole = false;
    struct entry last = q->heap[--q->n];
    if (q->n)
        sink(q, 0, last);
}

void evq_set(struct evq *q, uint32_t slot, ns_t at)
{
    must(slot < q->slots && at >= q->now);
    if (q->hole && q->where[slot] != IDLE)
        close_hole(q);
    int64_t i = q->where[slot];
    if (at == NS_NEVER) {
        if (i != IDLE)
            drop(q, (uint32_t)i);
        return;
    }
    if (i != IDLE && q->heap[i].at == at)
        return;
    struct entry x = {at, (uint64_t)q->rank[slot] << SEQ_BITS | ++q->seq, slot};
    if (q->hole) {
        q->hole = false;
        sink(q, 0, x);
    } else if (i == IDLE) {
        rise(q, q->n++, x);
    } else {
        settle(q, (uint32_t)i, x);
    }
}

ns_t evq_at(const struct evq *q, uint32_t slot)
{
    must(slot < q->slots);
    int64_t i = q->where[slot];
    return i == IDLE ? NS_NEVER : q->heap[i].at;
}

bool evq_pop(struct evq *q, ns_t *at, uint32_t *slot)
{
    if (q->hole)
        close_hole(q);
    if (q->n == 0)
        return false;
    *at = q->now = q->heap[0].at;
    *slot = q->heap[0].slot;
    q->where[*slot] = IDLE;
    q->hole = true;
    return true;
}

ns_t evq_next(const struct evq *q)
{
    if (!q->hole)
        return q->n ? q->heap[0].at : NS_NEVER;
    ns_t left = q->n > 1 ? q->heap[1].at : NS_NEVER;
    return q->n > 2 && q->heap[2].at < left ? q->heap[2].at : left;
}
