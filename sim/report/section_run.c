#include "sim/report/html.h"
#include "sim/report/section.h"

#include <math.h>

enum { ROWS = 50 };

static void dists(struct section *p, const cJSON *answer)
{
    static const char *const heads[] = {
        "ms", "#mean", "#p50", "#p90", "#p95", "#p99", "#p99.9", "#max", NULL};
    static const char *const stat[] = {"mean", "p50",  "p90", "p95",
                                       "p99",  "p999", "max"};
    static const struct {
        const char *key, *name;
    } dist[] = {{"ttft_ms", "TTFT"},
                {"tpot_ms", "TPOT"},
                {"itl_ms", "ITL"},
                {"e2e_ms", "E2E"},
                {"kv_transfer_dist_ms", "KV transfer"}};
    html_table(p->out, heads);
    for (size_t i = 0; i < sizeof dist / sizeof dist[0]; i++) {
        const cJSON *d = answer_at(answer, dist[i].key);
        if (!d)
            continue;
        str_add(p->out, "<tr>");
        html_cell(p->out, dist[i].name);
        for (size_t k = 0; k < sizeof stat / sizeof stat[0]; k++) {
            double v = answer_num(d, stat[k]);
            html_num(p->out, v < 100 ? "%.2f" : "%.0f", v);
        }
        str_add(p->out, "</tr>\n");
    }
    html_table_end(p->out);
}

/* The pieces add up to the mean TTFT. */
static void parts(struct section *p, const cJSON *answer)
{
    static const char *const heads[] = {"Where mean TTFT goes", "#ms", "#share",
                                        NULL};
    static const struct {
        const char *path, *name;
    } part[] = {{"ttft_parts_ms.route", "router and hops"},
                {"ttft_parts_ms.queue", "waiting for prefill"},
                {"ttft_parts_ms.prefill", "prefill"},
                {"ttft_parts_ms.stage", "hand-over, waiting on decode"},
                {"ttft_parts_ms.transfer", "KV transfer"},
                {"ttft_parts_ms.first", "notice and first step"}};
    enum { PARTS = sizeof part / sizeof part[0] };
    double sum = 0;
    for (int i = 0; i < PARTS; i++) {
        double v = answer_num(answer, part[i].path);
        sum += isnan(v) ? 0 : v;
    }
    if (sum <= 0)
        return;
    html_table(p->out, heads);
    for (int i = 0; i < PARTS; i++) {
        double v = answer_num(answer, part[i].path);
        if (!(v > 0)) /* aggregated: no hand-over, no transfer */
            continue;
        str_add(p->out, "<tr>");
        html_cell(p->out, part[i].name);
        html_num(p->out, "%.1f", v);
        html_num(p->out, "%.0f %%", 100 * v / sum);
        str_add(p->out, "</tr>\n");
    }
    html_table_end(p->out);
}

/* `run` writes its one answer with kind and scenario beside its keys; a file
 * with a list of answers will do, too. */
void section_run(struct section *p, const cJSON *root)
{
    cJSON one = *root;
    one.next = one.prev = NULL;
    cJSON alone = {.type = cJSON_Array, .child = &one};
    const cJSON *list = answer_at(root, "answers");
    if (!cJSON_IsArray(list))
        list = answer_text(root, "topology") ? &alone : NULL;
    if (!list || !list->child)
        return;
    str_add(p->out, "<div class=\"card\">");
    html_tag(p->out, "h3", section_subject(p, root));
    const char *why = answer_text(root, "scenario.why");
    if (why)
        html_tag(p->out, "p class=\"soft\"", why);
    section_answers(p, list, ROWS, false);
    if (!list->child->next) {
        dists(p, list->child);
        parts(p, list->child);
    }
    str_add(p->out, "</div>\n");
}
