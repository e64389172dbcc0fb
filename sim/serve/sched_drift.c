#include "sim/base/must.h"
#include "sim/serve/kv.h"
#include "sim/serve/sched_int.h"

#include <string.h>

/* Steady decodes by counting.
 *
 * A request that has had one token in every batch since its last one came is
 * steady: with S calls of sched_schedule and P of sched_update made,
 *   computed = c0 + min(S, stop)   tokens = t0 + P   c0 = t0 - 1
 * until batch `fin` brings its last token; `stop`, the first call that spares
 * it, is fin + 1, or fin + 2 when a stop id ends it and asynchronous scheduling
 * has gone ahead.  In between a call needs only sums over the steady ones:
 * their number, the sum of c0, and how many take or free a block in a call of
 * this residue mod block_size (computed runs in step with S).  So a call costs
 * what happens in it, not what runs.
 *
 * Steady requests are the first of the running ones, in order; the rest are in
 * s->running as ever, and join from its front.  Whatever does not fit the plan
 * (blocks are short, the budget is, a call comes at another pace, one is
 * aborted) makes all of them ordinary again: sched_drift_flush.  Batches in
 * flight then get their lists back from a snapshot, in sched_drift_update.
 *
 * Batches that listed a request before it joined find it steady when they are
 * processed: they count its token and leave the rest to the formula. */

enum { RING = 4096 }; /* lists of ends; longer outputs share one, rarely read */

static uint32_t residue(const struct sched *s, int64_t x)
{
    int64_t bs = s->o.block_size;

    return (uint32_t)(((x % bs) + bs) % bs);
}

/* Tokens that are in flight when a call looks at the window, if it cares. */
static int32_t behind(const struct sched *s)
{
    return s->o.async_scheduling && s->o.skip_by_processed;
}

void sched_drift_init(struct sched *s)
{
    size_t bs = (size_t)s->o.block_size;

    s->drifts = s->o.policy == SCHED_FCFS && !kv_has_ids(s->kv);
    if (!s->drifts)
        return;
    s->takes = ARENA_ARRAY(s->a, uint32_t, bs);
    for (int g = 0; g < s->o.n_groups; g++)
        s->frees[g] = ARENA_ARRAY(s->a, uint32_t, bs);
    s->ring = ARENA_ARRAY(s->a, uint32_t, RING);
    memset(s->ring, 0xff, RING * sizeof *s->ring); /* SCHED_NONE */
}

void sched_drift_see(const struct sched *s, uint32_t r, struct sched_hot *h,
                     struct kv_req *kv)
{
    const struct sched_drift *d;
    uint64_t calls;

    *h = s->hot[r];
    *kv = s->cold[r].kv;
    if (!h->steady)
        return;
    d = &s->drift[r];
    calls = s->n_schedule < d->stop ? s->n_schedule : d->stop;
    h->steady = false;
    h->computed = (int32_t)(d->c0 + (int64_t)calls);
    h->tokens = (int32_t)(d->t0 + (int64_t)s->n_update);
    h->in_flight = (int32_t)(calls - s->n_update);
    h->placeholders = s->o.async_scheduling ? h->in_flight : 0;
    h->last_out = s->n_update - 1;
    kv_settle(s->kv, kv, h->computed, h->computed - 1 - behind(s));
}

/* Makes a request ordinary, apart from its place in a list. */
static void settle(struct sched *s, uint32_t r)
{
    struct sched_hot h;
    bool last = s->drift[r].stop >= s->n_schedule;

    sched_drift_see(s, r, &h, &s->cold[r].kv);
    s->hot[r] = h;
    s->cold[r].fence = last ? s->batches : s->batches_before;
    sched_refresh(s, r);
}

/* Enters a request into the sums, or takes it out (by = -1). */
static void count(struct sched *s, uint32_t r, int by)
{
    const struct sched_drift *d = &s->drift[r];
    uint32_t one = (uint32_t)by;

    s->listing += one;
    s->sum_c0 += by * d->c0;
    s->takes[residue(s, -d->c0)] += one;
    for (int g = 0; g < s->o.n_groups; g++)
        if (s->o.window[g])
            s->frees[g][residue(s, s->o.window[g] - 1 + behind(s) - d->c0)] +=
                one;
}

