#include "tools/calibrate_gpu.h"

#include "calibrate/gpu/campaign.h"
#include "sim/base/json.h"
#include "sim/base/str.h"
#include "tools/cmd.h"
#include "tools/gpu_best.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAMES = 16, MINUTES = 8, NOTES_SHOWN = 20 };
#define SHORTEST_MIN 0.05
#define NULL_NOISE 0.01
#define SOURCE "calibrate gpu"

struct options {
    struct cmd_common c;
    const char *gpu, *out, *device, *date;
    const char *ops[NAMES + 1], *models[NAMES + 1];
    double minutes;
    bool brief;
};

enum {
    KEY_OPS = 0x2000,
    KEY_MINUTES,
    KEY_OUT,
    KEY_DEVICE,
    KEY_MODELS,
    KEY_DATE,
    KEY_BRIEF,
};

static const struct argp_option rows[] = {
    {"gpu", 'g', "NAME", 0, "card of the device (found by its name)", 1},
    {"device", KEY_DEVICE, "auto|null|FILE.so", 0,
     "auto: the first plug-in that finds one; null: a stated law, no device",
     1},
    {"ops", KEY_OPS, "NAME,...", 0,
     "gemm, prefill, decode, moe, norm, copy, gaps, reduce (all)", 1},
    {"models", KEY_MODELS, "NAME,...", 0, "models whose shards are covered", 1},
    {"minutes", KEY_MINUTES, "N", 0, "of wall time for all of it (8)", 1},
    {"no-sustained", KEY_BRIEF, NULL, 0, "hold nothing at the power limit", 1},
    {"out", KEY_OUT, "DIR", 0,
     "folder of system.json and ops/*.csv; what it holds is not measured again "
     "(results/GPU-DATE)",
     1},
    {"date", KEY_DATE, "YYYY-MM-DD", 0, "written into rows (today)", 1},
    {0},
};

static void names(const char **list, char *arg, struct argp_state *state)
{
    char *save;
    size_t n = 0;
    for (char *t = strtok_r(arg, ",", &save); t;
         t = strtok_r(NULL, ",", &save)) {
        if (n == NAMES)
            argp_error(state, "more than %d names", (int)NAMES);
        list[n++] = t;
    }
    list[n] = NULL;
}

