/* The loop of one trial: pop the earliest slot, let its owner act.
 *
 * Client (engine.md 7.1): request i is due at its planned arrival and is sent
 * when a slot of the semaphore is free; its clock starts at the send.  Warm-up
 * requests are copies of request 0, all due at once, over before the clock
 * starts; without prefix caching they leave no state behind and are skipped.
 *
 * Laws kept at the end, in release builds too: requests sent = done, every KV
 * block accounted for, wire bytes asked = delivered. */
#include "sim/serve/world.h"

#include "sim/base/must.h"
#include "sim/serve/world_int.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void world_fail(struct world *w, enum err_kind kind, const char *fmt, ...)
{
    char text[ERR_TEXT];
    va_list ap;
    if (w->failed)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->failed = true;
    err_set(&w->err, kind, "%s", text);
}

/* ---- mail: what arrives later -------------------------------------------- */

static bool mail_before(const struct mail *a, const struct mail *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void world_mail(struct world *w, ns_t at, enum mail_kind kind, uint32_t req)
{
    ARENA_ROOM(w->arena, w->mail, w->n_mail, w->cap_mail);
    struct mail m = {at, w->mail_seq++, kind, req};
    uint32_t i = w->n_mail++;
    for (; i && mail_before(&m, &w->mail[(i - 1) / 2]); i = (i - 1) / 2)
        w->mail[i] = w->mail[(i - 1) / 2];
    w->mail[i] = m;
    evq_set(w->q, SLOT_MAIL, w->mail[0].at);
}

static struct mail mail_pop(struct world *w)
{
    struct mail top = w->mail[0], m = w->mail[--w->n_mail];
    uint32_t i = 0, n = w->n_mail;
    for (uint32_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && mail_before(&w->mail[c + 1], &w->mail[c]))
            c++;
        if (!mail_before(&w->mail[c], &m))
            break;
        w->mail[i] = w->mail[c];
    }
    if (n)
        w->mail[i] = m;
    return top;
}

/* ---- client -------------------------------------------------------------- */

static uint32_t world_take(struct world *w)
{
    if (w->free_req != WORLD_NOBODY) {
        uint32_t id = w->free_req;
        w->free_req = w->req[id].next_free;
        return id;
    }
    ARENA_ROOM(w->arena, w->req, w->n_req, w->cap_req);
    return w->n_req++;
}

static void world_inflight(struct world *w, ns_t now, int change)
{
    w->inflight_area += (double)w->inflight * (double)(now - w->inflight_at);
    w->inflight_at = now;
    w->inflight += change;
}

/* Refuses a request that no engine of the pool could ever finish. */
static void world_fits(struct world *w, const struct plant_pool *p,
                       const struct load_req *l)
{
    const struct sched_opt *o = &p->sched;
    int32_t answer = p->role == ROLE_PREFILL ? 1 : l->osl;
    int32_t tokens = l->isl + answer;
    int64_t blocks = plant_blocks(o, tokens - 1); /* the last has no KV */
    if (tokens > o->max_model_len)
        world_fail(w, ERR_INPUT,
                   "a request of %d + %d tokens does not fit max_model_len %d",
                   (int)l->isl, (int)answer, (int)o->max_model_len);
    if (blocks > o->num_blocks - 1)
        world_fail(w, ERR_INPUT,
                   "a request of %d tokens needs %lld KV blocks, the pool "
                   "has %lld",
                   (int)tokens, (long long)blocks,
                   (long long)(o->num_blocks - 1));
    if (!o->enable_chunked_prefill && tokens - 1 > o->max_num_batched_tokens)
        world_fail(w, ERR_INPUT,
                   "a request of %d tokens does not fit a step of %d without "
                   "chunked prefill",
                   (int)tokens, (int)o->max_num_batched_tokens);
}

static void world_send(struct world *w, const struct load_req *l, ns_t now)
{
    uint32_t id = world_take(w);
    w->req[id] = (struct world_req){
        .sent = now,
        .isl = l->isl,
        .osl = l->osl,
        .prefill = WORLD_NOBODY,
        .life = w->lives++,
        .text = l->text,
        .n_text = l->n_text,
        .text_tokens = l->text_tokens,
        .first_prompt = w->ask->load->warmup_requests > 0
                     && (!w->measuring || w->sent == 0)};
    w->sent++;
    w->slots--;
    world_inflight(w, now, 1);
    for (uint32_t p = 0; p < w->plant->n_pools; p++)
        world_fits(w, &w->plant->pool[p], l);
    if (w->failed)
        return;
    if (w->plant->router.hop_s > 0)
        world_mail(w, now + units_ns(w->plant->router.hop_s), MAIL_DELIVER, id);
    else
        route_deliver(w, id, now);
}

