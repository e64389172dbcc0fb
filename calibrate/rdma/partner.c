#include "calibrate/rdma/partner.h"

#include "calibrate/rdma/gpumem.h"
#include "calibrate/rdma/partner_int.h"

#include "sim/base/must.h"

#include <stdio.h>
#include <string.h>

/* ---- ports ---- */

static struct rail_port *find_port(struct rail_port *p, size_t n,
                                   const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(p[i].name, name) == 0)
            return &p[i];
    return NULL;
}

static bool named_ports(const struct partner_ask *ask, struct rail_port *all,
                        size_t n_all, struct rail_port *port, size_t *n,
                        struct err *e)
{
    for (*n = 0; ask->device[*n]; (*n)++) {
        const struct rail_port *p = find_port(all, n_all, ask->device[*n]);
        if (!p)
            return err_set(e, ERR_ABSENT, "no RDMA port \"%s\"; there is %s%s",
                           ask->device[*n], all[0].name,
                           n_all > 1 ? ", ..." : "");
        if (!p->active)
            return err_set(e, ERR_ABSENT,
                           "%s is %s, must be ACTIVE: is the "
                           "link up?",
                           p->name, p->state);
        port[*n] = *p;
    }
    return true;
}

bool partner_ports(const struct partner_ask *ask, struct arena *a,
                   struct rail_port **port, size_t *n, struct err *e)
{
    struct rail_port *all;
    size_t n_all, want = 0;
    if (!ask->rail->list(a, &all, &n_all, e))
        return false;
    while (ask->device && ask->device[want])
        want++;
    *port = ARENA_ARRAY(a, struct rail_port, want ? want : n_all);
    if (want)
        return named_ports(ask, all, n_all, *port, n, e);
    *n = 0;
    for (size_t i = 0; i < n_all; i++)
        if (all[i].active)
            (*port)[(*n)++] = all[i];
    if (*n > 0)
        return true;
    return err_set(e, ERR_ABSENT, "no active RDMA port among %zu: %s is %s",
                   n_all, all[0].name, all[0].state);
}

void partner_put_ports(struct side_frame *f, const struct rail_port *p,
                       size_t n)
{
    side_begin(f, SIDE_PORTS);
    n = n > PARTNER_PORTS ? PARTNER_PORTS : n;
    side_u64(f, n);
    for (size_t i = 0; i < n; i++) {
        side_bytes(f, p[i].name, sizeof p[i].name);
        side_bytes(f, p[i].state, sizeof p[i].state);
        side_u64(f, p[i].active);
        side_u64(f, p[i].mtu);
        side_f64(f, p[i].Bps);
    }
}

static bool get_ports(struct partner *p, struct arena *a, struct err *e)
{
    struct side_frame f;
    side_begin(&f, SIDE_PORTS);
    if (!side_put(&p->side, &f, e) || !side_want(&p->side, SIDE_PORTS, &f, e))
        return false;
    p->n_its = side_get_u64(&f);
    if (p->n_its == 0 || p->n_its > PARTNER_PORTS)
        return err_set(e, ERR_INPUT, "%s: %zu ports", p->side.who, p->n_its);
    p->its = ARENA_ARRAY(a, struct rail_port, p->n_its);
    for (size_t i = 0; i < p->n_its; i++) {
        struct rail_port *x = &p->its[i];
        side_get_text(&f, x->name, sizeof x->name);
        side_get_text(&f, x->state, sizeof x->state);
        x->active = side_get_u64(&f) != 0;
        x->mtu = (uint32_t)side_get_u64(&f);
        x->Bps = side_get_f64(&f);
    }
    return side_end(&p->side, &f, e);
}

/* ---- what crosses ---- */

void partner_put_end(struct side_frame *f, const struct rail_end *x)
{
    side_bytes(f, x->name, sizeof x->name);
    side_u64(f, x->mtu);
    side_u64(f, x->lid);
    side_u64(f, x->psn);
    side_u64(f, x->rkey);
    side_u64(f, x->reads);
    side_bytes(f, x->gid, sizeof x->gid);
    side_u64(f, x->addr);
    side_u64(f, x->bytes);
    side_u64(f, x->qps);
    for (uint32_t i = 0; i < RAIL_QPS; i++)
        side_u64(f, x->qpn[i]);
}

