#include "sim/report/html.h"
#include "sim/report/section.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANKED = 10, REASONS = 50 };

/* "20 to 40", "100 and above". */
static const char *band_name(struct section *p, const cJSON *band)
{
    double lo = answer_num(band, "lo"), hi = answer_num(band, "hi");
    if (isnan(hi))
        return arena_fmt(p->a, "%.4g and above", isnan(lo) ? 0 : lo);
    return arena_fmt(p->a, "%.4g to %.4g", isnan(lo) ? 0 : lo, hi);
}

/* "P99 TTFT ≤ 2000 ms and P99 ITL ≤ 50 ms"; NULL when there is no bound. */
static const char *promise(struct section *p, const cJSON *root)
{
    static const struct {
        const char *path, *fmt;
    } bound[] = {
        {"scenario.slo.ttft_ms_p99", "P99 TTFT ≤ %.4g ms"},
        {"scenario.slo.itl_ms_p99", "P99 ITL ≤ %.4g ms"},
        {"scenario.slo.tpot_ms_p99", "P99 TPOT ≤ %.4g ms"},
        {"scenario.slo.e2e_ms_p99", "P99 E2E ≤ %.4g ms"},
        {"scenario.slo.tpsu_min", "TPSU ≥ %.4g"},
    };
    const char *text = NULL;
    for (size_t i = 0; i < sizeof bound / sizeof bound[0]; i++) {
        double v = answer_num(root, bound[i].path);
        if (isnan(v))
            continue;
        const char *one = arena_fmt(p->a, bound[i].fmt, v);
        text = text ? arena_fmt(p->a, "%s and %s", text, one) : one;
    }
    return text;
}

static const cJSON *first(const cJSON *list)
{
    return cJSON_IsArray(list) ? list->child : NULL;
}

/* "concurrency 64", "12 requests/s". */
static const char *load(struct section *p, const cJSON *answer)
{
    double rate = answer_num(answer, "rate_rps");
    if (!isnan(rate))
        return arena_fmt(p->a, "%.4g requests/s", rate);
    return arena_fmt(p->a, "concurrency %.4g",
                     answer_num(answer, "concurrency"));
}

static void best_under_slo(struct section *p, const cJSON *root)
{
    const char *slo = promise(p, root);
    const cJSON *top = first(answer_at(root, "slo_ranked"));
    if (!slo)
        return;
    str_add(p->out, "<p class=\"say\">");
    if (!top) {
        html_fmt(p->out, "No plan that was tried keeps %s.", slo);
    } else {
        html_fmt(p->out, "Most tokens/s/GPU with %s: ", slo);
        const char *t = answer_text(top, "topology");
        html_tag(p->out, "strong", t ? t : "–");
        html_fmt(p->out,
                 " at %s on %.0f GPUs: %.0f tok/s/GPU at %.1f tok/s/user.",
                 load(p, top), answer_num(top, "gpus"), answer_num(top, "tpsg"),
                 answer_num(top, "tpsu"));
    }
    str_add(p->out, "</p>\n");
}

/* The best plan of the other family, for what the choice is worth. */
static const cJSON *other_family(const cJSON *list, const char *topology)
{
    for (const cJSON *i = list ? list->child : NULL; i; i = i->next) {
        const char *t = answer_text(i, "topology");
        if (t && curve_is_pd(t) != curve_is_pd(topology))
            return i;
    }
    return NULL;
}

