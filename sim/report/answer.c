#include "sim/report/answer.h"

#include "sim/base/csv.h"
#include "sim/base/must.h"
#include "sim/base/str.h"
#include "sim/plan/trial.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS_PER_HOUR = 3600, TOKENS_PER_MTOK = 1000000 };

/* ---- numbers and trees ---- */

static cJSON *made(cJSON *item)
{
    if (!item)
        abort(); /* cJSON gives NULL only when memory is out */
    return item;
}

static cJSON *hang(cJSON *obj, const char *key, cJSON *item)
{
    if (!cJSON_AddItemToObject(obj, key, made(item)))
        abort();
    return item;
}

/* cJSON prints a double with 15 digits when those read back as the same
 * double.  A double nearest to a decimal of six digits always does, so it
 * prints as that decimal: rounding here is all that 0.1 needs. */
cJSON *answer_number(double v)
{
    if (!isfinite(v))
        return NULL;
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    return made(cJSON_CreateNumber(strtod(text, NULL)));
}

void answer_put(cJSON *obj, const char *key, double v)
{
    cJSON *item = answer_number(v);
    if (item)
        hang(obj, key, item);
}

static void put_count(cJSON *obj, const char *key, int64_t n)
{
    hang(obj, key, cJSON_CreateNumber((double)n));
}

static void put_text(cJSON *obj, const char *key, const char *s)
{
    if (s)
        hang(obj, key, cJSON_CreateString(s));
}

const cJSON *answer_at(const cJSON *obj, const char *path)
{
    while (obj && *path) {
        size_t n = strcspn(path, ".");
        const cJSON *i = cJSON_IsObject(obj) ? obj->child : NULL;
        while (i && (strncmp(i->string, path, n) != 0 || i->string[n]))
            i = i->next;
        obj = i;
        path += n + (path[n] == '.');
    }
    return obj;
}

double answer_num(const cJSON *obj, const char *path)
{
    const cJSON *i = answer_at(obj, path);
    return cJSON_IsNumber(i) ? i->valuedouble : NAN;
}

const char *answer_text(const cJSON *obj, const char *path)
{
    const cJSON *i = answer_at(obj, path);
    return cJSON_IsString(i) ? i->valuestring : NULL;
}

/* ---- outcome to tree ---- */

static void put_dist(cJSON *obj, const char *key, const struct world_dist *d)
{
    if (isnan(d->mean))
        return;
    cJSON *o = hang(obj, key, cJSON_CreateObject());
    answer_put(o, "mean", d->mean);
    answer_put(o, "p50", d->p50);
    answer_put(o, "p90", d->p90);
    answer_put(o, "p95", d->p95);
    answer_put(o, "p99", d->p99);
    answer_put(o, "p999", d->p999);
    answer_put(o, "max", d->max);
}

/* The nominal length where there is one, else the mean of the run. */
static double length(const struct length_spec *l, int64_t tokens, int64_t reqs)
{
    if (l->kind == LENGTH_FIXED && l->tokens > 0)
        return (double)l->tokens;
    return reqs > 0 ? (double)tokens / (double)reqs : NAN;
}

static const char *role_name(enum pool_role r)
{
    switch (r) {
    case ROLE_AGGREGATED:
        return "aggregated";
    case ROLE_PREFILL:
        return "prefill";
    case ROLE_DECODE:
        return "decode";
    }
    must_fail("a known pool_role", __FILE__, __LINE__);
}

static bool is_pd(const struct scenario_topology *t)
{
    return t->n_pools > 1;
}

static void put_asked(cJSON *a, const struct scenario_topology *t,
                      const struct load_spec *load, const struct outcome *o)
{
    put_text(a, "topology", t->name);
    put_count(a, "gpus", (int64_t)t->gpus);
    put_text(a, "arrival", load->arrive ? load->arrive->name : NULL);
    answer_put(a, "concurrency", o->concurrency);
    if (load->rate_rps > 0)
        answer_put(a, "rate_rps", load->rate_rps);
    answer_put(a, "isl", length(&load->isl, o->input_tokens, o->requests));
    answer_put(a, "osl", length(&load->osl, o->output_tokens, o->requests));
    put_count(a, "requests", o->requests);
}

