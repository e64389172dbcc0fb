#include "tools/rdma_measure.h"

#include "calibrate/rdma/contend.h"
#include "sim/base/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static bool to_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* The text is for people: not where a file takes its place on stdout. */
static bool is_talking(const struct cmd_common *c)
{
    return !to_stdout(c->json) && !to_stdout(c->csv);
}

/* ---- ports ---- */

bool rdma_measure_list(const struct rdma_measure_ask *ask, struct err *e)
{
    struct arena *a = arena_open();
    struct rail_port *port;
    size_t n;
    if (!ask->end.rail->list(a, &port, &n, e)) {
        arena_close(a);
        return false;
    }
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++) {
        cJSON *x = cJSON_CreateObject();
        cJSON_AddStringToObject(x, "name", port[i].name);
        cJSON_AddStringToObject(x, "state", port[i].state);
        cJSON_AddNumberToObject(x, "mtu", port[i].mtu);
        cJSON_AddNumberToObject(x, "nominal_Bps", port[i].Bps);
        cJSON_AddItemToArray(list, x);
        if (is_talking(ask->c))
            printf("%-16s %-8s MTU %-5u %.1f GB/s\n", port[i].name,
                   port[i].state, port[i].mtu, port[i].Bps / 1e9);
    }
    bool ok = cmd_json(ask->c, list, e) && cmd_flush(e);
    json_free(list);
    arena_close(a);
    return ok;
}

/* ---- listening ---- */

static void tell(void *to, const char *line)
{
    const struct rdma_measure_ask *ask = to;
    if (!ask->c->quiet)
        fprintf(stderr, "%s\n", line);
}

bool rdma_measure_listen(const struct rdma_measure_ask *ask, struct err *e)
{
    struct rdma_measure_ask copy = *ask;
    struct partner_door door = {
        .once = ask->once, .stop = cmd_stop(), .said = tell, .to = &copy};
    struct arena *a = arena_open();
    struct rail_port *port;
    size_t n;
    bool ok = partner_ports(&ask->end, a, &port, &n, e)
           && side_listen(ask->bind, ask->port, &door.fd, e);
    if (!ok) {
        arena_close(a);
        return false;
    }
    for (size_t i = 0; !ask->c->quiet && i < n; i++)
        fprintf(stderr, "%s: MTU %u\n", port[i].name, port[i].mtu);
    if (!ask->c->quiet)
        fprintf(stderr, "listening on port %d\n", ask->port);
    arena_close(a);
    ok = partner_serve(&door, &ask->end, e);
    close(door.fd);
    return ok || (door.stop && *door.stop);
}

/* ---- calling ---- */

static bool call_all(const struct rdma_measure_ask *ask, struct partner *p,
                     size_t *n, struct arena *a, struct err *e)
{
    for (*n = 0; *n < ask->peers; (*n)++) {
        p[*n] = (struct partner){.side = {.fd = -1, .stop = cmd_stop()}};
        if (!partner_call(&p[*n], ask->peer[*n], ask->patience_s, &ask->end, a,
                          e))
            return false;
    }
    return true;
}

static void close_all(struct partner *p, size_t n)
{
    while (n-- > 0)
        partner_close(&p[n]);
}

struct ear {
    const struct rdma_measure_ask *ask;
    struct cmd_progress progress;
    FILE *csv; /* NULL: none */
    cJSON *list;
    bool begun;
};

static bool open_csv(const char *path, FILE **f, struct err *e)
{
    *f = !path ? NULL : to_stdout(path) ? stdout : fopen(path, "w");
    if (!path || *f)
        return true;
    return err_set(e, ERR_SYSTEM, "%s: %s", path, strerror(errno));
}

static bool close_csv(const char *path, FILE *f, struct err *e)
{
    if (!f || f == stdout)
        return true;
    bool ok = !ferror(f);
    if (fclose(f) == 0 && ok)
        return true;
    return err_set(e, ERR_SYSTEM, "%s: %s", path, strerror(errno));
}