void partner_get_end(struct side_frame *f, struct rail_end *x)
{
    side_get_text(f, x->name, sizeof x->name);
    x->mtu = (uint32_t)side_get_u64(f);
    x->lid = (uint32_t)side_get_u64(f);
    x->psn = (uint32_t)side_get_u64(f);
    x->rkey = (uint32_t)side_get_u64(f);
    x->reads = (uint32_t)side_get_u64(f);
    side_get_bytes(f, x->gid, sizeof x->gid);
    x->addr = side_get_u64(f);
    x->bytes = side_get_u64(f);
    x->qps = (uint32_t)side_get_u64(f);
    for (uint32_t i = 0; i < RAIL_QPS; i++)
        x->qpn[i] = (uint32_t)side_get_u64(f);
}

void partner_put_run(struct side_frame *f, const struct feed_job *j,
                     const struct rail_crowd *c)
{
    side_u64(f, (uint64_t)j->op);
    side_u64(f, j->bytes);
    side_u64(f, j->messages);
    side_u64(f, j->qps);
    side_u64(f, j->depth);
    side_u64(f, c->senders);
    side_u64(f, c->both);
}

void partner_get_run(struct side_frame *f, struct feed_job *j,
                     struct rail_crowd *c)
{
    *j = (struct feed_job){.op = side_get_u64(f) ? RAIL_WRITE : RAIL_READ};
    j->bytes = side_get_u64(f);
    j->messages = (uint32_t)side_get_u64(f);
    j->qps = (uint32_t)side_get_u64(f);
    j->depth = (uint32_t)side_get_u64(f);
    c->senders = (uint32_t)side_get_u64(f);
    c->both = side_get_u64(f) != 0;
}

/* FNV-1a, 64 bit. */
uint64_t partner_sum(const uint8_t *b, size_t n)
{
    uint64_t h = 14695981039346656037ULL;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211ULL;
    return h;
}

void partner_pattern(uint8_t *b, size_t n, uint64_t seed)
{
    uint64_t x = seed * 2 + 1; /* xorshift64, Marsaglia 2003 */
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        b[i] = (uint8_t)(x >> 32);
    }
}

struct rail_ask partner_rail(const struct partner_ask *ask, size_t port)
{
    int gpus = ask->host || !ask->rail->real ? 0 : gpumem_count();
    return (struct rail_ask){
        .mtu = ask->mtu,
        .gid = ask->gid,
        .gpu = gpus > 0 ? (int)(port % (size_t)gpus) : -1,
        .watch = -1,
        .law = ask->law,
        .seed = ask->seed,
    };
}

/* ---- the driving end ---- */

bool partner_call(struct partner *p, const char *peer, double patience_s,
                  const struct partner_ask *ask, struct arena *a, struct err *e)
{
    const volatile sig_atomic_t *stop = p->side.stop;
    *p = (struct partner){.ask = ask, .side = {.fd = -1, .stop = stop}};
    if (!partner_ports(ask, a, &p->mine, &p->n_mine, e)
        || !side_call(peer, patience_s, &p->side, e))
        return false;
    if (get_ports(p, a, e))
        return true;
    side_close(&p->side);
    return false;
}

void partner_close(struct partner *p)
{
    struct side_frame f;
    struct err lost = {ERR_NONE, ""};
    if (p->side.fd < 0)
        return;
    side_begin(&f, SIDE_BYE);
    (void)side_put(&p->side, &f, &lost);
    side_close(&p->side);
}

/* A request that only says which lane, or how many bytes of it. */
static bool ask_lane(struct partner_lane *l, enum side_kind kind, uint64_t v,
                     enum side_kind answer, struct side_frame *f, struct err *e)
{
    side_begin(f, kind);
    side_u64(f, l->id);
    side_u64(f, v);
    return side_put(&l->p->side, f, e) && side_want(&l->p->side, answer, f, e);
}

static bool moved_wrong(struct partner_lane *l, const char *what, struct err *e)
{
    return err_set(e, ERR_SYSTEM, "%s: bytes of a %s arrived changed",
                   l->p->side.who, what);
}

static bool move_one(struct partner_lane *l, enum rail_op op, uint64_t bytes,
                     struct err *e)
{
    struct feed_job j = {.op = op, .bytes = bytes, .messages = 1, .qps = 1};
    struct feed_took took;
    if (feed_run(l->rail, &j, 1, &took, e))
        return true;
    partner_why(l->p, e);
    return false;
}

