#include "sim/report/html.h"
#include "sim/report/section.h"

#include <string.h>

static const char *tone(const char *met)
{
    static const char *const tones[] = {"yes", "partly", "no"};
    for (size_t i = 0; met && i < sizeof tones / sizeof tones[0]; i++)
        if (strcmp(met, tones[i]) == 0)
            return tones[i];
    return "off";
}

void section_claims(struct section *p, const cJSON *verdicts,
                    const char *source)
{
    str_add(p->out, "<div class=\"card\">");
    if (source) {
        str_add(p->out, "<p class=\"soft\">");
        html_fmt(p->out, "The study: %s.", source);
        str_add(p->out, "</p>");
    }
    str_add(p->out, "<div class=\"frame\"><table class=\"stack\"><thead><tr>"
                    "<th>Claim</th><th>Study</th><th>Predicted</th><th>Met</th>"
                    "</tr></thead><tbody>\n");
    for (const cJSON *i = verdicts->child; i; i = i->next) {
        const char *met = answer_text(i, "met");
        str_add(p->out, "<tr><td class=\"wide\">");
        html_text(p->out, answer_text(i, "claim"));
        str_add(p->out, "<br><span class=\"soft\">");
        html_text(p->out, answer_text(i, "model"));
        str_add(p->out, "</span></td>");
        html_tag(p->out, "td data-head=\"Study\"", answer_text(i, "study"));
        str_add(p->out, "<td class=\"wide\" data-head=\"Predicted\">");
        const char *said = answer_text(i, "predicted");
        html_text(p->out, said);
        if (said)
            str_add(p->out, "<br>");
        str_add(p->out, "<span class=\"soft\">");
        html_text(p->out, answer_text(i, "why"));
        str_add(p->out, "</span></td><td>");
        html_badge(p->out, tone(met), met ? met : "–");
        str_add(p->out, "</td></tr>\n");
    }
    html_table_end(p->out);
    str_add(p->out, "</div>\n");
}
