#include "sim/report/perfetto.h"

#include <inttypes.h>

enum { PID_ENGINES = 1, PID_REQUESTS = 2, PID_TRANSFERS = 3 };

/* Where a request whose KV moves was computed last, and used first. */
struct flow {
    uint64_t life;
    ns_t out, in; /* starts of those steps; -1: not yet */
    uint32_t from, to;
    bool moved; /* the transfer is over */
    bool taken;
};

struct perfetto {
    struct text_out *o;
    const struct plant *plant;
    struct arena *a;
    struct flow *flow; /* open addressing by life; size a power of two */
    uint32_t size, n;
    bool first;
};

/* ---- flows alive ---- */

static uint32_t slot_of(const struct perfetto *t, uint64_t life)
{
    uint32_t at = (uint32_t)life & (t->size - 1);

    while (t->flow[at].taken && t->flow[at].life != life)
        at = (at + 1) & (t->size - 1);
    return at;
}

static void grow(struct perfetto *t)
{
    struct flow *old = t->flow;
    uint32_t n = t->size;

    t->size = 2 * n;
    t->flow = ARENA_ARRAY(t->a, struct flow, t->size);
    for (uint32_t i = 0; i < n; i++)
        if (old[i].taken)
            t->flow[slot_of(t, old[i].life)] = old[i];
}

static struct flow *flow_of(struct perfetto *t, uint64_t life)
{
    struct flow *f = &t->flow[slot_of(t, life)];

    if (f->taken)
        return f;
    if (2 * ++t->n > t->size) {
        grow(t);
        f = &t->flow[slot_of(t, life)];
    }
    *f = (struct flow){.life = life, .out = -1, .in = -1, .taken = true};
    return f;
}

/* Takes one out and moves those behind it, so that none becomes unreachable
 * (Knuth 6.4, algorithm R). */
static void forget(struct perfetto *t, uint64_t life)
{
    uint32_t hole = slot_of(t, life), at = hole, mask = t->size - 1;

    if (!t->flow[hole].taken)
        return;
    t->n--;
    for (;;) {
        t->flow[hole].taken = false;
        uint32_t home;
        do {
            at = (at + 1) & mask;
            if (!t->flow[at].taken)
                return;
            home = (uint32_t)t->flow[at].life & mask;
        } while (((at - home) & mask) < ((at - hole) & mask));
        t->flow[hole] = t->flow[at];
        hole = at;
    }
}

/* ---- events ---- */

static double us(ns_t t)
{
    return (double)t / NS_PER_US;
}

static const char *comma(struct perfetto *t)
{
    const char *c = t->first ? "\n" : ",\n";

    t->first = false;
    return c;
}

static void name_process(struct perfetto *t, int pid, const char *name)
{
    text_out_fmt(t->o,
                 "%s{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,"
                 "\"args\":{\"name\":\"%s\"}}",
                 comma(t), pid, name);
}

static void name_engines(struct perfetto *t)
{
    static const char *const role[] = {"aggregated", "prefill", "decode"};
    uint32_t id = 0;

    for (uint32_t i = 0; i < t->plant->n_pools; i++) {
        const struct plant_pool *p = &t->plant->pool[i];
        for (uint32_t k = 0; k < p->replicas; k++, id++)
            text_out_fmt(t->o,
                         "%s{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%d,"
                         "\"tid\":%u,\"args\":{\"name\":\"%s %u, tp%d\"}}",
                         comma(t), PID_ENGINES, (unsigned)id + 1, role[p->role],
                         (unsigned)k, p->tp);
    }
}

enum { FLOWS = 64 };

struct perfetto *perfetto_new(struct text_out *o, const struct plant *p,
                              struct arena *a)
{
    struct perfetto *t = ARENA_NEW(a, struct perfetto);

