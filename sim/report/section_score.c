#include "sim/report/html.h"
#include "sim/report/section.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Metrics drawn, most rows first, and rows of a kind listed. */
enum { DRAWN = 6, METRICS = 64, NOTES = 40 };
/* Largest over smallest ratio from which their axis is logarithmic. */
#define LOG_FROM 5.0

static void summary(struct section *p, const cJSON *list)
{
    static const char *const heads[] = {"GPU",     "Model",    "Metric",
                                        "#Rows",   "#MAPE %",  "#Median %",
                                        "#Bias %", "#Worst %", NULL};
    if (!cJSON_IsArray(list) || !list->child)
        return;
    html_table(p->out, heads);
    for (const cJSON *i = list->child; i; i = i->next) {
        str_add(p->out, "<tr>");
        html_cell(p->out, answer_text(i, "gpu"));
        html_tag(p->out, "td class=\"w\"", answer_text(i, "model"));
        html_cell(p->out, answer_text(i, "metric"));
        html_num(p->out, "%.0f", answer_num(i, "n"));
        html_num(p->out, "%.1f", answer_num(i, "mape_pct"));
        html_num(p->out, "%.1f", answer_num(i, "median_pct"));
        html_num(p->out, "%+.1f", answer_num(i, "bias_pct"));
        html_num(p->out, "%.1f", answer_num(i, "worst_pct"));
        str_add(p->out, "</tr>\n");
    }
    html_table_end(p->out);
}

struct tally {
    const char *name;
    size_t n;
};

/* Counts a name in a short list; names beyond its room are not counted. */
static size_t count(struct tally *t, size_t n, size_t room, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(t[i].name, name) == 0) {
            t[i].n++;
            return n;
        }
    }
    if (n < room)
        t[n++] = (struct tally){name, 1};
    return n;
}

static int by_count(const void *x, const void *y)
{
    const struct tally *a = x, *b = y;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return strcmp(a->name, b->name);
}

static bool drawable(const cJSON *row)
{
    return answer_text(row, "metric") && answer_num(row, "measured") > 0
        && answer_num(row, "predicted") > 0;
}

static void fill(struct section *p, const cJSON *rows, const char *metric,
                 struct svg_series *s)
{
    struct svg_point *pt = ARENA_ARRAY(p->a, struct svg_point, s->n);
    s->point = pt;
    s->n = 0;
    for (const cJSON *i = rows->child; i; i = i->next) {
        if (!drawable(i) || strcmp(answer_text(i, "metric"), metric) != 0)
            continue;
        const char *id = answer_text(i, "run_id");
        double m = answer_num(i, "measured"), q = answer_num(i, "predicted");
        pt[s->n++] = (struct svg_point){
            m, q / m,
            arena_fmt(p->a,
                      "%s\n%s\nmeasured %.5g\npredicted %.5g "
                      "(%+.1f %%)",
                      id ? id : "", metric, m, q, 100 * (q / m - 1))};
    }
}

/* A dashed line at 1 from end to end, and the scale of y: linear around what is
 * there, logarithmic when a ratio is far off. */
static void frame(struct section *p, struct svg_chart *c,
                  struct svg_series *one)
{
    double x0 = NAN, x1 = NAN, y0 = 1, y1 = 1;
    for (size_t i = 0; i < c->n; i++) {
        for (size_t j = 0; j < c->series[i].n; j++) {
            const struct svg_point *s = &c->series[i].point[j];
            x0 = fmin(x0, s->x);
            x1 = fmax(x1, s->x);
            y0 = fmin(y0, s->y);
            y1 = fmax(y1, s->y);
        }
    }
    c->y.log = y1 / y0 > LOG_FROM;
    if (!c->y.log) {
        c->y.lo = floor(10 * y0 - 0.5) / 10;
        c->y.hi = ceil(10 * y1 + 0.5) / 10;
    }
    struct svg_point *ends = ARENA_ARRAY(p->a, struct svg_point, 2);
    ends[0] = (struct svg_point){x0, 1, NULL};
    ends[1] = (struct svg_point){x1, 1, NULL};
    *one = (struct svg_series){
        .tone = 'f', .line = true, .dashed = true, .point = ends, .n = 2};
}

static void scatter(struct section *p, const cJSON *rows)
{
    static const enum svg_mark marks[] = {SVG_CIRCLE, SVG_SQUARE, SVG_TRIANGLE,
                                          SVG_DIAMOND};
    struct tally metric[METRICS];
    size_t n = 0;
    for (const cJSON *i = rows->child; i; i = i->next)
        if (drawable(i))
            n = count(metric, n, METRICS, answer_text(i, "metric"));
    if (n == 0)
        return;
    qsort(metric, n, sizeof *metric, by_count);
    struct svg_chart c = {
        .title = "Predicted over measured",
        .n = n < DRAWN ? n : DRAWN,
        .x = {.title = "measured, each metric in its unit",
              .log = true,
              .lo = NAN,
              .hi = NAN},
        .y = {.title = "predicted / measured", .lo = NAN, .hi = NAN}};
    struct svg_series *s = ARENA_ARRAY(p->a, struct svg_series, c.n + 1);
    for (size_t k = 0; k < c.n; k++) {
        s[k] = (struct svg_series){.name = metric[k].name,
                                   .tone = 'n',
                                   .shade = (int)k,
                                   .mark = marks[k % 4],
                                   .hollow = true,
                                   .n = metric[k].n};
        fill(p, rows, metric[k].name, &s[k]);
    }
    c.series = s;
    frame(p, &c, &s[c.n]);
    c.n++;
    section_chart(p, c.title, &c);
}

/* How many rows had which status, and why the unsupported ones are so. */
static void statuses(struct section *p, const cJSON *rows)
{
    static const char *const heads[] = {"Not predicted because", "#Rows", NULL};
    struct tally status[METRICS], note[NOTES];
    size_t n = 0, m = 0;
    for (const cJSON *i = rows->child; i; i = i->next) {
        const char *s = answer_text(i, "status"), *t = answer_text(i, "note");
        if (s)
            n = count(status, n, METRICS, s);
        if (s && t && strcmp(s, "unsupported") == 0)
            m = count(note, m, NOTES, t);
    }
    str_add(p->out, "<p class=\"soft\">");
    for (size_t i = 0; i < n; i++)
        html_fmt(p->out, "%s%zu %s", i ? ", " : "Figures: ", status[i].n,
                 status[i].name);
    str_add(p->out, ".</p>\n");
    if (m == 0)
        return;
    qsort(note, m, sizeof *note, by_count);
    str_add(p->out, "<details><summary>What is not supported</summary>\n");
    html_table(p->out, heads);
    for (size_t i = 0; i < m; i++) {
        str_add(p->out, "<tr>");
        html_cell(p->out, note[i].name);
        html_num(p->out, "%.0f", (double)note[i].n);
        str_add(p->out, "</tr>\n");
    }
    html_table_end(p->out);
    str_add(p->out, "</details>\n");
}

void section_score(struct section *p, const cJSON *root)
{
    const cJSON *rows = answer_at(root, "rows");
    str_add(p->out, "<div class=\"card\">");
    html_tag(p->out, "h3", "Error by GPU, model and metric");
    summary(p, answer_at(root, "summary"));
    if (cJSON_IsArray(rows) && rows->child)
        statuses(p, rows);
    str_add(p->out, "</div>\n");
    if (cJSON_IsArray(rows))
        scatter(p, rows);
}
