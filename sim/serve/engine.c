/* The loop of one engine core, after vLLM's step_with_batch_queue (engine.md
 * 3.8): while the queue of batches has room and the last one executed
 * something, drain input and schedule again; else block on the oldest batch,
 * process its output, drain, schedule.
 *
 * Where host time goes (engine.md 4.1): schedule and update run in the engine
 * core; preparing inputs and launching run inline there at TP 1 and in the
 * workers, beside it, at TP > 1.  A launch may not begin before the worker is
 * through with the previous one. */
#include "sim/serve/engine.h"

#include "sim/base/must.h"
#include "sim/serve/engine_quiet.h"
#include "sim/serve/world_int.h"

#include <string.h>

static void engine_add(struct world *w, struct engine_list *l, uint32_t v)
{
    ARENA_ROOM(w->arena, l->v, l->n, l->cap);
    l->v[l->n++] = v;
}

void engine_init(struct engine *g, struct world *w, const struct plant_pool *p,
                 uint32_t id, uint32_t slot)
{
    memset(g, 0, sizeof *g);
    g->id = id;
    g->slot = slot;
    g->plan = p;
    g->sched = sched_new(&p->sched, w->arena);
    g->depth = p->sched.async_scheduling ? ENGINE_DEPTH : 1;
    g->state = ENGINE_IDLE;
    g->quiet.reach = ENGINE_RUN;
}

/* ---- statistics ---------------------------------------------------------- */

static int64_t engine_used(const struct engine *g)
{
    return g->plan->sched.num_blocks - 1 - sched_free_blocks(g->sched);
}

/* Integrates since the last call.  Called whenever blocks move otherwise than
 * by the even growth of decoding requests, in between they are a straight line:
 * from what was used after that call to `before`, just before this one.  So the
 * integral is the same for quiet runs and single steps. */
static void engine_area(struct engine *g, int64_t before, ns_t now)
{
    double dt = (double)(now - g->area_at);
    g->kv_area += 0.5 * (double)(g->kv_used + before) * dt;
    g->wait_area += (double)g->gauge * dt;
    g->area_at = now;
    g->kv_used = engine_used(g);
    if (before > g->kv_max)
        g->kv_max = before;
    if (g->kv_used > g->kv_max)
        g->kv_max = g->kv_used;
}

/* Whether a batch is more than one more token for everybody. */
static bool engine_moved(const struct sched_batch *b)
{
    return b->n_preempted || b->n_remote || b->n_chunk
        || (b->n > b->unlisted && b->item[b->n - 1].kind != SCHED_WAS_RUNNING);
}

void engine_settle(struct engine *g, ns_t now)
{
    if (now > g->area_at)
        engine_area(g, engine_used(g), now);
}

/* ---- output -------------------------------------------------------------- */

static void engine_ring_put(struct engine *g, uint64_t s, ns_t now)
{
    g->ring[s % ENGINE_RING] = now;
    g->ring_s = s + 1;
    g->out_prev = now;
}

/* A request whose token did not follow one in the batch before. */
static void engine_irregular(struct world *w, struct engine *g, uint32_t i,
                             ns_t now)
{
    uint32_t sreq = g->out.irregular[i];
    struct world_req *r = &w->req[sched_view(g->sched, sreq).user];
    uint64_t prev = g->out.irregular_prev[i];
    if (prev == UINT64_MAX) {
        world_first_token(w, r, now);
        return;
    }
    ns_t at = g->ring_s - prev <= ENGINE_RING ? g->ring[prev % ENGINE_RING]
                                              : r->last;
    hist_add(&w->itl, now - at, 1);
}

static void engine_tokens(struct world *w, struct engine *g, ns_t before,
                          ns_t out)
{
    uint32_t regular = g->out.tokens - g->out.n_irregular;
    w->thrash = 0;
    if (regular)
        hist_add(&w->itl, out - before, regular);
    for (uint32_t i = 0; i < g->out.n_irregular; i++)
        engine_irregular(w, g, i, out);
    if (w->measuring) {
        w->output_tokens += g->out.tokens;
        w->batch.tokens += g->out.tokens;
    }
}

/* Notes who was preempted.  Its step in flight may still bring a token, so its
 * last one is known after the next update. */
static void engine_away(struct world *w, struct engine *g,
                        const struct sched_batch *b)
{
    for (uint32_t i = 0; i < b->n_preempted; i++)
        engine_add(w, &g->away, b->preempted[i]);
    g->preemptions += b->n_preempted;
    w->thrash += b->n_preempted;
    if (w->thrash > WORLD_THRASH)
        world_fail(w, ERR_NO,
                   "engine %u of %s hangs: it preempts and resumes requests "
                   "for ever, blocks are held by those that wait behind",
                   (unsigned)g->id, w->plant->name);
}

