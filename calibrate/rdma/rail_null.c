/* Two servers in line, each first come first served on a clock that only this
 * rail's waiting moves: the queue pair (bytes / flow a message) and the port
 * (gap + bytes / rail).  A message is complete a latency after both have done
 * it.  n messages spread over q queue pairs therefore take the stated law's
 * time, up to the posting of the first chain. */
#include "calibrate/rdma/rail.h"

#include "sim/base/must.h"
#include "sim/des/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

extern const struct rail_ops rail_null;

enum { CHAINS = RAIL_QPS * (RAIL_DEPTH + 1) };

/* One 400 Gb/s adapter: plateaus and latencies as published for ConnectX-7
 * (MORI-IO benchmark), the rest plausible and exactly known. */
static const struct rail_law null_law = {
    .latency_s = {[RAIL_READ] = 6.6e-6, [RAIL_WRITE] = 5.8e-6},
    .flow_Bps = {[RAIL_READ] = 28e9, [RAIL_WRITE] = 31e9},
    .rail_Bps = {[RAIL_READ] = 44.9e9, [RAIL_WRITE] = 49.6e9},
    .gap_s = 0.2e-6,
    .incast = 0.9,
    .both = 0.95,
    .post_s = 0.05e-6,
    .post_base_s = 0.3e-6,
    .noise = 0.01,
};

struct pending {
    double at;
    uint32_t qp, n;
};

struct null {
    struct rail rail;
    struct arena *a;
    struct rail_law law;
    struct rail_crowd crowd;
    struct rng rng;
    char device[RAIL_NAME];
    uint32_t qps;
    uint64_t bytes;
    double now, qp_free[RAIL_QPS], port_free;
    struct pending *pending; /* in order of posting */
    size_t n;
};

static struct null *null_of(struct rail *r)
{
    must(r->ops == &rail_null);
    return (struct null *)r;
}

static bool null_list(struct arena *a, struct rail_port **port, size_t *n,
                      struct err *e)
{
    enum { PORTS = 2 };
    (void)e;
    *port = ARENA_ARRAY(a, struct rail_port, PORTS);
    *n = PORTS;
    for (int i = 0; i < PORTS; i++) {
        struct rail_port *p = &(*port)[i];
        snprintf(p->name, sizeof p->name, "null%d", i);
        snprintf(p->state, sizeof p->state, "ACTIVE");
        p->active = true;
        p->mtu = 4096;
        p->Bps = null_law.rail_Bps[RAIL_WRITE];
    }
    return true;
}

static bool null_open(const struct rail_ask *ask, struct rail **r,
                      struct err *e)
{
    (void)e;
    must(ask->qps > 0 && ask->qps <= RAIL_QPS);
    struct arena *a = arena_open();
    struct null *x = ARENA_NEW(a, struct null);
    x->rail.ops = &rail_null;
    x->a = a;
    x->law = ask->law ? *ask->law : null_law;
    x->rng = rng_stream(ask->seed, RNG_NOISE, 0);
    x->qps = ask->qps;
    x->bytes = ask->bytes;
    x->crowd.senders = 1;
    x->pending = ARENA_ARRAY(a, struct pending, CHAINS);
    snprintf(x->device, sizeof x->device, "%s", ask->device);
    *r = &x->rail;
    return true;
}

static void null_close(struct rail *r)
{
    if (r)
        arena_close(null_of(r)->a);
}

static void null_end(const struct rail *r, struct rail_end *mine)
{
    const struct null *x = (const struct null *)r;
    *mine = (struct rail_end){
        .mtu = 4096, .reads = 16, .bytes = x->bytes, .qps = x->qps};
    snprintf(mine->name, sizeof mine->name, "%s", x->device);
}

static bool null_join(struct rail *r, const struct rail_end *its, struct err *e)
{
    if (its->qps != null_of(r)->qps)
        return err_set(e, ERR_INPUT, "%u queue pairs here, %u there",
                       null_of(r)->qps, its->qps);
    return true;
}

static bool null_get(struct rail *r, void *to, size_t n)
{
    (void)r, (void)to, (void)n;
    return false;
}

static bool null_put(struct rail *r, const void *from, size_t n)
{
    (void)r, (void)from, (void)n;
    return false;
}

static double null_now(struct rail *r)
{
    return null_of(r)->now;
}

static void null_begin(struct rail *r, const struct rail_crowd *c)
{
    must(c->senders > 0);
    null_of(r)->crowd = *c;
}

static double port_Bps(const struct null *x, enum rail_op op)
{
    double Bps = x->law.rail_Bps[op];
    if (x->crowd.senders > 1)
        Bps *= x->law.incast / x->crowd.senders;
    return x->crowd.both ? Bps * x->law.both : Bps;
}

static bool null_post(struct rail *r, const struct rail_chain *c, struct err *e)
{
    (void)e;
    struct null *x = null_of(r);
    must(c->n > 0 && c->n <= RAIL_CHAIN && c->qp < x->qps && x->n < CHAINS);
    double cost = x->law.post_base_s + x->law.post_s * c->n;
    x->now += cost;
    r->post_s += cost;
    double *qp = &x->qp_free[c->qp];
    double flow_s = (double)c->bytes / x->law.flow_Bps[c->op];
    double port_s = x->law.gap_s + (double)c->bytes / port_Bps(x, c->op);
    for (uint32_t i = 0; i < c->n; i++) {
        double k = 1 + x->law.noise * (2 * rng_unit(&x->rng) - 1);
        *qp = fmax(*qp, x->now) + k * flow_s;
        x->port_free = fmax(x->port_free, x->now) + k * port_s;
    }
    double done = fmax(*qp, x->port_free) + x->law.latency_s[c->op];
    x->pending[x->n++] = (struct pending){done, c->qp, c->n};
    return true;
}

static bool null_wait(struct rail *r, double until, struct rail_done *d,
                      size_t room, size_t *n, struct err *e)
{
    (void)e;
    struct null *x = null_of(r);
    size_t kept = 0, first = 0;
    for (size_t i = 1; i < x->n; i++)
        if (x->pending[i].at < x->pending[first].at)
            first = i;
    if (x->n == 0)
        must(isfinite(until));
    if (x->n == 0 || x->pending[first].at > until)
        x->now = fmax(x->now, until);
    else
        x->now = fmax(x->now, x->pending[first].at);
    *n = 0;
    for (size_t i = 0; i < x->n; i++) {
        struct pending *p = &x->pending[i];
        if (p->at <= x->now && *n < room)
            d[(*n)++] = (struct rail_done){p->qp, p->n};
        else
            x->pending[kept++] = *p;
    }
    x->n = kept;
    return true;
}

const struct rail_ops rail_null = {
    .name = "null",
    .list = null_list,
    .open = null_open,
    .close = null_close,
    .end = null_end,
    .join = null_join,
    .get = null_get,
    .put = null_put,
    .now = null_now,
    .begin = null_begin,
    .post = null_post,
    .wait = null_wait,
};
