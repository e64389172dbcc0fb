#include "sim/report/html.h"
#include "sim/report/section.h"

#include <math.h>

/* Lists of flat points {tp, concurrency, ...}, one line a value of `by`. */
struct phase_chart {
    const cJSON *list;
    const char *by, *by_fmt; /* key that makes a line, and its name */
    const char *x, *y;
};

static const char *tip(struct section *p, const cJSON *i)
{
    static const char *const keys[] = {
        "tp",    "decode_tp", "concurrency", "tok_s",      "tok_s_per_gpu",
        "req_s", "tpot_ms",   "p_gpus",      "total_gpus", "tpsu",
        "tpsg"};
    const char *text = "";
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        double v = answer_num(i, keys[k]);
        if (!isnan(v))
            text = arena_fmt(p->a, "%s%s%s %.6g", text, *text ? "\n" : "",
                             keys[k], v);
    }
    return text;
}

/* One line for each value of c->by, in order of appearance. */
static size_t lines(struct section *p, const struct phase_chart *c,
                    struct svg_series **out)
{
    static const enum svg_mark marks[] = {SVG_CIRCLE, SVG_SQUARE, SVG_TRIANGLE,
                                          SVG_DIAMOND};
    size_t n = 0, all = 0;
    for (const cJSON *i = c->list->child; i; i = i->next)
        all++;
    struct svg_series *s = ARENA_ARRAY(p->a, struct svg_series, all);
    for (const cJSON *i = c->list->child; i; i = i->next) {
        bool first = true;
        for (const cJSON *k = c->list->child; first && k != i; k = k->next)
            first = answer_num(k, c->by) != answer_num(i, c->by);
        if (!first || isnan(answer_num(i, c->by)))
            continue;
        struct svg_point *pt = ARENA_ARRAY(p->a, struct svg_point, all);
        s[n] = (struct svg_series){
            .name = arena_fmt(p->a, c->by_fmt, answer_num(i, c->by)),
            .tone = 'n',
            .shade = (int)(n % 6),
            .mark = marks[n % 4],
            .line = true,
            .label = true,
            .point = pt};
        for (const cJSON *k = i; k; k = k->next)
            if (answer_num(k, c->by) == answer_num(i, c->by))
                pt[s[n].n++] = (struct svg_point){
                    answer_num(k, c->x), answer_num(k, c->y), tip(p, k)};
        n++;
    }
    *out = s;
    return n;
}

static bool filled(const cJSON *list)
{
    return cJSON_IsArray(list) && list->child;
}

/* c comes with its axes' titles and kinds. */
static void draw(struct section *p, const struct phase_chart *k,
                 const char *head, struct svg_chart c)
{
    struct svg_series *s;
    c.title = head;
    c.n = lines(p, k, &s);
    c.series = s;
    c.x.lo = c.x.hi = c.y.lo = c.y.hi = NAN;
    section_figure(p, head, &c);
}

static void chart(struct section *p, const struct phase_chart *k,
                  const char *head, struct svg_chart c)
{
    if (!filled(k->list))
        return;
    str_add(p->out, "<div class=\"card\">");
    draw(p, k, head, c);
    str_add(p->out, "</div>\n");
}

static void numbers(struct section *p, const cJSON *row,
                    const char *const *keys)
{
    str_add(p->out, "<tr>");
    for (size_t k = 0; keys[k]; k++) {
        double v = answer_num(row, keys[k]);
        html_num(p->out, v >= 1000 ? "%.0f" : "%.4g", v);
    }
    str_add(p->out, "</tr>\n");
}

static void points(struct section *p, const cJSON *list, const char *fold,
                   const char *const *keys, const char *const *heads)
{
    if (!filled(list))
        return;
    str_add(p->out, "<details>");
    html_tag(p->out, "summary", fold);
    html_table(p->out, heads);
    for (const cJSON *i = list->child; i; i = i->next)
        numbers(p, i, keys);
    html_table_end(p->out);
    str_add(p->out, "</details>\n");
}

/* The point of that TP with the largest tok_s; NULL: none.  A point that was
 * refused has none. */
static const cJSON *peak(const cJSON *list, double tp)
{
    const cJSON *best = NULL;
    double top = -1;
    for (const cJSON *i = list ? list->child : NULL; i; i = i->next) {
        double v = answer_num(i, "tok_s");
        if (answer_num(i, "tp") != tp || !(v > top))
            continue;
        best = i;
        top = v;
    }
    return best;
}

