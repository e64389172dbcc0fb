#include "sim/report/html.h"
#include "sim/report/section.h"

#include <math.h>

#define MS_PER_S 1e3
/* A ladder that runs into overload spans decades; beyond this ratio of largest
 * to smallest value the y axis is logarithmic. */
#define LOG_FROM 20.0

static void ladder(struct section *p, const struct curve_set *s,
                   const struct section_axes *axes, const char *head,
                   const char *y_title)
{
    struct svg_chart c = {
        .title = head,
        .x = {.title = "requests/s offered", .lo = NAN, .hi = NAN},
        .y = {.title = y_title, .lo = NAN, .hi = NAN},
        .series = section_lines(p, s, axes),
        .n = s->n,
    };
    double min = NAN, max = NAN;
    for (size_t i = 0; i < c.n; i++) {
        for (size_t j = 0; j < c.series[i].n; j++) {
            min = fmin(min, c.series[i].point[j].y);
            max = fmax(max, c.series[i].point[j].y);
        }
    }
    c.y.log = min > 0 && max / min > LOG_FROM;
    section_chart(p, head, &c);
}

void section_scaleout(struct section *p, const cJSON *root)
{
    static const struct section_axes e2e = {"rate_rps", "e2e_ms.mean",
                                            1 / MS_PER_S};
    static const struct section_axes tail = {"rate_rps", "e2e_ms.p99",
                                             1 / MS_PER_S};
    static const struct section_axes itl = {"rate_rps", "itl_ms.p99", 1};
    static const struct section_axes ttft = {"rate_rps", "ttft_ms.p99",
                                             1 / MS_PER_S};
    struct curve_set all = curve_gather(answer_at(root, "answers"), p->a);
    if (all.n == 0)
        return;
    const char *subject = section_subject(p, root);
    str_add(p->out, "<div class=\"grid\">\n");
    ladder(p, &all, &e2e, arena_fmt(p->a, "Mean E2E latency, %s", subject),
           "mean E2E latency, s");
    ladder(p, &all, &itl, arena_fmt(p->a, "P99 ITL, %s", subject),
           "P99 inter-token latency, ms");
    ladder(p, &all, &tail, arena_fmt(p->a, "P99 E2E latency, %s", subject),
           "P99 E2E latency, s");
    ladder(p, &all, &ttft, arena_fmt(p->a, "P99 TTFT, %s", subject),
           "P99 time to first token, s");
    str_add(p->out, "</div>\n");
    section_data(p, answer_at(root, "answers"));
}