/* ---- joining ---- */

/* Steady from now on: true, with the plan of its end in d. */
static bool ready(const struct sched *s, uint32_t r, struct sched_drift *d)
{
    const struct sched_hot *h = &s->hot[r];
    const struct sched_cold *c = &s->cold[r];
    int32_t flights = 1 + s->o.async_scheduling;
    int64_t fin, stop;

    if (s->n_schedule - s->n_update != (uint64_t)flights)
        return false;
    if (h->in_flight != flights || h->stale || !s->n_update
        || h->last_out + 1 != s->n_update || h->computed < s->o.attn_window)
        return false;
    if (s->o.async_scheduling ? h->placeholders != flights
                              : h->computed != h->tokens)
        return false;
    for (int g = 0; g < s->o.n_groups; g++)
        if (h->computed - behind(s) < s->o.window[g])
            return false;
    d->t0 = h->tokens - (int64_t)s->n_update;
    d->c0 = h->computed - (int64_t)s->n_schedule;
    must(d->c0 == d->t0 - 1);
    fin = stop = h->end - 1 - d->t0;
    stop += s->o.async_scheduling ? 2 : 1;
    if (stop > c->limit - d->t0)
        stop = c->limit - d->t0;
    if (stop > s->o.max_model_len - d->t0)
        stop = s->o.max_model_len - d->t0;
    d->fin = (uint64_t)fin;
    d->stop = (uint64_t)stop;
    return fin > (int64_t)s->n_schedule + 1;
}

static void join(struct sched *s, uint32_t r, const struct sched_drift *plan)
{
    struct sched_drift *d = &s->drift[r];
    uint32_t *first;

    *d = *plan;
    d->join = s->n_schedule;
    d->pos = s->n_slots;
    ARENA_ROOM(s->a, s->steady, s->n_slots, s->cap_steady);
    s->steady[s->n_slots++] = r;
    first = &s->ring[d->fin % RING];
    d->next = *first;
    *first = r;
    if (!s->n_steady++ || d->fin < s->next_fin)
        s->next_fin = d->fin;
    s->hot[r].steady = true;
    count(s, r, 1);
}

void sched_drift_join(struct sched *s)
{
    struct sched_drift plan = {.fin = 0};
    uint32_t n = 0;

    if (!s->drifts)
        return;
    if (s->cap_drift < s->cap_pool) {
        s->drift = arena_grow(s->a, s->drift, s->cap_drift, s->cap_pool,
                              sizeof *s->drift);
        s->cap_drift = s->cap_pool;
    }
    while (n < s->n_running && ready(s, s->running[n], &plan))
        join(s, s->running[n++], &plan);
    if (!n)
        return;
    s->n_running -= n;
    memmove(s->running, s->running + n, s->n_running * sizeof *s->running);
}

/* ---- leaving ---- */

/* Holes go when they are the most. */
static void close_holes(struct sched *s)
{
    uint32_t n = 0;

    if (s->n_slots <= 2 * s->n_steady + 64)
        return;
    for (uint32_t i = 0; i < s->n_slots; i++) {
        uint32_t r = s->steady[i];

        if (r == SCHED_NONE)
            continue;
        s->drift[r].pos = n;
        s->steady[n++] = r;
    }
    s->n_slots = n;
}

static void remember(struct sched *s, uint64_t batch)
{
    struct sched_snap *snap = &s->snap[batch % 2];

    if (snap->there && snap->batch == batch)
        return; /* nobody has joined since before that call */
    snap->there = true;
    snap->batch = batch;
    snap->n = 0;
    for (uint32_t i = 0; i < s->n_slots; i++) {
        uint32_t r = s->steady[i];

        if (r == SCHED_NONE || s->drift[r].join > batch
            || s->drift[r].stop <= batch)
            continue;
        ARENA_ROOM(s->a, snap->req, snap->n, snap->cap);
        snap->req[snap->n++] = r;
    }
}

