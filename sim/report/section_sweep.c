#include "sim/report/html.h"
#include "sim/report/section.h"

#include <math.h>

/* More topologies than this are dots and two fronts, not a line each; more
 * dots than this are thinned, and the legend says so. */
enum { LINES = 12, DOTS = 3000, STEPS = 400, RANGES = 8 };

struct ranges {
    double lo[RANGES], hi[RANGES];
    int n;
    double gain, at; /* largest gain of P/D and its TPSU; NAN: never ahead */
};

/* Where P/D's front is above the aggregated one, on a grid of STEPS over all
 * that both fronts reach. */
static struct ranges ahead(const struct curve_set *pd,
                           const struct curve_set *agg)
{
    struct ranges r = {.gain = NAN, .at = NAN};
    double lo = fmax(pd->lo, agg->lo), hi = fmin(pd->hi, agg->hi);
    bool open = false;
    for (int i = 0; lo < hi && i <= STEPS; i++) {
        double x = lo + (hi - lo) * i / STEPS;
        double p = curve_level(pd, x, NULL), q = curve_level(agg, x, NULL);
        if (!(p > q)) {
            open = false;
            continue;
        }
        if (!open && r.n < RANGES)
            r.lo[r.n++] = x;
        open = true;
        r.hi[r.n - 1] = x;
        if (!(p / q - 1 <= r.gain)) {
            r.gain = p / q - 1;
            r.at = x;
        }
    }
    return r;
}

const char *section_sweep_verdict(struct section *p, const cJSON *root)
{
    struct curve_set all = curve_gather(answer_at(root, "answers"), p->a);
    struct curve_set pd = curve_family(&all, true, p->a);
    struct curve_set agg = curve_family(&all, false, p->a);
    if (pd.n == 0 || agg.n == 0)
        return NULL;
    struct ranges r = ahead(&pd, &agg);
    if (isnan(r.gain))
        return arena_fmt(p->a, "In the sweep aggregated serving is ahead at "
                               "every TPSU that both reach.");
    const char *where = "";
    for (int i = 0; i < r.n; i++)
        where = arena_fmt(p->a, "%s%s%.3g to %.3g", where,
                          i == 0        ? ""
                          : i + 1 < r.n ? ", "
                                        : " and ",
                          r.lo[i], r.hi[i]);
    return arena_fmt(p->a,
                     "In the sweep disaggregated serving is ahead at %s "
                     "TPSU, by up to %.0f %% at %.3g TPSU.",
                     where, 100 * r.gain, r.at);
}

static struct svg_point *front_points(struct section *p,
                                      const struct curve_set *s, size_t *n)
{
    struct curve_point *f;
    *n = curve_front(s, &f, p->a);
    struct svg_point *out = ARENA_ARRAY(p->a, struct svg_point, *n);
    for (size_t i = 0; i < *n; i++)
        out[i] = (struct svg_point){f[i].tpsu, f[i].tpsg,
                                    section_tip(p, f[i].answer)};
    return out;
}

/* A family as dots and its front: two series. */
static void cloud(struct section *p, const struct curve_set *s, bool pd,
                  struct svg_series out[2])
{
    size_t all = 0, n = 0, at = 0;
    for (size_t i = 0; i < s->n; i++)
        all += s->curve[i].n;
    size_t every = all / DOTS + 1;
    struct svg_point *dot = ARENA_ARRAY(p->a, struct svg_point, all);
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->curve[i].n; j++)
            if (at++ % every == 0)
                dot[n++] = (struct svg_point){s->curve[i].point[j].tpsu,
                                              s->curve[i].point[j].tpsg, NULL};
    const char *name = pd ? "P/D" : "aggregated";
    out[0] = (struct svg_series){
        .name = every > 1 ? arena_fmt(p->a, "%s, %zu of %zu runs", name, n, all)
                          : arena_fmt(p->a, "%s, %zu runs", name, all),
        .tone = pd ? 'd' : 'a',
        .shade = 1,
        .mark = SVG_DOT,
        .point = dot,
        .n = n};
    out[1] = (struct svg_series){.name = arena_fmt(p->a, "%s front", name),
                                 .tone = 'f',
                                 .shade = pd ? 2 : 1,
                                 .mark = pd ? SVG_DIAMOND : SVG_CIRCLE,
                                 .hollow = !pd,
                                 .line = true,
                                 .label = true};
    out[1].point = front_points(p, s, &out[1].n);
}

static void shade(struct section *p, const struct curve_set *pd,
                  const struct curve_set *agg, struct svg_chart *c)
{
    struct ranges r = ahead(pd, agg);
    struct svg_band *band = ARENA_ARRAY(p->a, struct svg_band, RANGES);
    double span = fmax(pd->hi, agg->hi), widest = 0;
    size_t name = 0;
    for (int i = 0; i < r.n; i++) {
        double w = r.hi[i] - r.lo[i];
        if (w < span / 100)
            continue;
        band[c->n_bands] = (struct svg_band){r.lo[i], r.hi[i], NULL};
        if (w > widest) {
            widest = w;
            name = c->n_bands;
        }
        c->n_bands++;
    }
    if (widest > span / 10)
        band[name].name = "P/D ahead";
    c->band = band;
}

struct svg_chart section_sweep_chart(struct section *p, const cJSON *root)
{
    static const struct section_axes axes = {"tpsu", "tpsg", 1};
    struct curve_set all = curve_gather(answer_at(root, "answers"), p->a);
    struct curve_set pd = curve_family(&all, true, p->a);
    struct curve_set agg = curve_family(&all, false, p->a);
    struct svg_chart c = {
        .title = arena_fmt(p->a,
                           "Output tokens/s/GPU against tokens/s/user, "
                           "%s",
                           section_subject(p, root)),
        .height = 520,
        .x = {.title = "TPSU, output tokens/s per user", .lo = NAN, .hi = NAN},
        .y = {.title = "TPSG, output tokens/s per GPU", .lo = NAN, .hi = NAN},
    };
    shade(p, &pd, &agg, &c);
    if (all.n <= LINES) {
        c.series = section_lines(p, &all, &axes);
        c.n = all.n;
        return c;
    }
    struct svg_series *s = ARENA_ARRAY(p->a, struct svg_series, 4);
    if (agg.n > 0)
        cloud(p, &agg, false, s);
    c.n += agg.n > 0 ? 2 : 0;
    if (pd.n > 0)
        cloud(p, &pd, true, s + c.n);
    c.n += pd.n > 0 ? 2 : 0;
    c.series = s;
    return c;
}

void section_sweep(struct section *p, const cJSON *root)
{
    struct svg_chart c = section_sweep_chart(p, root);
    str_add(p->out, "<div class=\"card\">");
    section_figure(p, section_subject(p, root), &c);
    const char *verdict = section_sweep_verdict(p, root);
    if (verdict)
        html_tag(p->out, "p", verdict);
    section_data(p, answer_at(root, "answers"));
    str_add(p->out, "</div>\n");
}
