#include "sim/serve/watch.h"

#include "sim/serve/world_int.h"

#include <string.h>

/* The parts of a step: what is listed and is not a decode. */
static void watch_parts(struct world *w, struct engine *g,
                        const struct sched_batch *b, struct watch_step *s)
{
    struct watch_part *part = NULL;
    uint32_t cap = 0;

    s->decodes = b->unlisted;
    s->prefill_tokens = b->tokens - (int32_t)b->unlisted;
    s->context = b->ones_ctx;
    for (uint32_t i = 0; i < b->n_chunk; i++) {
        const struct sched_item *it = &b->item[b->chunk[i]];
        s->context += it->computed + it->tokens;
    }
    for (uint32_t i = b->unlisted; i < b->n; i++) {
        const struct sched_item *it = &b->item[i];
        struct sched_view v = sched_view(g->sched, it->req);
        if (it->tokens == 1 && it->computed >= v.prompt) {
            s->decodes++;
            s->prefill_tokens--;
            continue;
        }
        ARENA_ROOM(w->watch_arena, part, s->n_part, cap);
        part[s->n_part++] = (struct watch_part){w->req[v.user].life, it->tokens,
                                                it->computed};
    }
    s->part = part;
}

void watch_step(struct world *w, struct engine *g, const struct sched_batch *b,
                ns_t at, ns_t end)
{
    const struct watch *k = w->ask->watch;
    enum price_mode mode = PRICE_FULL;
    struct watch_step s = {.engine = g->id,
                           .pool = g->pool,
                           .number = b->s,
                           .at = at,
                           .end = end,
                           .tokens = b->tokens,
                           .kv_blocks = g->plan->sched.num_blocks - 1,
                           .running = sched_running(g->sched),
                           .waiting = sched_waiting(g->sched)};

    if (!k->step)
        return;
    s.padded = price_padded(g->plan->price, b->tokens, !b->n_chunk, &mode);
    s.kv_used = s.kv_blocks - sched_free_blocks(g->sched);
    arena_reset(w->watch_arena);
    watch_parts(w, g, b, &s);
    k->step(k->user, &s);
}

void watch_transfer(struct world *w, const struct world_req *r)
{
    const struct watch *k = w->ask->watch;

    if (k->transfer)
        k->transfer(k->user, &(struct watch_transfer){.life = r->life,
                                                      .from = r->prefill,
                                                      .to = r->decode,
                                                      .posted = r->posted,
                                                      .received = r->received,
                                                      .bytes = r->bytes});
}

void watch_life(struct world *w, const struct world_req *r, bool failed,
                ns_t now)
{
    const struct watch *k = w->ask->watch;

    if (k->life)
        k->life(k->user, &(struct watch_life){.life = r->life,
                                              .prefill = r->prefill,
                                              .decode = r->decode,
                                              .isl = r->isl,
                                              .osl = r->osl,
                                              .warmup = !w->measuring,
                                              .failed = failed,
                                              .sent = r->sent,
                                              .queued = r->queued,
                                              .admitted = r->admitted,
                                              .prefilled = r->prefilled,
                                              .posted = r->posted,
                                              .received = r->received,
                                              .first = r->first,
                                              .end = now});
}
