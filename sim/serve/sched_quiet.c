#include "sim/base/must.h"
#include "sim/serve/sched_int.h"

/* How long nothing but counting happens.
 *
 * In a quiet state every running request has one token in each batch in
 * flight.  With T its known tokens, round j (update the oldest batch, then
 * schedule) makes them T + j and schedules one token more, as long as
 *   T + j < end                        it does not end in the update, and,
 *   T + j + 1 < limit, T + j + 2 <= max_model_len    asynchronously: it is not
 *                                      spared the step after its last;
 * and as long as there are blocks.  A request with d slots left in its blocks
 * takes one (in each group) in round d + 1 and in every block_size-th after.
 * Blocks that windows free on the way are not counted on: the answer may be
 * short, never long. */

/* Every item of b is a running request, in order, with one token. */
static bool uniform(const struct sched *s, const struct sched_batch *b)
{
    if (b->n != s->n_running || b->ones != b->n || !b->n || b->unlisted)
        return false;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->item[i].req != s->running[i] || !b->item[i].samples)
            return false;
    return true;
}

/* Every token of the oldest batch follows one in the batch before. */
static bool regular(const struct sched *s, const struct sched_batch *b)
{
    for (uint32_t i = 0; i < s->n_running; i++)
        if (s->hot[s->running[i]].last_out + 1 != b->s)
            return false;
    return b->s > 0;
}

/* The newest batch of two becomes the oldest after one round: it must be as
 * any later one. */
static bool plain(const struct sched_batch *b)
{
    if (b->n_preempted || b->n_hit || b->n_remote)
        return false;
    for (uint32_t i = b->n; i--;)
        if (b->item[i].kind != SCHED_WAS_RUNNING)
            return false;
    return true;
}

/* Rounds until a request ends or is spared a step; fills residue. */
static uint32_t until_end(struct sched *s, uint32_t max)
{
    bool async = s->o.async_scheduling;
    int32_t bs = s->o.block_size;

    for (int32_t d = 0; d < bs; d++)
        s->residue[d] = 0;
    for (uint32_t i = 0; i < s->n_running && max; i++) {
        const struct sched_hot *h = &s->hot[s->running[i]];
        const struct sched_cold *c = &s->cold[s->running[i]];
        int32_t last = h->end - 1;
        int32_t d = c->room - h->computed;

        if (async && c->limit - 2 < last)
            last = c->limit - 2;
        if (async && s->o.max_model_len - 2 < last)
            last = s->o.max_model_len - 2;
        last -= h->tokens;
        if (last <= 0 || d < 0 || d >= bs)
            return 0;
        if ((uint32_t)last < max)
            max = (uint32_t)last;
        s->residue[d]++;
    }
    return max;
}

/* Rounds for which the free blocks last. */
static uint32_t until_dry(const struct sched *s, uint32_t max)
{
    int64_t each = s->o.n_groups;
    int64_t free = kv_free_blocks(s->kv);
    int64_t cycles = free / (each * s->n_running);
    int64_t n = cycles * s->o.block_size;

    free -= cycles * each * s->n_running;
    for (int32_t d = 0; d < s->o.block_size && n < max; d++, n++) {
        free -= each * s->residue[d];
        if (free < 0)
            break;
    }
    return n < max ? (uint32_t)n : max;
}

uint32_t sched_quiet(struct sched *s, struct sched_batch *const out[],
                     uint32_t n_out, uint32_t max)
{
    uint32_t head;

    if (s->quiet_known)
        return s->quiet < max ? s->quiet : max;
    s->quiet = 0;
    s->quiet_known = true;
    if (n_out != (s->o.async_scheduling ? 2 : 1) || s->o.policy != SCHED_FCFS
        || kv_has_ids(s->kv) || kv_deferred(s->kv) || !out[0]->n)
        return 0;
    if (!sched_admit_idle(
            s, s->o.max_num_batched_tokens - (int32_t)sched_running(s),
            s->o.long_prefill_token_threshold, &head))
        return 0;
    if (s->n_steady) {
        s->quiet = sched_drift_quiet(s, out, n_out, max);
        s->quiet_known = s->quiet < max; /* else there may be more */
        return s->quiet;
    }
    for (uint32_t i = 0; i < n_out; i++)
        if (!uniform(s, out[i]) || (i && !plain(out[i])))
            return 0;
    if (!regular(s, out[0]))
        return 0;
    s->quiet = until_end(s, UINT32_MAX / 2);
    if (s->quiet)
        s->quiet = until_dry(s, s->quiet);
    return s->quiet < max ? s->quiet : max;
}
