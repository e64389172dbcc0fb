#include "sim/report/nudge.h"

#include <math.h>

enum { PLACES = 8 };

/* Right, above right, above, below right, below, left, above left, below
 * left: how far the box's centre lies from the anchor, in half sizes plus a
 * gap. */
static const double place[PLACES][2] = {
    {1, 0}, {1, -1}, {0, -1}, {1, 1}, {0, 1}, {-1, 0}, {-1, -1}, {-1, 1},
};
#define GAP 6.0
#define MARK 4.0 /* half the size of a mark */

/* What a label may do badly, in the order of how it reads. */
#define OVER_MARK 12.0
#define OVER_LINE 5.0
#define FARTHER 1.0 /* the next place in the list */
#define NEVER 1e9

static bool meet(const struct nudge_box *a, const struct nudge_box *b)
{
    return a->x0 < b->x1 && b->x0 < a->x1 && a->y0 < b->y1 && b->y0 < a->y1;
}

/* Liang and Barsky's clipping: does the segment enter the box? */
static bool crosses(const struct nudge_box *b, const struct nudge_spot *p,
                    const struct nudge_spot *q)
{
    double dx = q->x - p->x, dy = q->y - p->y, t0 = 0, t1 = 1;
    const double den[4] = {-dx, dx, -dy, dy};
    const double num[4] = {p->x - b->x0, b->x1 - p->x, p->y - b->y0,
                           b->y1 - p->y};
    for (int i = 0; i < 4; i++) {
        if (den[i] == 0) {
            if (num[i] < 0)
                return false;
            continue;
        }
        double t = num[i] / den[i];
        if (den[i] < 0)
            t0 = fmax(t0, t);
        else
            t1 = fmin(t1, t);
    }
    return t0 <= t1;
}

static double cost(const struct nudge *g, const struct nudge_box *b)
{
    if (b->x0 < g->frame.x0 || b->x1 > g->frame.x1 || b->y0 < g->frame.y0
        || b->y1 > g->frame.y1)
        return NEVER;
    for (size_t i = 0; i < g->n_taken; i++)
        if (meet(b, &g->taken[i]))
            return NEVER;
    double sum = 0;
    for (size_t i = 0; i < g->n; i++) {
        const struct nudge_spot *s = &g->spot[i];
        struct nudge_box m = {s->x - MARK, s->y - MARK, s->x + MARK,
                              s->y + MARK};
        if (meet(b, &m))
            sum += OVER_MARK;
        if (i > 0 && s->joined && crosses(b, &g->spot[i - 1], s))
            sum += OVER_LINE;
    }
    return sum;
}

bool nudge_place(struct nudge *g, const struct nudge_spot *anchor,
                 size_t anchors, double w, double h, struct nudge_label *out)
{
    double best = NEVER;
    for (size_t i = 0; i < anchors * PLACES; i++) {
        const double *d = place[i % PLACES];
        double x = anchor[i / PLACES].x + d[0] * (w / 2 + GAP);
        double y = anchor[i / PLACES].y + d[1] * (h / 2 + GAP / 2);
        struct nudge_box b = {x - w / 2, y - h / 2, x + w / 2, y + h / 2};
        double c = cost(g, &b) + FARTHER * (double)i;
        if (c < best) {
            best = c;
            *out = (struct nudge_label){b, (int)d[0]};
        }
    }
    if (best >= NEVER)
        return false;
    g->taken[g->n_taken++] = out->box;
    return true;
}