static void say_row(const struct ladder_row *r, bool first)
{
    const struct ladder_rung *g = &r->rung;
    if (first)
        printf("%-5s %-5s %10s %6s %4s %4s %5s %12s %9s %12s %5s %9s %9s\n",
               "op", "kind", "bytes", "batch", "QPs", "from", "rails",
               "median us", "MAD us", "p99 us", "n", "GB/s", "post us");
    printf("%-5s %-5s %10llu %6u %4u %4u %5u %12.2f %9.2f %12.2f %5u %9.4f",
           g->op == RAIL_READ ? "READ" : "WRITE", ladder_kind_name(g->kind),
           (unsigned long long)g->bytes, g->messages, g->qps, g->senders,
           g->rails, r->p50_s * 1e6, r->mad_s * 1e6, r->p99_s * 1e6, r->n,
           (double)g->bytes * g->messages * g->senders / r->p50_s / 1e9);
    if (isfinite(r->post_s))
        printf(" %9.2f", r->post_s * 1e6);
    printf("\n");
}

static void add_row(cJSON *list, const struct ladder_row *r)
{
    const struct ladder_rung *g = &r->rung;
    cJSON *x = cJSON_CreateObject();
    cJSON_AddStringToObject(x, "nic", r->nic);
    cJSON_AddStringToObject(x, "op", g->op == RAIL_READ ? "READ" : "WRITE");
    cJSON_AddStringToObject(x, "kind", ladder_kind_name(g->kind));
    cJSON_AddNumberToObject(x, "devices_per_side", g->rails);
    cJSON_AddNumberToObject(x, "senders", g->senders);
    cJSON_AddNumberToObject(x, "queue_pairs", g->qps);
    cJSON_AddNumberToObject(x, "messages_per_batch", g->messages);
    cJSON_AddNumberToObject(x, "message_bytes", (double)g->bytes);
    cJSON_AddNumberToObject(x, "n", r->n);
    cJSON_AddNumberToObject(x, "time_us_per_batch", r->p50_s * 1e6);
    cJSON_AddNumberToObject(x, "time_us_mad", r->mad_s * 1e6);
    cJSON_AddNumberToObject(x, "time_us_min", r->min_s * 1e6);
    cJSON_AddNumberToObject(x, "time_us_p90", r->p90_s * 1e6);
    cJSON_AddNumberToObject(x, "time_us_p99", r->p99_s * 1e6);
    if (isfinite(r->post_s))
        cJSON_AddNumberToObject(x, "post_us", r->post_s * 1e6);
    cJSON_AddStringToObject(x, "memory", r->gpu ? "gpu" : "host");
    cJSON_AddItemToArray(list, x);
}

static bool hear(void *to, const struct ladder_row *row, size_t done, size_t of,
                 struct err *e)
{
    struct ear *ear = to;
    if (!ear->begun)
        cmd_progress_begin(&ear->progress, ear->ask->c, "rungs", (double)of);
    if (is_talking(ear->ask->c))
        say_row(row, !ear->begun);
    ear->begun = true;
    if (ear->csv) {
        ladder_line(ear->csv, row);
        if (fflush(ear->csv) != 0)
            return err_set(e, ERR_SYSTEM, "%s: %s", ear->ask->c->csv,
                           strerror(errno));
    }
    add_row(ear->list, row);
    cmd_progress_at(&ear->progress, (double)done,
                    ladder_kind_name(row->rung.kind));
    return true;
}

static bool climb(struct ear *ear, struct arena *a, struct err *e)
{
    const struct rdma_measure_ask *ask = ear->ask;
    struct partner *p = ARENA_ARRAY(a, struct partner, ask->peers);
    const struct ladder_ear its = {hear, ear};
    struct ladder_ask ladder = ask->ladder;
    size_t n;
    ladder.stop = cmd_stop();
    bool ok = call_all(ask, p, &n, a, e);
    if (ok && ear->csv)
        ladder_head(ear->csv);
    ok = ok && ladder_run(p, n, &ladder, &its, e);
    close_all(p, n);
    return ok;
}