void sched_drift_flush(struct sched *s)
{
    uint32_t more = s->n_steady, n = s->n_running, at = 0;

    if (!more)
        return;
    must(s->n_schedule - s->n_update <= 2);
    for (uint64_t b = s->n_update; b < s->n_schedule; b++)
        remember(s, b);
    while (s->cap_running < n + more) {
        uint32_t cap = s->cap_running;

        ARENA_ROOM(s->a, s->running, cap, s->cap_running);
    }
    memmove(s->running + more, s->running, n * sizeof *s->running);
    for (uint32_t i = 0; i < s->n_slots; i++) {
        uint32_t r = s->steady[i];

        if (r == SCHED_NONE)
            continue;
        s->ring[s->drift[r].fin % RING] = SCHED_NONE;
        if (s->drift[r].stop >= s->n_schedule)
            count(s, r, -1);
        settle(s, r);
        s->running[at++] = r;
    }
    must(at == more && !s->listing && !s->sum_c0);
    s->n_running = n + more;
    s->n_steady = s->n_slots = 0;
}

/* ---- a call ---- */

/* Asynchronously, those whose last token is in flight are spared. */
static void spare(struct sched *s)
{
    uint64_t now = s->n_schedule;
    uint32_t r;

    if (!s->o.async_scheduling || !now)
        return;
    for (r = s->ring[(now - 1) % RING]; r != SCHED_NONE; r = s->drift[r].next)
        if (s->drift[r].fin == now - 1 && s->drift[r].stop == now)
            count(s, r, -1);
}

/* Blocks that a call of this residue takes and frees. */
static int64_t taken_at(const struct sched *s, uint32_t at)
{
    return (int64_t)s->o.n_groups * s->takes[at];
}

static int64_t freed_at(const struct sched *s, uint32_t at)
{
    int64_t n = 0;

    for (int g = 0; g < s->o.n_groups; g++)
        n += s->frees[g][at];
    return n;
}

void sched_drift_begin(struct sched *s, struct sched_batch *b, int32_t *budget)
{
    uint64_t now = s->n_schedule;
    bool pace = now - s->n_update == s->o.async_scheduling;
    uint32_t at;

    b->unlisted = 0;
    if (!s->n_steady)
        return;
    at = (uint32_t)(now % (uint64_t)s->o.block_size);
    if (!pace || s->listing > (uint32_t)*budget
        || taken_at(s, at) > kv_free_blocks(s->kv)) {
        sched_drift_flush(s);
        return;
    }
    spare(s);
    kv_move(s->kv, freed_at(s, at) - taken_at(s, at));
    b->n = b->ones = b->unlisted = s->listing;
    if (b->n) /* who looks for the new ones from the end stops here */
        b->item[b->n - 1].kind = SCHED_WAS_RUNNING;
    b->tokens = (int32_t)s->listing;
    b->ones_ctx = s->sum_c0 + (int64_t)s->listing * (int64_t)(now + 1);
    b->ones_win = s->o.attn_window ? (int64_t)s->listing * s->o.attn_window
                                   : b->ones_ctx;
    *budget -= (int32_t)s->listing;
}

/* ---- an output ---- */

/* Those whose last token batch b brings, in the order of running. */
static uint32_t ends(struct sched *s, uint64_t b)
{
    uint32_t *link = &s->ring[b % RING];
    uint32_t n = 0;

    while (*link != SCHED_NONE) {
        struct sched_drift *d = &s->drift[*link];
        uint32_t i = n, r = *link;

        if (d->fin != b) {
            link = &d->next;
            continue;
        }
        *link = d->next;
        ARENA_ROOM(s->a, s->ends, n, s->cap_ends);
        for (n++; i && s->drift[s->ends[i - 1]].pos > d->pos; i--)
            s->ends[i] = s->ends[i - 1];
        s->ends[i] = r;
    }
    return n;
}

static void finish(struct sched *s, uint32_t r, struct sched_output *out)
{
    struct sched_drift *d = &s->drift[r];

    if (d->stop >= s->n_schedule)
        count(s, r, -1);
    s->steady[d->pos] = SCHED_NONE;
    s->n_steady--;
    settle(s, r);
    if (s->hot[r].in_flight) { /* one batch more lists it, for nothing */
        ARENA_ROOM(s->a, s->ghost, s->n_ghost, s->cap_ghost);
        s->ghost[s->n_ghost++] = r;
    }
    sched_update_end(s, r, out);
}

