#include "sim/report/svg.h"

#include "sim/base/must.h"
#include "sim/report/axis.h"
#include "sim/report/html.h"
#include "sim/report/nudge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Layout in pixels.  EM: mean advance of a letter of the 12 px system font,
 * wide enough for those in use. */
#define EM 7.3
enum {
    WIDTH = 640,
    HEIGHT = 420,
    LEFT = 58,
    RIGHT = 20,
    BOTTOM = 46,
    LEGEND_ROW = 19,
    SWATCH = 30,
    LEGEND_GAP = 10,
    Y_TITLE = 26,
    TEXT_H = 14,
};

static const char style[] =
#include "gen/chart.css.inc"
    ;

const char *svg_style(void)
{
    return style;
}

struct plot {
    struct str *b;
    const struct svg_chart *c;
    double width, height, top; /* top of the plot area */
    struct axis x, y;
};

static void bounds(struct plot *p)
{
    double min[2] = {INFINITY, INFINITY}, max[2] = {-INFINITY, -INFINITY};
    const struct svg_chart *c = p->c;
    for (size_t i = 0; i < c->n; i++) {
        for (size_t j = 0; j < c->series[i].n; j++) {
            const struct svg_point *s = &c->series[i].point[j];
            const double v[2] = {s->x, s->y};
            bool usable = isfinite(v[0]) && isfinite(v[1])
                       && (!c->x.log || v[0] > 0) && (!c->y.log || v[1] > 0);
            for (int k = 0; usable && k < 2; k++) {
                min[k] = fmin(min[k], v[k]);
                max[k] = fmax(max[k], v[k]);
            }
        }
    }
    p->x.log = c->x.log;
    p->y.log = c->y.log;
    axis_fit(&p->x, c->x.lo, c->x.hi, min[0], max[0], 8);
    axis_fit(&p->y, c->y.lo, c->y.hi, min[1], max[1], 6);
    p->x.from = LEFT;
    p->x.to = p->width - RIGHT;
    p->y.from = p->height - BOTTOM;
    p->y.to = p->top;
}

static bool shown(const struct plot *p, const struct svg_point *s)
{
    return axis_holds(&p->x, s->x) && axis_holds(&p->y, s->y);
}

/* ---- marks and lines ---- */

static void mark_shape(struct str *b, enum svg_mark m, double x, double y)
{
    switch (m) {
    case SVG_CIRCLE:
        str_fmt(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"", x, y);
        return;
    case SVG_DOT:
        str_fmt(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"", x, y);
        return;
    case SVG_SQUARE:
        str_fmt(b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"",
                x - 3.5, y - 3.5);
        return;
    case SVG_TRIANGLE:
        str_fmt(b, "<path d=\"M%.1f %.1fl4.4 7.8h-8.8z\"", x, y - 4.8);
        return;
    case SVG_DIAMOND:
        str_fmt(b, "<path d=\"M%.1f %.1fl4.8 4.8l-4.8 4.8l-4.8 -4.8z\"", x,
                y - 4.8);
        return;
    case SVG_NO_MARK:
        break;
    }
    must_fail("a mark", __FILE__, __LINE__);
}

static void mark(struct str *b, const struct svg_series *s, double x, double y,
                 const char *tip)
{
    if (s->mark == SVG_NO_MARK)
        return;
    const char *class = s->mark == SVG_DOT ? "o" : s->hollow ? "h" : "m";
    mark_shape(b, s->mark, x, y);
    str_fmt(b, " class=\"%s\"", class);
    if (!tip) {
        str_add(b, "/>");
        return;
    }
    static const char *const tag[] = {[SVG_CIRCLE] = "circle",
                                      [SVG_SQUARE] = "rect",
                                      [SVG_TRIANGLE] = "path",
                                      [SVG_DIAMOND] = "path",
                                      [SVG_DOT] = "circle"};
    str_add(b, "><title>");
    html_text(b, tip);
    str_fmt(b, "</title></%s>", tag[s->mark]);
}