/* A pattern goes over by WRITE, another comes back by READ. */
static bool check_bytes(struct partner_lane *l, uint64_t bytes, struct err *e)
{
    enum { MOST = 64 << 10 };
    static const uint64_t seed = 7;
    uint8_t b[MOST];
    size_t n = bytes < MOST ? (size_t)bytes : MOST;
    struct side_frame f;
    partner_pattern(b, n, seed);
    if (!l->rail->ops->put(l->rail, b, n))
        return true; /* there are no bytes */
    if (!move_one(l, RAIL_WRITE, n, e)
        || !ask_lane(l, SIDE_SUM, n, SIDE_SUM, &f, e))
        return false;
    if (side_get_u64(&f) != partner_sum(b, n))
        return moved_wrong(l, "WRITE", e);
    if (!ask_lane(l, SIDE_FILL, n, SIDE_OK, &f, e))
        return false;
    uint64_t sum = side_get_u64(&f);
    if (!move_one(l, RAIL_READ, n, e))
        return false;
    if (!l->rail->ops->get(l->rail, b, n) || partner_sum(b, n) != sum)
        return moved_wrong(l, "READ", e);
    return true;
}

static bool join_lane(struct partner_lane *l, const struct rail_end *its,
                      struct err *e)
{
    struct rail_end mine;
    struct side_frame f;
    if (!l->rail->ops->join(l->rail, its, e))
        return false;
    l->rail->ops->end(l->rail, &mine);
    side_begin(&f, SIDE_JOIN);
    side_u64(&f, l->id);
    partner_put_end(&f, &mine);
    return side_put(&l->p->side, &f, e)
        && side_want(&l->p->side, SIDE_OK, &f, e);
}

static bool open_both(struct partner_lane *l, const struct partner_want *want,
                      struct err *e)
{
    struct partner *p = l->p;
    struct rail_end its;
    struct side_frame f;
    struct rail_ask ask = partner_rail(p->ask, want->mine);
    ask.device = p->mine[want->mine].name;
    ask.bytes = want->bytes;
    ask.qps = want->qps;
    ask.watch = p->side.fd;
    if (!p->ask->rail->open(&ask, &l->rail, e))
        return false;
    side_begin(&f, SIDE_OPEN);
    side_u64(&f, l->id);
    side_u64(&f, want->its);
    side_u64(&f, want->bytes);
    side_u64(&f, want->qps);
    if (!side_put(&p->side, &f, e) || !side_want(&p->side, SIDE_ENDS, &f, e))
        return false;
    partner_get_end(&f, &its);
    side_get_text(&f, l->its_note, sizeof l->its_note);
    return side_end(&p->side, &f, e) && join_lane(l, &its, e)
        && check_bytes(l, want->bytes, e);
}

bool partner_open(struct partner *p, const struct partner_want *want,
                  struct partner_lane *l, struct err *e)
{
    must(want->mine < p->n_mine && want->its < p->n_its);
    *l = (struct partner_lane){.p = p, .id = p->lanes++};
    if (open_both(l, want, e))
        return true;
    side_sorry(&p->side, e);
    if (l->rail)
        l->rail->ops->close(l->rail);
    l->rail = NULL;
    return false;
}

void partner_shut(struct partner_lane *l)
{
    struct side_frame f;
    struct err lost = {ERR_NONE, ""};
    if (!l->rail)
        return;
    /* This end's queue pairs go first: the other's then answer to nobody. */
    l->rail->ops->close(l->rail);
    l->rail = NULL;
    if (l->p->side.fd >= 0)
        (void)ask_lane(l, SIDE_CLOSE, 0, SIDE_OK, &f, &lost);
}

bool partner_begin(struct partner_lane *l, const struct feed_job *job,
                   const struct rail_crowd *crowd, struct err *e)
{
    struct side_frame f;
    side_begin(&f, SIDE_RUN);
    side_u64(&f, l->id);
    partner_put_run(&f, job, crowd);
    return side_put(&l->p->side, &f, e)
        && side_want(&l->p->side, SIDE_OK, &f, e);
}

bool partner_end(struct partner_lane *l, struct partner_took *took,
                 struct err *e)
{
    struct side_frame f;
    side_begin(&f, SIDE_STOP);
    if (!side_put(&l->p->side, &f, e)
        || !side_want(&l->p->side, SIDE_TOOK, &f, e))
        return false;
    took->n = (uint32_t)side_get_u64(&f);
    took->p50_s = side_get_f64(&f);
    took->mad_s = side_get_f64(&f);
    took->post_s = side_get_f64(&f);
    return side_end(&l->p->side, &f, e);
}

void partner_why(struct partner *p, struct err *e)
{
    struct side_frame f;
    struct err why = {ERR_NONE, ""};
    if (p->side.fd >= 0 && side_has(&p->side) && !side_get(&p->side, &f, &why))
        *e = why;
}
