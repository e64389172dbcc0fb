#include "sim/base/must.h"
#include "sim/serve/sched_int.h"

#include <string.h>

/* vLLM's schedule(): running requests first, in the order of admission, then
 * (sched_admit.c) waiting ones, unless somebody was preempted. */

/* Where the running loop stands. */
struct walk {
    uint32_t i;     /* next place in running */
    int32_t budget; /* tokens left */
};

static void clear(struct sched_batch *b)
{
    b->n = b->ones = b->n_chunk = 0;
    b->n_preempted = b->n_failed = b->n_hit = b->n_remote = 0;
    b->tokens = 0;
    b->ones_ctx = b->ones_win = 0;
}

/* Makes room for n items at once: the loops then only store. */
static void reserve(struct sched *s, struct sched_batch *b, uint32_t n)
{
    uint32_t cap = b->cap ? b->cap : 8;

    if (n <= b->cap)
        return;
    while (cap < n)
        cap *= 2;
    b->item = arena_grow(s->a, b->item, b->n, cap, sizeof *b->item);
    b->cap = cap;
}

/* Takes a victim that was scheduled in this step out of the batch. */
static bool unschedule(struct sched_batch *b, uint32_t victim, struct walk *w)
{
    uint32_t i = 0;

    while (i < b->n && b->item[i].req != victim)
        i++;
    if (i == b->n)
        return false;
    w->budget += b->item[i].tokens;
    memmove(&b->item[i], &b->item[i + 1], (--b->n - i) * sizeof *b->item);
    return true;
}

/* Place in running of the request to be preempted. */
static uint32_t victim_of(const struct sched *s)
{
    uint32_t v = s->n_running - 1;

    if (s->o.policy == SCHED_FCFS)
        return v;
    for (uint32_t i = 0; i < s->n_running; i++)
        if (sched_queue_before(s, s->running[v], s->running[i]))
            v = i;
    return v;
}

/* A victim loses its blocks and starts over, first in the queue.  Output of
 * its step in flight is still to come. */
static void preempt(struct sched *s, struct sched_batch *b, uint32_t r)
{
    struct sched_hot *h = &s->hot[r];

    sched_unload(s, r);
    sched_unprefill(s, r);
    h->status = SCHED_PREEMPTED;
    h->computed = 0;
    if (s->o.stale_outputs) {
        h->stale = h->in_flight;
        h->placeholders = 0;
    }
    s->cold[r].preemptions++;
    sched_queue_prepend(s, SCHED_Q_WAITING, r);
    ARENA_ROOM(s->a, b->preempted, b->n_preempted, b->cap_preempted);
    b->preempted[b->n_preempted++] = r;
}

static void preempt_at(struct sched *s, struct sched_batch *b, uint32_t v,
                       struct walk *w)
{
    uint32_t r = s->running[v];
    bool was_in = false;

    memmove(&s->running[v], &s->running[v + 1],
            (--s->n_running - v) * sizeof *s->running);
    if (s->o.policy == SCHED_PRIORITY)
        was_in = unschedule(b, r, w);
    /* Before 0.32 the walk keeps its index when it had passed the victim
     * over: the request that moves up into its place gets no turn. */
    if (s->o.exact_victim_index ? v < w->i : was_in)
        w->i--;
    preempt(s, b, r);
}

/* Blocks for n more tokens, from victims if need be.  false: r gets none and
 * the running loop ends. */
static bool grow(struct sched *s, struct sched_batch *b, uint32_t r, int32_t n,
                 struct walk *w)
{
    struct sched_hot *h = &s->hot[r];
    struct kv_ask q = {.known = h->tokens, .computed = h->computed, .fresh = n};

    if (s->o.skip_by_processed)
        q.in_flight = h->in_flight;
    while (!kv_alloc(s->kv, &s->cold[r].kv, &q)) {
        uint32_t v = victim_of(s);
        uint32_t victim = s->running[v];

        sched_refresh(s, r);
        if (s->defer && s->cold[victim].fence > s->processed)
            return false; /* its blocks would not be free now */
        preempt_at(s, b, v, w);
        if (victim == r)
            return false;
    }
    sched_refresh(s, r);
    return true;
}

/* Enters an item into the batch's sums. */
static void sum_up(struct sched *s, struct sched_batch *b, uint32_t i)
{
    const struct sched_item *it = &b->item[i];
    int32_t w = s->o.attn_window;

    b->tokens += it->tokens;
    if (it->tokens == 1) {
        b->ones++;
        b->ones_ctx += it->computed + 1;
        b->ones_win += w && it->computed >= w ? w : it->computed + 1;
        return;
    }
    ARENA_ROOM(s->a, b->chunk, b->n_chunk, b->cap_chunk);
    b->chunk[b->n_chunk++] = i;
}

