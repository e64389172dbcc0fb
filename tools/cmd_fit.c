/* tandem fit: tables of one GPU -> laws in the store, judged. */
#include "calibrate/fit/study.h"
#include "sim/base/file.h"
#include "sim/base/must.h"
#include "tools/cmd.h"
#include "tools/tuning.h"

#include <argp.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FIT_MANY = 32 };

struct options {
    const char *gpu, *from, *store, *export, *json, *models, *date;
    const char *runs[FIT_MANY + 1], *hold[FIT_MANY + 1];
    int n_runs, n_hold;
    const char *steps, *stalls, *out, *params;
    bool quiet, cross;
};

struct told {
    struct arena *a;
    struct fit *fit;
    size_t n, cap;
};

enum {
    KEY_FROM = 256,
    KEY_STORE,
    KEY_EXPORT,
    KEY_JSON,
    KEY_MODELS,
    KEY_DATE,
    KEY_TUNE,
    KEY_STEPS,
    KEY_STALLS,
    KEY_HOLD,
    KEY_CROSS,
    KEY_OUT,
    KEY_PARAMS
};

/* Options of --tune. */
static error_t parse_tune(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_TUNE:
        if (o->n_runs == FIT_MANY)
            argp_error(state, "too many tables");
        o->runs[o->n_runs++] = arg;
        return 0;
    case KEY_HOLD:
        if (o->n_hold == FIT_MANY)
            argp_error(state, "too many --hold");
        o->hold[o->n_hold++] = arg;
        return 0;
    case KEY_STEPS:
        o->steps = arg;
        return 0;
    case KEY_STALLS:
        o->stalls = arg;
        return 0;
    case KEY_CROSS:
        o->cross = true;
        return 0;
    case KEY_PARAMS:
        o->params = arg;
        return 0;
    case KEY_OUT:
        o->out = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'g':
        o->gpu = arg;
        return 0;
    case KEY_FROM:
        o->from = arg;
        return 0;
    case KEY_STORE:
        o->store = arg;
        return 0;
    case KEY_EXPORT:
        o->export = arg;
        return 0;
    case KEY_JSON:
        o->json = arg;
        return 0;
    case KEY_MODELS:
        o->models = arg;
        return 0;
    case KEY_DATE:
        o->date = arg;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->gpu || (!o->from && !o->n_runs))
            argp_error(state, "--gpu and --from or --tune are needed");
        return 0;
    default:
        return parse_tune(key, arg, state);
    }
}

static const struct argp_option rows[] = {
    {"gpu", 'g', "NAME", 0, "GPU card the tables belong to", 0},
    {"from", KEY_FROM, "DIR", 0, "folder of operator tables", 0},
    {"tune", KEY_TUNE, "RUNS.csv", 0,
     "table of measured runs that engine parameters are fitted to (again for "
     "more)",
     1},
    {"steps", KEY_STEPS, "FILE", 0, "step log of some of those runs", 1},
    {"stalls", KEY_STALLS, "FILE", 0, "intervals of the log to leave out", 1},
    {"cross-validate", KEY_CROSS, NULL, 0,
     "predict each (model, TP, lengths) from the others", 1},
    {"hold", KEY_HOLD, "NAME=V", 0, "do not fit an engine parameter", 1},
    {"params", KEY_PARAMS, "FILE", 0,
     "prior, posterior and covariance of the parameters as CSV", 1},
    {"out", KEY_OUT, "FILE", 0, "every residual as CSV", 1},
    {"store", KEY_STORE, "FILE", 0, "store to write (none: memory only)", 0},
    {"export", KEY_EXPORT, "FILE", 0, "write the GPU's fits as SQL text", 0},
    {"json", KEY_JSON, "FILE", 0, "write the fits as JSON", 0},
    {"models", KEY_MODELS, "DIR", 0, "cards (default models)", 0},
    {"date", KEY_DATE, "YYYY-MM-DD", 0, "date written into fits (today)", 0},
    {"quiet", 'q', NULL, 0, "no table", 0},
    {0},
};

static const char *percent(char *s, size_t n, double v)
{
    snprintf(s, n, isnan(v) ? "-" : "%.1f", v);
    return s;
}

static void print_fit(const struct fit *f)
{
    char v[5][16];
    printf("%-12s %-13s %-13s %6lld %8s %6s %7s %7s %7s\n", f->op, f->variant,
           f->form, (long long)f->rows, percent(v[0], 16, f->ape_median),
           percent(v[1], 16, f->ape_p95), percent(v[2], 16, f->ape_max),
           percent(v[3], 16, f->cv_median), percent(v[4], 16, f->cv_p95));
}

/* Strings of a fit live as long as study_all; the copy is ours. */
static void tell(void *to, const struct fit *f)
{
    struct told *t = to;
    ARENA_ROOM(t->a, t->fit, t->n, t->cap);
    struct fit *copy = &t->fit[t->n++];
    *copy = *f;
    copy->op = arena_str(t->a, f->op);
    copy->variant = arena_str(t->a, f->variant);
    copy->form = arena_str(t->a, f->form);
    copy->basis = arena_str(t->a, f->basis);
    copy->source = arena_str(t->a, f->source);
    for (int i = 0; i < f->n_coef; i++)
        copy->coef[i].name = arena_str(t->a, f->coef[i].name);
}

