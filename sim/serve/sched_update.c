#include "sim/base/must.h"
#include "sim/serve/kv_prefix.h"
#include "sim/serve/sched_int.h"

/* vLLM's update_from_output(): outputs of one batch reach their requests. */

/* ---- blocks that failed to load ---- */

/* Ids that failed to load; the first `marked` of `seen` have been charged to
 * a request, which will recompute them for all. */
struct bad {
    const struct sched_input *in;
    uint32_t *seen, marked, cap;
};

static bool among(const uint32_t *ids, uint32_t n, uint32_t block)
{
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] == block)
            return true;
    return false;
}

static int32_t tokens_in(const struct sched_batch *b, uint32_t r)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (b->item[i].req == r)
            return b->item[i].tokens;
    return 0;
}

/* Tokens that were computed before this batch, loaded ones included. */
static int32_t trusted(const struct sched *s, const struct sched_batch *b,
                       uint32_t r)
{
    const struct sched_hot *h = &s->hot[r];

    if (s->o.load_tracks_tokens)
        return h->computed - tokens_in(b, r);
    if (h->status != SCHED_LOADING)
        return s->cold[r].first_computed;
    return s->cold[r].load_failed ? h->computed
                                  : s->cold[r].kv.len * s->o.block_size;
}

static void spoil(struct sched *s, uint32_t r)
{
    struct sched_cold *c = &s->cold[r];

    if (s->hot[r].status == SCHED_LOADING && !s->o.load_failure_fails)
        c->load_failed = true; /* recomputes once received */
    else
        s->hot[r].failed = 1;
}

/* Cuts a request back to before its first bad block that nobody before it
 * will recompute. */
static void cut_back(struct sched *s, const struct sched_batch *b,
                     struct bad *bad, uint32_t r)
{
    struct sched_hot *h = &s->hot[r];
    const struct kv_req *kv = &s->cold[r].kv;
    int32_t had = trusted(s, b, r), first = -1;
    int32_t n = (had + s->o.block_size - 1) / s->o.block_size;
    bool hurt = false;

    for (int32_t i = 0; i < n && i < kv->len; i++) {
        uint32_t block = kv->ids[0][i];

        if (!among(bad->in->bad, bad->in->n_bad, block))
            continue;
        hurt = true;
        if (among(bad->seen, bad->marked, block))
            continue;
        ARENA_ROOM(s->a, bad->seen, bad->marked, bad->cap);
        bad->seen[bad->marked++] = block;
        if (first < 0)
            first = i;
    }
    if (!hurt)
        return;
    h->computed = first < 0 ? had : first * s->o.block_size;
    if (first >= 0 && h->status == SCHED_RUNNING && s->o.load_failure_fails)
        kv_prefix_evict(s->kv, kv, first);
    spoil(s, r);
}

static void look_for_bad(struct sched *s, const struct sched_batch *b,
                         const struct sched_input *in)
{
    struct bad bad = {.in = in};
    uint32_t r;

    if (!in || !in->n_bad || !kv_has_ids(s->kv))
        return;
    must(s->o.n_groups == 1); /* as vLLM: ids name blocks of one group */
    for (int q = 0; q < SCHED_QUEUES; q++)
        for (uint32_t j = 0; sched_queue_at(s, q, j, &r); j++)
            if (s->hot[r].status == SCHED_LOADING)
                cut_back(s, b, &bad, r);
    bad.marked = 0;
    for (uint32_t i = 0; i < s->n_running; i++)
        cut_back(s, b, &bad, s->running[i]);
}

static void lose(struct sched *s, const struct sched_input *in)
{
    for (uint32_t i = 0; i < in->n_lost; i++) {
        uint32_t r = in->lost[i];

        if (s->hot[r].status != SCHED_LOADING)
            continue;
        s->hot[r].computed = (int32_t)in->lost_from[i];
        spoil(s, r);
    }
}

/* ---- tokens ---- */

static void note_irregular(struct sched *s, struct sched_output *out,
                           uint32_t r, uint64_t prev)
{
    uint32_t cap = out->cap_irregular;

    ARENA_ROOM(s->a, out->irregular, out->n_irregular, cap);
    ARENA_ROOM(s->a, out->irregular_prev, out->n_irregular, out->cap_irregular);
    out->irregular[out->n_irregular] = r;
    out->irregular_prev[out->n_irregular++] = prev;
}

/* vLLM's _handle_stopped_request and _free_request. */
bool sched_update_end(struct sched *s, uint32_t r, struct sched_output *out)
{
    const struct sched_hot *h = &s->hot[r];
    const struct sched_cold *c = &s->cold[r];
    bool was_running = h->status == SCHED_RUNNING;
    bool stop = c->stop_at > 0 && h->tokens - c->prompt == c->stop_at;

    if (!was_running)
        sched_queue_remove(s, r); /* it waits, preempted */
    sched_finish(s, r, stop ? SCHED_END_STOP : SCHED_END_LENGTH, out);
    return was_running;
}