    *t = (struct perfetto){.o = o,
                           .plant = p,
                           .a = a,
                           .size = FLOWS,
                           .flow = ARENA_ARRAY(a, struct flow, FLOWS),
                           .first = true};
    text_out_fmt(o, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
    name_process(t, PID_ENGINES, "engines");
    name_process(t, PID_REQUESTS, "requests");
    name_process(t, PID_TRANSFERS, "KV transfers");
    name_engines(t);
    return t;
}

/* Starts of steps that arrows leave and reach. */
static void remember(struct perfetto *t, const struct watch_step *s)
{
    enum pool_role role = t->plant->pool[s->pool].role;

    for (uint32_t i = 0; i < s->n_part; i++) {
        struct flow *f = flow_of(t, s->part[i].life);
        if (role == ROLE_PREFILL) {
            f->out = s->at;
            f->from = s->engine;
        } else if (f->in < 0 && f->moved) {
            f->in = s->at;
            f->to = s->engine;
        }
    }
}

void perfetto_step(struct perfetto *t, const struct watch_step *s)
{
    const char *kind = !s->prefill_tokens ? "decode"
                     : !s->decodes        ? "prefill"
                                          : "mixed";

    text_out_fmt(
        t->o,
        "%s{\"ph\":\"X\",\"name\":\"%s\",\"cat\":\"step\",\"pid\":%d,"
        "\"tid\":%u,\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"step\":%" PRIu64
        ",\"tokens\":%d,\"prefill_tokens\":%d,\"decode_requests\":%u,"
        "\"prefill_requests\":%u,\"context_tokens\":%" PRId64
        ",\"padded_tokens\":%d,\"kv_blocks_used\":%" PRId64
        ",\"running\":%u,\"waiting\":%u}}",
        comma(t), kind, PID_ENGINES, (unsigned)s->engine + 1, us(s->at),
        us(s->end - s->at), s->number, (int)s->tokens, (int)s->prefill_tokens,
        (unsigned)s->decodes, (unsigned)s->n_part, s->context, (int)s->padded,
        s->kv_used, (unsigned)s->running, (unsigned)s->waiting);
    text_out_fmt(t->o,
                 "%s{\"ph\":\"C\",\"name\":\"engine %u\",\"pid\":%d,"
                 "\"ts\":%.3f,\"args\":{\"kv_use\":%.6f,\"waiting\":%u}}",
                 comma(t), (unsigned)s->engine, PID_ENGINES, us(s->at),
                 (double)s->kv_used / (double)s->kv_blocks,
                 (unsigned)s->waiting);
    if (t->plant->n_pools > 1)
        remember(t, s);
}

void perfetto_transfer(struct perfetto *t, const struct watch_transfer *x)
{
    flow_of(t, x->life)->moved = true;
    text_out_fmt(t->o,
                 "%s{\"ph\":\"b\",\"name\":\"KV\",\"cat\":\"transfer\","
                 "\"pid\":%d,\"tid\":1,\"id\":\"t%" PRIu64 "\",\"ts\":%.3f,"
                 "\"args\":{\"request\":%" PRIu64 ",\"bytes\":%" PRId64
                 ",\"from\":%u,\"to\":%u}}",
                 comma(t), PID_TRANSFERS, x->life, us(x->posted), x->life,
                 x->bytes, (unsigned)x->from, (unsigned)x->to);
    text_out_fmt(t->o,
                 "%s{\"ph\":\"e\",\"name\":\"KV\",\"cat\":\"transfer\","
                 "\"pid\":%d,\"tid\":1,\"id\":\"t%" PRIu64 "\",\"ts\":%.3f}",
                 comma(t), PID_TRANSFERS, x->life, us(x->received));
}

/* A phase of a request's life, inside its slice. */
static void phase(struct perfetto *t, uint64_t life, const char *name, ns_t at,
                  ns_t end)
{
    if (!end || end < at)
        return; /* there was no such phase */
    for (int i = 0; i < 2; i++)
        text_out_fmt(t->o,
                     "%s{\"ph\":\"%s\",\"name\":\"%s\",\"cat\":\"request\","
                     "\"pid\":%d,\"tid\":1,\"id\":\"r%" PRIu64 "\","
                     "\"ts\":%.3f}",
                     comma(t), i ? "e" : "b", name, PID_REQUESTS, life,
                     us(i ? end : at));
}

/* An arrow binds to the slice that is open on its track at its time. */
static void arrow(struct perfetto *t, const struct flow *f)
{
    const ns_t at[] = {f->out, f->in};
    const uint32_t engine[] = {f->from, f->to};

    if (f->out < 0 || f->in < 0)
        return;
    for (int i = 0; i < 2; i++)
        text_out_fmt(t->o,
                     "%s{\"ph\":\"%s\",\"name\":\"KV\",\"cat\":\"handover\","
                     "\"pid\":%d,\"tid\":%u,\"id\":%" PRIu64 ",\"ts\":%.3f%s}",
                     comma(t), i ? "f" : "s", PID_ENGINES,
                     (unsigned)engine[i] + 1, f->life + 1, us(at[i] + 1),
                     i ? ",\"bp\":\"e\"" : "");
}

void perfetto_life(struct perfetto *t, const struct watch_life *l)
{
    bool pd = l->prefill != WATCH_NOBODY;
    ns_t ready = pd ? l->prefilled : l->first;

    text_out_fmt(t->o,
                 "%s{\"ph\":\"b\",\"name\":\"%s\",\"cat\":\"request\","
                 "\"pid\":%d,\"tid\":1,\"id\":\"r%" PRIu64 "\",\"ts\":%.3f,"
                 "\"args\":{\"request\":%" PRIu64 ",\"isl\":%d,\"osl\":%d,"
                 "\"ttft_ms\":%.6f}}",
                 comma(t),
                 l->failed   ? "failed"
                 : l->warmup ? "warm-up"
                             : "request",
                 PID_REQUESTS, l->life, us(l->sent), l->life, (int)l->isl,
                 (int)l->osl,
                 l->first ? units_s(l->first - l->sent) * 1e3 : -1);
    phase(t, l->life, "queue", l->queued, l->admitted);
    phase(t, l->life, "prefill", l->admitted, ready);
    if (pd && l->received) {
        phase(t, l->life, "stage", l->prefilled, l->posted);
        phase(t, l->life, "transfer", l->posted, l->received);
        phase(t, l->life, "first step", l->received, l->first);
    }
    phase(t, l->life, "decode", l->first, l->end);
    text_out_fmt(t->o,
                 "%s{\"ph\":\"e\",\"name\":\"request\",\"cat\":\"request\","
                 "\"pid\":%d,\"tid\":1,\"id\":\"r%" PRIu64 "\",\"ts\":%.3f}",
                 comma(t), PID_REQUESTS, l->life, us(l->end));
    if (t->plant->n_pools < 2)
        return;
    arrow(t, flow_of(t, l->life));
    forget(t, l->life);
}

void perfetto_end(struct perfetto *t)
{
    text_out_fmt(t->o, "\n]}\n");
}