static void put_rates(cJSON *a, const struct scenario_topology *t,
                      const struct outcome *o)
{
    answer_put(a, "req_s", o->req_s);
    answer_put(a, "output_tok_s", o->output_tok_s);
    answer_put(a, "total_tok_s_per_gpu", o->total_tok_s / (double)t->gpus);
    answer_put(a, "tpsu", o->tpsu);
    answer_put(a, "tpsg", o->tpsg);
    answer_put(a, "interactivity", o->interactivity);
}

static void put_times(cJSON *a, const struct outcome *o)
{
    put_dist(a, "ttft_ms", &o->ttft);
    put_dist(a, "tpot_ms", &o->tpot);
    put_dist(a, "itl_ms", &o->itl);
    put_dist(a, "e2e_ms", &o->e2e);
    cJSON *p = hang(a, "ttft_parts_ms", cJSON_CreateObject());
    answer_put(p, "route", o->ttft_route);
    answer_put(p, "queue", o->ttft_queue);
    answer_put(p, "prefill", o->ttft_prefill);
    answer_put(p, "stage", o->ttft_stage);
    answer_put(p, "transfer", o->ttft_transfer);
    answer_put(p, "first", o->ttft_first);
    cJSON *c = hang(a, "ci95", cJSON_CreateObject());
    answer_put(c, "tpsu", o->ci_tpsu);
    answer_put(c, "tpsg", o->ci_tpsg);
    answer_put(c, "ttft_ms_p99", o->ci_ttft_p99);
    answer_put(c, "itl_ms_p99", o->ci_itl_p99);
    answer_put(c, "e2e_ms_p99", o->ci_e2e_p99);
}

static void put_util(cJSON *a, const struct scenario_topology *t,
                     const struct outcome *o)
{
    cJSON *u = hang(a, "util", cJSON_CreateObject());
    for (uint32_t i = 0; i < t->n_pools; i++) {
        const struct world_pool *w = &o->pool[i];
        cJSON *p = hang(u, role_name(t->pool[i].role), cJSON_CreateObject());
        answer_put(p, "engines", w->busy);
        answer_put(p, "kv", w->kv);
        answer_put(p, "kv_max", w->kv_max);
        answer_put(p, "nic", w->nic);
        answer_put(p, "waiting", w->waiting);
    }
    put_text(a, "bottleneck", world_bottleneck_name(o->bottleneck));
    put_count(a, "preemptions", o->preemptions);
    if (o->failed)
        put_count(a, "failed", o->failed);
    if (!is_pd(t))
        return;
    answer_put(a, "kv_transfer_ms", o->kv_transfer.mean);
    put_dist(a, "kv_transfer_dist_ms", &o->kv_transfer);
}

static void put_worth(cJSON *a, const struct scenario *s,
                      const struct scenario_topology *t,
                      const struct outcome *o)
{
    double usd_h = s->gpu.usd_per_hour;
    if (!isnan(usd_h) && o->output_tok_s > 0)
        answer_put(a, "usd_per_mtok_output",
                   usd_h * (double)t->gpus * TOKENS_PER_MTOK
                       / (o->output_tok_s * SECONDS_PER_HOUR));
    if (trial_slo_given(&s->slo))
        hang(a, "slo_met", cJSON_CreateBool(trial_slo_met(&s->slo, o)));
}

/* ---- what it rests on ---- */

static void list_add(cJSON *list, const char *s)
{
    for (const cJSON *i = list->child; i; i = i->next)
        if (strcmp(i->valuestring, s) == 0)
            return;
    cJSON_AddItemToArray(list, made(cJSON_CreateString(s)));
}

static void list_all(cJSON *list, const char *const *names)
{
    for (; names && *names; names++)
        list_add(list, *names);
}

static void put_fits(cJSON *b, const struct scenario *s,
                     const struct scenario_topology *t,
                     const struct price_basis *const basis[])
{
    cJSON *extra = cJSON_CreateArray(), *laws = cJSON_CreateArray();
    uint32_t ops = 0, by_law = 0, donated = 0;
    bool fitted = true;
    double ape = NAN;
    for (uint32_t i = 0; i < t->n_pools; i++) {
        const struct price_basis *p = basis[i];
        if (!p)
            continue;
        ops = p->ops > ops ? p->ops : ops;
        by_law = p->laws > by_law ? p->laws : by_law;
        donated = p->uncalibrated > donated ? p->uncalibrated : donated;
        fitted = fitted && p->laws + p->uncalibrated < p->ops;
        ape = fmax(ape, p->ape_median);
        list_all(made(extra), p->extrapolated_ops);
        list_all(made(laws), p->law_ops);
    }
    if (is_pd(t) && !s->wire.calibrated)
        list_add(laws, "wire");
    cJSON *f = hang(b, "fits", cJSON_CreateObject());
    put_count(f, "ops", ops);
    put_count(f, "laws", by_law);
    put_count(f, "uncalibrated", donated);
    answer_put(f, "ape_median_pct", ape);
    if (donated && s->donor_gpu.name)
        put_text(b, "donor", s->donor_gpu.name);
    hang(b, "extrapolated", extra);
    hang(b, "laws", laws);
    hang(b, "calibrated", cJSON_CreateBool(ops > 0 && !donated && fitted));
}