static void series(struct plot *p, const struct svg_series *s)
{
    struct str *b = p->b;
    str_fmt(b, "<g class=\"%c%d\">\n", s->tone, s->shade);
    if (s->line && s->n > 1) {
        str_fmt(b, "<path class=\"l%s\" d=\"", s->dashed ? " dash" : "");
        bool pen = false;
        for (size_t i = 0; i < s->n; i++) {
            bool in = shown(p, &s->point[i]);
            if (in)
                str_fmt(b, "%c%.1f %.1f", pen ? 'L' : 'M',
                        axis_at(&p->x, s->point[i].x),
                        axis_at(&p->y, s->point[i].y));
            pen = in;
        }
        str_add(b, "\"/>\n");
    }
    for (size_t i = 0; i < s->n; i++)
        if (shown(p, &s->point[i]))
            mark(b, s, axis_at(&p->x, s->point[i].x),
                 axis_at(&p->y, s->point[i].y), s->point[i].tip);
    str_add(b, "</g>\n");
}

/* ---- legend ---- */

static double text_width(const char *s)
{
    size_t n = 0; /* letters: UTF-8 continuation bytes do not count */
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return EM * (double)n;
}

/* Lays entries out in rows; draws when p->b is given.  Returns the height. */
static double legend(struct plot *p, bool draw)
{
    double x = LEFT, y = LEGEND_ROW - 5;
    size_t named = 0;
    for (size_t i = 0; i < p->c->n; i++) {
        const struct svg_series *s = &p->c->series[i];
        if (!s->name)
            continue;
        double w = SWATCH + text_width(s->name) + LEGEND_GAP;
        if (named++ > 0 && x + w > p->width) {
            x = LEFT;
            y += LEGEND_ROW;
        }
        if (draw) {
            str_fmt(p->b, "<g class=\"%c%d\">", s->tone, s->shade);
            if (s->line)
                str_fmt(p->b, "<path class=\"l%s\" d=\"M%.1f %.1fh22\"/>",
                        s->dashed ? " dash" : "", x, y - 4);
            mark(p->b, s, x + 11, y - 4, NULL);
            str_fmt(p->b, "</g><text x=\"%.1f\" y=\"%.1f\">", x + SWATCH - 2,
                    y);
            html_text(p->b, s->name);
            str_add(p->b, "</text>\n");
        }
        x += w;
    }
    return named ? y + 6 : 0;
}

/* ---- labels beside lines ---- */

static size_t spots(const struct plot *p, struct nudge_spot *out)
{
    size_t n = 0;
    for (size_t i = 0; i < p->c->n; i++) {
        const struct svg_series *s = &p->c->series[i];
        bool pen = false;
        for (size_t j = 0; j < s->n; j++) {
            if (!shown(p, &s->point[j])) {
                pen = false;
                continue;
            }
            out[n].x = axis_at(&p->x, s->point[j].x);
            out[n].y = axis_at(&p->y, s->point[j].y);
            out[n++].joined = pen;
            pen = s->line;
        }
    }
    return n;
}

/* The ends of the line, then its middle. */
static size_t anchors(const struct plot *p, const struct svg_series *s,
                      struct nudge_spot out[3])
{
    size_t n = 0, seen = 0, last = 0, first = s->n;
    for (size_t i = 0; i < s->n; i++) {
        if (!shown(p, &s->point[i]))
            continue;
        first = seen++ ? first : i;
        last = i;
    }
    if (seen == 0)
        return 0;
    const size_t at[3] = {last, first, (first + last) / 2};
    for (size_t k = 0; k < (seen > 2 ? 3 : seen); k++) {
        if (!shown(p, &s->point[at[k]]))
            continue;
        out[n].x = axis_at(&p->x, s->point[at[k]].x);
        out[n++].y = axis_at(&p->y, s->point[at[k]].y);
    }
    return n;
}