/* Remembers when preempted requests had their last token, before the ring
 * forgets: their gap is counted when they come back.  One that is preempted
 * again before its next token is remembered already; one whose token has just
 * come back has had its gap counted. */
static void engine_remember(struct world *w, struct engine *g)
{
    for (uint32_t i = 0; i < g->away.n; i++) {
        struct sched_view v = sched_view(g->sched, g->away.v[i]);
        if (v.output > 0 && g->ring_s - v.last_out <= ENGINE_RING)
            w->req[v.user].last = g->ring[v.last_out % ENGINE_RING];
    }
    g->away.n = 0;
}

/* Applies the oldest batch's output, which is there at `now`.  Tokens leave
 * when the update is over: an answer to them misses the schedule that follows
 * (engine.md 3.8). */
static void engine_update(struct world *w, struct engine *g, ns_t now)
{
    struct engine_flight *f = engine_flight_at(g, 0);
    struct sched_input in = {.rx = f->rx.v,
                             .n_rx = f->rx.n,
                             .tx = f->tx.v,
                             .n_tx = f->tx.n,
                             .lost = f->lost.v,
                             .n_lost = f->lost.n,
                             .lost_from = f->lost_from.v};
    uint32_t n = f->b.n;
    struct price_host h = price_hosts(g->plan->price, n, PRICE_FULL);
    uint64_t s = f->b.s;
    ns_t before = g->out_prev;
    int64_t used = engine_used(g);
    sched_update(g->sched, &f->b, &in, &g->out);
    f->rx.n = f->tx.n = f->lost.n = f->lost_from.n = 0;
    g->head = (g->head + 1) % ENGINE_DEPTH;
    g->n_out--;
    g->host_free = now + (n ? engine_ns(h.update) : 0);
    engine_ring_put(g, s, g->host_free);
    if (g->plan->role != ROLE_PREFILL && g->out.tokens)
        engine_tokens(w, g, before, g->host_free);
    engine_remember(w, g);
    if (g->out.n_fin || in.n_rx || in.n_tx)
        engine_area(g, used, now);
    if (g->out.n_fin)
        g->flush = true;
}

/* Sends off those who ended, at the end of the update. */
static void engine_finish(struct world *w, struct engine *g)
{
    for (uint32_t i = 0; i < g->out.n_fin; i++) {
        struct sched_fin fin = g->out.fin[i];
        must(fin.end == SCHED_END_LENGTH || fin.end == SCHED_END_ERROR);
        if (fin.end == SCHED_END_ERROR)
            world_mail(w, g->host_free, MAIL_FAILED, (uint32_t)fin.user);
        else if (g->plan->role == ROLE_PREFILL)
            handover_prefilled(w, (uint32_t)fin.user,
                               fin.pinned ? fin.req : WORLD_NOBODY,
                               g->host_free);
        else
            world_mail(w, g->host_free, MAIL_DONE, (uint32_t)fin.user);
    }
    g->out.n_fin = 0;
}

/* ---- launch -------------------------------------------------------------- */

static void engine_drain(struct world *w, struct engine *g)
{
    bool prefill = g->plan->role == ROLE_PREFILL;
    bool remote = w->plant->n_pools > 1;
    for (uint32_t i = 0; i < g->inbox.n; i++) {
        const struct world_req *r = &w->req[g->inbox.v[i]];
        uint32_t n = prompt_segments(w, r);
        struct sched_spec spec = {
            .user = g->inbox.v[i],
            .output = r->life + 1,
            .seg = w->seg,
            .n_seg = n,
            .prompt_tokens = r->isl,
            .max_tokens = prefill ? 1 : r->osl,
            .remote_decode = prefill,
            .remote_prefill = remote && !prefill
                           && (r->pinned != WORLD_NOBODY || r->expired),
        };
        sched_add(g->sched, &spec);
    }
    g->inbox.n = 0;
}

static int64_t engine_gpu_ps(struct engine *g, struct world *w,
                             const struct sched_batch *b)
{
    if (!b->n_chunk)
        return price_decode(g->plan->price, b->ones, b->ones_ctx, b->ones_win);
    if (b->n_chunk > g->cap_chunk) {
        g->cap_chunk = 2 * b->n_chunk;
        g->chunk = ARENA_ARRAY(w->arena, struct price_chunk, g->cap_chunk);
    }
    for (uint32_t i = 0; i < b->n_chunk; i++) {
        const struct sched_item *it = &b->item[b->chunk[i]];
        g->chunk[i] = (struct price_chunk){it->tokens, it->computed};
    }
    struct price_shape s = {.tokens = b->tokens,
                            .reqs = b->n,
                            .ones = b->ones,
                            .ones_ctx = b->ones_ctx,
                            .ones_win = b->ones_win,
                            .chunk = g->chunk,
                            .n_chunk = b->n_chunk};
    return price_step(g->plan->price, &s);
}