/* Sends what is due and has a slot; re-times the client's event. */
static void world_client(struct world *w, ns_t now)
{
    while (w->have_next && w->slots > 0 && w->next.at + w->start <= now) {
        struct load_req l = w->next;
        w->have_next = load_next(w->load, &w->next);
        world_send(w, &l, now);
    }
    bool due = w->have_next && w->slots > 0;
    evq_set(w->q, SLOT_CLIENT, due ? w->next.at + w->start : NS_NEVER);
}

static int64_t world_slots(const struct load_spec *l)
{
    return l->concurrency > 0 ? l->concurrency : INT64_MAX;
}

/* The clock starts: at once, or when the warm-up is over. */
static void world_measure(struct world *w, ns_t now)
{
    w->measuring = true;
    w->start = w->batch.since = w->inflight_at = now;
    w->slots = world_slots(w->ask->load);
    hist_reset(&w->itl);
    hist_reset(&w->ttft);
    hist_reset(&w->e2e);
    hist_reset(&w->tpot);
    hist_reset(&w->transfer);
    memset(w->part, 0, sizeof w->part);
    w->inflight_area = 0;
    for (uint32_t i = 0; i < w->n_engines; i++) {
        struct engine *g = &w->engine[i];
        engine_settle(g, now);
        g->busy = 0;
        g->kv_area = g->wait_area = 0;
        g->kv_max = 0;
        g->preemptions = 0;
    }
    w->sent = w->done = w->failures = 0;
    world_client(w, now);
}

static void world_begin(struct world *w)
{
    const struct load_spec *l = w->ask->load;
    bool cache = w->plant->pool[0].sched.enable_prefix_caching;
    w->have_next = load_next(w->load, &w->next);
    if (!l->warmup_requests || !cache || !w->have_next) {
        world_measure(w, 0);
        return;
    }
    w->warmup_left = l->warmup_requests;
    w->slots = world_slots(l);
    for (int64_t i = 0; i < l->warmup_requests && w->slots > 0; i++)
        world_send(w, &w->next, 0);
}

/* ---- what engines report ------------------------------------------------- */

void world_first_token(struct world *w, struct world_req *r, ns_t now)
{
    if (r->started)
        return;
    r->started = true;
    r->first = r->last = now;
    hist_add(&w->ttft, now - r->sent, 1);
    bool pd = r->prefill != WORLD_NOBODY;
    ns_t prefilled = pd ? r->prefilled : now;
    w->part[0] += (double)(r->queued - r->sent);
    w->part[1] += (double)(r->admitted - r->queued);
    w->part[2] += (double)(prefilled - r->admitted);
    if (pd && r->received) {
        w->part[3] += (double)(r->posted - prefilled);
        w->part[4] += (double)(r->received - r->posted);
        w->part[5] += (double)(now - r->received);
    } else if (pd) {
        w->part[5] += (double)(now - prefilled);
    }
}

static void world_batch_end(struct world *w, ns_t now)
{
    for (uint32_t i = 0; i < w->n_engines; i++)
        engine_catch_up(w, &w->engine[i], now);
    double s = units_s(now - w->batch.since);
    double rate = s > 0 ? (double)w->batch.tokens / s : NAN;
    batch_means_add(&w->ci[0], rate);
    batch_means_add(&w->ci[1], hist_quantile(&w->ttft, 99));
    batch_means_add(&w->ci[2], hist_quantile(&w->itl, 99));
    batch_means_add(&w->ci[3], hist_quantile(&w->e2e, 99));
    hist_merge(&w->itl_all, &w->itl);
    hist_merge(&w->ttft_all, &w->ttft);
    hist_merge(&w->e2e_all, &w->e2e);
    hist_reset(&w->itl);
    hist_reset(&w->ttft);
    hist_reset(&w->e2e);
    w->batch = (struct world_batch){.since = now};
}

