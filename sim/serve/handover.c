/* The P/D path with a pull connector (NIXL; engine.md 5): prefill ends and pins
 * its blocks; its reply goes through the sidecar to the decode engine, which
 * allocates blocks for the whole prompt, posts one READ per source rank on its
 * worker's only thread, and is told of the end by its worker's next launch; the
 * prefill engine frees the blocks once its own worker has seen the notice.
 *
 * Bytes: whole blocks of every KV group, less what decode has in its own prefix
 * cache; a sliding group is clipped to ceil(window / block) + 1 blocks (5.7).
 * Unequal TP (5.6): with D ranks >= P ranks each decode rank reads its head
 * slice of every block from prefill rank r * P / D; with fewer, each decode
 * rank reads from P / D prefill ranks.
 * Descriptors of one rank: blocks x layers x 2 (K and V), unmerged: freed
 * blocks come back in reverse, so ids of a used pool rarely ascend (5.3). */
#include "sim/base/must.h"
#include "sim/serve/world_int.h"

enum { HANDOVER_RANKS = 64 };

void handover_prefilled(struct world *w, uint32_t req, uint32_t pinned,
                        ns_t now)
{
    struct world_req *r = &w->req[req];
    struct engine *p = &w->engine[r->prefill];
    route_answered(w, p, r);
    r->prefilled = now;
    r->pinned = pinned;
    world_mail(w, now + units_ns(w->plant->router.sidecar_s), MAIL_HANDOVER,
               req);
}

void handover_arrive(struct world *w, uint32_t req, ns_t now)
{
    engine_push(w, &w->engine[w->req[req].decode], req, now);
}

/* Blocks of a prompt in a KV group that are transferred: the last ones. */
static double handover_blocks(const struct plant_pool *p, int group,
                              const struct world_req *r)
{
    int32_t bs = p->sched.block_size, win = p->sched.window[group];
    int32_t all = (r->isl + bs - 1) / bs - r->local / bs;
    int32_t cap = win > 0 ? (win + bs - 1) / bs + 1 : all;
    return all < cap ? all : cap;
}

static double handover_descriptors(const struct plant_pool *d,
                                   const struct world_req *r)
{
    double n = 0;
    for (int g = 0; g < d->sched.n_groups; g++)
        n += handover_blocks(d, g, r) * d->kv_layers[g] * 2;
    return n;
}

ns_t handover_post(struct world *w, struct engine *g,
                   const struct sched_batch *b, ns_t t)
{
    ns_t begun = t;
    uint32_t hit = 0; /* hits are noted in the order of admission */
    for (uint32_t i = 0; i < b->n_remote; i++) {
        uint32_t id = (uint32_t)sched_view(g->sched, b->remote[i]).user;
        struct world_req *r = &w->req[id];
        const struct plant_pool *p = w->engine[r->prefill].plan;
        while (b->hit[hit].req != b->remote[i]) {
            hit++;
            must(hit < b->n_hit);
        }
        r->local = b->hit[hit].local;
        double reads = p->tp > g->plan->tp ? p->tp / g->plan->tp : 1;
        double desc = handover_descriptors(g->plan, r);
        t += units_ns(reads * wire_post_s(w->plant->wire, desc));
        r->loading = b->remote[i];
        r->posted = t;
        if (!p->pin_heartbeat && units_s(t - r->prefilled) > p->pin_expiry_s)
            world_fail(w, ERR_NO,
                       "prefill blocks expire after %g s before decode "
                       "fetches them; recovery is not modelled",
                       p->pin_expiry_s);
        world_mail(w, t, MAIL_POST, id);
    }
    return t - begun;
}

/* Ranks of an engine sit on consecutive GPUs of its node. */
static struct wire_end handover_end(const struct engine *g, int rank)
{
    return (struct wire_end){g->node, g->gpu + (uint32_t)rank};
}

void handover_start(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    const struct engine *p = &w->engine[r->prefill];
    const struct engine *d = &w->engine[r->decode];
    int pt = p->plan->tp, dt = d->plan->tp, n = pt > dt ? pt : dt;
    struct wire_part part[HANDOVER_RANKS];
    must(n <= HANDOVER_RANKS);
    double bytes = 0; /* of one decode rank */
    for (int g = 0; g < d->plan->sched.n_groups; g++)
        bytes += handover_blocks(d->plan, g, r)
               * d->plan->kv_block_bytes[g];
    for (int i = 0; i < n; i++) {
        part[i].from = handover_end(p, i * pt / n);
        part[i].to = handover_end(d, i * dt / n);
        part[i].bytes = (int64_t)(bytes * dt / n);
        r->bytes += part[i].bytes;
    }
    wire_start(w->wire, now, WIRE_READ, part, (uint32_t)n, req);
    evq_set(w->q, SLOT_WIRE, wire_next(w->wire));
}

void handover_wire(struct world *w, ns_t now)
{
    struct wire_done done;
    while (wire_take(w->wire, now, &done)) {
        uint32_t req = (uint32_t)done.user;
        struct world_req *r = &w->req[req];
        r->received = now;
        hist_add(&w->transfer, now - r->posted, 1);
        if (w->ask->watch)
            watch_transfer(w, r);
        engine_received(w, &w->engine[r->decode], r->loading, now);
        engine_sent(w, &w->engine[r->prefill], r->pinned, now);
    }
    evq_set(w->q, SLOT_WIRE, wire_next(w->wire));
}
