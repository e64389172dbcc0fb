#include "sim/plan/measured.h"

#include "sim/base/csv.h"
#include "sim/base/json.h"
#include "sim/base/str.h"
#include "sim/load/length.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *measured_status_name(enum measured_status s)
{
    return s == MEASURED_OK           ? "ok"
         : s == MEASURED_UNCALIBRATED ? "uncalibrated"
                                      : "unsupported";
}

static const char *const metric_names[MEASURED_METRICS] = {
    "ttft_ms_mean",
    "ttft_ms_median",
    "ttft_ms_p90",
    "ttft_ms_p99",
    "tpot_ms_mean",
    "tpot_ms_median",
    "tpot_ms_p90",
    "tpot_ms_p99",
    "itl_ms_mean",
    "itl_ms_median",
    "itl_ms_p90",
    "itl_ms_p99",
    "e2e_ms_mean",
    "e2e_ms_median",
    "e2e_ms_p90",
    "e2e_ms_p99",
    "req_s",
    "output_tok_s",
    "output_tok_s_per_gpu",
    "total_tok_s_per_gpu"};

static double dist_at(const struct world_dist *d, int i)
{
    const double v[] = {d->mean, d->p50, d->p90, d->p99};
    return v[i];
}

double measured_predicted(const struct measured_row *r, int i)
{
    const struct outcome *o = &r->out;
    const struct world_dist *d[] = {&o->ttft, &o->tpot, &o->itl, &o->e2e};
    const double rate[] = {o->req_s, o->output_tok_s, o->tpsg,
                           o->total_tok_s / r->plant.gpus};
    double warm = o->duration_s / (o->duration_s + r->cold_s);
    return i < 16 ? dist_at(d[i / 4], i % 4) : rate[i - 16] * warm;
}

/* ---- one row ------------------------------------------------------------- */

struct measured_reader {
    const struct measured_ask *ask;
    struct arena *a;
    struct csv *csv;
    const cJSON *names; /* models/names.json */
    const char **gpus, **cards;
    const char **hf_id; /* of each card */
    struct str note;
};

static const char *field(const struct measured_reader *r, const char *name)
{
    return csv_text(r->csv, csv_col(r->csv, name));
}

static bool given(const struct measured_reader *r, const char *name)
{
    return *field(r, name) != 0;
}

/* false: empty or no number. */
static bool number(const struct measured_reader *r, const char *name, double *v)
{
    return str_double(field(r, name), v);
}

static void note(struct measured_reader *r, const char *text)
{
    str_fmt(&r->note, "%s%s", r->note.n ? "; " : "", text);
}

static bool refuse(struct measured_reader *r, const char *text)
{
    r->note.n = 0;
    str_add(&r->note, text);
    return false;
}

/* Card of a checkpoint, NULL when there is none. */
static const char *model_card(struct measured_reader *r, const char *hf)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(r->names, hf);
    if (cJSON_IsString(n))
        return n->valuestring;
    for (size_t i = 0; r->cards[i]; i++)
        if (strcasecmp(r->hf_id[i], hf) == 0)
            return r->cards[i];
    return NULL;
}

/* "0.10.1..0.17.0" counts as its first; digits after the first point. */
static int minor_version(const char *v)
{
    int major, minor;
    return sscanf(v, "%d.%d", &major, &minor) == 2 && major == 0 ? minor : -1;
}

static void put_int(struct measured_reader *r, cJSON *o, const char *column,
                    const char *key)
{
    double v;
    if (number(r, column, &v))
        cJSON_AddNumberToObject(o, key, v);
}

static bool engine_json(struct measured_reader *r, cJSON *o)
{
    int minor = minor_version(field(r, "engine_version"));
    double v;
    if (minor < 0)
        return refuse(r, "no engine version: the scheduler is not known");
    cJSON_AddStringToObject(o, "profile",
                            minor >= 32   ? "vllm-0.32"
                            : minor >= 22 ? "vllm-0.22"
                            : minor >= 21 ? "vllm-0.21"
                                          : "vllm-0.15");
    put_int(r, o, "max_num_batched_tokens", "max_num_batched_tokens");
    put_int(r, o, "max_num_seqs", "max_num_seqs");
    put_int(r, o, "max_model_len", "max_model_len");
    put_int(r, o, "block_size", "block_size");
    put_int(r, o, "gpu_memory_utilization", "gpu_memory_utilization");
    if (number(r, "prefix_caching", &v))
        cJSON_AddBoolToObject(o, "prefix_caching", v != 0);
    /* the default became true with 0.14 (engine.md 3.8) */
    bool async = number(r, "async_scheduling", &v) ? v != 0 : minor >= 14;
    cJSON_AddBoolToObject(o, "async_scheduling", async);
    if (strcasecmp(field(r, "quick_reduce"), "INT4") == 0)
        cJSON_AddStringToObject(o, "quick_reduce", "int4");
    else if (given(r, "quick_reduce")
             && strcasecmp(field(r, "quick_reduce"), "none") != 0)
        return refuse(r, "quick-reduce other than INT4 is not modelled");
    const char *kv = field(r, "kv_dtype");
    if (strncmp(kv, "fp8", 3) == 0)
        cJSON_AddStringToObject(o, "kv_cache_dtype", "fp8");
    const char *size = strstr(field(r, "cudagraph"), "2048");
    if (size)
        cJSON_AddNumberToObject(o, "cudagraph_max", 2048);
    if (given(r, "kv_connector"))
        cJSON_AddStringToObject(o, "kv_connector", field(r, "kv_connector"));
    if (strstr(field(r, "other_flags"), "--enforce-eager"))
        cJSON_AddTrueToObject(o, "enforce_eager");
    return true;
}

