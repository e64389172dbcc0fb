#include "tools/rdma_replay.h"

#include "calibrate/rdma/contend.h"
#include "calibrate/rdma/spread.h"
#include "sim/base/json.h"
#include "sim/serve/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct outcome {
    const struct contend_move *move; /* its first run */
    double measured_s, spread_s;     /* median and MAD of runs */
    double predicted_s, alone_s;
    uint32_t runs;
};

struct replay {
    struct arena *a;
    struct contend_plan all;
    struct outcome *out; /* a transfer each */
    size_t n;
    const struct wire *wire; /* at the end of it all */
};

static struct outcome *find(struct replay *r, const struct contend_move *m)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->out[i].move->name, m->name) == 0)
            return &r->out[i];
    return NULL;
}

/* Runs of one transfer, from its own planned start to its end. */
static bool gather(struct replay *r, const char *path, struct err *e)
{
    r->out = ARENA_ARRAY(r->a, struct outcome, r->all.n);
    double *took = ARENA_ARRAY(r->a, double, r->all.n);
    for (size_t i = 0; i < r->all.n; i++) {
        const struct contend_move *m = &r->all.move[i];
        if (isnan(m->ended_s))
            return err_set(e, ERR_INPUT,
                           "%s: transfer %s has no ended_ms: "
                           "is this a plan?",
                           path, m->name);
        if (!find(r, m))
            r->out[r->n++].move = m;
    }
    for (size_t k = 0; k < r->n; k++) {
        size_t n = 0;
        for (size_t i = 0; i < r->all.n; i++)
            if (strcmp(r->all.move[i].name, r->out[k].move->name) == 0)
                took[n++] = r->all.move[i].ended_s - r->all.move[i].start_s;
        struct spread s = spread_of(took, n);
        r->out[k].measured_s = s.p50;
        r->out[k].spread_s = s.mad;
        r->out[k].runs = (uint32_t)n;
    }
    return true;
}

/* Ends until `until`; what has ended is written down. */
static void run_to(struct replay *r, struct wire *w, ns_t until)
{
    struct wire_done d;
    for (ns_t at; (at = wire_next(w)) <= until && at != NS_NEVER;)
        while (wire_take(w, at, &d)) {
            struct outcome *o = &r->out[d.user];
            o->predicted_s = units_s(at) - o->move->start_s;
            o->alone_s = d.alone_s;
        }
}

static int by_start(const void *a, const void *b)
{
    const struct outcome *x = a, *y = b;
    if (x->move->start_s < y->move->start_s)
        return -1;
    return x->move->start_s > y->move->start_s ? 1
         : x->move < y->move                   ? -1
                                               : x->move > y->move;
}

/* Node 0 is the end that posted: its WRITEs leave it, its READs come in. */
static bool predict(struct replay *r, const struct wire_card *card,
                    struct err *e)
{
    const struct wire_end here = {0, 0}, there = {1, 0};
    struct wire *w = wire_new(card, 2, 1, r->a);
    qsort(r->out, r->n, sizeof *r->out, by_start);
    for (size_t i = 0; i < r->n; i++) {
        const struct contend_move *m = r->out[i].move;
        bool read = m->op == RAIL_READ;
        struct wire_part p = {.from = read ? there : here,
                              .to = read ? here : there,
                              .bytes = (int64_t)m->bytes};
        ns_t at = units_ns(m->start_s);
        run_to(r, w, at);
        const struct wire_ask ask = {.op = read ? WIRE_READ : WIRE_WRITE,
                                     .part = &p,
                                     .n = 1,
                                     .message_bytes = (double)m->message_bytes,
                                     .user = i};
        wire_begin(w, at, &ask);
        if (!wire_check(w, e))
            return false;
    }
    run_to(r, w, NS_NEVER - 1);
    r->wire = w;
    return true;
}

static double error_of(const struct outcome *o)
{
    return o->predicted_s / o->measured_s - 1;
}

