/* MoRI-IO WRITE (engine.md 5.9): prefill pushes KV layer by layer into blocks
 * that decode has allocated beforehand.  With both sides at work at once
 * (kv_parallel) a transfer begins with the first layer of the prompt's last
 * chunk, or when decode has the blocks, whichever is later; chunks before are
 * sent with the last.  Layers are taken to be equal and evenly spaced over the
 * chunk's GPU time; all but the last move as one, and the last when it is
 * computed and those are through: so what is exposed is one layer where the
 * wire keeps up, and all that is left where it does not.
 *
 *   decode   [ alloc .......................... received ] notice, first step
 *   prefill        [ last chunk: layer 1 ... computed ]
 *   wire                          [ all but one ]   [ the last ]
 *
 * One after the other (the sidecar's default) decode's blocks are known only
 * when prefill has replied, and nothing overlaps; the writes are then posted on
 * prefill's worker beside its steps.
 * Pins are freed when all is written and prefill has replied; decode's answer
 * is held until prefill's is there. */
#include "sim/base/must.h"
#include "sim/serve/world_int.h"

static ns_t push_later(ns_t a, ns_t b)
{
    return a > b ? a : b;
}

/* Both sides are ready, or one is not yet. */
static void push_try(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    if (!r->allocated || !r->layered || r->pushing)
        return;
    r->pushing = true;
    r->posted = push_later(r->computed, r->alloc);
    world_mail(w, push_later(now, push_later(r->alloc, r->layer)), MAIL_PUSH,
               req);
}

void push_alloc(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    if (!w->plant->kv_parallel) {
        if (r->expired) {
            engine_lost(w, &w->engine[r->decode], r->loading, r->local);
            return;
        }
        /* all is computed; posting precedes the first byte */
        r->layer = r->computed = r->prefilled;
        r->layered = true;
        now += handover_posting(w, r);
    }
    r->alloc = now;
    r->allocated = true;
    push_try(w, req, now);
}

ns_t push_chunk(struct world *w, struct engine *g, const struct sched_batch *b,
                ns_t at, ns_t end)
{
    int layers = handover_layers(w);
    ns_t post = 0;
    for (uint32_t i = b->unlisted; i < b->n; i++) {
        const struct sched_item *it = &b->item[i];
        struct sched_view v = sched_view(g->sched, it->req);
        struct world_req *r = &w->req[v.user];
        if (it->computed + it->tokens < v.prompt || r->layered)
            continue;
        r->layer = at + (end - at) / layers;
        r->layered = true;
        r->computed = r->prefilled = end;
        post += handover_posting(w, r);
        push_try(w, (uint32_t)v.user, at);
    }
    return post;
}

void push_start(struct world *w, uint32_t req, ns_t now)
{
    int layers = handover_layers(w);
    if (layers > 1)
        handover_move(w, req, now, 0, layers - 1);
    else
        push_moved(w, req, now);
}

void push_tail(struct world *w, uint32_t req, ns_t now)
{
    int layers = handover_layers(w);
    w->req[req].tailing = true;
    handover_move(w, req, now, layers - 1, layers);
}

void push_moved(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    if (r->tailing)
        handover_received(w, req, now);
    else
        world_mail(w, push_later(now, r->computed), MAIL_TAIL, req);
}

void push_prefilled(struct world *w, uint32_t req, uint32_t pinned, ns_t now)
{
    struct world_req *r = &w->req[req];
    must(r->layered); /* its last chunk has been launched */
    r->replied = true;
    r->pinned = pinned;
    if (r->received && pinned != WORLD_NOBODY)
        engine_sent(w, &w->engine[r->prefill], pinned, now);
    if (r->answered)
        world_mail(w, now, MAIL_DONE, req);
}

bool push_holds(struct world *w, uint32_t req)
{
    struct world_req *r = &w->req[req];
    if (r->prefill == WORLD_NOBODY || r->replied)
        return false;
    r->answered = true;
    return true;
}
