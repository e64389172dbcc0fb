#include "sim/serve/sched.h"

#include "sim/base/must.h"
#include "sim/serve/kv_prefix.h"
#include "sim/serve/sched_int.h"

#include <string.h>

/* The V1 scheduler of vLLM (v1/core/sched/scheduler.py, async_scheduler.py;
 * 0.15.1, 0.21.0, 0.22.0, 0.32.0).  Versions differ by the switches of struct
 * sched_opt alone.
 *
 *   sched_add -> WAITING --sched_admit--> RUNNING --sched_update--> ENDED
 *                  |  ^                      |
 *      sched_admit v  | (received)           v sched_schedule (no blocks)
 *                LOADING                 PREEMPTED --sched_admit--> RUNNING
 *
 * computed is what has been *scheduled*, not what has been calculated; with
 * asynchronous scheduling a batch whose last known token it computes leaves a
 * placeholder for the output to come.  So in every state
 *   computed <= tokens + placeholders.
 * An ended request keeps its handle while its blocks are pinned or a batch in
 * flight lists it: batches carry handles, not requests. */

struct sched *sched_new(const struct sched_opt *o, struct arena *a)
{
    struct sched *s = ARENA_NEW(a, struct sched);

    must(o->n_groups >= 1 && o->n_groups <= SCHED_GROUPS);
    must(o->block_size > 0 && o->num_blocks > 1 && o->max_model_len > 0);
    must(o->max_num_batched_tokens > 0 && o->max_num_seqs > 0);
    s->o = *o;
    s->a = a;
    s->kv = kv_new(o, a);
    s->defer = o->defer_block_free && o->async_scheduling
            && o->connector != SCHED_NO_CONNECTOR;
    s->residue = ARENA_ARRAY(a, uint32_t, (size_t)o->block_size);
    sched_queue_init(s);
    sched_drift_init(s);
    return s;
}

void sched_ids(struct sched *s)
{
    kv_keep_ids(s->kv);
    s->drifts = false;
}

void sched_list(struct sched *s)
{
    must(!s->n_schedule);
    s->drifts = false;
}

static uint32_t new_handle(struct sched *s)
{
    uint32_t cap = s->cap_pool;

    if (s->n_spare)
        return s->spare[--s->n_spare];
    must(s->n_pool < SCHED_NONE);
    ARENA_ROOM(s->a, s->hot, s->n_pool, cap);
    ARENA_ROOM(s->a, s->cold, s->n_pool, s->cap_pool);
    return s->n_pool++;
}

static int32_t least(int64_t a, int64_t b)
{
    return (int32_t)(a < b ? a : b);
}

uint32_t sched_add(struct sched *s, const struct sched_spec *spec)
{
    uint32_t r = new_handle(s);
    struct sched_hot *h = &s->hot[r];
    struct sched_cold *c = &s->cold[r];
    struct kv_req kv = c->kv; /* its buffers are reused */
    int64_t limit = (int64_t)spec->prompt_tokens + spec->max_tokens;

    must(spec->prompt_tokens > 0 && spec->max_tokens > 0);
    *h = (struct sched_hot){
        .tokens = spec->prompt_tokens,
        .end = least(limit, s->o.max_model_len),
        .last_out = UINT64_MAX,
        .status = SCHED_WAITING,
    };
    if (spec->stop_at > 0)
        h->end = least((int64_t)spec->prompt_tokens + spec->stop_at, h->end);
    *c = (struct sched_cold){
        .kv = kv,
        .user = spec->user,
        .serial = s->added++,
        .prompt = spec->prompt_tokens,
        .limit = least(limit, INT32_MAX / 2),
        .priority = spec->priority,
        .stop_at = spec->stop_at,
        .max_tokens = spec->max_tokens,
        .first_computed = -1,
        .prefill_at = SCHED_NONE,
        .remote_decode = spec->remote_decode,
        .remote_prefill = spec->remote_prefill,
    };
    kv_name(s->kv, &c->kv, spec, c->serial);
    sched_refresh(s, r);
    sched_queue_push(s, SCHED_Q_WAITING, r);
    s->alive++;
    s->quiet_known = false;
    return r;
}

/* What ends a request's calm, each in terms of computed before a token: its
 * blocks are full, one leaves a window, one is to be hashed, the model's length
 * is reached, or (with up to two placeholders) its limit is in sight. */
