/* rig - engines without a world around them: a test says who arrives where and
 * when, and reads when tokens came.  It stands in for world.c's loop and
 * client; mail that a test keeps to itself (take) is only noted. */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "sim/serve/world_int.h"
#include "tests/unit/serve/plant_fix.h"

enum { RIG_REQS = 512, RIG_MAIL = 2048 };

struct rig_send {
    ns_t at;
    int32_t isl, osl;
    uint32_t engine;
};

struct rig {
    struct arena *a;
    struct world_ask ask;
    struct world w;
    bool keep[MAIL_DONE + 1]; /* kinds that are noted and not acted on */
    struct mail kept[RIG_MAIL];
    uint32_t n_kept;
    struct rig_send send[RIG_REQS]; /* request i; times never go back */
    uint32_t n_send, sent;
    ns_t done[RIG_REQS], failed[RIG_REQS];
};

static inline struct rig *rig_open(struct arena *a, const struct plant *p,
                                   const struct load_spec *l)
{
    struct rig *r = ARENA_NEW(a, struct rig);
    struct world *w = &r->w;
    r->a = a;
    r->ask = (struct world_ask){.plant = p, .load = l, .seed = 1};
    *w = (struct world){.ask = &r->ask,
                        .plant = p,
                        .arena = a,
                        .free_req = WORLD_NOBODY,
                        .pin_first = WORLD_NOBODY,
                        .pin_last = WORLD_NOBODY,
                        .measuring = true};
    struct hist *all[] = {&w->itl,      &w->ttft,    &w->e2e,  &w->itl_all,
                          &w->ttft_all, &w->e2e_all, &w->tpot, &w->transfer};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        hist_init(all[i], a);
    w->route_rng = rng_stream(1, RNG_ROUTER, 0);
    w->wire = wire_new(p->wire, p->nodes, p->gpus_per_node, a);
    w->req = ARENA_ARRAY(a, struct world_req, RIG_REQS);
    w->cap_req = RIG_REQS;
    for (uint32_t i = 0; i < p->n_pools; i++) {
        w->first[i] = w->n_engines;
        w->n_engines += p->pool[i].replicas;
    }
    w->engine = ARENA_ARRAY(a, struct engine, w->n_engines);
    w->q = evq_new(a, SLOT_ENGINES + w->n_engines);
    for (uint32_t i = 0, id = 0; i < p->n_pools; i++)
        for (uint32_t k = 0; k < p->pool[i].replicas; k++, id++) {
            engine_init(&w->engine[id], w, &p->pool[i], id, SLOT_ENGINES + id);
            w->engine[id].pool = i;
            w->engine[id].node = id;
            evq_rank(w->q, SLOT_ENGINES + id, id);
        }
    for (uint32_t s = 0; s < SLOT_ENGINES; s++)
        evq_rank(w->q, s, w->n_engines + s);
    return r;
}

/* Request i (0, 1, ...) comes to an engine; returns i. */
static inline uint32_t rig_at(struct rig *r, double at_us, uint32_t engine,
                              int32_t isl, int32_t osl)
{
    uint32_t i = r->n_send++;
    r->send[i] = (struct rig_send){(ns_t)(at_us * 1e3), isl, osl, engine};
    if (i == r->sent)
        evq_set(r->w.q, SLOT_CLIENT, r->send[i].at);
    return i;
}

static inline void rig_client(struct rig *r, ns_t now)
{
    struct world *w = &r->w;
    while (r->sent < r->n_send && r->send[r->sent].at <= now) {
        const struct rig_send *s = &r->send[r->sent];
        uint32_t id = r->sent++;
        w->n_req = r->sent;
        w->req[id] = (struct world_req){
            .sent = now,
            .queued = now,
            .life = id,
            .isl = s->isl,
            .osl = s->osl,
            .decode = w->n_engines - 1,
            .prefill = w->plant->n_pools > 1 ? 0 : WORLD_NOBODY};
        engine_push(w, &w->engine[s->engine], id, now);
    }
    evq_set(w->q, SLOT_CLIENT,
            r->sent < r->n_send ? r->send[r->sent].at : NS_NEVER);
}

static inline struct mail rig_first_mail(struct world *w)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < w->n_mail; i++) {
        const struct mail *m = &w->mail[i], *f = &w->mail[first];
        if (m->at < f->at || (m->at == f->at && m->seq < f->seq))
            first = i;
    }
    struct mail m = w->mail[first];
    w->mail[first] = w->mail[--w->n_mail];
    return m;
}

static inline ns_t rig_next_mail(const struct world *w)
{
    ns_t at = NS_NEVER;
    for (uint32_t i = 0; i < w->n_mail; i++)
        at = w->mail[i].at < at ? w->mail[i].at : at;
    return at;
}

static inline void rig_mail(struct rig *r, ns_t now)
{
    struct world *w = &r->w;
    while (rig_next_mail(w) <= now) {
        struct mail m = rig_first_mail(w);
        if (r->keep[m.kind])
            r->kept[r->n_kept++] = m;
        else if (m.kind == MAIL_HANDOVER)
            handover_arrive(w, m.req, now);
        else if (m.kind == MAIL_POST)
            handover_start(w, m.req, now);
        else if (m.kind == MAIL_EXPIRE)
            handover_expire(w, now);
        else if (m.kind == MAIL_PUSH)
            push_start(w, m.req, now);
        else if (m.kind == MAIL_TAIL)
            push_tail(w, m.req, now);
        else if (m.kind == MAIL_FAILED)
            r->failed[m.req] = now;
        else if (m.kind == MAIL_DONE)
            r->done[m.req] = now;
    }
    evq_set(w->q, SLOT_MAIL, rig_next_mail(w));
}

/* All that happens up to a time. */
static inline void rig_run(struct rig *r, double until_us)
{
    ns_t now, until = (ns_t)(until_us * 1e3);
    uint32_t slot;
    while (evq_next(r->w.q) <= until && evq_pop(r->w.q, &now, &slot)) {
        if (slot == SLOT_CLIENT)
            rig_client(r, now);
        else if (slot == SLOT_MAIL)
            rig_mail(r, now);
        else if (slot == SLOT_WIRE)
            handover_wire(&r->w, now);
        else
            engine_wake(&r->w, &r->w.engine[slot - SLOT_ENGINES], now);
    }
}

static inline double rig_us(ns_t t)
{
    return (double)t / 1e3;
}

static inline double rig_first(const struct rig *r, uint32_t i)
{
    return rig_us(r->w.req[i].first);
}

#endif