/* One more output for a request; true: it ended while running. */
static bool deliver(struct sched *s, const struct sched_batch *b,
                    const struct sched_item *it, struct sched_output *out,
                    bool stale)
{
    struct sched_hot *h = &s->hot[it->req];

    h->tokens++;
    if (s->o.async_scheduling && !stale)
        h->placeholders--;
    if (h->last_out + 1 != b->s || !b->s)
        note_irregular(s, out, it->req, h->last_out);
    h->last_out = b->s;
    out->tokens++;
    if (s->o.async_scheduling && h->status == SCHED_RUNNING
        && h->computed - h->placeholders >= s->cold[it->req].cache_at) {
        kv_prefix_cache(s->kv, &s->cold[it->req].kv,
                        h->computed - h->placeholders);
        sched_refresh(s, it->req);
    }
    return h->tokens >= h->end && sched_update_end(s, it->req, out);
}

/* Ended requests leave running; the order of the rest stays. */
static void sweep(struct sched *s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->n_running; i++) {
        uint32_t r = s->running[i];

        if (s->hot[r].status == SCHED_RUNNING)
            s->running[n++] = r;
    }
    s->n_running = n;
}

/* One item in every generality; true: its request ended while running. */
static bool output(struct sched *s, const struct sched_batch *b,
                   const struct sched_item *it, struct sched_output *out)
{
    struct sched_hot *h = &s->hot[it->req];
    bool stale = h->stale > 0;

    if (h->steady) {
        out->tokens++; /* the rest is counted elsewhere */
        return false;
    }
    h->in_flight -= it->tokens;
    if (stale)
        h->stale -= it->tokens;
    if (h->status == SCHED_ENDED)
        sched_retire(s, it->req);
    else if (it->samples && !h->failed)
        return deliver(s, b, it, out, stale);
    return false;
}

/* The second hot loop: a running request's next token, and not its last, is
 * counted on the spot. */
static void outputs(struct sched *s, const struct sched_batch *b,
                    struct sched_output *out)
{
    const struct sched_item *item = b->item;
    struct sched_hot *hot = s->hot;
    int32_t async = s->o.async_scheduling;
    bool hashes = async && s->o.enable_prefix_caching;
    uint64_t now = b->s;
    uint32_t plain = 0;
    bool ended = false;

    for (uint32_t i = b->unlisted; i < b->n; i++) {
        struct sched_hot *h = &hot[item[i].req];

        if (h->tokens + 1 >= h->end || h->last_out != now - 1
            || h->status != SCHED_RUNNING || (h->stale | h->failed | h->steady)
            || !item[i].samples || (hashes && h->computed >= h->calm) || !now) {
            ended |= output(s, b, &item[i], out);
            continue;
        }
        h->in_flight -= item[i].tokens;
        h->placeholders -= async;
        h->tokens++;
        h->last_out = now;
        plain++;
    }
    out->tokens += plain;
    if (ended)
        sweep(s);
}

/* ---- ends and transfers ---- */

static void fail(struct sched *s, uint32_t r, struct sched_output *out)
{
    if (s->hot[r].status != SCHED_RUNNING)
        sched_queue_remove(s, r);
    sched_finish(s, r, SCHED_END_ERROR, out);
}

/* Requests with bad blocks end with an error, or just missed this batch. */
static void settle_failed(struct sched *s, struct sched_output *out)
{
    bool ended = false;

    for (uint32_t r = 0; r < s->n_pool; r++) {
        if (!s->hot[r].failed)
            continue;
        s->hot[r].failed = 0;
        if (!s->o.load_failure_fails)
            continue;
        ended |= s->hot[r].status == SCHED_RUNNING;
        fail(s, r, out);
    }
    if (ended)
        sweep(s);
}

static void transfers(struct sched *s, const struct sched_input *in)
{
    for (uint32_t i = 0; i < in->n_rx; i++) {
        uint32_t r = in->rx[i];

        must(r < s->n_pool);
        if (s->hot[r].status == SCHED_LOADING) {
            s->n_received += !s->cold[r].received;
            s->cold[r].received = true;
        } else if (s->cold[r].pinned) {
            sched_release(s, r);
        }
    }
    for (uint32_t i = 0; i < in->n_tx; i++)
        sched_release(s, in->tx[i]);
}

void sched_update(struct sched *s, struct sched_batch *b,
                  const struct sched_input *in, struct sched_output *out)
{
    s->quiet_known = false;
    sched_clear(out);
    must(b->s == s->n_update); /* the oldest */
    s->n_update++;
    if (b->n) {
        s->processed++;
        kv_drain(s->kv, s->processed);
    }
    look_for_bad(s, b, in);
    if (in && in->n_lost)
        lose(s, in);
    sched_drift_update(s, b, out);
    outputs(s, b, out);
    if (!in)
        return;
    if (in->n_bad || in->n_lost)
        settle_failed(s, out);
    transfers(s, in);
}