/* Where transfers waited: the links that held some of them back. */
static void say_links(const struct replay *r)
{
    double end_s = 0;
    for (size_t i = 0; i < r->n; i++)
        end_s = fmax(end_s, r->out[i].move->start_s + r->out[i].predicted_s);
    for (uint32_t l = 0; l < wire_links(r->wire); l++) {
        struct wire_link_seen x = wire_link_seen(r->wire, l, units_ns(end_s));
        if (x.waited_s > 0)
            printf("waited for %s %u of %s: %.2f ms in all, busy %.0f %%\n",
                   wire_kind_name(x.kind), x.unit,
                   x.node ? "the peer" : "this end", x.waited_s * 1e3,
                   100 * x.busy);
    }
}

static void say(const struct replay *r)
{
    printf("%-10s %-5s %9s %8s %5s %12s %8s %12s %12s %8s\n", "transfer", "op",
           "start ms", "MB", "runs", "measured ms", "MAD", "predicted ms",
           "alone ms", "error");
    for (size_t i = 0; i < r->n; i++) {
        const struct outcome *o = &r->out[i];
        printf("%-10s %-5s %9.1f %8.2f %5u %12.2f %8.2f %12.2f %12.2f "
               "%+7.1f%%\n",
               o->move->name, o->move->op == RAIL_READ ? "READ" : "WRITE",
               o->move->start_s * 1e3, (double)o->move->bytes / 1e6, o->runs,
               o->measured_s * 1e3, o->spread_s * 1e3, o->predicted_s * 1e3,
               o->alone_s * 1e3, 100 * error_of(o));
    }
    say_links(r);
}

static bool write_json(const struct replay *r, const struct cmd_common *c,
                       struct err *e)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < r->n; i++) {
        const struct outcome *o = &r->out[i];
        cJSON *x = cJSON_CreateObject();
        cJSON_AddStringToObject(x, "transfer", o->move->name);
        cJSON_AddNumberToObject(x, "runs", o->runs);
        cJSON_AddNumberToObject(x, "measured_ms", o->measured_s * 1e3);
        cJSON_AddNumberToObject(x, "mad_ms", o->spread_s * 1e3);
        cJSON_AddNumberToObject(x, "predicted_ms", o->predicted_s * 1e3);
        cJSON_AddNumberToObject(x, "alone_ms", o->alone_s * 1e3);
        cJSON_AddItemToArray(list, x);
    }
    bool ok = cmd_json(c, list, e);
    json_free(list);
    return ok;
}

/* The worst transfer within the tolerance, or which one is not. */
static bool judge(const struct replay *r, double tolerance, struct err *e)
{
    const struct outcome *worst = &r->out[0];
    for (size_t i = 1; i < r->n; i++)
        if (fabs(error_of(&r->out[i])) > fabs(error_of(worst)))
            worst = &r->out[i];
    if (fabs(error_of(worst)) <= tolerance)
        return true;
    return err_set(e, ERR_NO,
                   "transfer %s: predicted %.2f ms, measured "
                   "%.2f ms: %+.1f %%, outside %.0f %%",
                   worst->move->name, worst->predicted_s * 1e3,
                   worst->measured_s * 1e3, 100 * error_of(worst),
                   100 * tolerance);
}

bool rdma_replay(const struct rdma_replay_ask *ask, struct err *e)
{
    struct replay r = {.a = arena_open()};
    struct wire_card card;
    /* A name with a slash is a file. */
    const char *file = strchr(ask->card, '/')
                         ? ask->card
                         : arena_fmt(r.a, "./%s", ask->card);
    bool ok = card_wire("", file, r.a, &card, e)
           && contend_load(ask->runs, r.a, &r.all, e)
           && gather(&r, ask->runs, e) && predict(&r, &card, e);
    if (ok && !(ask->c->json && strcmp(ask->c->json, "-") == 0))
        say(&r);
    ok = ok && write_json(&r, ask->c, e) && cmd_flush(e)
      && judge(&r, ask->tolerance, e);
    arena_close(r.a);
    return ok;
}