cJSON *answer_json(const struct scenario *s, const struct scenario_topology *t,
                   const struct load_spec *load, const struct outcome *o,
                   const struct price_basis *const basis[])
{
    cJSON *a = made(cJSON_CreateObject());
    put_asked(a, t, load, o);
    put_rates(a, t, o);
    put_times(a, o);
    put_util(a, t, o);
    put_worth(a, s, t, o);
    cJSON *b = hang(a, "basis", cJSON_CreateObject());
    put_text(b, "store", s->own.store);
    put_text(b, "gpu", s->gpu.name);
    put_text(b, "model", s->llm.name);
    if (is_pd(t))
        put_text(b, "wire", s->wire.name);
    put_text(b, "engine", s->engine.profile);
    put_text(b, "router", s->router_profile);
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, s->seed);
    put_text(b, "seed", digits); /* text: beyond 2^53 no double holds it */
    put_fits(b, s, t, basis);
    return a;
}

void answer_line(FILE *f, const cJSON *answer)
{
    char *text = cJSON_PrintUnformatted(answer);
    if (!text)
        abort();
    fputs(text, f);
    fputc('\n', f);
    cJSON_free(text);
}

/* ---- aligned table ---- */

static const struct column {
    const char *head, *path;
    const char *fmt; /* of the number; NULL: text */
} columns[] = {
    {"topology", "topology", NULL},
    {"gpus", "gpus", "%.0f"},
    {"conc", "concurrency", "%.4g"},
    {"rate/s", "rate_rps", "%.4g"},
    {"TPSU", "tpsu", "%.2f"},
    {"TPSG", "tpsg", "%.1f"},
    {"TTFT p50", "ttft_ms.p50", "%.0f"},
    {"p99 ms", "ttft_ms.p99", "%.0f"},
    {"ITL p50", "itl_ms.p50", "%.2f"},
    {"p99 ms", "itl_ms.p99", "%.2f"},
    {"E2E p99 ms", "e2e_ms.p99", "%.0f"},
    {"bottleneck", "bottleneck", NULL},
};
enum { COLUMNS = sizeof columns / sizeof columns[0], CELL = 96 };

/* A column that no answer fills (rates in a closed loop) is left out. */
static bool cell(const cJSON *a, const struct column *c, char *out)
{
    const char *s = c->fmt ? NULL : answer_text(a, c->path);
    double v = c->fmt ? answer_num(a, c->path) : NAN;
    if (!s && isnan(v)) {
        snprintf(out, CELL, "-");
        return false;
    }
    if (s)
        snprintf(out, CELL, "%s", s);
    else
        snprintf(out, CELL, c->fmt, v);
    return true;
}

static void table_row(FILE *f, const int *width, const cJSON *a)
{
    for (int i = 0; i < COLUMNS; i++) {
        char text[CELL];
        if (width[i] == 0)
            continue;
        if (a)
            cell(a, &columns[i], text);
        else
            snprintf(text, CELL, "%s", columns[i].head);
        const char *gap = i ? "  " : "";
        if (columns[i].fmt)
            fprintf(f, "%s%*s", gap, width[i], text);
        else if (i + 1 < COLUMNS)
            fprintf(f, "%s%-*s", gap, width[i], text);
        else
            fprintf(f, "%s%s", gap, text);
    }
    fputc('\n', f);
}

void answer_table(FILE *f, cJSON *const *answers, size_t n)
{
    int width[COLUMNS] = {0};
    for (int i = 0; i < COLUMNS; i++) {
        int w = (int)strlen(columns[i].head);
        bool any = false;
        for (size_t j = 0; j < n; j++) {
            char text[CELL];
            any = cell(answers[j], &columns[i], text) || any;
            int len = (int)strlen(text);
            w = len > w ? len : w;
        }
        width[i] = any ? w : 0;
    }
    table_row(f, width, NULL);
    for (size_t j = 0; j < n; j++)
        table_row(f, width, answers[j]);
}

