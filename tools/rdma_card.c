#include "tools/rdma_card.h"

#include "calibrate/fit/link.h"
#include "sim/base/json.h"

#include <math.h>
#include <string.h>
#include <time.h>

static void say(const char *what, const struct link_value *v, double unit,
                const char *name)
{
    if (isinf(v->is))
        printf("  %-12s no limit seen\n", what);
    else if (isfinite(v->se))
        printf("  %-12s %10.4g +- %.2g %s\n", what, v->is / unit, v->se / unit,
               name);
    else
        printf("  %-12s %10.4g %s %s\n", what, v->is / unit,
               v->held ? "(held)" : "(error unknown)", name);
}

static void say_op(const char *name, const struct link_law *l)
{
    if (l->n == 0) {
        printf("%s: no rows\n", name);
        return;
    }
    printf("%s: %zu rows, error %.1f %% in the median, %.1f %% at p95, "
           "%.1f %% at worst\n",
           name, l->n, l->ape_median, l->ape_p95, l->ape_max);
    say("latency", &l->latency_s, 1e-6, "us");
    say("rail", &l->rail_Bps, 1e9, "GB/s");
    say("queue pair", &l->flow_Bps, 1e9, "GB/s");
    say("gap", &l->gap_s, 1e-6, "us a message");
    if (l->gap_s.is > 0)
        printf("  %-12s %10.4g KiB: half the rate\n", "knee",
               l->gap_s.is * l->rail_Bps.is / 1024);
    say("fan-in", &l->incast, 1, "of one sender's rate");
    say("both ways", &l->both, 1, "of one way's rate");
}

static void say_fit(const struct link_fit *f)
{
    printf("NIC %s, %s memory\n", f->nic, f->gpu ? "GPU" : "host");
    say_op("READ", &f->op[LINK_READ]);
    say_op("WRITE", &f->op[LINK_WRITE]);
    if (isfinite(f->post_s.is)) {
        printf("posting: %zu rows\n", f->n_post);
        say("a batch", &f->post_base_s, 1e-6, "us of processor time");
        say("a message", &f->post_s, 1e-6, "us of processor time");
    }
    if (f->rails > 1 && isfinite(f->rails_share))
        printf("%d rails together: %.4g GB/s, %.0f %% of that many times "
               "one\n",
               f->rails, f->rails_Bps / 1e9, 100 * f->rails_share);
}

static void add(cJSON *o, const char *key, const struct link_value *v)
{
    cJSON *x = cJSON_AddObjectToObject(o, key);
    if (isfinite(v->is))
        cJSON_AddNumberToObject(x, "value", v->is);
    else
        cJSON_AddNullToObject(x, "value");
    if (isfinite(v->se))
        cJSON_AddNumberToObject(x, "se", v->se);
}

static void add_op(cJSON *o, const char *key, const struct link_law *l)
{
    if (l->n == 0)
        return;
    cJSON *x = cJSON_AddObjectToObject(o, key);
    cJSON_AddNumberToObject(x, "rows", (double)l->n);
    add(x, "latency_s", &l->latency_s);
    add(x, "rail_Bps", &l->rail_Bps);
    add(x, "flow_Bps", &l->flow_Bps);
    add(x, "gap_s", &l->gap_s);
    add(x, "incast", &l->incast);
    add(x, "both", &l->both);
    cJSON_AddNumberToObject(x, "ape_median_pct", l->ape_median);
    cJSON_AddNumberToObject(x, "ape_p95_pct", l->ape_p95);
    cJSON_AddNumberToObject(x, "ape_max_pct", l->ape_max);
}

static bool write_json(const struct rdma_card_ask *ask,
                       const struct link_fit *f, struct err *e)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "nic", f->nic);
    cJSON_AddStringToObject(o, "memory", f->gpu ? "gpu" : "host");
    add_op(o, "read", &f->op[LINK_READ]);
    add_op(o, "write", &f->op[LINK_WRITE]);
    add(o, "post_s", &f->post_s);
    add(o, "post_base_s", &f->post_base_s);
    bool ok = cmd_json(ask->c, o, e);
    json_free(o);
    return ok;
}

static bool write_card(struct cmd_session *s, const struct rdma_card_ask *ask,
                       const struct link_fit *f, struct err *e)
{
    struct card_at at = {s->models, "wire", ask->base, NULL};
    struct file_out out;
    char today[16];
    time_t now = time(NULL);
    cJSON *base;
    if (!card_file(&at, s->a, &base, e))
        return false;
    strftime(today, sizeof today, "%Y-%m-%d", gmtime(&now));
    struct link_card_ask card = {base, ask->base, today, ask->nics,
                                 ask->flow_qps};
    cJSON *tree = link_card(f, &card);
    bool ok = file_out_open(&out, ask->card, e);
    if (ok) {
        fprintf(out.f, "%s\n", json_print(tree, true, s->a));
        ok = file_out_done(&out, e);
        file_out_drop(&out);
    }
    json_free(tree);
    json_free(base);
    return ok;
}

bool rdma_card(const struct rdma_card_ask *ask, struct err *e)
{
    struct arena *a = arena_open();
    struct link_rows rows;
    struct link_fit f;
    bool ok = link_load(ask->rows, ask->nic, a, &rows, e)
           && link_fit(&rows, &f, e);
    if (ok && !(ask->c->json && strcmp(ask->c->json, "-") == 0))
        say_fit(&f);
    ok = ok && write_json(ask, &f, e);
    if (ok && ask->card) {
        struct cmd_session s;
        ok = cmd_open(&s, ask->c, e);
        if (ok) {
            ok = write_card(&s, ask, &f, e);
            cmd_close(&s);
        }
    }
    arena_close(a);
    return ok && cmd_flush(e);
}