static bool length_json(struct measured_reader *r, cJSON *load, const char *key,
                        double tokens)
{
    const char *dist = field(r, "length_dist");
    cJSON *o = cJSON_AddObjectToObject(load, key);
    if (!*dist || strcmp(dist, "fixed") == 0) {
        cJSON_AddStringToObject(o, "kind", "fixed");
    } else if (strcmp(dist, "uniform_int[0.8L,L]") == 0) {
        cJSON_AddStringToObject(o, "kind", "inferencex");
        cJSON_AddNumberToObject(o, "ratio", 0.8);
    } else {
        char text[160];
        snprintf(text, sizeof text, "lengths \"%.100s\" are not published",
                 dist);
        return refuse(r, text);
    }
    cJSON_AddNumberToObject(o, "tokens", tokens);
    return true;
}

static bool arrival_json(struct measured_reader *r, cJSON *load)
{
    const char *kind = field(r, "load");
    cJSON *o = cJSON_AddObjectToObject(load, "arrival");
    double c = 0, rate, n = 0;
    bool has_c = number(r, "concurrency", &c);
    bool has_n = number(r, "num_prompts", &n);
    bool one = strcmp(kind, "single") == 0;
    bool batch = strcmp(kind, "fixed_batch") == 0;
    bool offline = strcmp(kind, "offline") == 0;
    if (strcmp(kind, "closed") == 0 || one || batch || offline) {
        if (one)
            c = 1;
        if (offline && has_n)
            c = n;
        if (!one && !has_c && !(offline && has_n))
            return refuse(r, "concurrency is not published");
        if (!has_n) {
            n = one || batch ? c : 10 * c;
            note(r, batch || one ? "one wave"
                                 : "num_prompts assumed 10 x "
                                   "concurrency");
        }
        cJSON_AddStringToObject(o, "kind", "closed");
        cJSON_AddNumberToObject(o, "concurrency", c);
    } else if (strcmp(kind, "poisson") == 0 || strcmp(kind, "constant") == 0) {
        if (!number(r, "rate_rps", &rate))
            return refuse(r, "rate_rps is not published");
        if (!has_n) {
            n = 1000;
            note(r, "num_prompts assumed 1000");
        }
        cJSON_AddStringToObject(o, "kind", kind);
        cJSON_AddNumberToObject(o, "rate_rps", rate);
        if (has_c)
            cJSON_AddNumberToObject(o, "concurrency", c);
    } else {
        char text[96];
        snprintf(text, sizeof text, "load \"%.60s\" is not modelled", kind);
        return refuse(r, text);
    }
    cJSON_AddNumberToObject(load, "requests", n);
    return true;
}

static bool load_json(struct measured_reader *r, cJSON *root)
{
    cJSON *load = cJSON_AddObjectToObject(root, "load");
    double isl, osl, v;
    if (!arrival_json(r, load))
        return false;
    if (!number(r, "isl", &isl) || !number(r, "osl", &osl))
        return refuse(r, "isl and osl are not published");
    if (number(r, "shared_prefix_len", &v) && v > 0)
        cJSON_AddNumberToObject(load, "shared_prefix", v);
    put_int(r, load, "warmup_requests", "warmup_requests");
    return length_json(r, load, "isl", isl) && length_json(r, load, "osl", osl);
}

static double count(const struct measured_reader *r, const char *name)
{
    double v;
    return number(r, name, &v) ? v : 1;
}

