#include "calibrate/fit/link.h"

#include "calibrate/fit/judge.h"
#include "calibrate/fit/fit.h"
#include "sim/base/csv.h"
#include "sim/base/must.h"
#include "sim/cost/form.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAIN 1.1   /* of more queue pairs, from which one alone is a limit */
#define NEVER 1e30 /* a flow's rate where one queue pair is enough */
#define US 1e-6
#define GBPS 1e9

/* ---- forms: not in sim/cost, no operator has them ---- */

enum { LATENCY, RAIL, FLOW, GAP, INCAST, BOTH };
enum { BYTES, MESSAGES, QPS, SENDERS, TWO_WAY };

static double batch_time(const double *c, const double *x)
{
    double rail = c[RAIL] * GBPS;
    if (x[SENDERS] > 1)
        rail *= c[INCAST] / x[SENDERS];
    if (x[TWO_WAY] > 0)
        rail *= c[BOTH];
    double port = x[MESSAGES] * (c[GAP] * US + x[BYTES] / rail);
    double pair = x[MESSAGES] / x[QPS] * x[BYTES] / (c[FLOW] * GBPS);
    return c[LATENCY] * US + fmax(port, pair);
}

static const struct form batch_form = {
    .name = "rdma",
    .what = "latency + max(n (gap + bytes / rail), n / qps bytes / flow)",
    .n_coef = 6,
    .coef = {"latency_us", "rail_GBps", "flow_GBps", "gap_us", "incast",
             "both"},
    .lo = {1e-2, 1e-4, 1e-4, 1e-4, 0.05, 0.05},
    .hi = {1e6, 1e3, 1e3, 1e4, 1.25, 1.25},
    .guess = {10, 10, 10, 0.2, 0.95, 0.95},
    .n_feature = 5,
    .feature = {"bytes", "messages", "qps", "senders", "two_way"},
    .value = batch_time,
};

enum { POST_BASE, POST_EACH };

static double post_time(const double *c, const double *x)
{
    return (c[POST_BASE] + c[POST_EACH] * x[0]) * US;
}

static const struct form post_form = {
    .name = "post",
    .what = "base + messages x each",
    .n_coef = 2,
    .coef = {"base_us", "each_us"},
    .lo = {1e-4, 1e-4},
    .hi = {1e5, 1e4},
    .guess = {1, 0.2},
    .n_feature = 1,
    .feature = {"messages"},
    .value = post_time,
};

/* ---- rows ---- */

struct columns {
    int nic, op, rails, senders, both, qps, messages, bytes, time, post, memory;
};

static bool find_columns(const struct csv *c, struct columns *k, struct err *e)
{
    *k = (struct columns){
        .nic = csv_col(c, "nic"),
        .op = csv_col(c, "op"),
        .rails = csv_col(c, "devices_per_side"),
        .senders = csv_col(c, "senders"),
        .both = csv_col(c, "both"),
        .qps = csv_col(c, "queue_pairs"),
        .messages = csv_col(c, "messages_per_batch"),
        .bytes = csv_col(c, "message_bytes"),
        .time = csv_col(c, "time_us_per_batch"),
        .post = csv_col(c, "post_us"),
        .memory = csv_col(c, "memory"),
    };
    const struct {
        int col;
        const char *name;
    } need[] = {{k->op, "op"},
                {k->messages, "messages_per_batch"},
                {k->bytes, "message_bytes"},
                {k->time, "time_us_per_batch"}};
    for (size_t i = 0; i < sizeof need / sizeof *need; i++)
        if (need[i].col < 0)
            return err_set(e, ERR_INPUT, "%s: no column %s", csv_path(c),
                           need[i].name);
    return true;
}

static bool number(const struct csv *c, int col, double absent, double least,
                   double *out, struct err *e)
{
    *out = absent;
    if (col < 0 || !*csv_text(c, col))
        return true;
    if (!csv_num(c, col, out, e))
        return false;
    if (*out >= least)
        return true;
    return err_set(e, ERR_INPUT, "%s:%ld: %s is below %g", csv_path(c),
                   csv_line(c), csv_text(c, col), least);
}

static bool read_row(const struct csv *c, const struct columns *k,
                     struct link_row *r, struct err *e)
{
    double both, time_us, post_us;
    bool ok = number(c, k->bytes, NAN, 1, &r->bytes, e)
           && number(c, k->messages, NAN, 1, &r->messages, e)
           && number(c, k->qps, 1, 1, &r->qps, e)
           && number(c, k->senders, 1, 1, &r->senders, e)
           && number(c, k->rails, 1, 1, &r->rails, e)
           && number(c, k->both, 0, 0, &both, e)
           && number(c, k->time, NAN, 1e-3, &time_us, e)
           && number(c, k->post, NAN, 0, &post_us, e);
    if (!ok)
        return false;
    if (isnan(r->bytes) || isnan(r->messages) || isnan(time_us))
        return err_set(e, ERR_INPUT, "%s:%ld: a field is empty", csv_path(c),
                       csv_line(c));
    r->both = both > 0;
    r->gpu = strcmp(csv_text(c, k->memory), "gpu") == 0;
    r->time_s = time_us * US;
    r->post_s = post_us > 0 ? post_us * US : NAN;
    return true;
}

