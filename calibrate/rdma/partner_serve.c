/* The passive end.  It answers one frame at a time and holds the lanes of one
 * caller; whatever goes wrong is told to the caller, ends that caller and
 * releases its lanes, and the next one is served. */
#include "calibrate/rdma/partner_int.h"
#include "calibrate/rdma/spread.h"

#include "sim/base/must.h"

#include <stdio.h>
#include <string.h>

enum {
    PATTERN = 64 << 10,  /* most bytes of a check */
    LEAST_BATCHES = 5,   /* before a stop is heeded: fewer have no median */
    KEPT_BATCHES = 4096, /* the last ones */
};
#define MOST_BYTES ((uint64_t)1 << 31) /* of a lane's memory */

struct host {
    const struct partner_ask *ask;
    struct side *side;
    struct arena *a;
    struct rail_port *port;
    size_t ports;
    struct rail *lane[PARTNER_LANES];
    double *batch_s, *post_s; /* KEPT_BATCHES each */
    uint8_t *pattern;
};

static bool answer(struct host *h, enum side_kind kind, uint64_t v,
                   struct err *e)
{
    struct side_frame f;
    side_begin(&f, kind);
    side_u64(&f, v);
    return side_put(h->side, &f, e);
}

static bool bad(const struct host *h, const char *what, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s asks for %s that is out of range",
                   h->side->who, what);
}

static struct rail **lane_of(struct host *h, struct side_frame *f,
                             struct err *e)
{
    uint64_t id = side_get_u64(f);
    if (id < PARTNER_LANES && h->lane[id])
        return &h->lane[id];
    bad(h, "a lane", e);
    return NULL;
}

static bool do_open(struct host *h, struct side_frame *f, struct err *e)
{
    struct rail_end mine;
    uint64_t id = side_get_u64(f), port = side_get_u64(f);
    uint64_t bytes = side_get_u64(f), qps = side_get_u64(f);
    if (!side_end(h->side, f, e))
        return false;
    if (id >= PARTNER_LANES || h->lane[id] || port >= h->ports || bytes == 0
        || bytes > MOST_BYTES || qps == 0 || qps > RAIL_QPS)
        return bad(h, "a lane", e);
    struct rail_ask ask = partner_rail(h->ask, (size_t)port);
    ask.device = h->port[port].name;
    ask.bytes = bytes;
    ask.qps = (uint32_t)qps;
    ask.seed += 1;
    if (!h->ask->rail->open(&ask, &h->lane[id], e))
        return false;
    h->lane[id]->ops->end(h->lane[id], &mine);
    side_begin(f, SIDE_ENDS);
    partner_put_end(f, &mine);
    side_bytes(f, h->lane[id]->note, sizeof h->lane[id]->note);
    return side_put(h->side, f, e);
}

static bool do_join(struct host *h, struct side_frame *f, struct err *e)
{
    struct rail_end its;
    struct rail **r = lane_of(h, f, e);
    if (!r)
        return false;
    partner_get_end(f, &its);
    return side_end(h->side, f, e) && (*r)->ops->join(*r, &its, e)
        && answer(h, SIDE_OK, 0, e);
}

static bool do_sum(struct host *h, struct side_frame *f, struct err *e)
{
    struct rail **r = lane_of(h, f, e);
    if (!r)
        return false;
    uint64_t n = side_get_u64(f);
    if (n > PATTERN)
        return bad(h, "a checksum", e);
    if (!(*r)->ops->get(*r, h->pattern, n))
        return err_set(e, ERR_SYSTEM, "the lane's memory cannot be read");
    return answer(h, SIDE_SUM, partner_sum(h->pattern, n), e);
}

static bool do_fill(struct host *h, struct side_frame *f, struct err *e)
{
    static const uint64_t seed = 11;
    struct rail **r = lane_of(h, f, e);
    if (!r)
        return false;
    uint64_t n = side_get_u64(f);
    if (n > PATTERN)
        return bad(h, "a pattern", e);
    partner_pattern(h->pattern, n, seed);
    if (!(*r)->ops->put(*r, h->pattern, n))
        return err_set(e, ERR_SYSTEM, "the lane's memory cannot be written");
    return answer(h, SIDE_OK, partner_sum(h->pattern, n), e);
}

/* Batch after batch, until the caller has something to say. */
static bool move(struct host *h, struct rail *r, struct feed_job *j,
                 uint32_t *n, struct err *e)
{
    struct feed_took took;
    for (*n = 0; *n < LEAST_BATCHES || !side_has(h->side); (*n)++) {
        if (!feed_run(r, j, 1, &took, e))
            return false;
        h->batch_s[*n % KEPT_BATCHES] = took.seconds;
        h->post_s[*n % KEPT_BATCHES] = took.post_s;
        if (*n == 0 && !answer(h, SIDE_OK, 0, e))
            return false;
    }
    return true;
}

