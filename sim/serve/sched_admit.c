#include "sim/base/must.h"
#include "sim/serve/kv_prefix.h"
#include "sim/serve/sched_int.h"

/* The waiting loop of vLLM's schedule(): who joins the running requests. */

enum verdict { NEXT, STOP };

/* The queue whose head is looked at next, -1 when all are empty. */
static int pick(const struct sched *s)
{
    bool waiting = s->q[SCHED_Q_WAITING].n, first = s->q[SCHED_Q_FIRST].n;

    if (!waiting || !first)
        return waiting ? SCHED_Q_WAITING : first ? SCHED_Q_FIRST : -1;
    if (s->o.kv_holding_queue || s->o.policy == SCHED_FCFS)
        return SCHED_Q_FIRST;
    return sched_queue_before(s, sched_queue_peek(s, SCHED_Q_WAITING),
                              sched_queue_peek(s, SCHED_Q_FIRST))
             ? SCHED_Q_WAITING
             : SCHED_Q_FIRST;
}

static void set_aside(struct sched *s, uint32_t r)
{
    sched_queue_remove(s, r);
    ARENA_ROOM(s->a, s->aside, s->n_aside, s->cap_aside);
    s->aside[s->n_aside++] = r;
}

/* Those set aside go in front, in the order in which they were met. */
static void put_back(struct sched *s)
{
    while (s->n_aside) {
        uint32_t r = s->aside[--s->n_aside];
        bool holds = s->hot[r].computed || s->hot[r].status == SCHED_LOADING;
        bool first = s->o.skipped_waiting_queue
                  || (s->o.kv_holding_queue && holds);

        sched_queue_prepend(s, first ? SCHED_Q_FIRST : SCHED_Q_WAITING, r);
    }
}

/* A received request's blocks are whole now: hash them, schedule the rest. */
static void promote(struct sched *s, uint32_t r)
{
    struct sched_hot *h = &s->hot[r];
    struct sched_cold *c = &s->cold[r];

    if (c->load_failed) {
        if (h->computed)
            kv_prefix_cache(s->kv, &c->kv, h->computed);
        else
            sched_unload(s, r);
    } else if (s->o.load_tracks_tokens) {
        kv_prefix_cache(s->kv, &c->kv, h->computed);
        h->computed -= h->computed == h->tokens;
    } else {
        h->computed = c->kv.len * s->o.block_size;
        if (h->computed >= h->tokens)
            h->computed = h->tokens - 1;
        kv_prefix_cache(s->kv, &c->kv, h->computed);
    }
    sched_refresh(s, r);
    c->received = c->load_failed = false;
    s->n_received--;
    s->n_loading--;
    h->status = c->preemptions ? SCHED_PREEMPTED : SCHED_WAITING;
}

static bool ready(struct sched *s, uint32_t r)
{
    if (s->hot[r].status == SCHED_LOADING) {
        if (!s->cold[r].received)
            return false;
        promote(s, r);
    }
    return !s->hot[r].stale;
}

/* Tokens the connector brings beyond a local hit; *later: asynchronously. */
static int32_t matched(const struct sched *s, uint32_t r, int32_t local,
                       bool *later)
{
    const struct sched_hot *h = &s->hot[r];
    const struct sched_cold *c = &s->cold[r];

    switch (s->o.connector) {
    case SCHED_NO_CONNECTOR:
        break;
    case SCHED_NIXL:
        if (c->remote_prefill && c->prompt > local) {
            *later = true;
            return c->prompt - local;
        }
        break;
    case SCHED_DECODE_BENCH:
        /* all but the last token, once a request */
        if (!c->filled && h->tokens - local > 1)
            return h->tokens - local - 1;
        break;
    }
    return 0;
}

/* Blocks that requests still in prefill will need. */
static int64_t promised(const struct sched *s)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < s->n_prefill; i++) {
        uint32_t r = s->prefill[i];

        n += kv_lacks(s->kv, &s->cold[r].kv, s->hot[r].computed,
                      s->hot[r].tokens);
    }
    return n;
}

static void add_prefill(struct sched *s, uint32_t r)
{
    if (!s->o.reserve_for_prefills)
        return;
    must(s->cold[r].prefill_at == SCHED_NONE);
    ARENA_ROOM(s->a, s->prefill, s->n_prefill, s->cap_prefill);
    s->cold[r].prefill_at = s->n_prefill;
    s->prefill[s->n_prefill++] = r;
}

static void begin_load(struct sched *s, struct sched_batch *b, uint32_t r,
                       int32_t done)
{
    set_aside(s, r);
    s->hot[r].status = SCHED_LOADING;
    s->n_loading++;
    if (s->o.load_tracks_tokens)
        s->hot[r].computed = done;
    add_prefill(s, r);
    ARENA_ROOM(s->a, b->remote, b->n_remote, b->cap_remote);
    b->remote[b->n_remote++] = r;
}