/* Whose row it is: false when another NIC's, or of no one direction. */
static bool is_ours(const struct csv *c, const struct columns *k,
                    struct link_rows *rows, const char *nic, struct arena *a,
                    struct link_row *r)
{
    const char *its = csv_text(c, k->nic), *op = csv_text(c, k->op);
    if (strcmp(op, "READ") == 0)
        r->op = LINK_READ;
    else if (strcmp(op, "WRITE") == 0)
        r->op = LINK_WRITE;
    else
        return false;
    if (!rows->nic && (!nic || strcmp(nic, its) == 0))
        rows->nic = arena_str(a, its);
    return rows->nic && strcmp(rows->nic, its) == 0;
}

static bool read_all(struct csv *c, const char *nic, struct arena *a,
                     struct link_rows *rows, struct err *e)
{
    struct columns k;
    struct err end = {ERR_NONE, ""};
    size_t cap = 0;
    if (!find_columns(c, &k, e))
        return false;
    while (csv_next(c, &end)) {
        struct link_row r;
        if (!is_ours(c, &k, rows, nic, a, &r)) {
            rows->other++;
            continue;
        }
        if (!read_row(c, &k, &r, e))
            return false;
        ARENA_ROOM(a, rows->row, rows->n, cap);
        rows->row[rows->n++] = r;
    }
    if (end.kind != ERR_NONE) {
        *e = end;
        return false;
    }
    if (rows->n == 0)
        return err_set(e, ERR_INPUT, "%s: no row%s%s", csv_path(c),
                       nic ? " of NIC " : "", nic ? nic : "");
    return true;
}

bool link_load(const char *path, const char *nic, struct arena *a,
               struct link_rows *r, struct err *e)
{
    struct csv *c;
    *r = (struct link_rows){NULL, 0, NULL, 0};
    if (!csv_open(&c, path, e))
        return false;
    bool ok = read_all(c, nic, a, r, e);
    csv_close(c);
    if (ok && !nic && r->other > 0)
        return err_set(e, ERR_INPUT,
                       "%s: %zu rows are of another NIC than "
                       "%s, or of no one direction: say which NIC",
                       path, r->other, r->nic);
    return ok;
}

/* ---- fitting ---- */

static struct fit_point point_of(const struct link_row *r, uint32_t group)
{
    struct fit_point p = {.time_s = r->time_s, .group = group};
    p.x[BYTES] = r->bytes;
    p.x[MESSAGES] = r->messages;
    p.x[QPS] = r->qps;
    p.x[SENDERS] = r->senders;
    p.x[TWO_WAY] = r->both;
    return p;
}

static double rate_of(const struct link_row *r)
{
    return r->bytes * r->messages / r->time_s;
}

/* The most that more queue pairs gain over one, all else equal. */
static double gain_of(const struct link_row *r, size_t n)
{
    double best = 1;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (r[i].qps <= 1 && r[k].qps > 1 && !r[k].both && !r[i].both
                && r[i].bytes >= r[k].bytes && r[i].bytes <= r[k].bytes
                && r[i].messages >= r[k].messages
                && r[i].messages <= r[k].messages && r[i].senders <= 1
                && r[k].senders <= 1)
                best = fmax(best, rate_of(&r[k]) / rate_of(&r[i]));
    return best;
}

static void hold(struct fit_law *law, int c, double value)
{
    law->coef[c] = value;
    law->held[c] = true;
}

/* First guesses from the extremes, and what the rows say nothing about. */
static struct fit_law begin_law(const struct link_row *r, size_t n)
{
    struct fit_law law = fit_guess(&batch_form);
    bool fan = false, both = false;
    double least = INFINITY, most = 0, few = INFINITY, many = 0;
    for (size_t i = 0; i < n; i++) {
        few = fmin(few, r[i].messages);
        many = fmax(many, r[i].messages);
        fan = fan || r[i].senders > 1;
        both = both || r[i].both;
        least = fmin(least, r[i].time_s);
        most = fmax(most, r[i].senders * rate_of(&r[i]));
    }
    law.coef[LATENCY] = 0.8 * least / US;
    law.coef[RAIL] = most / GBPS;
    law.coef[FLOW] = most / GBPS / 2;
    if (few >= many) /* part of the latency, then */
        hold(&law, GAP, 0);
    if (!fan)
        hold(&law, INCAST, 1);
    if (!both)
        hold(&law, BOTH, 1);
    if (gain_of(r, n) < GAIN)
        hold(&law, FLOW, NEVER);
    return law;
}