/* vLLM's _update_after_schedule for items from the i-th on. */
static void commit(struct sched *s, struct sched_batch *b, uint32_t i)
{
    for (; i < b->n; i++) {
        struct sched_item *it = &b->item[i];
        struct sched_hot *h = &s->hot[it->req];

        h->computed += it->tokens;
        h->in_flight += it->tokens;
        it->samples = h->computed >= h->tokens + h->placeholders;
        h->placeholders += it->samples & s->o.async_scheduling;
        sum_up(s, b, i);
    }
}

/* The running requests from the walk's place on that take one token and
 * nothing else; most are, so this is the scheduler's hot loop.  With priorities
 * a victim may yet take an item back: its tokens count at the end only. */
static void run_calm(struct sched *s, struct sched_batch *b, struct walk *w)
{
    const uint32_t *running = s->running;
    struct sched_hot *hot = s->hot;
    struct sched_item *item = b->item;
    int32_t async = s->o.async_scheduling;
    int32_t window = s->o.attn_window ? s->o.attn_window : INT32_MAX;
    int64_t ctx = 0, win = 0;
    uint32_t first = w->i, n = s->n_running - first;
    uint32_t i, at = b->n;

    if (n > (uint32_t)w->budget)
        n = (uint32_t)w->budget;
    for (i = 0; i < n; i++) {
        uint32_t r = running[first + i];
        struct sched_hot *h = &hot[r];
        int32_t c = h->computed;

        if (c >= h->calm || h->tokens + h->placeholders - c != 1)
            break;
        item[at + i] = (struct sched_item){r, 1, c, SCHED_WAS_RUNNING, true};
        h->computed = c + 1;
        h->in_flight++;
        h->placeholders += async;
        ctx += c;
        win += c < window ? c + 1 : window;
    }
    w->i += i;
    w->budget -= (int32_t)i;
    b->n += i;
    b->tokens += (int32_t)i;
    b->ones += i;
    b->ones_ctx += ctx + i;
    b->ones_win += win;
}

/* Tokens that the request at the walk's place can have; 0: none now. */
static int32_t turn(const struct sched *s, const struct walk *w, uint32_t r,
                    int32_t threshold)
{
    const struct sched_hot *h = &s->hot[r];
    int32_t n = h->tokens + h->placeholders - h->computed;
    int32_t most = s->o.max_model_len - 1 - h->computed;

    /* sure to reach its limit with what is in flight */
    if (h->placeholders
        && h->computed + 2 - h->placeholders >= s->cold[r].limit)
        return 0;
    if (threshold > 0 && n > threshold)
        n = threshold;
    if (n > w->budget)
        n = w->budget;
    if (n > most)
        n = most;
    return n > 0 ? n : 0;
}

static void run(struct sched *s, struct sched_batch *b, struct walk *w,
                int32_t threshold)
{
    bool fcfs = s->o.policy == SCHED_FCFS;

    while (w->i < s->n_running && w->budget > 0) {
        uint32_t r = s->running[w->i];
        const struct sched_hot *h = &s->hot[r];
        const struct sched_cold *c = &s->cold[r];
        int32_t n = turn(s, w, r, threshold);

        if (n) {
            if ((h->computed + n > c->room || h->computed >= c->skip_at
                 || h->computed + n >= c->cache_at)
                && !grow(s, b, r, n, w))
                return;
            b->item[b->n++] = (struct sched_item){.req = r,
                                                  .tokens = n,
                                                  .computed = h->computed,
                                                  .kind = SCHED_WAS_RUNNING};
            w->budget -= n;
            if (fcfs)
                commit(s, b, b->n - 1);
        }
        w->i++;
        if (fcfs)
            run_calm(s, b, w);
    }
}

/* 0.32: marks for deferred frees and for the reservation of prefills. */
static void commit_marks(struct sched *s, struct sched_batch *b)
{
    s->batches_before = s->batches;
    if (b->n)
        s->batches++;
    if (!s->defer && !s->n_prefill)
        return;
    for (uint32_t i = b->unlisted; i < b->n; i++) {
        uint32_t r = b->item[i].req;

        s->cold[r].fence = s->batches;
        if (b->item[i].samples)
            sched_unprefill(s, r);
    }
}

void sched_schedule(struct sched *s, struct sched_batch *b)
{
    struct walk w = {0, s->o.max_num_batched_tokens};
    int32_t threshold = s->o.long_prefill_token_threshold;
    uint32_t joined;

    s->quiet_known = false;
    clear(b);
    b->s = s->n_schedule;
    reserve(s, b, sched_running(s));
    sched_drift_begin(s, b, &w.budget);
    if (s->o.policy == SCHED_FCFS)
        run_calm(s, b, &w);
    if (s->o.lone_ignores_threshold && sched_running(s) + sched_waiting(s) <= 1)
        threshold = 0;
    run(s, b, &w, threshold);
    joined = s->o.policy == SCHED_FCFS ? b->n : 0;
    if (!b->n_preempted)
        sched_admit(s, b, w.budget, threshold);
    commit(s, b, joined);
    s->n_schedule++;
    commit_marks(s, b);
    sched_drift_join(s);
    s->ended_since = false;
}