/* First time a request is scheduled where it prefills: its queueing is over. */
static void engine_admit(struct world *w, struct engine *g,
                         const struct sched_batch *b, ns_t now)
{
    if (g->plan->role == ROLE_DECODE && !w->local)
        return;
    for (uint32_t i = b->n;
         i-- > b->unlisted && b->item[i].kind == SCHED_NEW;) {
        struct world_req *r =
            &w->req[sched_view(g->sched, b->item[i].req).user];
        if (g->plan->role != ROLE_DECODE || r->prefill == WORLD_NOBODY)
            r->admitted = now;
    }
}

static void engine_swap(struct engine_list *a, struct engine_list *b)
{
    struct engine_list t = *a;
    *a = *b;
    *b = t;
}

/* One schedule() and the launch of what it gave. */
static void engine_launch(struct world *w, struct engine *g, ns_t now)
{
    struct engine_flight *f = engine_flight_at(g, g->n_out++);
    struct sched_batch *b = &f->b;
    int64_t used = engine_used(g);
    sched_schedule(g->sched, b);
    g->flush = false;
    g->executed = b->n > 0;
    if (engine_moved(b))
        engine_area(g, used, now);
    if (b->n_preempted)
        engine_away(w, g, b);
    enum price_mode mode = PRICE_FULL;
    if (b->n)
        price_padded(g->plan->price, b->tokens, !b->n_chunk, &mode);
    struct price_host h = price_hosts(g->plan->price, b->n, mode);
    ns_t core = now + engine_ns(h.schedule);
    ns_t t = core > g->worker_free ? core : g->worker_free;
    if (b->n_remote)
        t += handover_post(w, g, b, t);
    engine_swap(&f->rx, &g->rx);
    engine_swap(&f->tx, &g->tx);
    engine_swap(&f->lost, &g->lost);
    engine_swap(&f->lost_from, &g->lost_from);
    f->end = t;
    if (b->n) {
        t += engine_ns(h.prepare);
        ns_t start = t > g->gpu_free ? t : g->gpu_free;
        ns_t gpu = engine_ns(engine_gpu_ps(g, w, b));
        f->end = g->gpu_free = start + gpu;
        g->busy += gpu;
        g->steps++;
        engine_admit(w, g, b, now);
        if (w->ask->watch)
            watch_step(w, g, b, start, start + gpu);
        if (w->plant->kv_parallel && g->plan->role == ROLE_PREFILL)
            t += push_chunk(w, g, b, start, start + gpu);
    }
    g->worker_free = t;
    g->host_free = g->plan->tp == 1 ? t : core;
}

/* ---- quiet running ------------------------------------------------------- */

static void engine_block(struct world *w, struct engine *g)
{
    uint32_t n = engine_quiet_rounds(w, g);
    g->state = n > 1 ? ENGINE_QUIET : ENGINE_BLOCKED;
    ns_t host = g->host_free, oldest = engine_flight_at(g, 0)->end;
    if (n > 1) {
        engine_quiet_promise(g, n);
        host = engine_quiet_host(g, n - 1);
        oldest = g->depth == 1 ? g->quiet.end[n - 1] : g->quiet.end[n - 2];
    }
    evq_set(w->q, g->slot, host > oldest ? host : oldest);
}

/* Leaves a quiet run at `now`: rounds wholly over stay; one whose update is
 * over but not its schedule is finished as a single step. */
static void engine_interrupt(struct world *w, struct engine *g, ns_t now)
{
    struct engine_quiet *q = &g->quiet;
    uint32_t n = engine_quiet_kept(g, now), promised = q->n;
    ns_t wake = n < promised ? q->wake[n] : NS_NEVER;
    engine_quiet_commit(w, g, n);
    g->state = ENGINE_BLOCKED;
    if (wake > now) {
        ns_t host = g->host_free, oldest = engine_flight_at(g, 0)->end;
        evq_set(w->q, g->slot, host > oldest ? host : oldest);
        return;
    }
    engine_update(w, g, wake);
    must(!g->out.n_fin);
    g->state = ENGINE_FILL;
    evq_set(w->q, g->slot, g->host_free);
}

void engine_catch_up(struct world *w, struct engine *g, ns_t now)
{
    if (g->state == ENGINE_QUIET)
        engine_interrupt(w, g, now);
}

/* ---- the loop ------------------------------------------------------------ */

