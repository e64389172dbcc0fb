/* svg - scatter and line charts as SVG text, made by hand from data.
 * Linear or logarithmic axes, a legend, labels beside the lines where they fit
 * without covering another, a title on every mark for the pointer.  Colours are
 * classes whose values svg_style gives for light and dark: tone "a" (0..5)
 * aggregated, "d" disaggregated, "n" by number, "f" for fronts and bounds.
 * Points outside an axis are left out.  Texts are escaped.  Pure; any thread;
 * O(points), and O(points) a labelled line. */
#ifndef SIM_REPORT_SVG_H
#define SIM_REPORT_SVG_H

#include "sim/base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum svg_mark {
    SVG_NO_MARK,
    SVG_CIRCLE,
    SVG_SQUARE,
    SVG_TRIANGLE,
    SVG_DIAMOND,
    SVG_DOT
};

struct svg_point {
    double x, y;
    const char *tip; /* shown on hover, NULL = none */
};

struct svg_series {
    const char *name; /* NULL: not in the legend */
    char tone;        /* 'a', 'd', 'n', 'f' */
    int shade;        /* 0..5 */
    enum svg_mark mark;
    bool hollow;
    bool line, dashed;
    bool label;                    /* its name also stands beside the line */
    const struct svg_point *point; /* in the order of the line */
    size_t n;
};

struct svg_scale {
    const char *title;
    bool log;
    double lo, hi; /* NAN: from the data */
};

struct svg_band { /* shaded range of x */
    double lo, hi;
    const char *name;
};

struct svg_chart {
    const char *title; /* for readers of text: the <title> */
    int width, height; /* pixels; 0 = 640 x 420 */
    struct svg_scale x, y;
    const struct svg_series *series;
    size_t n;
    const struct svg_band *band;
    size_t n_bands;
};

/* As an element of a page that has svg_style in its style sheet. */
void svg_plot(struct str *b, const struct svg_chart *c);
/* As a file of its own. */
void svg_file(struct str *b, const struct svg_chart *c);
const char *svg_style(void);

#endif