void sched_refresh(struct sched *s, uint32_t r)
{
    struct sched_cold *c = &s->cold[r];
    int32_t calm;

    c->room = c->kv.len * s->o.block_size;
    c->skip_at = kv_skip_at(s->kv, &c->kv);
    c->cache_at = s->o.enable_prefix_caching
                    ? (c->kv.cached + 1) * s->o.block_size
                    : INT32_MAX;
    calm = least(c->room, c->skip_at);
    calm = least(calm, c->cache_at - 1);
    calm = least(calm, s->o.max_model_len - 1);
    s->hot[r].calm = least(calm, c->limit - 2);
}

void sched_unload(struct sched *s, uint32_t r)
{
    struct sched_cold *c = &s->cold[r];

    if (s->defer && c->fence > s->processed)
        kv_defer(s->kv, &c->kv, s->batches);
    else
        kv_drop(s->kv, &c->kv);
    sched_refresh(s, r);
}

void sched_retire(struct sched *s, uint32_t r)
{
    if (s->hot[r].in_flight || s->cold[r].pinned)
        return;
    s->hot[r].status = SCHED_UNUSED;
    ARENA_ROOM(s->a, s->spare, s->n_spare, s->cap_spare);
    s->spare[s->n_spare++] = r;
}

void sched_release(struct sched *s, uint32_t r)
{
    must(s->cold[r].pinned);
    sched_unload(s, r);
    s->cold[r].pinned = false;
    s->n_pinned--;
    s->alive--;
    sched_retire(s, r);
}

void sched_unprefill(struct sched *s, uint32_t r)
{
    uint32_t at = s->cold[r].prefill_at;
    uint32_t last;

    if (at == SCHED_NONE)
        return;
    last = s->prefill[--s->n_prefill];
    s->prefill[at] = last;
    s->cold[last].prefill_at = at;
    s->cold[r].prefill_at = SCHED_NONE;
}

/* NixlConnector.request_finished: are the blocks handed over? */
static bool hands_over(const struct sched *s, uint32_t r, enum sched_end why)
{
    const struct sched_cold *c = &s->cold[r];

    if (s->o.connector != SCHED_NIXL || !c->remote_decode || !c->kv.len)
        return false;
    return why == SCHED_END_LENGTH || (why == SCHED_END_STOP && s->o.stop_pins);
}

/* Blocks that the other side will read: of a window, its own span and one
 * (NixlConnectorScheduler.blocks_per_sw). */
static int32_t handed(const struct sched *s, uint32_t r, int g)
{
    int64_t n = kv_held(s->kv, &s->cold[r].kv, g);
    int32_t w = s->o.window[g];

    if (w)
        n = least(n, (w + s->o.block_size - 1) / s->o.block_size + 1);
    return (int32_t)n;
}

static int32_t window_basis(const struct sched *s, const struct sched_hot *h)
{
    if (!s->o.skip_by_computed)
        return h->tokens;
    if (!s->o.skip_by_processed)
        return h->computed;
    return h->computed > h->in_flight ? h->computed - h->in_flight : 0;
}

/* vLLM's _free_request, after the request has left its queue. */
void sched_finish(struct sched *s, uint32_t r, enum sched_end why,
                  struct sched_output *out)
{
    struct sched_hot *h = &s->hot[r];
    struct sched_cold *c = &s->cold[r];
    struct sched_fin f = {
        .req = r, .user = c->user, .end = why, .output = h->tokens - c->prompt};
    bool loading = h->status == SCHED_LOADING;

    if (loading) {
        s->n_loading--;
        s->n_received -= c->received;
    }
    c->pinned = loading && s->o.load_keeps_blocks && !c->received;
    h->status = SCHED_ENDED;
    s->ended_since = true;
    sched_unprefill(s, r);
    if (s->o.connector != SCHED_NO_CONNECTOR)
        kv_skip(s->kv, &c->kv, window_basis(s, h));
    if (hands_over(s, r, why)) {
        c->pinned = true;
        for (int g = 0; g < s->o.n_groups; g++)
            f.blocks[g] = handed(s, r, g);
    }
    f.pinned = c->pinned;
    ARENA_ROOM(s->a, out->fin, out->n_fin, out->cap_fin);
    out->fin[out->n_fin++] = f;
    if (c->pinned) {
        s->n_pinned++;
        return;
    }
    sched_unload(s, r);
    s->alive--;
    sched_retire(s, r);
}