static void peaks(struct section *p, const cJSON *pre, const cJSON *dec)
{
    static const char *const heads[] = {
        "#TP",      "#Prefill tok/s",  "#per GPU", "#Decode tok/s",
        "#per GPU", "#at concurrency", NULL};
    enum { TP_MAX = 1024 };
    html_table(p->out, heads);
    for (int tp = 1; tp <= TP_MAX; tp++) {
        const cJSON *a = peak(pre, tp), *b = peak(dec, tp);
        if (!a && !b)
            continue;
        str_add(p->out, "<tr>");
        html_num(p->out, "%.0f", tp);
        html_num(p->out, "%.0f", answer_num(a, "tok_s"));
        html_num(p->out, "%.0f", answer_num(a, "tok_s_per_gpu"));
        html_num(p->out, "%.0f", answer_num(b, "tok_s"));
        html_num(p->out, "%.0f", answer_num(b, "tok_s_per_gpu"));
        html_num(p->out, "%.0f", answer_num(b, "concurrency"));
        str_add(p->out, "</tr>\n");
    }
    html_table_end(p->out);
}

void section_phases(struct section *p, const cJSON *root)
{
    const cJSON *pre = answer_at(root, "prefill");
    const cJSON *dec = answer_at(root, "decode");
    const char *who = section_subject(p, root);
    static const char *const keys[] = {
        "tp",    "concurrency", "tok_s",   "tok_s_per_gpu",
        "req_s", "tpsu",        "tpot_ms", NULL};
    static const char *const heads[] = {
        "#TP",         "#Concurrency", "#tok/s",   "#tok/s/GPU",
        "#Requests/s", "#TPSU",        "#TPOT ms", NULL};
    str_add(p->out, "<div class=\"grid\">\n");
    struct phase_chart k = {pre, "tp", "TP%.0f", "concurrency",
                            "tok_s_per_gpu"};
    chart(p, &k, arena_fmt(p->a, "Prefill alone, %s", who),
          (struct svg_chart){.x = {.title = "concurrent prompts", .log = true},
                             .y = {.title = "input tokens/s per GPU"}});
    k.list = dec;
    chart(p, &k, arena_fmt(p->a, "Decode alone, %s", who),
          (struct svg_chart){.x = {.title = "concurrency", .log = true},
                             .y = {.title = "output tokens/s per GPU"}});
    k.x = "tpsu";
    chart(p, &k, arena_fmt(p->a, "Decode alone against TPSU, %s", who),
          (struct svg_chart){.x = {.title = "TPSU, output tokens/s per user"},
                             .y = {.title = "output tokens/s per GPU"}});
    str_add(p->out, "<div class=\"card\">");
    html_tag(p->out, "h3", arena_fmt(p->a, "Peaks, %s", who));
    peaks(p, pre, dec);
    points(p, pre, "All prefill points", keys, heads);
    points(p, dec, "All decode points", keys, heads);
    str_add(p->out, "</div></div>\n");
}

/* For each decode TP the pair with the highest TPSG. */
static void best_pairs(struct section *p, const cJSON *pairs)
{
    static const char *const heads[] = {
        "#Decode TP",    "#Best TPSG", "#TPSU", "#Concurrency",
        "#Prefill GPUs", "#All GPUs",  NULL};
    static const char *const keys[] = {"decode_tp",   "tpsg",   "tpsu",
                                       "concurrency", "p_gpus", "total_gpus",
                                       NULL};
    html_table(p->out, heads);
    for (const cJSON *i = pairs->child; i; i = i->next) {
        double tp = answer_num(i, "decode_tp"), top = answer_num(i, "tpsg");
        bool best = true, before = true; /* of equals the first */
        for (const cJSON *k = pairs->child; best && k; k = k->next) {
            double v = answer_num(k, "tpsg");
            before = before && k != i;
            best = answer_num(k, "decode_tp") != tp
                || !(v > top || (before && v == top));
        }
        if (best)
            numbers(p, i, keys);
    }
    html_table_end(p->out);
}

void section_phases_pair(struct section *p, const cJSON *root)
{
    const cJSON *pairs = answer_at(root, "pairs");
    static const char *const keys[] = {"decode_tp",  "concurrency", "p_gpus",
                                       "total_gpus", "tpsu",        "tpsg",
                                       NULL};
    static const char *const heads[] = {
        "#Decode TP", "#Concurrency", "#Prefill GPUs",
        "#All GPUs",  "#TPSU",        "#TPSG",
        NULL};
    struct phase_chart k = {pairs, "decode_tp", "decode TP%.0f", "tpsu",
                            "tpsg"};
    struct svg_chart c = {.x = {.title = "TPSU, output tokens/s per user"},
                          .y = {.title = "TPSG, output tokens/s per GPU"}};
    if (!filled(pairs))
        return;
    str_add(p->out, "<div class=\"card\">");
    draw(p, &k, section_subject(p, root), c);
    best_pairs(p, pairs);
    points(p, pairs, "All pairs", keys, heads);
    str_add(p->out, "</div>\n");
}
