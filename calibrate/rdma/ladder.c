#include "calibrate/rdma/ladder.h"

#include "calibrate/rdma/lanes.h"
#include "calibrate/rdma/spread.h"
#include "sim/base/csv.h"
#include "sim/base/must.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum {
    WARM = 1, /* repetitions that are not counted: caches, first faults */
    LEAST = 5,
    MOST = 2000,
    STEP = 4, /* between message sizes */
};
#define MOST_BYTES ((uint64_t)256 << 20) /* of a batch: larger shows nothing */
/* A rung that needs more than that many of its shares of time for one
 * repetition is left out: a slow path, or an emulated one. */
#define LONGEST 10.0
/* What the many-message rungs move a message: KV blocks of a layer are 8 to
 * 64 KiB; a MiB is past every adapter's knee. */
#define BLOCK ((uint64_t)64 << 10)
#define LARGE ((uint64_t)1 << 20)

static const char *const kinds[LADDER_KINDS] = {
    [LADDER_LONE] = "lone", [LADDER_BATCH] = "batch", [LADDER_QPS] = "qps",
    [LADDER_BOTH] = "both", [LADDER_FAN] = "fan",     [LADDER_RAILS] = "rails",
};

const char *ladder_kind_name(enum ladder_kind k)
{
    must(k >= 0 && k < LADDER_KINDS);
    return kinds[k];
}

/* ---- rungs ---- */

struct plan {
    const struct ladder_ask *ask;
    struct arena *a;
    struct ladder_rung *rung;
    size_t n, cap;
};

static void add(struct plan *p, struct ladder_rung r)
{
    if (r.bytes < p->ask->least || r.bytes > p->ask->most
        || r.bytes * r.messages > MOST_BYTES)
        return;
    for (size_t i = 0; i < p->n; i++)
        if (memcmp(&p->rung[i], &r, sizeof r) == 0)
            return;
    ARENA_ROOM(p->a, p->rung, p->n, p->cap);
    p->rung[p->n++] = r;
}

static struct ladder_rung rung_of(enum ladder_kind kind, enum rail_op op,
                                  uint64_t bytes, uint32_t messages,
                                  uint32_t qps)
{
    struct ladder_rung r;
    memset(&r, 0, sizeof r); /* padding is compared, too */
    r.kind = kind;
    r.op = op;
    r.bytes = bytes;
    r.messages = messages;
    r.qps = qps;
    r.senders = r.rails = 1;
    return r;
}

/* A size of the ladder's own nearest to the wanted one. */
static uint64_t within(const struct ladder_ask *ask, uint64_t bytes)
{
    uint64_t s = ask->least;
    while (s * STEP <= bytes && s * STEP <= ask->most)
        s *= STEP;
    return s;
}

static void add_sizes(struct plan *p, enum rail_op op)
{
    for (uint64_t s = p->ask->least; s <= p->ask->most; s *= STEP)
        add(p, rung_of(LADDER_LONE, op, s, 1, 1));
    for (uint64_t s = p->ask->least; s <= 4 * BLOCK; s *= STEP)
        for (uint32_t n = 8; n <= p->ask->batch; n *= 8)
            add(p, rung_of(LADDER_BATCH, op, s, n, 1));
}

/* Small messages show how many go a second, large ones how many bytes. */
static void add_qps(struct plan *p, enum rail_op op)
{
    const uint64_t sizes[] = {p->ask->least, within(p->ask, BLOCK),
                              within(p->ask, LARGE)};
    uint32_t n = p->ask->batch < 128 ? p->ask->batch : 128;
    n = n < p->ask->qps ? p->ask->qps : n;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t q = 1; q <= p->ask->qps; q *= 2)
            add(p, rung_of(LADDER_QPS, op, sizes[i], n, q));
}

static void add_wide(struct plan *p, enum rail_op op, size_t partners,
                     size_t rails)
{
    uint64_t s = within(p->ask, LARGE);
    uint32_t n = p->ask->batch < 64 ? p->ask->batch : 64;
    uint32_t q = p->ask->qps < 4 ? p->ask->qps : 4;
    struct ladder_rung r = rung_of(LADDER_BOTH, op, s, n, q);
    add(p, r);
    for (uint32_t k = 1; partners > 1 && k <= partners; k++) {
        r = rung_of(LADDER_FAN, op, s, n, q);
        r.senders = k;
        add(p, r);
    }
    for (uint32_t k = 1; rails > 1 && k <= rails; k++) {
        r = rung_of(LADDER_RAILS, op, s, n, q);
        r.rails = k;
        if (k == rails || (k & (k - 1)) == 0)
            add(p, r);
    }
}

