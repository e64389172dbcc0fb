/* The P/D path (engine.md 5).  With a pull connector (NIXL, MoRI-IO READ):
 * prefill ends and pins its blocks; its reply goes through the sidecar to the
 * decode engine, which allocates blocks for the whole prompt, posts one READ
 * per source rank on its worker's only thread, and is told of the end by its
 * worker's next launch; the prefill engine frees the blocks once its own worker
 * has seen the notice.  push.c has MoRI-IO WRITE.
 *
 * Bytes: whole blocks of every KV group, less what decode has in its own prefix
 * cache; a sliding group is clipped to ceil(window / block) + 1 blocks (5.7).
 * Unequal TP (5.6): with D ranks >= P ranks each decode rank reads its head
 * slice of every block from prefill rank r * P / D; with fewer, each decode
 * rank reads from P / D prefill ranks.
 * Descriptors of one rank: blocks x layers x 2 (K and V).  Where identities of
 * blocks are kept (prefix caching) they are merged as NIXL does: entries that
 * are next to each other on both sides are one.  A head slice has none next to
 * it, and without
 * identities none is taken to be: freed blocks come back in reverse, so ids of
 * a used pool rarely ascend (5.3).
 *
 * Pins expire (5.4): pin_expiry_s after prefill's reply, or, where decode
 * renews them, only on their way to it; from the moment the READ is posted they
 * are taken to last.  A READ of expired blocks fails at once.  Expiry is noted
 * in a list in the order of replies, with one mail under way at most, so it
 * costs nothing but for its members. */
#include "sim/base/must.h"
#include "sim/serve/world_int.h"

enum { HANDOVER_RANKS = 64 };

/* ---- pins ---- */

static const struct plant_pool *handover_pool(const struct world *w)
{
    return &w->plant->pool[0];
}

static void handover_time(struct world *w)
{
    if (w->pin_timed || w->pin_first == WORLD_NOBODY)
        return;
    w->pin_timed = true;
    world_mail(w, w->req[w->pin_first].expires, MAIL_EXPIRE, 0);
}

static void handover_list(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    r->expires = now + units_ns(handover_pool(w)->pin_expiry_s);
    r->pin_listed = true;
    r->pin_prev = w->pin_last;
    r->pin_next = WORLD_NOBODY;
    if (w->pin_last == WORLD_NOBODY)
        w->pin_first = req;
    else
        w->req[w->pin_last].pin_next = req;
    w->pin_last = req;
    handover_time(w);
}

static void handover_unlist(struct world *w, uint32_t req)
{
    struct world_req *r = &w->req[req];
    if (!r->pin_listed)
        return;
    r->pin_listed = false;
    *(r->pin_prev == WORLD_NOBODY
          ? &w->pin_first
          : &w->req[r->pin_prev].pin_next) = r->pin_next;
    *(r->pin_next == WORLD_NOBODY
          ? &w->pin_last
          : &w->req[r->pin_next].pin_prev) = r->pin_prev;
}

void handover_expire(struct world *w, ns_t now)
{
    w->pin_timed = false;
    while (w->pin_first != WORLD_NOBODY
           && w->req[w->pin_first].expires <= now) {
        uint32_t req = w->pin_first;
        struct world_req *r = &w->req[req];
        handover_unlist(w, req);
        engine_sent(w, &w->engine[r->prefill], r->pinned, now);
        r->pinned = WORLD_NOBODY;
        r->expired = true;
    }
    handover_time(w);
}

/* ---- prefill to decode ---- */

void handover_prefilled(struct world *w, uint32_t req, uint32_t pinned,
                        ns_t now)
{
    struct world_req *r = &w->req[req];
    struct engine *p = &w->engine[r->prefill];
    route_answered(w, p, r);
    if (w->plant->kv_parallel) {
        push_prefilled(w, req, pinned, now);
        return;
    }
    r->prefilled = now;
    r->pinned = pinned;
    if (pinned != WORLD_NOBODY)
        handover_list(w, req, now);
    world_mail(w, now + units_ns(w->plant->router.sidecar_s), MAIL_HANDOVER,
               req);
}

void handover_arrive(struct world *w, uint32_t req, ns_t now)
{
    if (handover_pool(w)->pin_heartbeat)
        handover_unlist(w, req);
    engine_push(w, &w->engine[w->req[req].decode], req, now);
}

/* ---- sizes ---- */

/* Blocks of a prompt in a KV group that are transferred: the last ones. */
static int32_t handover_blocks(const struct plant_pool *p, int group,
                               const struct world_req *r)
{
    int32_t bs = p->sched.block_size, win = p->sched.window[group];
    int32_t all = (r->isl + bs - 1) / bs - r->local / bs;
    int32_t cap = win > 0 ? (win + bs - 1) / bs + 1 : all;
    return all < cap ? all : cap;
}

/* Runs of these blocks that are neighbours on both sides. */
static int32_t handover_runs(const struct world *w, const struct world_req *r,
                             int group)
{
    const struct engine *p = &w->engine[r->prefill], *d = &w->engine[r->decode];
    int32_t n = handover_blocks(d->plan, group, r), runs = 1;
    int32_t all = (r->isl + d->plan->sched.block_size - 1)
                / d->plan->sched.block_size;
    const uint32_t *from, *to;
    if (p->plan->tp != d->plan->tp || n < 2 || w->plant->kv_parallel
        || !p->plan->sched.enable_prefix_caching
        || !d->plan->sched.enable_prefix_caching)
        return n;
    if ((int32_t)sched_blocks(p->sched, r->pinned, group, &from) < all
        || (int32_t)sched_blocks(d->sched, r->loading, group, &to) < all
        || !from || !to)
        return n;
    for (int32_t i = all - n + 1; i < all; i++)
        runs += from[i] != from[i - 1] + 1 || to[i] != to[i - 1] + 1;
    return runs;
}

