#include "sim/report/report.h"

#include "sim/base/json.h"
#include "sim/base/must.h"
#include "sim/report/claims.h"
#include "sim/report/html.h"
#include "sim/report/section.h"

#include <string.h>

/* The page in order; kinds as in answer.h. */
static const struct part {
    const char *kind, *id, *head, *nav, *why;
    void (*show)(struct section *p, const cJSON *root);
    bool grid; /* the files' cards stand side by side */
} parts[] = {
    {"sweep", "pareto", "Throughput per GPU against speed per user", "Pareto",
     "Every run of the sweep. TPSU is output throughput over client "
     "concurrency, TPSG over all GPUs, prefill included; a curve runs from "
     "low concurrency at the right to high at the left. Hollow blue marks are "
     "aggregated, filled orange ones disaggregated; the shaded range is where "
     "the disaggregated front is ahead.",
     section_sweep, true},
    {"scaleout", "scaleout", "Scale-out under a request rate", "Scale-out",
     NULL, section_scaleout, false},
    {"phases", "phases", "Each phase alone", "Phases",
     "Prefill only (one output token), and decode only (the cache is filled "
     "without a prefill).",
     section_phases, false},
    {"pair", "pairs", "Pairing prefill with decode", "Pairing",
     "Prefill GPUs that keep up with one decode instance, from the phases "
     "alone: no queue, transfer or drain is in these figures.",
     section_phases_pair, true},
    {"plan", "plans", "Plans", "Plans", NULL, section_plan, false},
    {"run", "runs", "Runs", "Runs", NULL, section_run, false},
    {"score", "accuracy", "Predicted against measured", "Accuracy",
     "Measured runs, each predicted as it was run.", section_score, false},
};
enum { PARTS = sizeof parts / sizeof parts[0], CLAIMS_BEFORE = 4 };

static bool is_kind(const struct answer_file *f, const char *kind)
{
    const char *k = answer_text(f->root, "kind");
    return k && strcmp(k, kind) == 0;
}

/* Whether a part shows a file: its own kind, and a plan that holds all its
 * answers is a sweep, too. */
static bool shows(const struct answer_file *f, const char *kind)
{
    if (is_kind(f, kind))
        return true;
    const cJSON *answers = answer_at(f->root, "answers");
    return strcmp(kind, "sweep") == 0 && is_kind(f, "plan") && answers
        && answers->child;
}

static size_t files_of(const struct report_ask *ask, const char *kind)
{
    size_t n = 0;
    for (size_t i = 0; i < ask->n; i++)
        n += shows(&ask->file[i], kind);
    return n;
}

static bool known(const struct answer_file *f, struct err *e)
{
    for (int i = 0; i < PARTS; i++)
        if (is_kind(f, parts[i].kind))
            return true;
    const char *kind = answer_text(f->root, "kind");
    return err_set(e, ERR_INPUT,
                   "%s: kind: must be run, sweep, scaleout, "
                   "phases, pair, plan or score, got %s",
                   f->name, kind ? kind : "none");
}

/* ---- the head ---- */

/* The first file of each model that a sweep or a plan is about. */
static bool leads(const struct report_ask *ask, size_t at)
{
    const char *m = answer_text(ask->file[at].root, "scenario.model");
    for (size_t i = 0; i <= at; i++) {
        const struct answer_file *f = &ask->file[i];
        const char *k = answer_text(f->root, "scenario.model");
        if ((is_kind(f, "plan") || is_kind(f, "sweep")) && m && k
            && strcmp(m, k) == 0)
            return i == at;
    }
    return false;
}

static bool is_about(const struct answer_file *f, const char *model)
{
    const char *m = answer_text(f->root, "scenario.model");
    return m && strcmp(m, model) == 0;
}

/* The plan's best, then the sweep in a sentence; no card without either. */
static void model_card(struct section *p, const struct report_ask *ask,
                       size_t at)
{
    const char *m = answer_text(ask->file[at].root, "scenario.model");
    struct str body = {0};
    struct section in = {.out = &body, .a = p->a};
    for (size_t i = 0; i < ask->n; i++)
        if (is_about(&ask->file[i], m) && is_kind(&ask->file[i], "plan"))
            section_plan_best(&in, ask->file[i].root);
    for (size_t i = 0; i < ask->n; i++) {
        const struct answer_file *f = &ask->file[i];
        const char *verdict = is_about(f, m) && shows(f, "sweep")
                                ? section_sweep_verdict(p, f->root)
                                : NULL;
        if (verdict)
            html_tag(&body, "p", verdict);
    }
    if (body.n > 0) {
        str_add(p->out, "<div class=\"card\">");
        html_tag(p->out, "h3", section_subject(p, ask->file[at].root));
        str_addn(p->out, body.s, body.n);
        str_add(p->out, "</div>\n");
    }
    str_free(&body);
}

