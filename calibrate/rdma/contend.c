#include "calibrate/rdma/contend.h"

#include "sim/base/csv.h"
#include "sim/base/must.h"

#include <math.h>
#include <string.h>

#define MS 1e-3

struct columns {
    int name, op, start, bytes, message, run, begun, ended;
};

static bool count(const struct csv *c, int col, uint64_t *out, struct err *e)
{
    double v;
    if (!csv_num(c, col, &v, e))
        return false;
    *out = (uint64_t)v;
    if (v >= 1 && v <= 1e15 && v - floor(v) <= 0)
        return true;
    return err_set(e, ERR_INPUT, "%s:%ld: %s is no number of bytes",
                   csv_path(c), csv_line(c), csv_text(c, col));
}

static bool optional(const struct csv *c, int col, double absent, double *out,
                     struct err *e)
{
    *out = absent;
    return col < 0 || !*csv_text(c, col) || csv_num(c, col, out, e);
}

static bool read_move(const struct csv *c, const struct columns *k,
                      struct contend_move *m, struct err *e)
{
    double start_ms, run, begun_ms, ended_ms;
    const char *op = csv_text(c, k->op);
    snprintf(m->name, sizeof m->name, "%s", csv_text(c, k->name));
    if (strcmp(op, "READ") != 0 && strcmp(op, "WRITE") != 0)
        return err_set(e, ERR_INPUT,
                       "%s:%ld: op must be READ or WRITE, got "
                       "\"%s\"",
                       csv_path(c), csv_line(c), op);
    m->op = *op == 'R' ? RAIL_READ : RAIL_WRITE;
    if (!csv_num(c, k->start, &start_ms, e) || !count(c, k->bytes, &m->bytes, e)
        || !count(c, k->message, &m->message_bytes, e)
        || !optional(c, k->run, 0, &run, e)
        || !optional(c, k->begun, NAN, &begun_ms, e)
        || !optional(c, k->ended, NAN, &ended_ms, e))
        return false;
    if (start_ms < 0 || run < 0 || run > 1e6)
        return err_set(e, ERR_INPUT, "%s:%ld: a negative time or run",
                       csv_path(c), csv_line(c));
    if (m->bytes % m->message_bytes != 0)
        return err_set(e, ERR_INPUT,
                       "%s:%ld: bytes are no multiple of "
                       "message_bytes",
                       csv_path(c), csv_line(c));
    m->start_s = start_ms * MS;
    m->run = (uint32_t)run;
    m->begun_s = begun_ms * MS;
    m->ended_s = ended_ms * MS;
    return true;
}

static bool read_all(struct csv *c, struct arena *a, struct contend_plan *p,
                     struct err *e)
{
    const struct columns k = {
        csv_col(c, "transfer"),      csv_col(c, "op"),
        csv_col(c, "start_ms"),      csv_col(c, "bytes"),
        csv_col(c, "message_bytes"), csv_col(c, "run"),
        csv_col(c, "begun_ms"),      csv_col(c, "ended_ms")};
    struct err end = {ERR_NONE, ""};
    size_t cap = 0;
    if (k.name < 0 || k.op < 0 || k.start < 0 || k.bytes < 0 || k.message < 0)
        return err_set(e, ERR_INPUT,
                       "%s: must have the columns transfer, op, "
                       "start_ms, bytes and message_bytes",
                       csv_path(c));
    while (csv_next(c, &end)) {
        ARENA_ROOM(a, p->move, p->n, cap);
        if (!read_move(c, &k, &p->move[p->n], e))
            return false;
        p->n++;
    }
    if (end.kind != ERR_NONE) {
        *e = end;
        return false;
    }
    return p->n > 0 || err_set(e, ERR_INPUT, "%s: no row", csv_path(c));
}

bool contend_load(const char *path, struct arena *a, struct contend_plan *p,
                  struct err *e)
{
    struct csv *c;
    *p = (struct contend_plan){NULL, 0};
    if (!csv_open(&c, path, e))
        return false;
    bool ok = read_all(c, a, p, e);
    csv_close(c);
    return ok;
}

static bool play(struct rail *r, const struct contend_plan *plan,
                 uint32_t depth, struct contend_move *out, struct err *e)
{
    struct feed_job job[RAIL_QPS];
    struct feed_took took;
    for (uint32_t i = 0; i < plan->n; i++) {
        const struct contend_move *m = &plan->move[i];
        job[i] = (struct feed_job){
            .op = m->op,
            .bytes = m->message_bytes,
            .messages = (uint32_t)(m->bytes / m->message_bytes),
            .first = i,
            .qps = 1,
            .depth = depth,
            .start_s = m->start_s};
    }
    if (!feed_run(r, job, plan->n, &took, e))
        return false;
    for (uint32_t i = 0; i < plan->n; i++) {
        out[i] = plan->move[i];
        out[i].begun_s = job[i].begun_s;
        out[i].ended_s = job[i].ended_s;
    }
    return true;
}

bool contend_play(struct partner *p, const struct contend_plan *plan,
                  const struct contend_ask *ask, struct contend_move *out,
                  struct err *e)
{
    struct partner_lane lane;
    struct partner_want want = {.qps = (uint32_t)plan->n};
    if (plan->n > RAIL_QPS)
        return err_set(e, ERR_INPUT, "%zu transfers: %d at most", plan->n,
                       (int)RAIL_QPS);
    for (size_t i = 0; i < plan->n; i++) {
        const struct contend_move *m = &plan->move[i];
        if (m->message_bytes > want.bytes)
            want.bytes = m->message_bytes;
        if (m->bytes / m->message_bytes > UINT32_MAX
            || m->message_bytes > UINT32_MAX)
            return err_set(e, ERR_INPUT, "transfer %s is too large", m->name);
    }
    if (!partner_open(p, &want, &lane, e))
        return false;
    bool ok = true;
    for (uint32_t k = 0; ok && k < ask->runs; k++) {
        struct contend_move *its = out + k * plan->n;
        ok = play(lane.rail, plan, ask->depth, its, e);
        for (size_t i = 0; ok && i < plan->n; i++)
            its[i].run = k;
    }
    if (!ok)
        partner_why(p, e);
    partner_shut(&lane);
    return ok;
}

void contend_head(FILE *f)
{
    fprintf(f, "transfer,op,start_ms,bytes,message_bytes,run,begun_ms,"
               "ended_ms\n");
}

void contend_line(FILE *f, const struct contend_move *m)
{
    csv_put(f, m->name);
    fprintf(f, ",%s,%.6f,%llu,%llu,%u,%.6f,%.6f\n",
            m->op == RAIL_READ ? "READ" : "WRITE", m->start_s / MS,
            (unsigned long long)m->bytes, (unsigned long long)m->message_bytes,
            m->run, m->begun_s / MS, m->ended_s / MS);
}