ns_t handover_posting(const struct world *w, const struct world_req *r)
{
    const struct plant_pool *p = w->engine[r->prefill].plan;
    const struct plant_pool *d = w->engine[r->decode].plan;
    double reads = p->tp > d->tp ? p->tp / d->tp : 1, n = 0;
    for (int g = 0; g < d->sched.n_groups; g++)
        n += (double)handover_runs(w, r, g) * d->kv_layers[g] * 2;
    return units_ns(reads * wire_post_s(w->plant->wire, n));
}

/* ---- decode fetches ---- */

/* When this pair's handshake is over (engine.md 5.5): the first contact begins
 * it, on one thread of the decode engine. */
static ns_t handover_met(struct world *w, struct engine *d, uint32_t prefill,
                         ns_t t)
{
    if (!(w->plant->handshake_s > 0))
        return t;
    if (!d->met)
        d->met = ARENA_ARRAY(w->arena, ns_t, w->n_engines);
    if (!d->met[prefill]) {
        d->met_free = (d->met_free > t ? d->met_free : t)
                    + units_ns(w->plant->handshake_s);
        d->met[prefill] = d->met_free;
    }
    return d->met[prefill] > t ? d->met[prefill] : t;
}

/* Posts one READ at t; returns host time of the step.  Behind a handshake it is
 * posted when that is over, beside the steps. */
static ns_t handover_read(struct world *w, struct engine *g, uint32_t req,
                          ns_t t)
{
    struct world_req *r = &w->req[req];
    if (r->expired) {
        engine_lost(w, g, r->loading, r->local);
        return 0;
    }
    ns_t met = handover_met(w, g, r->prefill, t);
    ns_t post = handover_posting(w, r);
    r->posted = met + post;
    world_mail(w, r->posted, MAIL_POST, req);
    return met > t ? 0 : post;
}

ns_t handover_post(struct world *w, struct engine *g,
                   const struct sched_batch *b, ns_t t)
{
    ns_t begun = t;
    uint32_t hit = 0; /* hits are noted in the order of admission */
    for (uint32_t i = 0; i < b->n_remote; i++) {
        uint32_t id = (uint32_t)sched_view(g->sched, b->remote[i]).user;
        struct world_req *r = &w->req[id];
        while (b->hit[hit].req != b->remote[i]) {
            hit++;
            must(hit < b->n_hit);
        }
        r->local = b->hit[hit].local;
        r->loading = b->remote[i];
        handover_unlist(w, id);
        if (w->plant->kv_write)
            push_alloc(w, id, t);
        else
            t += handover_read(w, g, id, t);
    }
    return t - begun;
}

/* ---- the wire ---- */

/* Ranks of an engine sit on consecutive GPUs of its node. */
static struct wire_end handover_end(const struct engine *g, int rank)
{
    return (struct wire_end){g->node, g->gpu + (uint32_t)rank};
}

int handover_layers(const struct world *w)
{
    const struct plant_pool *d = &w->plant->pool[1];
    int n = 0;
    for (int g = 0; g < d->sched.n_groups; g++)
        n += d->kv_layers[g];
    return n;
}

void handover_move(struct world *w, uint32_t req, ns_t now, int from, int to)
{
    struct world_req *r = &w->req[req];
    const struct engine *p = &w->engine[r->prefill];
    const struct engine *d = &w->engine[r->decode];
    int pt = p->plan->tp, dt = d->plan->tp, n = pt > dt ? pt : dt;
    int layers = handover_layers(w);
    struct wire_part part[HANDOVER_RANKS];
    must(n <= HANDOVER_RANKS);
    double bytes = 0; /* of one decode rank */
    for (int g = 0; g < d->plan->sched.n_groups; g++)
        bytes += handover_blocks(d->plan, g, r) * d->plan->kv_block_bytes[g];
    int64_t all = (int64_t)(bytes * dt / n);
    for (int i = 0; i < n; i++) {
        part[i].from = handover_end(p, i * pt / n);
        part[i].to = handover_end(d, i * dt / n);
        part[i].bytes = all * to / layers - all * from / layers;
        r->bytes += part[i].bytes;
    }
    wire_start(w->wire, now, w->plant->kv_write ? WIRE_WRITE : WIRE_READ, part,
               (uint32_t)n, req);
    evq_set(w->q, SLOT_WIRE, wire_next(w->wire));
}

void handover_start(struct world *w, uint32_t req, ns_t now)
{
    handover_move(w, req, now, 0, handover_layers(w));
}

void handover_received(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    r->received = now;
    hist_add(&w->transfer, now - r->posted, 1);
    if (w->ask->watch)
        watch_transfer(w, r);
    engine_received(w, &w->engine[r->decode], r->loading, now);
    /* with both sides at work at once prefill may not have replied yet */
    if (r->pinned != WORLD_NOBODY && (r->replied || !w->plant->kv_parallel))
        engine_sent(w, &w->engine[r->prefill], r->pinned, now);
}

void handover_wire(struct world *w, ns_t now)
{
    struct wire_done done;
    while (wire_take(w->wire, now, &done)) {
        if (w->plant->kv_write)
            push_moved(w, (uint32_t)done.user, now);
        else
            handover_received(w, (uint32_t)done.user, now);
    }
    evq_set(w->q, SLOT_WIRE, wire_next(w->wire));
}