static void check_ops(const struct options *o, struct argp_state *state)
{
    for (const char *const *p = o->ops; *p; p++) {
        bool known = strcmp(*p, "gaps") == 0 || strcmp(*p, "reduce") == 0;
        for (const struct grid *const *g = grid_table; *g; g++)
            known |= strcmp((*g)->name, *p) == 0;
        if (!known)
            argp_error(state, "--ops: nothing is called \"%s\"", *p);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case 'g':
        o->gpu = arg;
        return 0;
    case KEY_DEVICE:
        o->device = arg;
        return 0;
    case KEY_OPS:
        names(o->ops, arg, state);
        check_ops(o, state);
        return 0;
    case KEY_MODELS:
        names(o->models, arg, state);
        return 0;
    case KEY_MINUTES:
        if (!str_double(arg, &o->minutes) || o->minutes < SHORTEST_MIN)
            argp_error(state, "--minutes: must be at least %g, got \"%s\"",
                       SHORTEST_MIN, arg);
        return 0;
    case KEY_OUT:
        o->out = arg;
        return 0;
    case KEY_DATE:
        o->date = arg;
        return 0;
    case KEY_BRIEF:
        o->brief = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected \"%s\"", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the run ---- */

struct run {
    const struct options *o;
    struct cmd_session *s;
    struct cmd_progress progress;
    struct gpu gpu;
    struct gpu_card card;
    bool has_card;
    const char *gpu_name, *dir, *ops_dir, *host;
    struct gpu_best *best;
    struct err store; /* the first failure of the store */
    size_t notes;
};

/* "NVIDIA H100 80GB HBM3" and a card's "NVIDIA H100 SXM 80GB" share a word that
 * mixes letters and digits: the product. */
static bool same_product(const char *device, const char *product)
{
    char word[64];
    for (const char *p = device; *p; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        size_t n = strcspn(p, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        bool letter = isalpha((unsigned char)word[0]) != 0;
        if (letter && strpbrk(word, "0123456789") && strstr(product, word)
            && strncmp(word, "HBM", 3) != 0)
            return true;
    }
    return false;
}

static bool find_card(struct run *r, struct err *e)
{
    const char **list;
    r->gpu_name = r->o->gpu;
    if (!r->gpu_name && !card_list(r->s->models, "gpu", r->s->a, &list, e))
        return false;
    for (; !r->gpu_name && *list; list++) {
        struct err unused = {ERR_NONE, ""};
        if (card_gpu(r->s->models, *list, r->s->a, &r->card, &unused)
            && same_product(r->gpu.info.name, r->card.product))
            r->gpu_name = *list;
    }
    if (!r->gpu_name && !r->gpu.library)
        r->gpu_name = "null";
    if (!r->gpu_name)
        return err_set(e, ERR_INPUT, "no card in %s is for %s: --gpu names one",
                       r->s->models, r->gpu.info.name);
    if (strcmp(r->gpu_name, "null") == 0)
        return true;
    r->has_card = card_gpu(r->s->models, r->gpu_name, r->s->a, &r->card, e);
    return r->has_card;
}

static bool open_gpu(struct run *r, struct err *e)
{
    char exe[2048];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    const char *folders[] = {
        arena_fmt(r->s->a, "%s/gpu", exe),
        arena_fmt(r->s->a, "%s/gpu", r->s->data),
        NULL,
    };
    struct gpu_null_ask null = {
        .seed = 1,
        .noise = NULL_NOISE,
        .wrong = CALL_N,
    };
    if (strcmp(r->o->device, "null") == 0) {
        gpu_null_open(&r->gpu, &null);
        return true;
    }
    bool any = strcmp(r->o->device, "auto") == 0;
    return gpu_hip_open(&r->gpu, any ? NULL : r->o->device, folders, e);
}

static void close_gpu(struct run *r)
{
    if (r->gpu.library)
        gpu_hip_close(&r->gpu);
    else
        gpu_null_close(&r->gpu);
}

static bool models(struct run *r, struct grid_model *m, size_t *n,
                   struct err *e)
{
    for (*n = 0; r->o->models[*n]; ++*n) {
        struct llm_card c;
        if (!card_llm(r->s->models, r->o->models[*n], r->s->a, &c, e))
            return false;
        m[*n] = (struct grid_model){
            .name = c.name,
            .hidden = c.hidden,
            .heads = c.heads,
            .kv_heads = c.kv_heads,
            .head_dim = c.head_dim,
            .window = c.window,
            .inter = c.experts ? 0 : c.inter,
            .vocab = c.vocab,
            .experts = c.experts,
            .topk = c.topk,
            .expert_inter = c.expert_inter,
            .fp8 = c.linear == DT_FP8,
        };
    }
    return true;
}

/* ---- what is told while it runs ---- */

/* "m=8 n=1280 ..." of columns and fields. */
static const char *call_text(struct run *r, const char *columns, const char *id)
{
    struct str b = {0};
    while (*columns) {
        size_t c = strcspn(columns, ","), v = strcspn(id, ",");
        str_fmt(&b, "%s%.*s=%.*s", b.n ? " " : "", (int)c, columns, (int)v, id);
        columns += c + (columns[c] == ',');
        id += v + (id[v] == ',');
    }
    const char *text = arena_str(r->s->a, b.s);
    str_free(&b);
    return text;
}

static bool store_row(struct run *r, const struct grid_table *t,
                      const struct table_row *row, struct err *e)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO measurement (gpu, op, variant, call, system, "
        "date, driver, clock_hz, version, command, repeats, median_s, mad_s) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)";
    sqlite3_stmt *st;
    bool found;
    if (!db_query(&r->s->db, &st, e, sql, "tttttttdttidd", r->gpu_name, t->name,
                  row->throttled ? "throttled" : "free clock",
                  call_text(r, t->columns, row->id),
                  arena_fmt(r->s->a, "%s, %s", r->host, r->gpu.info.name),
                  row->date, row->driver, row->clock_mhz * 1e6, row->version,
                  "calibrate gpu", (int64_t)row->n, row->time_us * 1e-6,
                  row->mad_us * 1e-6))
        return false;
    bool ok = db_step(&r->s->db, st, &found, e);
    db_done(st);
    return ok;
}

static void told_row(void *to, const struct grid_table *t,
                     const struct grid_point *p, const struct table_row *row)
{
    struct run *r = to;
    gpu_best_add(r->best, t, p, row);
    if (r->o->c.store && r->store.kind == ERR_NONE)
        store_row(r, t, row, &r->store);
}

static void told_note(void *to, const char *text)
{
    struct run *r = to;
    if (r->notes++ < NOTES_SHOWN)
        fprintf(stderr, "calibrate gpu: %s\n", text);
}

static void told_progress(void *to, double done, double total, const char *now)
{
    struct run *r = to;
    r->progress.total = total;
    cmd_progress_at(&r->progress, done, now);
}

/* ---- system.json ---- */

static void add_text(cJSON *o, const char *key, const char *v)
{
    cJSON_AddStringToObject(o, key, v);
}

static cJSON *system_json(struct run *r, const struct timer *t,
                          const char *vendor)
{
    const struct plugin_info *i = &r->gpu.info;
    cJSON *o = cJSON_CreateObject(), *m;
    struct meter_reading now = meter_read(t->meter);
    add_text(o, "why", "The device that ops/*.csv were measured on.");
    add_text(o, "gpu", r->gpu_name);
    add_text(o, "device", i->name);
    add_text(o, "arch", i->arch);
    add_text(o, "driver", i->driver);
    add_text(o, "meter", meter_source(t->meter));
    add_text(o, "plugin", r->gpu.p->name);
    add_text(o, "vendor_gemm", vendor);
    cJSON_AddNumberToObject(o, "devices", r->gpu.devices);
    cJSON_AddNumberToObject(o, "units", i->units);
    cJSON_AddNumberToObject(o, "memory_bytes", (double)i->memory_bytes);
    cJSON_AddNumberToObject(o, "llc_bytes", (double)i->llc_bytes);
    if (!isnan(now.limit_w))
        cJSON_AddNumberToObject(o, "power_limit_w", now.limit_w);
    add_text(o, "date", r->o->date);
    cJSON_AddItemToObject(o, "models", m = cJSON_CreateArray());
    for (const char *const *p = r->o->models; *p; p++)
        cJSON_AddItemToArray(m, cJSON_CreateString(*p));
    return o;
}

/* A folder that another device has filled is not added to. */
static bool same_system(struct run *r, const char *path, struct err *e)
{
    cJSON *root;
    if (access(path, F_OK) != 0)
        return true;
    if (!json_load(path, &root, e))
        return false;
    const cJSON *device = cJSON_GetObjectItemCaseSensitive(root, "device");
    bool same = cJSON_IsString(device)
             && strcmp(device->valuestring, r->gpu.info.name) == 0;
    if (!same)
        err_set(e, ERR_INPUT,
                "%s is of another device, not %s: --out names "
                "another folder",
                path, r->gpu.info.name);
    json_free(root);
    return same;
}

static bool write_system(struct run *r, const struct timer *t,
                         const char *vendor, struct err *e)
{
    struct file_out o;
    const char *path = arena_fmt(r->s->a, "%s/system.json", r->dir);
    if (!same_system(r, path, e) || !file_out_open(&o, path, e))
        return false;
    cJSON *root = system_json(r, t, vendor);
    fprintf(o.f, "%s\n", json_print(root, true, r->s->a));
    json_free(root);
    bool ok = file_out_done(&o, e);
    file_out_drop(&o);
    return ok;
}

/* ---- all of it ---- */

static void print_sum(struct run *r, const struct campaign_sum *n,
                      const char *vendor)
{
    printf("%s: %s (%s), kernels %s, GEMMs %s\n", r->gpu_name, r->gpu.info.name,
           r->gpu.info.driver, r->gpu.p->name, vendor);
    printf("%zu of %zu points on %zu lines measured, %zu found; %zu left out, "
           "%zu wrong, %zu throttled\n",
           n->measured, n->points, n->lines, n->found, n->refused, n->wrong,
           n->throttled);
    printf("%zu checks at small sizes, %zu wrong; interpolation errs by at "
           "most %.1f %%%s\n",
           n->cases, n->cases_wrong, 100 * n->worst_bend,
           n->stopped ? "; stopped"
           : n->late  ? "; time was over"
                      : "");
    gpu_best_print(stdout, r->best, r->has_card ? &r->card : NULL);
    printf("tables in %s\n", r->ops_dir);
}

static const char *open_vendor(struct run *r, struct timer *t)
{
    struct err e = {ERR_NONE, ""};
    t->vendor = vendor_of(&r->gpu);
    if (t->vendor->open(&r->gpu, r->s->a, &t->handle, &e))
        return t->vendor->version(t->handle);
    t->vendor = NULL;
    fprintf(stderr, "calibrate gpu: vendor GEMMs are left out: %s\n", e.text);
    return "none";
}

static bool measure(struct run *r, struct timer *t, const char *vendor,
                    struct err *e)
{
    struct grid_model model[NAMES];
    struct campaign_sum sum;
    struct campaign_ask ask = {
        .dir = r->ops_dir,
        .grids = r->o->ops[0] ? r->o->ops : NULL,
        .model = model,
        .seconds = r->o->minutes * 60,
        .source = SOURCE,
        .date = r->o->date,
        .sustained = !r->o->brief && !r->o->ops[0],
        .stop = cmd_stop(),
        .ears = {told_row, told_note, told_progress, r},
    };
    if (!models(r, model, &ask.models, e))
        return false;
    cmd_progress_begin(&r->progress, &r->o->c, "calibrate", 1);
    bool ok = (!r->o->c.store || db_exec(&r->s->db, "BEGIN", e))
           && campaign_run(t, &ask, &sum, e);
    cmd_progress_end(&r->progress);
    struct err unused = {ERR_NONE, ""};
    if (r->o->c.store && !db_exec(&r->s->db, "COMMIT", ok ? e : &unused))
        return false;
    if (r->notes > NOTES_SHOWN)
        fprintf(stderr, "calibrate gpu: and %zu more\n",
                r->notes - NOTES_SHOWN);
    if (ok)
        print_sum(r, &sum, vendor);
    if (ok && r->store.kind != ERR_NONE)
        *e = r->store;
    if (ok && r->store.kind == ERR_NONE && sum.wrong + sum.cases_wrong > 0)
        err_set(e, ERR_NO, "results of the device disagree with the reference");
    return ok && r->store.kind == ERR_NONE && sum.wrong + sum.cases_wrong == 0;
}

static bool with_device(struct run *r, struct err *e)
{
    if (!find_card(r, e))
        return false;
    r->dir = r->o->out
               ? r->o->out
               : arena_fmt(r->s->a, "results/%s-%s", r->gpu_name, r->o->date);
    r->ops_dir = arena_fmt(r->s->a, "%s/ops", r->dir);
    if (!file_dirs(r->ops_dir, e))
        return false;
    struct timer t = {
        .g = &r->gpu,
        .rule = &bench_usual,
        .seed = 1,
        .meter = meter_open(r->gpu.info.pci, r->gpu.info.arch, r->s->a),
    };
    if (*meter_driver(t.meter))
        snprintf(r->gpu.info.driver, sizeof r->gpu.info.driver, "%s, %s",
                 arena_str(r->s->a, r->gpu.info.driver), meter_driver(t.meter));
    t.bed = bed_open(&r->gpu, r->has_card ? (size_t)r->card.llc_bytes : 0,
                     t.seed, r->s->a);
    const char *vendor = open_vendor(r, &t);
    bool ok = write_system(r, &t, vendor, e) && measure(r, &t, vendor, e);
    if (t.vendor)
        t.vendor->close(t.handle);
    bed_close(t.bed);
    meter_close(t.meter);
    return ok;
}

static bool work(struct options *o, struct cmd_session *s, struct err *e)
{
    char host[256] = "";
    struct run r = {.o = o, .s = s, .best = gpu_best_new(s->a)};
    gethostname(host, sizeof host - 1);
    r.host = host;
    if (!open_gpu(&r, e))
        return false;
    bool ok = with_device(&r, e);
    close_gpu(&r);
    return ok && cmd_flush(e);
}

int calibrate_gpu(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cmd_argp, 0, "Common:", 9},
                                                 {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Times an engine's operators on a GPU: kernels of its own, "
               "checked first, and the vendor's GEMMs.",
        .children = children,
    };
    char today[16];
    time_t now = time(NULL);
    strftime(today, sizeof today, "%Y-%m-%d", gmtime(&now));
    struct options o = {
        .device = "auto",
        .date = today,
        .minutes = MINUTES,
        .models = {"llama-3.3-70b", "llama-3.3-70b-fp8-dynamic",
                   "gpt-oss-120b"},
    };
    struct cmd_session s;
    struct err e = {ERR_NONE, ""};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return ERR_USAGE;
    if (!cmd_open(&s, &o.c, &e))
        return cmd_fail(&e);
    bool ok = work(&o, &s, &e);
    cmd_close(&s);
    return ok ? 0 : cmd_fail(&e);
}