static void band_row(struct section *p, const cJSON *band)
{
    const cJSON *list = answer_at(band, "ranked");
    const cJSON *top = first(list);
    const char *t = answer_text(top, "topology");
    str_add(p->out, "<tr>");
    html_tag(p->out, "td class=\"w\"", band_name(p, band));
    if (!t) {
        str_add(p->out, "<td class=\"soft\">no plan reaches it</td><td></td>"
                        "<td></td><td></td><td></td><td></td><td></td>"
                        "<td></td></tr>\n");
        return;
    }
    str_add(p->out, "<td class=\"w\"><strong>");
    html_text(p->out, t);
    str_add(p->out, "</strong></td>");
    html_num(p->out, "%.0f", answer_num(top, "gpus"));
    html_tag(p->out, "td class=\"w\"", load(p, top));
    html_num(p->out, "%.1f", answer_num(top, "tpsu"));
    html_num(p->out, "%.0f", answer_num(top, "tpsg"));
    html_num(p->out, "%.0f", answer_num(top, "ttft_ms.p99"));
    html_num(p->out, "%.1f", answer_num(top, "itl_ms.p99"));
    const cJSON *next = other_family(list, t);
    if (next)
        html_tag(
            p->out, "td class=\"w\"",
            arena_fmt(p->a, "%s, %+.0f %%", answer_text(next, "topology"),
                      100
                          * (answer_num(next, "tpsg") / answer_num(top, "tpsg")
                             - 1)));
    else
        html_tag(p->out, "td class=\"soft\"", "none among the best");
    str_add(p->out, "</tr>\n");
}

void section_plan_best(struct section *p, const cJSON *root)
{
    static const char *const heads[] = {"TPSU band",
                                        "Best plan",
                                        "#GPUs",
                                        "Load",
                                        "#TPSU",
                                        "#TPSG",
                                        "#TTFT p99 ms",
                                        "#ITL p99 ms",
                                        "Best of the other kind",
                                        NULL};
    best_under_slo(p, root);
    const cJSON *bands = answer_at(root, "bands");
    if (!first(bands))
        return;
    html_table(p->out, heads);
    for (const cJSON *i = bands->child; i; i = i->next)
        band_row(p, i);
    html_table_end(p->out);
}

static void counts(struct section *p, const cJSON *root)
{
    double t = answer_num(root, "topologies"), n = answer_num(root, "trials");
    double r = answer_num(root, "requests");
    if (isnan(t) || isnan(n))
        return;
    str_add(p->out, "<p class=\"soft\">");
    html_fmt(p->out, "%.0f topologies, %.0f trials", t, n);
    if (!isnan(r))
        html_fmt(p->out, ", %.4g million simulated requests", r / 1e6);
    str_add(p->out, ".</p>\n");
}

static void infeasible(struct section *p, const cJSON *root)
{
    const cJSON *why = answer_at(root, "infeasible");
    static const char *const heads[] = {"Reason", "#Count", NULL};
    if (!cJSON_IsObject(why) || !why->child)
        return;
    str_add(p->out, "<details><summary>What was ruled out</summary>\n");
    html_table(p->out, heads);
    size_t n = 0;
    for (const cJSON *i = why->child; i && n < REASONS; i = i->next, n++) {
        str_add(p->out, "<tr>");
        html_cell(p->out, i->string);
        html_num(p->out, "%.0f", cJSON_IsNumber(i) ? i->valuedouble : NAN);
        str_add(p->out, "</tr>\n");
    }
    html_table_end(p->out);
    str_add(p->out, "</details>\n");
}

void section_plan(struct section *p, const cJSON *root)
{
    str_add(p->out, "<div class=\"card\">");
    html_tag(p->out, "h3", section_subject(p, root));
    const char *why = answer_text(root, "scenario.why");
    if (why)
        html_tag(p->out, "p class=\"soft\"", why);
    counts(p, root);
    const char *slo = promise(p, root);
    const cJSON *ranked = answer_at(root, "slo_ranked");
    if (slo && first(ranked)) {
        html_tag(p->out, "h3", arena_fmt(p->a, "With %s", slo));
        section_answers(p, ranked, RANKED, true);
    }
    const cJSON *bands = answer_at(root, "bands");
    for (const cJSON *i = first(bands); i; i = i->next) {
        const cJSON *list = answer_at(i, "ranked");
        if (!first(list))
            continue;
        str_add(p->out, "<details><summary>");
        html_fmt(p->out, "TPSU %s", band_name(p, i));
        str_add(p->out, "</summary>\n");
        section_answers(p, list, RANKED, true);
        str_add(p->out, "</details>\n");
    }
    infeasible(p, root);
    str_add(p->out, "</div>\n");
}