/* A request has left: its slot is free, and so is its record. */
static void world_over(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    must(!r->pin_listed);
    route_answered(w, &w->engine[r->decode], r);
    w->last_token = now;
    w->done++;
    w->slots++;
    world_inflight(w, now, -1);
    r->next_free = w->free_req;
    w->free_req = req;
    if (!w->measuring) {
        if (w->done == w->warmup_left)
            world_measure(w, now);
        else if (w->sent < w->warmup_left)
            world_send(w, &w->next, now);
        return;
    }
    if (++w->batch.done == w->batch_size)
        world_batch_end(w, now);
    world_client(w, now);
}

/* The client has the last token. */
static void world_finished(struct world *w, uint32_t req, ns_t now)
{
    struct world_req *r = &w->req[req];
    must(r->started);
    if (w->plant->kv_parallel && push_holds(w, req))
        return;
    if (w->ask->watch)
        watch_life(w, r, false, now);
    hist_add(&w->e2e, now - r->sent, 1);
    if (r->osl > 1)
        hist_add(&w->tpot, (now - r->first) / (r->osl - 1), 1);
    w->input_tokens += w->measuring ? r->isl : 0;
    world_over(w, req, now);
}

/* The engine has ended it with an error, before its first token. */
static void world_failed(struct world *w, uint32_t req, ns_t now)
{
    must(!w->req[req].started);
    if (w->ask->watch)
        watch_life(w, &w->req[req], true, now);
    w->failures++;
    world_over(w, req, now);
}

static void world_post(struct world *w, ns_t now)
{
    while (w->n_mail && w->mail[0].at <= now) {
        struct mail m = mail_pop(w);
        switch (m.kind) {
        case MAIL_DELIVER:
            route_deliver(w, m.req, now);
            break;
        case MAIL_HANDOVER:
            handover_arrive(w, m.req, now);
            break;
        case MAIL_POST:
            handover_start(w, m.req, now);
            break;
        case MAIL_EXPIRE:
            handover_expire(w, now);
            break;
        case MAIL_PUSH:
            push_start(w, m.req, now);
            break;
        case MAIL_TAIL:
            push_tail(w, m.req, now);
            break;
        case MAIL_FAILED:
            world_failed(w, m.req, now);
            break;
        case MAIL_DONE:
            world_finished(w, m.req, now);
            break;
        }
    }
    evq_set(w->q, SLOT_MAIL, w->n_mail ? w->mail[0].at : NS_NEVER);
}

/* ---- building and running ------------------------------------------------ */

/* First fit of engines into nodes; an engine never spans two.  Ranks take
 * consecutive GPUs, aligned to TP, so power-of-two sizes leave no holes that a
 * later engine could not use. */
static bool world_place(struct world *w)
{
    const struct plant *p = w->plant;
    uint32_t per = p->gpus_per_node;
    uint32_t *used = ARENA_ARRAY(w->arena, uint32_t, p->nodes);
    for (uint32_t i = 0; i < w->n_engines; i++) {
        struct engine *g = &w->engine[i];
        uint32_t tp = (uint32_t)g->plan->tp, n = 0, at = 0;
        for (; n < p->nodes; n++) {
            at = (used[n] + tp - 1) / tp * tp;
            if (at + tp <= per)
                break;
        }
        if (n == p->nodes) {
            world_fail(w, ERR_INPUT,
                       "topology %s does not fit %u nodes of %u GPUs", p->name,
                       (unsigned)p->nodes, (unsigned)per);
            return false;
        }
        used[n] = at + tp;
        g->node = n;
        g->gpu = at;
    }
    return true;
}

static void world_engines(struct world *w)
{
    const struct plant *p = w->plant;
    for (uint32_t i = 0; i < p->n_pools; i++) {
        w->first[i] = w->n_engines;
        w->n_engines += p->pool[i].replicas;
    }
    w->engine = ARENA_ARRAY(w->arena, struct engine, w->n_engines);
    w->q = evq_new(w->arena, SLOT_ENGINES + w->n_engines);
    evq_rank(w->q, SLOT_WIRE, w->n_engines);
    evq_rank(w->q, SLOT_MAIL, w->n_engines + 1);
    evq_rank(w->q, SLOT_CLIENT, w->n_engines + 2);
    ns_t period = units_ns(p->router.scrape_s);
    for (uint32_t i = 0; i < p->n_pools; i++)
        for (uint32_t k = 0; k < p->pool[i].replicas; k++) {
            uint32_t id = w->first[i] + k;
            struct engine *g = &w->engine[id];
            engine_init(g, w, &p->pool[i], id, SLOT_ENGINES + id);
            g->pool = i;
            evq_rank(w->q, g->slot, id);
            struct rng r = rng_stream(w->ask->seed, RNG_PHASE, id);
            g->scrape_phase = period > 0 ? rng_range(&r, 0, period - 1) : 0;
        }
}

