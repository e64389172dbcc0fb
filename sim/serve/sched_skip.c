#include "sim/base/must.h"
#include "sim/serve/sched_int.h"

/* n quiet rounds at once: what n single ones would leave (sched_quiet.c). */

/* A request after n more tokens. */
static void advance(struct sched *s, uint32_t r, int32_t n, uint64_t last)
{
    struct sched_hot *h = &s->hot[r];
    bool behind = s->o.async_scheduling && s->o.skip_by_processed;

    h->tokens += n;
    h->computed += n;
    h->last_out = last;
    if (h->computed > h->calm) {
        /* the last schedule was with one token less, and with one of these
         * in flight when two batches are out */
        kv_grow(s->kv, &s->cold[r].kv, h->computed, h->computed - 1 - behind);
        sched_refresh(s, r);
    }
}

/* A batch n rounds later. */
static void shift(const struct sched *s, struct sched_batch *b, int32_t n)
{
    int32_t w = s->o.attn_window;
    int64_t win = 0;

    b->s += (uint64_t)n;
    b->ones_ctx += (int64_t)n * b->n;
    b->n_preempted = b->n_hit = b->n_remote = 0;
    if (s->n_steady) {
        b->unlisted = b->n;
        b->item[b->n - 1].kind = SCHED_WAS_RUNNING;
        b->ones_win = w ? (int64_t)b->n * w : b->ones_ctx;
        return;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        struct sched_item *it = &b->item[i];

        it->computed += n;
        it->kind = SCHED_WAS_RUNNING;
        win += it->computed < w ? it->computed + 1 : w;
    }
    b->ones_win = w ? win : b->ones_ctx;
}

/* Whom a batch refused blocks. */
static void set_failed(struct sched *s, struct sched_batch *b, uint32_t r)
{
    b->n_failed = 0;
    if (r == SCHED_NONE)
        return;
    ARENA_ROOM(s->a, b->failed, b->n_failed, b->cap_failed);
    b->failed[b->n_failed++] = r;
}

void sched_skip(struct sched *s, struct sched_batch *const out[],
                uint32_t n_out, uint32_t n)
{
    struct sched_batch *newest = out[n_out - 1];
    uint32_t before = newest->n_failed ? newest->failed[0] : SCHED_NONE;
    uint32_t head;

    if (!n)
        return;
    must(n <= s->quiet);
    must(sched_admit_idle(
        s, s->o.max_num_batched_tokens - (int32_t)sched_running(s),
        s->o.long_prefill_token_threshold, &head));
    for (uint32_t i = 0; i < s->n_running; i++)
        advance(s, s->running[i], (int32_t)n, out[0]->s + n - 1);
    for (uint32_t i = 0; i < n_out; i++) {
        shift(s, out[i], (int32_t)n);
        set_failed(s, out[i], i + n >= n_out ? head : before);
    }
    if (s->n_steady)
        sched_drift_skip(s, n);
    s->n_schedule += n;
    s->n_update += n;
    s->batches += n;
    s->batches_before = s->batches - 1;
    s->processed += n;
    s->ended_since = false;
    for (uint32_t i = 0; s->defer && i < s->n_running; i++)
        s->cold[s->running[i]].fence = s->batches;
    s->quiet -= n;
}