static void begin_run(struct sched *s, struct sched_batch *b, uint32_t r,
                      int32_t done, int32_t fresh)
{
    struct sched_hot *h = &s->hot[r];
    struct sched_cold *c = &s->cold[r];

    sched_queue_remove(s, r);
    ARENA_ROOM(s->a, s->running, s->n_running, s->cap_running);
    s->running[s->n_running++] = r;
    ARENA_ROOM(s->a, b->item, b->n, b->cap);
    b->item[b->n++] = (struct sched_item){
        .req = r,
        .tokens = fresh,
        .computed = done,
        .kind = h->status == SCHED_WAITING ? SCHED_NEW : SCHED_RESUMED,
    };
    h->status = SCHED_RUNNING;
    h->computed = done;
    if (c->first_computed < 0)
        c->first_computed = done;
    sched_unprefill(s, r);
    if (done + fresh < h->tokens)
        add_prefill(s, r);
}

static void note_hit(struct sched *s, struct sched_batch *b, uint32_t r,
                     const struct kv_ask *q)
{
    if (!q->local && !q->external)
        return;
    ARENA_ROOM(s->a, b->hit, b->n_hit, b->cap_hit);
    b->hit[b->n_hit++] = (struct sched_hit){r, q->local, q->external};
}

/* Tokens of a request that has `done` of them; 0: wait for a whole step. */
static int32_t chunk_of(const struct sched *s, const struct sched_hot *h,
                        int32_t done, int32_t budget, int32_t threshold)
{
    int32_t n = h->tokens - done;

    if (threshold > 0 && n > threshold)
        n = threshold;
    if (n <= budget)
        return n;
    return s->o.enable_chunked_prefill ? budget : 0;
}

/* What a request asks of the pool.  false: it waits for a step with room for
 * its whole prompt. */
static bool ask(struct sched *s, uint32_t r, int32_t budget, int32_t threshold,
                struct kv_ask *q)
{
    struct sched_hot *h = &s->hot[r];
    int32_t done;

    *q = (struct kv_ask){.known = h->tokens,
                         .computed = h->computed,
                         .whole = s->o.reserve_full_isl};
    if (!h->computed) {
        q->local = kv_prefix_find(s->kv, &s->cold[r].kv, h->tokens);
        q->external = matched(s, r, q->local, &q->delay);
    }
    done = h->computed + q->local + q->external;
    if (!q->delay) {
        q->fresh = chunk_of(s, h, done, budget, threshold);
        return q->fresh > 0;
    }
    if (s->o.reserve_for_prefills)
        q->reserved = promised(s);
    return true;
}

static enum verdict admit(struct sched *s, struct sched_batch *b, uint32_t r,
                          int32_t *budget, int32_t threshold)
{
    struct sched_cold *c = &s->cold[r];
    struct kv_ask q;

    if (!ask(s, r, *budget, threshold, &q)) {
        kv_prefix_miss(s->kv);
        return STOP;
    }
    if (!kv_alloc(s->kv, &c->kv, &q)) {
        sched_refresh(s, r);
        ARENA_ROOM(s->a, b->failed, b->n_failed, b->cap_failed);
        b->failed[b->n_failed++] = r;
        return STOP;
    }
    sched_refresh(s, r);
    if (q.external) {
        c->remote_prefill = false; /* one transfer a request */
        c->filled = true;
    }
    note_hit(s, b, r, &q);
    if (q.delay) {
        begin_load(s, b, r, q.computed + q.local + q.external);
    } else {
        begin_run(s, b, r, q.computed + q.local + q.external, q.fresh);
        *budget -= q.fresh;
    }
    return NEXT;
}

/* All that wait are on the way and would be set aside and put back where they
 * are. */
static bool all_loading(const struct sched *s)
{
    bool split = s->o.skipped_waiting_queue || s->o.kv_holding_queue;

    return s->o.policy == SCHED_FCFS
        && sched_waiting(s) == s->n_loading - s->n_received
        && !s->q[split ? SCHED_Q_WAITING : SCHED_Q_FIRST].n;
}

void sched_admit(struct sched *s, struct sched_batch *b, int32_t budget,
                 int32_t threshold)
{
    if (all_loading(s))
        return;
    while (budget > 0 && sched_running(s) < (uint32_t)s->o.max_num_seqs) {
        int q = pick(s);
        uint32_t r;

        if (q < 0)
            break;
        r = sched_queue_peek(s, q);
        if (!ready(s, r))
            set_aside(s, r);
        else if (admit(s, b, r, &budget, threshold) == STOP)
            break;
    }
    put_back(s);
}

/* The first request that the loop does not just set aside. */
static uint32_t first_ready(const struct sched *s)
{
    uint32_t blocked = s->n_loading - s->n_received, r;

    if (sched_waiting(s) == blocked)
        return SCHED_NONE;
    for (int q = SCHED_QUEUES - 1; q >= 0; q--)
        for (r = s->q[q].head; r != SCHED_NONE; r = s->cold[r].next)
            if (s->hot[r].status != SCHED_LOADING || s->cold[r].received)
                return r;
    return SCHED_NONE;
}

bool sched_admit_idle(struct sched *s, int32_t budget, int32_t threshold,
                      uint32_t *head)
{
    struct kv_ask q;
    uint32_t r;

    *head = SCHED_NONE;
    if (budget <= 0 || sched_running(s) >= (uint32_t)s->o.max_num_seqs)
        return true;
    r = first_ready(s);
    if (r == SCHED_NONE)
        return true;
    if (s->hot[r].status == SCHED_LOADING || s->hot[r].stale)
        return false;
    if (!ask(s, r, budget, threshold, &q))
        return true;
    *head = r;
    return kv_stays_short(s->kv, &s->cold[r].kv, &q);
}