/* Whether a batch, or its output, can have changed what a schedule gives. */
static bool engine_news(const struct engine_flight *f)
{
    return f->b.n || f->b.n_preempted || f->rx.n || f->tx.n;
}

/* The last schedule gave nothing though requests remain: sleep a tick.  Steps
 * that could only find what the last one found are left out: until there is
 * news the engine has no event. */
static void engine_sleep(struct world *w, struct engine *g, bool news)
{
    g->state = ENGINE_POLL;
    g->poll_at = g->host_free + ENGINE_POLL_NS;
    for (uint32_t i = 0; i < g->n_out; i++)
        news = news || engine_news(engine_flight_at(g, i));
    news = news || g->rx.n || g->tx.n || g->inbox.n;
    evq_set(w->q, g->slot, news ? g->poll_at : NS_NEVER);
}

/* vLLM's has_requests.  Where pinned blocks alone keep an engine stepping, it
 * steps here only when there are some to free. */
static bool engine_wanted(const struct engine *g)
{
    return sched_unfinished(g->sched) || g->flush
        || (g->plan->sched.steps_while_pinned && g->tx.n);
}

/* Schedules at `now` as long as the loop would, then blocks or rests. */
static void engine_fill(struct world *w, struct engine *g, ns_t now)
{
    engine_drain(w, g);
    g->executed = false;
    if (engine_wanted(g)) {
        engine_launch(w, g, now);
        bool more = g->executed
                 || (g->plan->sched.empty_fills_queue
                     && sched_unfinished(g->sched));
        if (more && g->n_out < g->depth) {
            g->state = ENGINE_FILL;
            evq_set(w->q, g->slot, g->host_free);
            return;
        }
    }
    if (g->n_out) {
        engine_block(w, g);
        return;
    }
    g->state = ENGINE_IDLE;
    evq_set(w->q, g->slot, NS_NEVER);
}

static void engine_oldest(struct world *w, struct engine *g, ns_t now)
{
    bool news = engine_news(engine_flight_at(g, 0));
    engine_update(w, g, now);
    g->state = ENGINE_FILL;
    engine_finish(w, g);
    if (sched_waiting(g->sched) != g->gauge)
        engine_area(g, engine_used(g), now);
    route_gauge(w, g, now);
    if (!g->executed && sched_unfinished(g->sched))
        engine_sleep(w, g, news);
}

void engine_wake(struct world *w, struct engine *g, ns_t now)
{
    switch (g->state) {
    case ENGINE_QUIET:
        engine_quiet_commit(w, g, g->quiet.n);
        engine_oldest(w, g, now);
        break;
    case ENGINE_BLOCKED:
        engine_oldest(w, g, now);
        break;
    case ENGINE_IDLE:
    case ENGINE_POLL:
    case ENGINE_FILL:
        engine_fill(w, g, now);
        return;
    }
    if (g->state != ENGINE_FILL)
        return;
    /* The update's host time rarely holds an event: go on without one. */
    if (evq_next(w->q) > g->host_free)
        engine_fill(w, g, g->host_free);
    else
        evq_set(w->q, g->slot, g->host_free);
}

static void engine_poke(struct world *w, struct engine *g, ns_t now)
{
    switch (g->state) {
    case ENGINE_IDLE:
        if (!g->inbox.n && !engine_wanted(g))
            return; /* an idle engine does not step for sends */
        g->state = ENGINE_FILL;
        evq_set(w->q, g->slot, now);
        return;
    case ENGINE_POLL: {
        ns_t late = now - g->poll_at;
        ns_t ticks = late > 0 ? (late + ENGINE_POLL_NS - 1) / ENGINE_POLL_NS
                              : 0;
        evq_set(w->q, g->slot, g->poll_at + ticks * ENGINE_POLL_NS);
        return;
    }
    case ENGINE_QUIET:
        engine_interrupt(w, g, now);
        return;
    case ENGINE_FILL:
    case ENGINE_BLOCKED:
        return;
    }
}

void engine_push(struct world *w, struct engine *g, uint32_t request, ns_t now)
{
    engine_add(w, &g->inbox, request);
    engine_poke(w, g, now);
}

void engine_received(struct world *w, struct engine *g, uint32_t sched_req,
                     ns_t now)
{
    engine_add(w, &g->rx, sched_req);
    engine_poke(w, g, now);
}

void engine_lost(struct world *w, struct engine *g, uint32_t sched_req,
                 int32_t from)
{
    engine_add(w, &g->lost, sched_req);
    engine_add(w, &g->lost_from, (uint32_t)from);
    engine_add(w, &g->rx, sched_req);
}

void engine_sent(struct world *w, struct engine *g, uint32_t sched_req,
                 ns_t now)
{
    engine_add(w, &g->tx, sched_req);
    engine_poke(w, g, now);
}