size_t ladder_rungs(const struct ladder_ask *ask, size_t partners, size_t rails,
                    struct arena *a, struct ladder_rung **rung)
{
    struct plan p = {.ask = ask, .a = a};
    must(ask->least > 0 && ask->most >= ask->least && ask->batch > 0);
    must(ask->qps > 0 && ask->qps <= RAIL_QPS);
    for (int op = RAIL_READ; op <= RAIL_WRITE; op++) {
        add_sizes(&p, (enum rail_op)op);
        add_qps(&p, (enum rail_op)op);
        add_wide(&p, (enum rail_op)op, partners, rails);
    }
    size_t n = 0;
    for (size_t i = 0; i < p.n; i++)
        if (!ask->skip[p.rung[i].kind])
            p.rung[n++] = p.rung[i];
    *rung = p.rung;
    return n;
}

/* ---- climbing ---- */

struct climb {
    struct partner *p;
    size_t partners, rails;
    const struct ladder_ask *ask;
    struct arena *a;
    /* lanes by rail of the first partner, then one of each further partner */
    struct partner_lane *lane;
    size_t lanes;
    double *batch_s, *post_s;
    double best_Bps; /* so far */
};

static struct feed_job job_of(const struct ladder_rung *r)
{
    return (struct feed_job){
        .op = r->op, .bytes = r->bytes, .messages = r->messages, .qps = r->qps};
}

static bool more(const struct climb *c, const struct rail *r, double begun,
                 size_t n)
{
    if (n < LEAST)
        return true;
    double spent = r->ops->now(c->lane[0].rail) - begun;
    return n < MOST && spent < c->ask->rung_s;
}

/* Repeats a job on lanes of ours. */
static bool repeat(struct climb *c, struct partner_lane **lane, size_t n,
                   const struct rail_crowd *crowd, struct ladder_row *row,
                   struct err *e)
{
    struct feed_job j = job_of(&row->rung);
    struct feed_took took;
    struct rail *r = lane[0]->rail;
    struct lanes *l = lanes_open(lane, n, &j, crowd, c->a);
    double begun = r->ops->now(r);
    size_t k = 0;
    bool ok = true;
    for (int i = 0; ok && i < WARM; i++)
        ok = lanes_run(l, &took, e);
    for (; ok && more(c, r, begun, k); k++) {
        ok = lanes_run(l, &took, e);
        c->batch_s[k] = took.seconds;
        c->post_s[k] = took.post_s;
        if (c->ask->stop && *c->ask->stop)
            ok = err_set(e, ERR_NO, "interrupted");
    }
    lanes_close(l);
    if (!ok)
        return false;
    struct spread s = spread_of(c->batch_s, k);
    row->n = (uint32_t)k;
    row->min_s = s.min;
    row->p50_s = s.p50;
    row->mad_s = s.mad;
    row->p90_s = s.p90;
    row->p99_s = s.p99;
    row->post_s = spread_of(c->post_s, k).p50;
    return true;
}

/* The other end moves the same way round as it sees it: its WRITE comes here,
 * its READ goes there. */
static bool both_ways(struct climb *c, struct ladder_row *row, struct err *e)
{
    struct partner_lane *mine = &c->lane[0];
    struct rail_crowd crowd = {.senders = 1, .both = true};
    struct feed_job j = job_of(&row->rung);
    struct partner_took took;
    if (!partner_begin(mine, &j, &crowd, e))
        return false;
    return repeat(c, &mine, 1, &crowd, row, e) && partner_end(mine, &took, e);
}

static void pause_s(double s)
{
    struct timespec t = {(time_t)s, (long)((s - floor(s)) * 1e9)};
    nanosleep(&t, NULL);
}

/* Each partner WRITEs here; their own clocks say how long that took. */
static bool fan_write(struct climb *c, struct partner_lane **lane, size_t n,
                      struct ladder_row *row, struct err *e)
{
    struct rail_crowd crowd = {.senders = (uint32_t)n};
    struct feed_job j = job_of(&row->rung);
    for (size_t i = 0; i < n; i++)
        if (!partner_begin(lane[i], &j, &crowd, e))
            return false;
    if (lane[0]->rail->ops->real)
        pause_s(c->ask->rung_s);
    double mad = 0;
    for (size_t i = 0; i < n; i++) {
        struct partner_took took;
        if (!partner_end(lane[i], &took, e))
            return false;
        c->batch_s[i] = took.p50_s;
        row->n += took.n;
        mad = fmax(mad, took.mad_s);
    }
    struct spread s = spread_of(c->batch_s, n);
    row->min_s = s.min;
    row->p50_s = s.p50;
    row->p90_s = s.p90;
    row->p99_s = s.p99;
    row->mad_s = mad;
    row->post_s = NAN;
    return true;
}