/* Writes the list that a batch was spared when counting was still on. */
static bool restore(struct sched *s, struct sched_batch *b)
{
    struct sched_snap *snap = &s->snap[b->s % 2];

    if (!snap->there || snap->batch != b->s)
        return false;
    snap->there = false;
    must(snap->n <= b->unlisted);
    for (uint32_t i = 0; i < snap->n; i++)
        b->item[i] = (struct sched_item){.req = snap->req[i],
                                         .tokens = 1,
                                         .kind = SCHED_WAS_RUNNING,
                                         .samples = true};
    memmove(b->item + snap->n, b->item + b->unlisted,
            (b->n - b->unlisted) * sizeof *b->item);
    b->n -= b->unlisted - snap->n;
    b->unlisted = 0;
    return true;
}

void sched_drift_update(struct sched *s, struct sched_batch *b,
                        struct sched_output *out)
{
    uint32_t n, ghosts = s->n_ghost;

    for (s->n_ghost = 0; s->n_ghost < ghosts; s->n_ghost++) {
        uint32_t r = s->ghost[s->n_ghost];

        s->hot[r].in_flight--;
        sched_retire(s, r);
    }
    s->n_ghost = 0;
    if (!restore(s, b))
        out->tokens += b->unlisted - ghosts;
    if (!s->n_steady)
        return;
    n = ends(s, b->s);
    for (uint32_t i = 0; i < n; i++)
        finish(s, s->ends[i], out);
    close_holes(s);
}

/* ---- quiet running ---- */

/* The next end within `most` batches from the next one on. */
static uint64_t next_end(struct sched *s, uint32_t most)
{
    uint64_t b = s->next_fin, last = s->n_update + most;

    if (b < s->n_update)
        b = s->n_update;
    for (; b < last; b++) {
        uint32_t r = s->ring[b % RING];

        while (r != SCHED_NONE && s->drift[r].fin != b)
            r = s->drift[r].next;
        if (r != SCHED_NONE)
            break;
    }
    s->next_fin = b;
    return b;
}

/* Rounds, `most` at most, for which the free blocks last. */
static uint32_t until_dry(const struct sched *s, uint32_t most)
{
    uint32_t bs = (uint32_t)s->o.block_size, n = 0;
    uint32_t at = (uint32_t)(s->n_schedule % bs);
    int64_t free = kv_free_blocks(s->kv);

    if (free >= (int64_t)s->o.n_groups * s->listing * (most / bs + 1))
        return most; /* without looking at what windows give back */
    for (; n < most; n++, at = at + 1 < bs ? at + 1 : 0) {
        free -= taken_at(s, at);
        if (free < 0)
            break;
        free += freed_at(s, at);
    }
    return n;
}

uint32_t sched_drift_quiet(struct sched *s, struct sched_batch *const out[],
                           uint32_t n_out, uint32_t max)
{
    const struct sched_batch *newest = out[n_out - 1];
    uint32_t ahead = s->o.async_scheduling; /* the call after the last token */
    uint64_t rounds;

    if (s->n_running || s->n_ghost || s->listing != s->n_steady
        || newest->unlisted != newest->n || newest->n_preempted || newest->n_hit
        || newest->n_remote)
        return 0;
    for (uint32_t i = 0; i < n_out; i++)
        if (out[i]->n != s->listing || out[i]->ones != out[i]->n)
            return 0;
    if (max > RING)
        max = RING;
    rounds = next_end(s, max + ahead) - s->n_update;
    if (rounds <= ahead)
        return 0;
    if (rounds - ahead < max)
        max = (uint32_t)(rounds - ahead);
    return until_dry(s, max);
}

void sched_drift_skip(struct sched *s, uint32_t n)
{
    uint32_t bs = (uint32_t)s->o.block_size;
    int64_t moved = 0, cycle = 0;

    /* in block_size calls each takes one of each group and frees one of each
     * window */
    for (int g = 0; g < s->o.n_groups; g++)
        cycle += (s->o.window[g] > 0) - 1;
    moved = cycle * (int64_t)s->listing * (n / bs);
    for (uint32_t i = 0, at = (uint32_t)(s->n_schedule % bs); i < n % bs; i++) {
        moved += freed_at(s, at) - taken_at(s, at);
        at = at + 1 < bs ? at + 1 : 0;
    }
    kv_move(s->kv, moved);
}