/* Pools as a short name; NULL: refused. */
static const char *topology_name(struct measured_reader *r)
{
    const char *kind = field(r, "topology");
    if (count(r, "ep") > 1 || count(r, "dp") > 1 || count(r, "p_dp") > 1
        || count(r, "d_dp") > 1) {
        refuse(r, "expert and data parallelism are not modelled");
        return NULL;
    }
    if (strcmp(kind, "pd") == 0)
        return arena_fmt(r->a, "%.0fp-tp%.0f-%.0fd-tp%.0f",
                         count(r, "p_replicas"), count(r, "p_tp"),
                         count(r, "d_replicas"), count(r, "d_tp"));
    if (strcmp(kind, "agg") != 0) {
        refuse(r, "topology is neither agg nor pd");
        return NULL;
    }
    if (count(r, "agg_replicas") > 1)
        return arena_fmt(r->a, "%.0fx-agg-tp%.0f", count(r, "agg_replicas"),
                         count(r, "agg_tp"));
    return arena_fmt(r->a, "agg-tp%.0f", count(r, "agg_tp"));
}

static bool row_json(struct measured_reader *r, struct measured_row *row,
                     cJSON *root)
{
    const char *card = model_card(r, field(r, "model"));
    double per = 8, gpus = 1;
    if (given(r, "engine") && strncasecmp(field(r, "engine"), "vllm", 4) != 0)
        return refuse(r, "only vLLM is modelled");
    if (!card)
        return refuse(r, "no card for this model");
    const char *t = topology_name(r);
    if (!t)
        return false;
    row->topology = t;
    number(r, "node_gpus", &per);
    number(r, "n_gpus", &gpus);
    per = fmax(per, 1);
    cJSON_AddStringToObject(root, "model", card);
    cJSON_AddStringToObject(root, "gpu", row->gpu);
    cJSON_AddStringToObject(root, "pools", t);
    cJSON *c = cJSON_AddObjectToObject(root, "cluster");
    cJSON_AddNumberToObject(c, "nodes", ceil(gpus / per));
    cJSON_AddNumberToObject(c, "gpus_per_node", per);
    return engine_json(r, cJSON_AddObjectToObject(root, "engine"))
        && load_json(r, root);
}

static bool has_gpu(const struct measured_reader *r, const char *name)
{
    const char **n = r->gpus;
    while (*n && strcmp(*n, name) != 0)
        n++;
    return *n != NULL;
}

static bool uncalibrated(const struct plant *p)
{
    for (uint32_t i = 0; i < p->n_pools; i++)
        if (price_basis(p->pool[i].price)->uncalibrated)
            return true;
    return false;
}

/* What the parameters say of a run beside its steps.
 * From the client's send to the engine's queue: parsing, tokenising, one
 * process for all of it. */
static void front(struct measured_row *row, const struct tuned *t)
{
    int64_t lo, hi;
    row->cold_s = row->cold && row->s->llm.experts && !row->ways.marlin
                    ? t->v[TUNED_COLD_S]
                    : 0;
    length_bounds(&row->s->load.isl, &lo, &hi);
    double mean = (double)(lo + hi) / 2;
    if (!row->in_process)
        row->plant.router.hop_s += 1e-6
                                 * (t->v[TUNED_FRONT_US]
                                    + t->v[TUNED_FRONT_TOKEN_US] * mean);
}

static bool row_plant(struct measured_reader *r, struct measured_row *row,
                      const char *text)
{
    struct scenario *s = ARENA_NEW(r->a, struct scenario);
    struct scenario_ask ask = {.path = row->run_id,
                               .text = text,
                               .models = r->ask->models,
                               .store = r->ask->store,
                               .seed = r->ask->seed};
    struct err e = {0};
    bool ok = scenario_load(&ask, r->a, s, &e);
    if (ok) {
        struct tuned *t = ARENA_NEW(r->a, struct tuned);
        *t = tuned_of(&s->costs);
        tuned_choose(t, &row->ways);
        s->costs.tuned = t;
    }
    if (!ok
        || !scenario_plant(s, &s->topology, scenario_plant_cache(s, r->a),
                           &row->plant, &e))
        return refuse(r, e.text);
    row->s = s;
    front(row, price_tuned(row->plant.pool[0].price));
    row->status = uncalibrated(&row->plant) ? MEASURED_UNCALIBRATED
                                            : MEASURED_OK;
    return true;
}