static bool climb_one(struct climb *c, struct ladder_row *row, struct err *e)
{
    const struct ladder_rung *r = &row->rung;
    struct partner_lane *lane[PARTNER_MOST];
    struct rail_crowd crowd = {.senders = r->senders};
    size_t n = r->kind == LADDER_RAILS ? r->rails : r->senders;
    must(n <= PARTNER_MOST);
    for (size_t i = 0; i < n; i++)
        lane[i] = r->kind == LADDER_FAN && i > 0 ? &c->lane[c->rails + i - 1]
                                                 : &c->lane[i];
    switch (r->kind) {
    case LADDER_BOTH:
        return both_ways(c, row, e);
    case LADDER_FAN:
        if (r->op == RAIL_WRITE)
            return fan_write(c, lane, n, row, e);
        break;
    case LADDER_LONE:
    case LADDER_BATCH:
    case LADDER_QPS:
    case LADDER_RAILS:
    case LADDER_KINDS:
        break;
    }
    return repeat(c, lane, n, &crowd, row, e);
}

/* The rails of the first partner, and one way to each of the others. */
static bool open_lanes(struct climb *c, struct err *e)
{
    for (size_t i = 0; i < c->rails + c->partners - 1; i++) {
        bool first = i < c->rails;
        struct partner_want want = {
            .mine = first ? i : 0,
            .its = first ? i : 0,
            .bytes = c->ask->most,
            .qps = c->ask->qps,
        };
        struct partner *p = first ? c->p : &c->p[i - c->rails + 1];
        if (!partner_open(p, &want, &c->lane[i], e))
            return false;
        c->lanes++;
    }
    return true;
}

static bool is_too_long(const struct climb *c, const struct ladder_rung *r)
{
    double bytes = (double)r->bytes * r->messages * r->senders;
    return c->best_Bps > 0 && bytes / c->best_Bps > LONGEST * c->ask->rung_s;
}

static void learn(struct climb *c, const struct ladder_row *row)
{
    const struct ladder_rung *r = &row->rung;
    double bytes = (double)r->bytes * r->messages * r->senders;
    c->best_Bps = fmax(c->best_Bps, bytes / row->p50_s);
}

static bool climb_all(struct climb *c, const struct ladder_ear *ear,
                      struct err *e)
{
    struct ladder_rung *rung;
    size_t n = ladder_rungs(c->ask, c->partners, c->rails, c->a, &rung);
    for (size_t i = 0; i < n; i++) {
        struct ladder_row row = {.rung = rung[i],
                                 .nic = c->p->mine[0].name,
                                 .gpu = c->lane[0].rail->on_gpu};
        if (is_too_long(c, &row.rung))
            continue;
        if (!climb_one(c, &row, e))
            return err_in(e, "rung %zu of %zu", i + 1, n);
        learn(c, &row);
        if (!ear->told(ear->to, &row, i + 1, n, e))
            return false;
    }
    return true;
}

bool ladder_run(struct partner *p, size_t partners,
                const struct ladder_ask *ask, const struct ladder_ear *ear,
                struct err *e)
{
    struct arena *a = arena_open();
    struct climb c = {.p = p, .partners = partners, .ask = ask, .a = a};
    must(partners > 0 && partners <= PARTNER_MOST);
    c.rails = p->n_mine < p->n_its ? p->n_mine : p->n_its;
    if (c.rails > PARTNER_MOST)
        c.rails = PARTNER_MOST;
    if (ask->skip[LADDER_RAILS])
        c.rails = 1;
    c.lane = ARENA_ARRAY(a, struct partner_lane, c.rails + partners);
    c.batch_s = ARENA_ARRAY(a, double, MOST);
    c.post_s = ARENA_ARRAY(a, double, MOST);
    bool ok = open_lanes(&c, e) && climb_all(&c, ear, e);
    for (size_t i = c.lanes; i-- > 0;)
        partner_shut(&c.lane[i]);
    arena_close(a);
    return ok;
}

/* ---- rows ---- */

void ladder_head(FILE *f)
{
    fprintf(f, "nic,op,kind,devices_per_side,senders,both,queue_pairs,"
               "messages_per_batch,message_bytes,time_us_per_batch,"
               "time_us_mad,time_us_min,time_us_p90,time_us_p99,n,"
               "bandwidth_GBps_per_device,post_us,memory\n");
}

void ladder_line(FILE *f, const struct ladder_row *r)
{
    const struct ladder_rung *g = &r->rung;
    double moved = (double)g->bytes * g->messages * g->senders;
    csv_put(f, r->nic);
    fprintf(f, ",%s,%s,%u,%u,%d,%u,%u,%llu",
            g->op == RAIL_READ ? "READ" : "WRITE", ladder_kind_name(g->kind),
            g->rails, g->senders, g->kind == LADDER_BOTH, g->qps, g->messages,
            (unsigned long long)g->bytes);
    fprintf(f, ",%.4f,%.4f,%.4f,%.4f,%.4f,%u,%.6g,", r->p50_s * 1e6,
            r->mad_s * 1e6, r->min_s * 1e6, r->p90_s * 1e6, r->p99_s * 1e6,
            r->n, moved / r->p50_s / 1e9);
    if (isfinite(r->post_s))
        fprintf(f, "%.4f", r->post_s * 1e6);
    fprintf(f, ",%s\n", r->gpu ? "gpu" : "host");
}
