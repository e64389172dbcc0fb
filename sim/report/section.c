#include "sim/report/section.h"

#include "sim/report/html.h"

#include <math.h>
#include <string.h>

enum { DATA_ROWS = 400 };

void section_head(struct section *p, const char *id, const char *text)
{
    str_add(p->out, "<h2 id=\"");
    html_text(p->out, id);
    str_add(p->out, "\">");
    html_text(p->out, text);
    str_add(p->out, "</h2>\n");
}

const char *section_subject(struct section *p, const cJSON *root)
{
    const char *model = answer_text(root, "scenario.model");
    const char *gpu = answer_text(root, "scenario.gpu");
    if (!model)
        return gpu ? gpu : "unnamed model";
    return gpu ? arena_fmt(p->a, "%s on %s", model, gpu) : model;
}

/* ---- answers as a table ---- */

static const struct column {
    const char *head, *path, *fmt;
} columns[] = {
    {"GPUs", "gpus", "%.0f"},
    {"Concurrency", "concurrency", "%.4g"},
    {"Requests/s", "rate_rps", "%.4g"},
    {"TPSU", "tpsu", "%.1f"},
    {"TPSG", "tpsg", "%.0f"},
    {"TTFT p50 ms", "ttft_ms.p50", "%.0f"},
    {"TTFT p99 ms", "ttft_ms.p99", "%.0f"},
    {"ITL p50 ms", "itl_ms.p50", "%.1f"},
    {"ITL p99 ms", "itl_ms.p99", "%.1f"},
    {"E2E p99 s", "e2e_ms.p99", "%.2f"},
    {"$/Mtok out", "usd_per_mtok_output", "%.3g"},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static double value(const cJSON *answer, int column)
{
    double v = answer_num(answer, columns[column].path);
    return strncmp(columns[column].path, "e2e", 3) == 0 ? v / 1e3 : v;
}

static void slo_cell(struct str *b, const cJSON *answer)
{
    const cJSON *met = answer_at(answer, "slo_met");
    str_add(b, "<td>");
    if (cJSON_IsBool(met))
        html_badge(b, cJSON_IsTrue(met) ? "yes" : "no",
                   cJSON_IsTrue(met) ? "met" : "missed");
    str_add(b, "</td>");
}

static void row(struct str *b, const cJSON *i, const bool *used, bool slo)
{
    const char *t = answer_text(i, "topology");
    html_tag(b, "td class=\"w\"", t ? t : "–");
    for (int k = 0; k < COLUMNS; k++)
        if (used[k])
            html_num(b, columns[k].fmt, value(i, k));
    html_cell(b, answer_text(i, "bottleneck"));
    if (slo)
        slo_cell(b, i);
    str_add(b, "</tr>\n");
}

void section_answers(struct section *p, const cJSON *list, size_t limit,
                     bool ranked)
{
    struct str *b = p->out;
    bool used[COLUMNS] = {false}, slo = false;
    size_t n = 0;
    for (const cJSON *i = list ? list->child : NULL; i; i = i->next, n++) {
        slo = slo || answer_at(i, "slo_met");
        for (int k = 0; k < COLUMNS; k++)
            used[k] = used[k] || !isnan(value(i, k));
    }
    str_add(b, "<div class=\"frame\"><table><thead><tr><th>Topology</th>");
    for (int k = 0; k < COLUMNS; k++)
        if (used[k])
            html_tag(b, "th class=\"n\"", columns[k].head);
    str_fmt(b, "<th>Limited by</th>%s</tr></thead><tbody>\n",
            slo ? "<th>SLO</th>" : "");
    size_t shown = 0;
    for (const cJSON *i = list ? list->child : NULL; i && shown < limit;
         i = i->next, shown++) {
        str_add(b, ranked && shown == 0 ? "<tr class=\"best\">" : "<tr>");
        row(b, i, used, slo);
    }
    html_table_end(b);
    if (n > limit)
        str_fmt(b, "<p class=\"soft\">%zu more not shown.</p>\n", n - limit);
}

void section_data(struct section *p, const cJSON *list)
{
    size_t n = 0;
    for (const cJSON *i = list ? list->child : NULL; i; i = i->next)
        n++;
    if (n == 0)
        return;
    str_fmt(p->out, "<details><summary>All %zu predictions</summary>\n", n);
    section_answers(p, list, DATA_ROWS, false);
    str_add(p->out, "</details>\n");
}

const char *section_tip(struct section *p, const cJSON *i)
{
    const char *text = answer_text(i, "topology");
    static const struct {
        const char *path, *fmt;
    } part[] = {
        {"rate_rps", "%s, %.4g requests/s"},
        {"concurrency", "%s, concurrency %.4g"},
        {"tpsu", "%s\nTPSU %.1f tok/s/user"},
        {"ci95.tpsu", "%s ± %.2g"},
        {"tpsg", "%s\nTPSG %.0f tok/s/GPU"},
        {"ci95.tpsg", "%s ± %.2g"},
        {"ttft_ms.p50", "%s\nTTFT p50 %.0f ms"},
        {"ttft_ms.p99", "%s, p99 %.0f ms"},
        {"itl_ms.p50", "%s\nITL p50 %.1f ms"},
        {"itl_ms.p99", "%s, p99 %.1f ms"},
    };
    text = text ? text : "";
    for (size_t k = 0; k < sizeof part / sizeof part[0]; k++) {
        double v = answer_num(i, part[k].path);
        if (!isnan(v))
            text = arena_fmt(p->a, part[k].fmt, text, v);
    }
    const char *limit = answer_text(i, "bottleneck");
    return limit ? arena_fmt(p->a, "%s\nlimited by %s", text, limit) : text;
}

/* ---- charts ---- */

void section_figure(struct section *p, const char *head,
                    const struct svg_chart *c)
{
    html_tag(p->out, "h3", head);
    str_add(p->out, "<div class=\"frame\">\n");
    svg_plot(p->out, c);
    str_add(p->out, "</div>\n");
}

void section_chart(struct section *p, const char *head,
                   const struct svg_chart *c)
{
    str_add(p->out, "<div class=\"card\">");
    section_figure(p, head, c);
    str_add(p->out, "</div>\n");
}

struct svg_series *section_lines(struct section *p, const struct curve_set *s,
                                 const struct section_axes *axes)
{
    static const enum svg_mark marks[] = {SVG_CIRCLE, SVG_SQUARE, SVG_TRIANGLE,
                                          SVG_DIAMOND};
    struct svg_series *out = ARENA_ARRAY(p->a, struct svg_series, s->n);
    int seen[2] = {0, 0}, many[2] = {0, 0};
    for (size_t i = 0; i < s->n; i++)
        many[s->curve[i].pd]++; /* two of a kind get shades far apart */
    for (size_t i = 0; i < s->n; i++) {
        const struct curve *c = &s->curve[i];
        struct svg_point *pt = ARENA_ARRAY(p->a, struct svg_point, c->n);
        for (size_t j = 0; j < c->n; j++)
            pt[j] = (struct svg_point){
                .x = answer_num(c->point[j].answer, axes->x),
                .y = answer_num(c->point[j].answer, axes->y) * axes->scale,
                .tip = section_tip(p, c->point[j].answer)};
        int k = seen[c->pd]++;
        int spread = many[c->pd] > 2 ? k % 6 : 1 + 2 * k;
        out[i] = (struct svg_series){.name = c->topology,
                                     .tone = c->pd ? 'd' : 'a',
                                     .shade = spread,
                                     .mark = marks[k % 4],
                                     .hollow = !c->pd,
                                     .line = true,
                                     .label = true,
                                     .point = pt,
                                     .n = c->n};
    }
    return out;
}