void sched_clear(struct sched_output *out)
{
    out->tokens = 0;
    out->n_irregular = out->n_fin = 0;
}

void sched_abort(struct sched *s, uint32_t r, struct sched_output *out)
{
    uint32_t i = 0;

    sched_clear(out);
    must(r < s->n_pool && s->hot[r].status != SCHED_UNUSED);
    if (s->hot[r].status == SCHED_ENDED)
        return;
    s->quiet_known = false;
    if (s->hot[r].steady)
        sched_drift_flush(s);
    if (s->hot[r].status != SCHED_RUNNING) {
        sched_queue_remove(s, r);
    } else {
        while (s->running[i] != r)
            i++;
        memmove(&s->running[i], &s->running[i + 1],
                (--s->n_running - i) * sizeof *s->running);
    }
    sched_finish(s, r, SCHED_END_ABORT, out);
}

uint32_t sched_running(const struct sched *s)
{
    return s->n_running + s->n_steady;
}

uint32_t sched_waiting(const struct sched *s)
{
    return s->q[SCHED_Q_WAITING].n + s->q[SCHED_Q_FIRST].n;
}

uint32_t sched_skipped(const struct sched *s)
{
    return s->q[SCHED_Q_FIRST].n;
}

uint32_t sched_remote(const struct sched *s)
{
    return s->n_loading;
}

uint32_t sched_pinned(const struct sched *s)
{
    return s->n_pinned;
}

int64_t sched_free_blocks(const struct sched *s)
{
    return kv_free_blocks(s->kv);
}

bool sched_unfinished(const struct sched *s)
{
    return sched_running(s) || sched_waiting(s);
}

bool sched_wanted(const struct sched *s)
{
    return sched_unfinished(s) || s->ended_since
        || (s->o.steps_while_pinned && s->n_pinned);
}

struct sched_view sched_view(const struct sched *s, uint32_t r)
{
    const struct sched_hot *h = &s->hot[r];
    const struct sched_cold *c = &s->cold[r];
    struct sched_hot now;
    struct kv_req kv;

    must(r < s->n_pool);
    if (h->steady) {
        sched_drift_see(s, r, &now, &kv);
        h = &now;
    }
    return (struct sched_view){
        .user = c->user,
        .prompt = c->prompt,
        .output = h->tokens - c->prompt,
        .computed = h->computed,
        .preemptions = c->preemptions,
        .last_out = h->last_out,
    };
}

bool sched_peek(const struct sched *s, bool skipped, uint32_t j, uint32_t *req)
{
    return sched_queue_at(s, skipped ? SCHED_Q_FIRST : SCHED_Q_WAITING, j, req);
}

uint32_t sched_blocks(const struct sched *s, uint32_t r, int group,
                      const uint32_t **ids)
{
    struct sched_hot h;
    struct kv_req kv;

    must(group >= 0 && group < s->o.n_groups);
    sched_drift_see(s, r, &h, &kv);
    if (ids)
        *ids = kv_has_ids(s->kv) ? kv.ids[group] : NULL;
    return (uint32_t)kv.len;
}

bool sched_check(const struct sched *s, struct err *e)
{
    int64_t held = kv_deferred(s->kv);
    uint64_t live = 0;

    for (uint32_t r = 0; r < s->n_pool; r++) {
        struct sched_hot h;
        struct kv_req kv;

        sched_drift_see(s, r, &h, &kv);
        live += h.status != SCHED_UNUSED
             && (h.status != SCHED_ENDED || s->cold[r].pinned);
        held += kv_held(s->kv, &kv, -1);
        if (h.status != SCHED_UNUSED && h.computed > h.tokens + h.placeholders)
            return err_set(e, ERR_NO, "request %u: %d tokens computed of %d", r,
                           h.computed, h.tokens + h.placeholders);
    }
    if (live != s->alive)
        return err_set(e, ERR_NO, "%llu requests alive, %llu counted",
                       (unsigned long long)live, (unsigned long long)s->alive);
    if (!s->o.enable_prefix_caching
        && held + kv_free_blocks(s->kv) != s->o.num_blocks - 1)
        return err_set(e, ERR_NO, "%lld blocks held, %lld free of %lld",
                       (long long)held, (long long)kv_free_blocks(s->kv),
                       (long long)s->o.num_blocks - 1);
    return kv_check(s->kv, e);
}