static struct link_value value_of(const struct fit_law *law, int c, double unit)
{
    return (struct link_value){law->coef[c] * unit,
                               law->held[c] ? NAN : law->se[c] * unit,
                               law->held[c]};
}

static bool fit_op(const struct link_rows *rows, enum link_op op,
                   struct link_law *out, struct arena *a, struct err *e)
{
    struct link_row *r = ARENA_ARRAY(a, struct link_row, rows->n);
    struct fit_point *p = ARENA_ARRAY(a, struct fit_point, rows->n);
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (rows->row[i].op == op && rows->row[i].rails <= 1) {
            r[n] = rows->row[i];
            p[n] = point_of(&r[n], (uint32_t)n);
            n++;
        }
    *out = (struct link_law){.n = n};
    if (n == 0)
        return true;
    struct fit_law law = begin_law(r, n);
    if (!fit_run(&law, p, n, e))
        return err_in(e, "%s", op == LINK_READ ? "READ" : "WRITE");
    struct judge j = judge_rows(&law, p, n);
    out->latency_s = value_of(&law, LATENCY, US);
    out->rail_Bps = value_of(&law, RAIL, GBPS);
    out->flow_Bps = value_of(&law, FLOW, GBPS);
    out->gap_s = value_of(&law, GAP, US);
    out->incast = value_of(&law, INCAST, 1);
    out->both = value_of(&law, BOTH, 1);
    if (law.held[FLOW])
        out->flow_Bps.is = INFINITY;
    out->ape_median = j.median;
    out->ape_p95 = j.p95;
    out->ape_max = j.max;
    return true;
}

static bool fit_post(const struct link_rows *rows, struct link_fit *f,
                     struct arena *a, struct err *e)
{
    struct fit_point *p = ARENA_ARRAY(a, struct fit_point, rows->n);
    size_t n = 0;
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (isfinite(rows->row[i].post_s)) {
            p[n] = (struct fit_point){.time_s = rows->row[i].post_s,
                                      .group = (uint32_t)n};
            p[n].x[0] = rows->row[i].messages;
            least = fmin(least, p[n].x[0]);
            most = fmax(most, p[n].x[0]);
            n++;
        }
    f->n_post = n;
    f->post_s = f->post_base_s = (struct link_value){NAN, NAN, true};
    if (n < 4 || least >= most)
        return true; /* nothing to draw a line through */
    struct fit_law law = fit_guess(&post_form);
    if (!fit_run(&law, p, n, e))
        return err_in(e, "posting");
    f->post_base_s = value_of(&law, POST_BASE, US);
    f->post_s = value_of(&law, POST_EACH, US);
    return true;
}

/* What several rails reach together, against one of them on the same rung. */
static void see_rails(const struct link_rows *rows, struct link_fit *f)
{
    f->rails = 1;
    f->rails_share = NAN;
    for (size_t i = 0; i < rows->n; i++) {
        const struct link_row *x = &rows->row[i];
        if (x->rails > f->rails)
            f->rails = (int)x->rails;
    }
    for (size_t i = 0; f->rails > 1 && i < rows->n; i++)
        for (size_t k = 0; k < rows->n; k++) {
            const struct link_row *x = &rows->row[i], *y = &rows->row[k];
            if ((int)x->rails != f->rails || y->rails > 1 || x->op != y->op
                || y->both || y->senders > 1 || fabs(x->bytes - y->bytes) > 0
                || fabs(x->messages - y->messages) > 0
                || fabs(x->qps - y->qps) > 0)
                continue;
            double share = y->time_s / x->time_s;
            if (isnan(f->rails_share) || share > f->rails_share) {
                f->rails_share = share;
                f->rails_Bps = f->rails * rate_of(x);
            }
        }
}

bool link_fit(const struct link_rows *r, struct link_fit *f, struct err *e)
{
    struct arena *a = arena_open();
    *f = (struct link_fit){.nic = r->nic};
    for (size_t i = 0; i < r->n; i++)
        f->gpu = f->gpu || r->row[i].gpu;
    bool ok = fit_op(r, LINK_READ, &f->op[LINK_READ], a, e)
           && fit_op(r, LINK_WRITE, &f->op[LINK_WRITE], a, e)
           && fit_post(r, f, a, e);
    see_rails(r, f);
    arena_close(a);
    return ok;
}

double link_time(const struct link_law *law, const struct link_row *row)
{
    must(law->n > 0);
    const double c[] = {
        [LATENCY] = law->latency_s.is / US,
        [RAIL] = law->rail_Bps.is / GBPS,
        [FLOW] = fmin(law->flow_Bps.is / GBPS, NEVER),
        [GAP] = law->gap_s.is / US,
        [INCAST] = law->incast.is,
        [BOTH] = law->both.is,
    };
    return batch_time(c, point_of(row, 0).x);
}