static void print_all(const struct told *t)
{
    printf("%-12s %-13s %-13s %6s %8s %6s %7s %7s %7s\n", "operator", "variant",
           "form", "rows", "median%", "p95%", "max%", "cv%", "cvp95%");
    for (size_t i = 0; i < t->n; i++)
        print_fit(&t->fit[i]);
}

static void add_number(cJSON *o, const char *key, double v)
{
    if (!isnan(v))
        cJSON_AddNumberToObject(o, key, v);
}

static cJSON *fit_json(const struct fit *f)
{
    cJSON *o = cJSON_CreateObject(), *c;
    cJSON_AddStringToObject(o, "op", f->op);
    cJSON_AddStringToObject(o, "variant", f->variant);
    cJSON_AddStringToObject(o, "form", f->form);
    cJSON_AddStringToObject(o, "basis", f->basis);
    cJSON_AddStringToObject(o, "source", f->source);
    cJSON_AddNumberToObject(o, "rows", (double)f->rows);
    add_number(o, "ape_median_pct", f->ape_median);
    add_number(o, "ape_p95_pct", f->ape_p95);
    add_number(o, "ape_max_pct", f->ape_max);
    add_number(o, "bias_pct", f->bias);
    add_number(o, "cv_median_pct", f->cv_median);
    add_number(o, "cv_p95_pct", f->cv_p95);
    cJSON_AddItemToObject(o, "coef", c = cJSON_CreateObject());
    for (int i = 0; i < f->n_coef; i++)
        cJSON_AddNumberToObject(c, f->coef[i].name, f->coef[i].value);
    return o;
}

static bool write_json(const char *path, const struct told *t, struct err *e)
{
    struct file_out out;
    if (!path)
        return true;
    if (!file_out_open(&out, path, e))
        return false;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < t->n; i++)
        cJSON_AddItemToArray(list, fit_json(&t->fit[i]));
    char *text = cJSON_Print(list);
    cJSON_Delete(list);
    must(text);
    fprintf(out.f, "%s\n", text);
    cJSON_free(text);
    bool ok = file_out_done(&out, e);
    file_out_drop(&out);
    return ok;
}

static bool write_sql(const char *path, struct db *d, const char *gpu,
                      struct err *e)
{
    struct file_out out;
    if (!path)
        return true;
    if (!file_out_open(&out, path, e))
        return false;
    bool ok = costs_export(d, gpu, out.f, e) && file_out_done(&out, e);
    file_out_drop(&out);
    return ok;
}

static bool tune(const struct options *o, struct told *t, struct db *d,
                 struct err *e)
{
    struct fit fit;
    struct tuning_ask ask = {
        .data = {.gpu = o->gpu,
                 .runs = o->runs,
                 .steps = o->steps,
                 .stalls = o->stalls,
                 .models = o->models,
                 .store = d,
                 .workers = (int)sysconf(_SC_NPROCESSORS_ONLN)},
        .date = o->date,
        .hold = o->hold,
        .out = o->out,
        .params = o->params,
        .cross_validate = o->cross,
        .quiet = o->quiet};
    if (!o->n_runs)
        return true;
    if (!tuning_run(&ask, t->a, &fit, e) || !costs_save(d, &fit, e))
        return false;
    tell(t, &fit);
    return true;
}

static bool work(const struct options *o, struct told *t, struct err *e)
{
    struct gpu_card card;
    struct db d = {NULL};
    struct study_ask ask = {
        .gpu = &card,
        .dir = o->from,
        .date = o->date,
        .told = tell,
        .to = t,
    };
    bool ok = card_gpu(o->models, o->gpu, t->a, &card, e)
           && db_open(&d, o->store, e) && (!o->from || study_all(&ask, &d, e))
           && tune(o, t, &d, e) && write_sql(o->export, &d, o->gpu, e)
           && write_json(o->json, t, e);
    db_close(&d);
    return ok;
}

static int fit_main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Fits laws to one GPU's operator tables and judges them.",
    };
    char today[16];
    time_t now = time(NULL);
    strftime(today, sizeof today, "%Y-%m-%d", gmtime(&now));
    struct options o = {
        .store = ":memory:",
        .models = "models",
        .date = today,
    };
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return ERR_USAGE;
    struct err e = {ERR_NONE, ""};
    struct told t = {.a = arena_open()};
    bool ok = work(&o, &t, &e);
    if (ok && !o.quiet)
        print_all(&t);
    if (!ok)
        fprintf(stderr, "fit: %s\n", e.text);
    arena_close(t.a);
    return ok ? 0 : (int)e.kind;
}

const struct cmd cmd_fit = {"fit", "operator tables to laws, judged", fit_main};