static void labels(struct plot *p)
{
    size_t marks = 0;
    for (size_t i = 0; i < p->c->n; i++)
        marks += p->c->series[i].n;
    struct nudge_spot *spot = calloc(marks + 1, sizeof *spot);
    struct nudge_box *taken = calloc(p->c->n + 1, sizeof *taken);
    if (!spot || !taken)
        abort();
    struct nudge g = {.frame = {LEFT + 2, p->top, p->width - 2, p->y.from - 2},
                      .spot = spot,
                      .n = spots(p, spot),
                      .taken = taken};
    for (size_t i = 0; i < p->c->n; i++) {
        const struct svg_series *s = &p->c->series[i];
        struct nudge_spot at[3] = {{0}};
        struct nudge_label l;
        size_t n = s->label && s->name ? anchors(p, s, at) : 0;
        if (n == 0 || !nudge_place(&g, at, n, text_width(s->name), TEXT_H, &l))
            continue;
        const char *anchor = l.side > 0 ? "start" : l.side ? "end" : "middle";
        double x = l.side > 0 ? l.box.x0
                 : l.side     ? l.box.x1
                              : (l.box.x0 + l.box.x1) / 2;
        str_fmt(p->b,
                "<g class=\"%c%d\"><text class=\"v\" text-anchor=\"%s\""
                " x=\"%.1f\" y=\"%.1f\">",
                s->tone, s->shade, anchor, x, l.box.y1 - 3);
        html_text(p->b, s->name);
        str_add(p->b, "</text></g>\n");
    }
    free(spot);
    free(taken);
}

/* ---- axes ---- */

static void axes(struct plot *p)
{
    struct str *b = p->b;
    char text[16];
    for (int i = 0; i < p->y.n; i++) {
        double y = axis_at(&p->y, p->y.tick[i]);
        axis_label(p->y.tick[i], text);
        str_fmt(b,
                "<path class=\"grid\" d=\"M%d %.1fH%.1f\"/><text x=\"%d\" "
                "y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                LEFT, y, p->x.to, LEFT - 7, y + 4, text);
    }
    for (int i = 0; i < p->x.n; i++) {
        double x = axis_at(&p->x, p->x.tick[i]);
        axis_label(p->x.tick[i], text);
        str_fmt(b,
                "<path class=\"edge\" d=\"M%.1f %.1fv5\"/><text x=\"%.1f\" "
                "y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                x, p->y.from, x, p->y.from + 18, text);
    }
    str_fmt(b, "<path class=\"edge\" d=\"M%d %.1fH%.1f\"/>\n", LEFT, p->y.from,
            p->x.to);
    str_fmt(b, "<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
            p->x.to, p->height - 8);
    html_text(b, p->c->x.title);
    str_fmt(b, "</text><text class=\"t\" x=\"%d\" y=\"%.1f\">", 6, p->top - 9);
    html_text(b, p->c->y.title);
    str_add(b, "</text>\n");
}

static void bands(struct plot *p)
{
    for (size_t i = 0; i < p->c->n_bands; i++) {
        const struct svg_band *d = &p->c->band[i];
        double lo = fmax(d->lo, p->x.lo), hi = fmin(d->hi, p->x.hi);
        if (!(lo < hi))
            continue;
        double x = axis_at(&p->x, lo), w = axis_at(&p->x, hi) - x;
        str_fmt(p->b,
                "<rect class=\"band\" x=\"%.1f\" y=\"%.1f\" "
                "width=\"%.1f\" height=\"%.1f\"/>",
                x, p->top, w, p->y.from - p->top);
        if (!d->name)
            continue;
        str_fmt(p->b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                x + w / 2, p->top + TEXT_H);
        html_text(p->b, d->name);
        str_add(p->b, "</text>\n");
    }
}

static void body(struct plot *p)
{
    p->top = legend(p, false) + Y_TITLE;
    bounds(p);
    bands(p);
    axes(p);
    for (size_t i = 0; i < p->c->n; i++)
        series(p, &p->c->series[i]);
    labels(p);
    legend(p, true);
}

static struct plot plot_of(struct str *b, const struct svg_chart *c)
{
    return (struct plot){.b = b,
                         .c = c,
                         .width = c->width ? c->width : WIDTH,
                         .height = c->height ? c->height : HEIGHT};
}

void svg_plot(struct str *b, const struct svg_chart *c)
{
    struct plot p = plot_of(b, c);
    str_fmt(b,
            "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
            "aria-label=\"",
            p.width, p.height);
    html_text(b, c->title);
    str_add(b, "\">\n");
    body(&p);
    str_add(b, "</svg>\n");
}

void svg_file(struct str *b, const struct svg_chart *c)
{
    struct plot p = plot_of(b, c);
    str_fmt(b,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" "
            "viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
            "role=\"img\">\n<title>",
            p.width, p.height, p.width, p.height);
    html_text(b, c->title);
    str_fmt(b, "</title>\n<style>\n%s</style>\n", style);
    str_add(b, "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n");
    body(&p);
    str_add(b, "</svg>\n");
}