static void world_loop(struct world *w)
{
    ns_t now;
    uint32_t slot;
    while (!w->failed && evq_pop(w->q, &now, &slot)) {
        w->events++;
        if (slot < SLOT_ENGINES)
            w->thrash = 0;
        switch (slot) {
        case SLOT_WIRE:
            handover_wire(w, now);
            break;
        case SLOT_MAIL:
            world_post(w, now);
            break;
        case SLOT_CLIENT:
            world_client(w, now);
            break;
        default:
            engine_wake(w, &w->engine[slot - SLOT_ENGINES], now);
        }
    }
}

/* Nothing can happen any more and requests are left.  vLLM hangs too: a
 * preempted request at the head of the queue that gets no blocks stops the
 * admission of those behind it whose received KV holds them (engine.md 3.4). */
static void world_stuck(struct world *w)
{
    /* decode engines first: a prefill engine may only wait for one of them */
    for (uint32_t i = w->n_engines; i--;) {
        const struct engine *g = &w->engine[i];
        if (g->state == ENGINE_POLL && !sched_running(g->sched))
            world_fail(w, ERR_NO,
                       "engine %u of %s hangs: %u requests wait for KV blocks "
                       "that those behind them hold",
                       (unsigned)i, w->plant->name,
                       (unsigned)sched_waiting(g->sched));
    }
}

static void world_conserve(struct world *w)
{
    struct err e = {0};
    must(w->measuring && !w->have_next && w->sent == w->done);
    must(w->inflight == 0);
    for (uint32_t i = 0; i < w->n_engines; i++) {
        const struct engine *g = &w->engine[i];
        if (!sched_check(g->sched, &e))
            must_fail(e.text, __FILE__, __LINE__);
        must(!sched_unfinished(g->sched));
        must(g->active == 0);
    }
    if (!wire_check(w->wire, &e))
        must_fail(e.text, __FILE__, __LINE__);
}

bool world_run(const struct world_ask *ask, struct arena *a,
               struct outcome *out, struct err *e)
{
    struct world_ask own = *ask;
    struct world w = {.ask = &own,
                      .plant = ask->plant,
                      .arena = a,
                      .free_req = WORLD_NOBODY,
                      .pin_first = WORLD_NOBODY,
                      .pin_last = WORLD_NOBODY};
    if (!load_new(&w.load, ask->load, ask->seed, a, e))
        return false;
    struct hist *all[] = {&w.itl,      &w.ttft,    &w.e2e,  &w.itl_all,
                          &w.ttft_all, &w.e2e_all, &w.tpot, &w.transfer};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        hist_init(all[i], a);
    w.route_rng = rng_stream(ask->seed, RNG_ROUTER, 0);
    w.wire = wire_new(w.plant->wire, w.plant->nodes, w.plant->gpus_per_node, a);
    w.batch_size = (load_requests(w.load) + WORLD_BATCHES - 1) / WORLD_BATCHES;
    own.engine_steps |= ask->watch != NULL;
    w.watch_arena = ask->watch ? arena_open() : NULL;
    world_engines(&w);
    route_init(&w);
    if (world_place(&w)) {
        world_begin(&w);
        world_loop(&w);
        world_stuck(&w);
    }
    arena_close(w.watch_arena);
    if (w.failed) {
        *e = w.err;
        return false;
    }
    world_conserve(&w);
    if (w.batch.done)
        world_batch_end(&w, w.last_token);
    world_inflight(&w, w.last_token, 0);
    tally_outcome(&w, out);
    return true;
}

const char *world_bottleneck_name(enum world_bottleneck b)
{
    switch (b) {
    case WORLD_NONE:
        return "load";
    case WORLD_COMPUTE_AGG:
        return "compute";
    case WORLD_COMPUTE_PREFILL:
        return "prefill compute";
    case WORLD_COMPUTE_DECODE:
        return "decode compute";
    case WORLD_KV_AGG:
        return "KV blocks";
    case WORLD_KV_PREFILL:
        return "prefill KV blocks";
    case WORLD_KV_DECODE:
        return "decode KV blocks";
    case WORLD_WIRE:
        return "wire";
    }
    return "";
}