static void read_row(struct measured_reader *r, struct measured_row *row)
{
    *row = (struct measured_row){
        .run_id = arena_str(r->a, field(r, "run_id")),
        .gpu = arena_str(r->a, field(r, "gpu")),
        .model = arena_str(r->a, field(r, "model")),
        .topology = arena_str(r->a, field(r, "topology")),
        .status = MEASURED_UNSUPPORTED};
    row->tp = (int)count(r, strcmp(row->topology, "pd") ? "agg_tp" : "d_tp");
    int minor = minor_version(field(r, "engine_version"));
    row->ways = (struct tuned_ways){
        .marlin = strstr(field(r, "other_flags"), "USE_MARLIN=1") != NULL,
        .old_fp8 = minor >= 0 && minor < 14,
        .triton_mha = strstr(field(r, "attention_backend"), "AITER_MHA=0"),
        .mixed = strstr(field(r, "engine_version"), "..") != NULL,
        .uniform = strcmp(field(r, "load_format"), "random") == 0,
        .zeros = strcmp(field(r, "load_format"), "dummy") == 0};
    /* InferenceX warmed up with one request until vLLM 0.14 */
    row->cold = row->ways.old_fp8 && !row->in_process;
    row->weight = count(r, "weight");
    row->in_process = strcmp(field(r, "client"), "in-process") == 0;
    number(r, "isl", &row->isl);
    number(r, "osl", &row->osl);
    number(r, "concurrency", &row->concurrency);
    r->note.n = 0;
    for (int i = 0; i < MEASURED_METRICS; i++) {
        row->metric[i].name = metric_names[i];
        if (!number(r, metric_names[i], &row->metric[i].value))
            row->metric[i].value = NAN;
    }
    cJSON *root = cJSON_CreateObject();
    if (!has_gpu(r, row->gpu)) {
        refuse(r, "no card for this GPU");
    } else if (row_json(r, row, root)) {
        const char *text = json_print(root, false, r->a);
        row_plant(r, row, text);
    }
    json_free(root);
    row->note = r->note.n ? arena_str(r->a, r->note.s) : "";
}

/* The names rows are looked up by, read once a table. */
static bool read_cards(struct measured_reader *r, struct err *e)
{
    const char *models = r->ask->models;
    size_t n = 0;
    if (!card_list(models, "gpu", r->a, &r->gpus, e)
        || !card_list(models, "llm", r->a, &r->cards, e))
        return false;
    while (r->cards[n])
        n++;
    r->hf_id = ARENA_ARRAY(r->a, const char *, n);
    for (size_t i = 0; i < n; i++) {
        struct llm_card card;
        struct err torn = {0}; /* such a card is no row's */
        bool ok = card_llm(models, r->cards[i], r->a, &card, &torn);
        r->hf_id[i] = ok ? card.hf_id : "";
    }
    return true;
}

bool measured_read(const struct measured_ask *ask, struct arena *a,
                   struct measured_row **rows, size_t *n, struct err *e)
{
    struct measured_reader r = {.ask = ask, .a = a};
    struct err end = {0};
    cJSON *names = NULL;
    size_t cap = 0;
    *rows = NULL;
    *n = 0;
    if (!csv_open(&r.csv, ask->path, e))
        return false;
    bool ok = json_load(arena_fmt(a, "%s/names.json", ask->models), &names, e)
           && read_cards(&r, e);
    if (ok
        && (csv_col(r.csv, "run_id") < 0 || csv_col(r.csv, "gpu") < 0
            || csv_col(r.csv, "model") < 0))
        ok = err_set(e, ERR_INPUT,
                     "%s:1: a run table has the columns run_id, "
                     "gpu and model at least",
                     ask->path);
    r.names = names;
    while (ok && csv_next(r.csv, &end)) {
        ARENA_ROOM(a, *rows, *n, cap);
        read_row(&r, &(*rows)[(*n)++]);
    }
    if (ok && end.kind != ERR_NONE) {
        *e = end;
        ok = false;
    }
    csv_close(r.csv);
    json_free(names);
    str_free(&r.note);
    return ok;
}

bool measured_try(const struct measured_row *r, const struct tuned *t,
                  struct arena *a, struct measured_row *out, struct err *e)
{
    struct scenario *s = ARENA_NEW(a, struct scenario);
    struct tuned *own = ARENA_NEW(a, struct tuned);
    *s = *r->s;
    *own = *t;
    tuned_choose(own, &r->ways);
    s->costs.tuned = own;
    *out = *r;
    out->s = s;
    if (!scenario_plant(s, &s->topology, scenario_plant_cache(s, a),
                        &out->plant, e))
        return false;
    front(out, t);
    struct world_ask ask = {
        .plant = &out->plant, .load = &s->load, .seed = s->seed};
    return world_run(&ask, a, &out->out, e);
}

void measured_run(struct measured_row *r, struct arena *a)
{
    struct err e = {0};
    if (r->status == MEASURED_UNSUPPORTED)
        return;
    struct world_ask ask = {
        .plant = &r->plant, .load = &r->s->load, .seed = r->s->seed};
    if (world_run(&ask, a, &r->out, &e))
        return;
    r->status = MEASURED_UNSUPPORTED;
    snprintf(r->refused, sizeof r->refused, "%.255s", e.text);
    r->note = r->refused;
}