bool rdma_measure_ladder(const struct rdma_measure_ask *ask, struct err *e)
{
    struct ear ear = {.ask = ask, .list = cJSON_CreateArray()};
    struct err later = {ERR_NONE, ""};
    struct arena *a = arena_open();
    bool ok = open_csv(ask->c->csv, &ear.csv, e) && climb(&ear, a, e);
    if (ear.begun)
        cmd_progress_end(&ear.progress);
    bool kept = close_csv(ask->c->csv, ear.csv, &later)
             && cmd_json(ask->c, ear.list, &later) && cmd_flush(&later);
    int rows = cJSON_GetArraySize(ear.list);
    json_free(ear.list);
    arena_close(a);
    if (!ok && rows > 0 && ask->c->csv)
        return err_in(e, "%d rows are in %s", rows, ask->c->csv);
    if (ok && !kept)
        *e = later;
    return ok && kept;
}

/* ---- contending ---- */

static bool write_moves(const struct rdma_measure_ask *ask,
                        const struct contend_move *m, size_t n, struct err *e)
{
    FILE *f;
    if (!open_csv(ask->c->csv, &f, e))
        return false;
    if (f) {
        contend_head(f);
        for (size_t i = 0; i < n; i++)
            contend_line(f, &m[i]);
    }
    return close_csv(ask->c->csv, f, e);
}

static bool write_json(const struct rdma_measure_ask *ask,
                       const struct contend_move *m, size_t n, struct err *e)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++) {
        cJSON *x = cJSON_CreateObject();
        cJSON_AddStringToObject(x, "transfer", m[i].name);
        cJSON_AddNumberToObject(x, "run", m[i].run);
        cJSON_AddNumberToObject(x, "start_ms", m[i].start_s * 1e3);
        cJSON_AddNumberToObject(x, "begun_ms", m[i].begun_s * 1e3);
        cJSON_AddNumberToObject(x, "ended_ms", m[i].ended_s * 1e3);
        cJSON_AddNumberToObject(x, "bytes", (double)m[i].bytes);
        cJSON_AddItemToArray(list, x);
    }
    bool ok = cmd_json(ask->c, list, e);
    json_free(list);
    return ok;
}

static void say_moves(const struct contend_move *m, size_t n)
{
    printf("%-12s %4s %-5s %10s %10s %10s %9s\n", "transfer", "run", "op",
           "start ms", "begun ms", "ended ms", "MB");
    for (size_t i = 0; i < n; i++)
        printf("%-12s %4u %-5s %10.2f %10.2f %10.2f %9.3f\n", m[i].name,
               m[i].run, m[i].op == RAIL_READ ? "READ" : "WRITE",
               m[i].start_s * 1e3, m[i].begun_s * 1e3, m[i].ended_s * 1e3,
               (double)m[i].bytes / 1e6);
}

bool rdma_measure_contend(const struct rdma_measure_ask *ask, struct err *e)
{
    struct arena *a = arena_open();
    struct contend_plan plan;
    struct partner p;
    size_t calls = 0;
    bool ok = contend_load(ask->plan, a, &plan, e)
           && call_all(ask, &p, &calls, a, e);
    size_t n = ok ? plan.n * (size_t)ask->runs : 0;
    struct contend_move *out = ARENA_ARRAY(a, struct contend_move, n);
    const struct contend_ask how = {(uint32_t)ask->runs, (uint32_t)ask->depth};
    ok = ok && contend_play(&p, &plan, &how, out, e);
    close_all(&p, calls);
    if (ok && is_talking(ask->c))
        say_moves(out, n);
    ok = ok && write_moves(ask, out, n, e) && write_json(ask, out, n, e)
      && cmd_flush(e);
    arena_close(a);
    return ok;
}