static bool do_run(struct host *h, struct side_frame *f, struct err *e)
{
    struct feed_job j;
    struct rail_crowd crowd;
    uint32_t n;
    struct rail **r = lane_of(h, f, e);
    if (!r)
        return false;
    struct rail_end mine;
    (*r)->ops->end(*r, &mine);
    partner_get_run(f, &j, &crowd);
    if (!side_end(h->side, f, e))
        return false;
    if (j.bytes == 0 || j.bytes > mine.bytes || j.messages == 0 || j.qps == 0
        || j.qps > mine.qps || crowd.senders == 0)
        return bad(h, "a batch", e);
    (*r)->ops->begin(*r, &crowd);
    if (!move(h, *r, &j, &n, e) || !side_want(h->side, SIDE_STOP, f, e))
        return false;
    size_t kept = n < KEPT_BATCHES ? n : KEPT_BATCHES;
    struct spread s = spread_of(h->batch_s, kept);
    struct spread post = spread_of(h->post_s, kept);
    side_begin(f, SIDE_TOOK);
    side_u64(f, n);
    side_f64(f, s.p50);
    side_f64(f, s.mad);
    side_f64(f, post.p50);
    return side_put(h->side, f, e);
}

static bool do_close(struct host *h, struct side_frame *f, struct err *e)
{
    struct rail **r = lane_of(h, f, e);
    if (!r)
        return false;
    (*r)->ops->close(*r);
    *r = NULL;
    return answer(h, SIDE_OK, 0, e);
}

static bool do_ports(struct host *h, struct side_frame *f, struct err *e)
{
    partner_put_ports(f, h->port, h->ports);
    return side_put(h->side, f, e);
}

static bool act(struct host *h, struct side_frame *f, struct err *e)
{
    switch (f->kind) {
    case SIDE_PORTS:
        return do_ports(h, f, e);
    case SIDE_OPEN:
        return do_open(h, f, e);
    case SIDE_JOIN:
        return do_join(h, f, e);
    case SIDE_FILL:
        return do_fill(h, f, e);
    case SIDE_SUM:
        return do_sum(h, f, e);
    case SIDE_RUN:
        return do_run(h, f, e);
    case SIDE_CLOSE:
        return do_close(h, f, e);
    case SIDE_HELLO:
    case SIDE_SORRY:
    case SIDE_ENDS:
    case SIDE_OK:
    case SIDE_STOP:
    case SIDE_TOOK:
    case SIDE_BYE:
        break;
    }
    return err_set(e, ERR_INPUT, "%s sent a frame of kind %d out of turn",
                   h->side->who, (int)f->kind);
}

static bool talk(struct host *h, struct err *e)
{
    struct side_frame f;
    if (!partner_ports(h->ask, h->a, &h->port, &h->ports, e))
        return false;
    while (side_get(h->side, &f, e)) {
        if (f.kind == SIDE_BYE)
            return true;
        if (!act(h, &f, e))
            return false;
    }
    return false;
}

static bool serve_one(struct side *s, const struct partner_ask *ask,
                      struct err *e)
{
    struct arena *a = arena_open();
    struct host h = {.ask = ask, .side = s, .a = a};
    h.batch_s = ARENA_ARRAY(a, double, KEPT_BATCHES);
    h.post_s = ARENA_ARRAY(a, double, KEPT_BATCHES);
    h.pattern = ARENA_ARRAY(a, uint8_t, PATTERN);
    bool ok = talk(&h, e);
    if (!ok)
        side_sorry(s, e);
    for (size_t i = PARTNER_LANES; i-- > 0;)
        if (h.lane[i])
            h.lane[i]->ops->close(h.lane[i]);
    side_close(s);
    arena_close(a);
    return ok;
}

bool partner_serve(const struct partner_door *door,
                   const struct partner_ask *ask, struct err *e)
{
    for (;;) {
        struct side s = {.fd = -1, .stop = door->stop, .patient = true};
        struct err why = {ERR_NONE, ""};
        char line[ERR_TEXT + 200];
        bool ok = side_accept(door->fd, &s, &why) && serve_one(&s, ask, &why);
        if (door->stop && *door->stop)
            return err_set(e, ERR_NO, "interrupted");
        snprintf(line, sizeof line, "%s%s%s", s.who[0] ? s.who : "a caller",
                 ok ? " done" : ": ", ok ? "" : why.text);
        door->said(door->to, line);
        if (door->once && !ok)
            *e = why;
        if (door->once)
            return ok;
    }
}
