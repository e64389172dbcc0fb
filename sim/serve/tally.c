/* What a trial came to, from the sums that the world kept. */
#include "sim/base/must.h"
#include "sim/serve/world_int.h"

#include <math.h>
#include <string.h>

static struct world_dist dist(const struct hist *h)
{
    double ms = 1 / NS_PER_MS;
    if (!h->n)
        return (struct world_dist){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    return (struct world_dist){
        .mean = hist_mean(h) * ms,
        .p50 = hist_quantile(h, 50) * ms,
        .p90 = hist_quantile(h, 90) * ms,
        .p95 = hist_quantile(h, 95) * ms,
        .p99 = hist_quantile(h, 99) * ms,
        .p999 = hist_quantile(h, 99.9) * ms,
        .max = (double)h->max * ms,
    };
}

static void pools(struct world *w, struct outcome *o, ns_t end)
{
    double span = (double)(end - w->start);
    for (uint32_t i = 0; i < w->plant->n_pools; i++) {
        struct world_pool *p = &o->pool[i];
        double n = w->plant->pool[i].replicas;
        for (uint32_t k = 0; k < w->plant->pool[i].replicas; k++) {
            struct engine *g = &w->engine[w->first[i] + k];
            double usable = (double)(g->plan->sched.num_blocks - 1);
            engine_settle(g, end);
            p->busy += (double)g->busy / span / n;
            p->kv += g->kv_area / usable / span / n;
            p->waiting += g->wait_area / span / n;
            p->kv_max = fmax(p->kv_max, (double)g->kv_max / usable);
            bool in = w->plant->pool[i].role != ROLE_PREFILL;
            p->nic = fmax(p->nic, wire_util(w->wire, g->node, in, end));
            o->preemptions += g->preemptions;
            o->steps += g->steps;
        }
        p->busy = fmin(p->busy, 1); /* a step in flight at the end */
    }
}

/* The resource nearest to its limit; below this share the load is the limit. */
#define WORLD_TIGHT 0.7

static enum world_bottleneck tightest(const struct world *w,
                                      const struct outcome *o)
{
    static const enum world_bottleneck busy[] = {
        WORLD_COMPUTE_AGG, WORLD_COMPUTE_PREFILL, WORLD_COMPUTE_DECODE};
    static const enum world_bottleneck kv[] = {WORLD_KV_AGG, WORLD_KV_PREFILL,
                                               WORLD_KV_DECODE};
    enum world_bottleneck b = WORLD_NONE;
    double top = WORLD_TIGHT;
    for (uint32_t i = 0; i < w->plant->n_pools; i++) {
        const struct world_pool *p = &o->pool[i];
        enum pool_role role = w->plant->pool[i].role;
        if (p->busy > top) {
            top = p->busy;
            b = busy[role];
        }
        if (p->kv > top && p->waiting > 0.5) {
            top = p->kv;
            b = kv[role];
        }
        if (p->nic > top) {
            top = p->nic;
            b = WORLD_WIRE;
        }
    }
    return b;
}

void tally_outcome(struct world *w, struct outcome *o)
{
    const struct load_spec *l = w->ask->load;
    ns_t end = w->last_token;
    double s = units_s(end - w->start);
    must(s > 0);
    memset(o, 0, sizeof *o);
    o->requests = w->done - w->failures;
    o->failed = w->failures;
    o->output_tokens = w->output_tokens;
    o->input_tokens = w->input_tokens;
    o->duration_s = s;
    bool closed = strcmp(l->arrive->name, "closed") == 0;
    o->concurrency = closed ? (double)l->concurrency
                            : w->inflight_area / (double)(end - w->start);
    o->req_s = (double)o->requests / s;
    o->output_tok_s = (double)w->output_tokens / s;
    o->total_tok_s = (double)(w->output_tokens + w->input_tokens) / s;
    o->tpsu = o->output_tok_s / o->concurrency;
    o->tpsg = o->output_tok_s / w->plant->gpus;
    o->ttft = dist(&w->ttft_all);
    o->itl = dist(&w->itl_all);
    o->e2e = dist(&w->e2e_all);
    o->tpot = dist(&w->tpot);
    o->kv_transfer = dist(&w->transfer);
    o->interactivity = 1000 / o->tpot.p50;
    double n = (double)o->requests * NS_PER_MS;
    o->ttft_route = w->part[0] / n;
    o->ttft_queue = w->part[1] / n;
    o->ttft_prefill = w->part[2] / n;
    o->ttft_stage = w->part[3] / n;
    o->ttft_transfer = w->part[4] / n;
    o->ttft_first = w->part[5] / n;
    o->ci_tpsu = batch_means_half95(&w->ci[0]) / o->concurrency;
    o->ci_tpsg = batch_means_half95(&w->ci[0]) / w->plant->gpus;
    o->ci_ttft_p99 = batch_means_half95(&w->ci[1]) / NS_PER_MS;
    o->ci_itl_p99 = batch_means_half95(&w->ci[2]) / NS_PER_MS;
    o->ci_e2e_p99 = batch_means_half95(&w->ci[3]) / NS_PER_MS;
    pools(w, o, end);
    wire_sum(w->wire, end, &o->wire);
    o->bottleneck = tightest(w, o);
    o->events = w->events;
}
