/* Rounds of decoding that change nothing but counters, in one go. */
#include "sim/serve/engine_quiet.h"

#include "sim/serve/world_int.h"

/* Times of n rounds from the present state, which is BLOCKED.  Prices come as
 * arithmetic series (price.h), rounded to ns a step as single ones are. */
void engine_quiet_promise(struct engine *g, uint32_t n)
{
    struct engine_quiet *q = &g->quiet;
    const struct sched_batch *newest = &engine_flight_at(g, g->n_out - 1)->b;
    struct price_host h = price_hosts(g->plan->price, newest->n, PRICE_FULL);
    ns_t up = engine_ns(h.update), sch = engine_ns(h.schedule);
    ns_t prep = engine_ns(h.prepare), total = 0;
    int64_t ones = newest->ones, ctx = newest->ones_ctx + ones;
    int64_t dwin = g->plan->sched.attn_window > 0 ? 0 : ones;
    int64_t win = newest->ones_win + dwin;
    bool inlined = g->plan->tp == 1, alone = g->depth == 1;
    ns_t oldest = engine_flight_at(g, 0)->end, gpu = g->gpu_free;
    ns_t host = g->host_free, worker = g->worker_free;
    struct price_run run = {.last = -1};
    int64_t k = 0;
    for (uint32_t i = 0; i < n; i++, k++) {
        if (k > run.last) {
            run = price_decode_run(g->plan->price, newest->ones, ctx + i * ones,
                                   win + i * dwin, dwin);
            k = 0;
        }
        ns_t dur = engine_ns(run.first + k * run.grow);
        ns_t wake = host > oldest ? host : oldest, core = wake + up + sch;
        worker = (core > worker ? core : worker) + prep;
        host = inlined ? worker : core;
        ns_t end = (worker > gpu ? worker : gpu) + dur;
        oldest = alone ? end : gpu;
        gpu = end;
        q->wake[i] = wake;
        q->worker[i] = worker;
        q->end[i] = end;
        q->busy[i] = total += dur;
    }
    q->n = n;
    q->update = up;
    q->schedule = sch;
}

/* When round i's host is free again. */
ns_t engine_quiet_host(const struct engine *g, uint32_t i)
{
    const struct engine_quiet *q = &g->quiet;
    return g->plan->tp == 1 ? q->worker[i]
                            : q->wake[i] + q->update + q->schedule;
}

/* Rounds whose update is over by `now`; their ends ascend. */
uint32_t engine_quiet_kept(const struct engine *g, ns_t now)
{
    const struct engine_quiet *q = &g->quiet;
    uint32_t lo = 0, hi = q->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (q->wake[mid] + q->update <= now)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Output times of the first n promised rounds: gaps and ring. */
static void engine_quiet_output(struct world *w, struct engine *g, uint32_t n)
{
    const struct engine_quiet *q = &g->quiet;
    uint64_t s = engine_flight_at(g, 0)->b.s;
    uint32_t ones = engine_flight_at(g, 0)->b.ones;
    if (g->plan->role != ROLE_PREFILL) {
        struct hist itl = w->itl; /* in registers */
        ns_t before = g->out_prev;
        for (uint32_t i = 0; i < n; i++) {
            ns_t out = q->wake[i] + q->update;
            hist_add(&itl, out - before, ones);
            before = out;
        }
        w->itl = itl;
    }
    for (uint32_t i = n > ENGINE_RING ? n - ENGINE_RING : 0; i < n; i++)
        g->ring[(s + i) % ENGINE_RING] = q->wake[i] + q->update;
    g->ring_s = s + n;
    g->out_prev = q->wake[n - 1] + q->update;
    if (w->measuring && g->plan->role != ROLE_PREFILL) {
        w->output_tokens += (int64_t)n * ones;
        w->batch.tokens += (int64_t)n * ones;
    }
}

/* Makes the first n promised rounds real. */
void engine_quiet_commit(struct world *w, struct engine *g, uint32_t n)
{
    struct engine_quiet *q = &g->quiet;
    q->n = 0;
    q->reach = 2 * n + ENGINE_LEAST;
    if (!n)
        return;
    struct sched_batch *out[ENGINE_DEPTH];
    for (uint32_t i = 0; i < g->n_out; i++)
        out[i] = &engine_flight_at(g, i)->b;
    engine_quiet_output(w, g, n);
    sched_skip(g->sched, out, g->n_out, n);
    g->busy += q->busy[n - 1];
    g->steps += n;
    if (g->depth > 1) {
        ns_t newest = engine_flight_at(g, 1)->end;
        engine_flight_at(g, 0)->end = n > 1 ? q->end[n - 2] : newest;
        engine_flight_at(g, 1)->end = q->end[n - 1];
    } else {
        engine_flight_at(g, 0)->end = q->end[n - 1];
    }
    g->gpu_free = q->end[n - 1];
    g->host_free = engine_quiet_host(g, n - 1);
    g->worker_free = q->worker[n - 1];
}

/* Rounds that may be promised now, 0 when the next is not a quiet one; neither
 * is one whose update changes the gauge of waiting requests. */
uint32_t engine_quiet_rounds(struct world *w, struct engine *g)
{
    if (w->ask->engine_steps || g->n_out < g->depth || g->inbox.n || g->rx.n
        || g->tx.n || g->away.n || sched_waiting(g->sched) != g->gauge
        || route_sees_kv(w, g->pool))
        return 0;
    struct sched_batch *out[ENGINE_DEPTH];
    for (uint32_t i = 0; i < g->n_out; i++) {
        struct engine_flight *f = engine_flight_at(g, i);
        if (!f->b.n || f->b.n_chunk || f->rx.n || f->tx.n)
            return 0;
        out[i] = &f->b;
    }
    int32_t win = g->plan->sched.attn_window;
    if (win > 0 && out[0]->ones_win != (int64_t)out[0]->ones * win)
        return 0; /* a context still shorter than the window */
    uint32_t reach = g->quiet.reach;
    return sched_quiet(g->sched, out, g->n_out,
                       reach < ENGINE_RUN ? reach : ENGINE_RUN);
}
