/* nudge - where a label can stand without covering marks, lines or labels.
 * The first of a few places around a few anchors with the least cost wins; a
 * place over another label or outside the frame is none at all.  Pixels.
 * One thread; O(marks + segments) for each of at most 24 places. */
#ifndef SIM_REPORT_NUDGE_H
#define SIM_REPORT_NUDGE_H

#include <stdbool.h>
#include <stddef.h>

struct nudge_box {
    double x0, y0, x1, y1;
};

struct nudge_spot {
    double x, y;
    bool joined; /* a line runs here from the spot before */
};

struct nudge {
    struct nudge_box frame;
    const struct nudge_spot *spot; /* every mark of the chart, line by line */
    size_t n;
    struct nudge_box *taken; /* labels that stand; room for the next one */
    size_t n_taken;
};

struct nudge_label {
    struct nudge_box box;
    int side; /* where the anchor's text begins: 1 right of it, 0 centred, -1
                 ends left of it */
};

/* Finds a place for w x h beside one of the anchors, best first, and adds its
 * box to taken; false: there is none. */
bool nudge_place(struct nudge *g, const struct nudge_spot *anchor,
                 size_t anchors, double w, double h, struct nudge_label *out);

#endif