static void tally(struct section *p, const cJSON *verdicts)
{
    static const char *const met[] = {"yes", "partly", "no", "not evaluable"};
    static const char *const said[] = {"met", "partly met", "not met",
                                       "not evaluable"};
    static const char *const tone[] = {"yes", "partly", "no", "off"};
    if (!verdicts || !verdicts->child)
        return;
    str_add(p->out, "<p>The study's claims: ");
    for (int k = 0; k < 4; k++) {
        int n = 0;
        for (const cJSON *i = verdicts->child; i; i = i->next)
            n += strcmp(answer_text(i, "met"), met[k]) == 0;
        if (n == 0)
            continue;
        html_badge(p->out, tone[k], arena_fmt(p->a, "%d %s", n, said[k]));
        str_add(p->out, " ");
    }
    str_add(p->out, "</p>\n");
}

static void navigation(struct section *p, const struct report_ask *ask,
                       const cJSON *verdicts)
{
    str_add(p->out, "<nav>");
    for (int i = 0; i < PARTS; i++) {
        if (i == CLAIMS_BEFORE && verdicts)
            str_add(p->out, "<a href=\"#claims\">Claims</a>");
        if (files_of(ask, parts[i].kind) > 0)
            str_fmt(p->out, "<a href=\"#%s\">%s</a>", parts[i].id,
                    parts[i].nav);
    }
    str_add(p->out, "<a href=\"#basis\">What this rests on</a></nav>\n");
}

static const char *title(struct section *p, const struct report_ask *ask)
{
    const char *text = NULL;
    for (size_t i = 0; i < ask->n && !ask->title; i++) {
        if (!leads(ask, i))
            continue;
        const char *m = answer_text(ask->file[i].root, "scenario.model");
        text = text ? arena_fmt(p->a, "%s, %s", text, m) : m;
    }
    if (ask->title)
        return ask->title;
    return text ? arena_fmt(p->a, "Serving plans for %s", text)
                : "Predictions of LLM serving";
}

static void head(struct section *p, const struct report_ask *ask,
                 const cJSON *verdicts)
{
    const char *name = title(p, ask);
    html_open(p->out, name);
    str_add(p->out, "<header>");
    html_tag(p->out, "h1", name);
    str_add(p->out, "<p class=\"soft\">Predicted by discrete-event simulation "
                    "from operator measurements, and from physical laws where "
                    "there are none: <a href=\"#basis\">what this rests on</a> "
                    "says which. Nothing here was measured unless it says "
                    "so.</p>\n");
    navigation(p, ask, verdicts);
    str_add(p->out, "</header>\n<main>\n");
    for (size_t i = 0; i < ask->n; i++)
        if (leads(ask, i))
            model_card(p, ask, i);
    tally(p, verdicts);
}

/* ---- the page ---- */

static void show(struct section *p, const struct report_ask *ask,
                 const struct part *part)
{
    if (files_of(ask, part->kind) == 0)
        return;
    section_head(p, part->id, part->head);
    if (part->why)
        html_tag(p->out, "p class=\"soft\"", part->why);
    if (part->grid)
        str_add(p->out, "<div class=\"grid\">\n");
    for (size_t i = 0; i < ask->n; i++)
        if (shows(&ask->file[i], part->kind))
            part->show(p, ask->file[i].root);
    if (part->grid)
        str_add(p->out, "</div>\n");
}

static void page(struct section *p, const struct report_ask *ask,
                 const cJSON *verdicts)
{
    head(p, ask, verdicts);
    for (int i = 0; i < PARTS; i++) {
        if (i == CLAIMS_BEFORE && verdicts) {
            section_head(p, "claims", "What the study claims");
            section_claims(p, verdicts, answer_text(ask->claims, "source"));
        }
        show(p, ask, &parts[i]);
    }
    section_head(p, "basis", "What this rests on");
    section_basis(p, ask->file, ask->n);
    str_add(p->out, "</main>\n");
    html_close(p->out);
}

bool report_html(const struct report_ask *ask, struct str *html, struct err *e)
{
    for (size_t i = 0; i < ask->n; i++)
        if (!known(&ask->file[i], e))
            return false;
    cJSON *verdicts = NULL;
    if (ask->claims
        && !claims_check(ask->claims, ask->file, ask->n, &verdicts, e))
        return false;
    struct section p = {.out = html, .a = arena_open()};
    page(&p, ask, verdicts);
    arena_close(p.a);
    json_free(verdicts);
    return true;
}

bool report_svg(const struct answer_file *file, struct str *svg, struct err *e)
{
    if (!is_kind(file, "sweep") && !is_kind(file, "plan"))
        return err_set(e, ERR_INPUT, "%s: a chart needs a sweep or a plan",
                       file->name);
    struct section p = {.out = svg, .a = arena_open()};
    struct svg_chart c = section_sweep_chart(&p, file->root);
    svg_file(svg, &c);
    arena_close(p.a);
    return true;
}
