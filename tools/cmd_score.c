/* tandem score: measured runs, predicted as they were run. */
#include "sim/plan/measured.h"

#include "sim/base/csv.h"
#include "sim/base/json.h"
#include "sim/plan/crew.h"
#include "sim/report/answer.h"
#include "tools/cmd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct score_options {
    struct cmd_common c;
    const char *path, *out;
};

enum { KEY_OUT = 0x100 };

static const struct argp_option score_rows[] = {
    {"out", KEY_OUT, "FILE", 0, "every row and metric as CSV (- = stdout)", 1},
    {0},
};

static error_t score_parse(int key, char *arg, struct argp_state *state)
{
    struct score_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case KEY_OUT:
        o->out = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->path)
            argp_error(state, "one table, please");
        o->path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which table of runs?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One metric of one row, scored. */
struct score_line {
    const struct measured_row *row;
    int metric;
    double measured, predicted, ape, bias; /* per cent */
};

struct score {
    struct measured_row *row;
    size_t n;
    struct score_line *line;
    size_t n_line;
    struct cmd_progress progress;
};

static void score_work(void *ctx, size_t i, struct arena *a, void *result)
{
    struct score *w = ctx;
    (void)result;
    measured_run(&w->row[i], a);
}

static bool score_emit(void *ctx, size_t i, const void *result, struct err *e)
{
    struct score *w = ctx;
    (void)result;
    (void)e;
    cmd_progress_at(&w->progress, (double)(i + 1), w->row[i].run_id);
    return true;
}

static void score_lines(struct score *w, struct arena *a)
{
    w->line = ARENA_ARRAY(a, struct score_line, w->n * MEASURED_METRICS);
    for (size_t i = 0; i < w->n; i++)
        for (int m = 0; m < MEASURED_METRICS; m++) {
            struct measured_row *r = &w->row[i];
            double v = r->metric[m].value, p;
            if (isnan(v) || v <= 0 || r->status == MEASURED_UNSUPPORTED)
                continue;
            p = measured_predicted(r, m);
            if (isnan(p))
                continue;
            w->line[w->n_line++] = (struct score_line){
                .row = r,
                .metric = m,
                .measured = v,
                .predicted = p,
                .ape = 100 * fabs(p - v) / v,
                .bias = 100 * (p - v) / v};
        }
}

/* ---- summary ------------------------------------------------------------- */

static int score_group(const void *x, const void *y)
{
    const struct score_line *a = x, *b = y;
    int c = strcmp(a->row->gpu, b->row->gpu);
    c = c ? c : strcmp(a->row->model, b->row->model);
    if (c || a->metric != b->metric)
        return c ? c : a->metric - b->metric;
    return (a->ape > b->ape) - (a->ape < b->ape);
}

static cJSON *score_summary_row(const struct score_line *l, size_t n)
{
    cJSON *o = cJSON_CreateObject();
    double sum = 0, bias = 0;
    for (size_t i = 0; i < n; i++) {
        sum += l[i].ape;
        bias += l[i].bias;
    }
    cJSON_AddStringToObject(o, "gpu", l->row->gpu);
    cJSON_AddStringToObject(o, "model", l->row->model);
    cJSON_AddStringToObject(o, "metric", l->row->metric[l->metric].name);
    cJSON_AddNumberToObject(o, "n", (double)n);
    answer_put(o, "mape_pct", sum / (double)n);
    answer_put(o, "median_pct", (l[(n - 1) / 2].ape + l[n / 2].ape) / 2);
    answer_put(o, "bias_pct", bias / (double)n);
    answer_put(o, "worst_pct", l[n - 1].ape);
    cJSON_AddStringToObject(o, "worst_run", l[n - 1].row->run_id);
    return o;
}

static cJSON *score_summary(const struct score *w, struct arena *a)
{
    cJSON *list = cJSON_CreateArray();
    struct score_line *l = ARENA_ARRAY(a, struct score_line, w->n_line);
    if (w->n_line)
        memcpy(l, w->line, w->n_line * sizeof *l);
    qsort(l, w->n_line, sizeof *l, score_group);
    for (size_t i = 0, k; i < w->n_line; i = k) {
        for (k = i + 1; k < w->n_line; k++)
            if (strcmp(l[i].row->gpu, l[k].row->gpu) != 0
                || strcmp(l[i].row->model, l[k].row->model) != 0
                || l[i].metric != l[k].metric)
                break;
        cJSON_AddItemToArray(list, score_summary_row(&l[i], k - i));
    }
    return list;
}

static void score_print(const cJSON *summary)
{
    printf("%-10s %-36s %-21s %4s %7s %7s %7s %7s  %s\n", "gpu", "model",
           "metric", "n", "MAPE%", "median%", "bias%", "worst%", "worst run");
    for (const cJSON *k = summary->child; k; k = k->next)
        printf("%-10s %-36s %-21s %4.0f %7.1f %7.1f %7.1f %7.1f  %s\n",
               answer_text(k, "gpu"), answer_text(k, "model"),
               answer_text(k, "metric"), answer_num(k, "n"),
               answer_num(k, "mape_pct"), answer_num(k, "median_pct"),
               answer_num(k, "bias_pct"), answer_num(k, "worst_pct"),
               answer_text(k, "worst_run"));
}