/* ---- CSV ---- */

static const char *const flat[] = {
    "topology",
    "gpus",
    "arrival",
    "concurrency",
    "rate_rps",
    "isl",
    "osl",
    "requests",
    "req_s",
    "output_tok_s",
    "total_tok_s_per_gpu",
    "tpsu",
    "tpsg",
    "interactivity",
};
static const char *const dists[] = {"ttft_ms", "tpot_ms", "itl_ms", "e2e_ms"};
static const char *const stats[] = {"mean", "p50",  "p90", "p95",
                                    "p99",  "p999", "max"};
static const char *const parts[] = {"route", "queue",    "prefill",
                                    "stage", "transfer", "first"};
static const char *const cis[] = {"tpsu", "tpsg", "ttft_ms_p99", "itl_ms_p99",
                                  "e2e_ms_p99"};
static const char *const roles[] = {"aggregated", "prefill", "decode"};
static const char *const shares[] = {"engines", "kv", "kv_max", "nic",
                                     "waiting"};
static const char *const tail[] = {
    "bottleneck",
    "preemptions",
    "kv_transfer_ms",
    "kv_transfer_dist_ms.p99",
    "usd_per_mtok_output",
    "slo_met",
    "basis.store",
    "basis.gpu",
    "basis.model",
    "basis.wire",
    "basis.engine",
    "basis.router",
    "basis.seed",
    "basis.donor",
    "basis.fits.ops",
    "basis.fits.laws",
    "basis.fits.uncalibrated",
    "basis.fits.ape_median_pct",
    "basis.extrapolated",
    "basis.laws",
    "basis.calibrated",
    "failed",
};
#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

static void put_joined(FILE *f, const cJSON *list)
{
    struct str b = {0};
    for (const cJSON *i = list->child; i; i = i->next)
        str_fmt(&b, "%s%s", b.n ? ";" : "",
                cJSON_IsString(i) ? i->valuestring : "");
    csv_put(f, b.n ? b.s : "");
    str_free(&b);
}

/* The name of a column, or its value in one answer. */
static void csv_field(FILE *f, const cJSON *a, const char *path, bool first)
{
    if (!first)
        fputc(',', f);
    if (!a) {
        for (const char *c = path; *c; c++)
            fputc(*c == '.' ? '_' : *c, f);
        return;
    }
    const cJSON *i = answer_at(a, path);
    if (cJSON_IsNumber(i)) {
        char *text = cJSON_PrintUnformatted(i);
        fputs(text ? text : "", f);
        cJSON_free(text);
    } else if (cJSON_IsString(i)) {
        csv_put(f, i->valuestring);
    } else if (cJSON_IsBool(i)) {
        fputs(cJSON_IsTrue(i) ? "true" : "false", f);
    } else if (cJSON_IsArray(i)) {
        put_joined(f, i);
    }
}

static void csv_group(FILE *f, const cJSON *a, const char *group,
                      const char *const *key, size_t n)
{
    char path[64];
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s.%s", group, key[i]);
        csv_field(f, a, path, false);
    }
}

void answer_csv_row(FILE *f, const cJSON *a)
{
    for (size_t i = 0; i < COUNT(flat); i++)
        csv_field(f, a, flat[i], i == 0);
    for (size_t i = 0; i < COUNT(dists); i++)
        csv_group(f, a, dists[i], stats, COUNT(stats));
    csv_group(f, a, "ttft_parts_ms", parts, COUNT(parts));
    csv_group(f, a, "ci95", cis, COUNT(cis));
    for (size_t i = 0; i < COUNT(roles); i++) {
        char group[32];
        snprintf(group, sizeof group, "util.%s", roles[i]);
        csv_group(f, a, group, shares, COUNT(shares));
    }
    for (size_t i = 0; i < COUNT(tail); i++)
        csv_field(f, a, tail[i], false);
    fputc('\n', f);
}

void answer_csv(FILE *f, cJSON *const *answers, size_t n)
{
    answer_csv_row(f, NULL);
    for (size_t i = 0; i < n; i++)
        answer_csv_row(f, answers[i]);
}