static void score_refused(const struct score *w)
{
    size_t by[3] = {0};
    for (size_t i = 0; i < w->n; i++)
        by[w->row[i].status]++;
    printf("\n%zu rows: %zu predicted, %zu by data sheet only, %zu "
           "unsupported\n",
           w->n, by[MEASURED_OK], by[MEASURED_UNCALIBRATED],
           by[MEASURED_UNSUPPORTED]);
    for (size_t i = 0; i < w->n; i++)
        if (w->row[i].status == MEASURED_UNSUPPORTED)
            printf("  %s: %s\n", w->row[i].run_id, w->row[i].note);
}

/* ---- files --------------------------------------------------------------- */

static void score_csv_row(FILE *f, const struct measured_row *r)
{
    const char *text[] = {r->run_id, r->gpu, r->model, r->topology};
    for (size_t i = 0; i < 4; i++) {
        csv_put(f, text[i]);
        fputc(',', f);
    }
}

static void score_csv(FILE *f, const struct score *w)
{
    fprintf(f, "run_id,gpu,model,topology,metric,measured,predicted,ape_pct,"
               "status,note\n");
    for (size_t i = 0, k = 0; i < w->n; i++) {
        const struct measured_row *r = &w->row[i];
        for (int m = 0; m < MEASURED_METRICS; m++) {
            if (isnan(r->metric[m].value))
                continue;
            score_csv_row(f, r);
            fprintf(f, "%s,%.9g,", r->metric[m].name, r->metric[m].value);
            const struct score_line *l = &w->line[k];
            if (k < w->n_line && l->row == r && l->metric == m) {
                fprintf(f, "%.6g,%.2f", l->predicted, l->ape);
                k++;
            } else {
                fputc(',', f);
            }
            fprintf(f, ",%s,", measured_status_name(r->status));
            csv_put(f, r->note);
            fputc('\n', f);
        }
    }
}

static cJSON *score_rows_json(const struct score *w)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < w->n_line; i++) {
        const struct score_line *l = &w->line[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "run_id", l->row->run_id);
        cJSON_AddStringToObject(o, "gpu", l->row->gpu);
        cJSON_AddStringToObject(o, "model", l->row->model);
        cJSON_AddStringToObject(o, "topology", l->row->topology);
        cJSON_AddStringToObject(o, "metric", l->row->metric[l->metric].name);
        answer_put(o, "measured", l->measured);
        answer_put(o, "predicted", l->predicted);
        answer_put(o, "ape_pct", l->ape);
        cJSON_AddStringToObject(o, "status",
                                measured_status_name(l->row->status));
        cJSON_AddStringToObject(o, "note", l->row->note);
        cJSON_AddItemToArray(list, o);
    }
    for (size_t i = 0; i < w->n; i++)
        if (w->row[i].status == MEASURED_UNSUPPORTED) {
            cJSON *o = cJSON_CreateObject();
            cJSON_AddStringToObject(o, "run_id", w->row[i].run_id);
            cJSON_AddStringToObject(o, "gpu", w->row[i].gpu);
            cJSON_AddStringToObject(o, "model", w->row[i].model);
            cJSON_AddStringToObject(o, "status", "unsupported");
            cJSON_AddStringToObject(o, "note", w->row[i].note);
            cJSON_AddItemToArray(list, o);
        }
    return list;
}

static bool score_files(const struct score_options *o, const struct score *w,
                        cJSON *summary, struct err *e)
{
    struct file_out f;
    const char *out = o->out ? o->out : o->c.csv;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "kind", "score");
    cJSON_AddStringToObject(root, "table", o->path);
    cJSON_AddItemToObject(root, "rows", score_rows_json(w));
    cJSON_AddItemToObject(root, "summary", summary);
    bool ok = cmd_json(&o->c, root, e);
    cJSON_DetachItemViaPointer(root, summary);
    json_free(root);
    if (!ok || !out)
        return ok;
    if (!file_out_open(&f, out, e))
        return false;
    score_csv(f.f, w);
    return file_out_done(&f, e);
}

static bool score_all(struct cmd_session *ses, const struct score_options *o,
                      struct err *e)
{
    struct score w = {0};
    struct measured_ask ask = {.path = o->path,
                               .models = ses->models,
                               .store = &ses->db,
                               .seed = o->c.seed};
    if (!measured_read(&ask, ses->a, &w.row, &w.n, e))
        return false;
    struct crew_job job = {.n = w.n,
                           .workers = cmd_jobs(&o->c),
                           .size = 1,
                           .ctx = &w,
                           .work = score_work,
                           .emit = score_emit,
                           .stop = cmd_stop()};
    cmd_progress_begin(&w.progress, &o->c, "score", (double)w.n);
    bool ok = crew_run(&job, e);
    cmd_progress_end(&w.progress);
    if (!ok)
        return false;
    score_lines(&w, ses->a);
    cJSON *summary = score_summary(&w, ses->a);
    ok = score_files(o, &w, summary, e);
    const char *out = o->c.json ? o->c.json : o->out ? o->out : "";
    if (ok && strcmp(out, "-") != 0) {
        score_print(summary);
        score_refused(&w);
    }
    json_free(summary);
    return ok && cmd_flush(e);
}

static int score_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.options = score_rows,
                        .parser = score_parse,
                        .args_doc = "RUNS.csv",
                        .doc = "Predicts every run of a table as it was "
                               "measured and prints the error of each metric.",
                        .children = child};
    struct score_options o = {0};
    struct cmd_session ses;
    struct err e = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cmd_open(&ses, &o.c, &e))
        return cmd_fail(&e);
    bool ok = score_all(&ses, &o, &e);
    cmd_close(&ses);
    return ok ? 0 : cmd_fail(&e);
}

const struct cmd cmd_score = {"score", "measured runs against predictions",
                              score_main};
