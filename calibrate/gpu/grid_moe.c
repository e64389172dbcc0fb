/* Routed experts: tokens dealt out evenly, and drawn by popularity (a table of
 * its own: a fit's rows are even). */
#include "calibrate/gpu/grid.h"

#include <math.h>

static const struct grid_table even = {
    "moe",
    "tokens,hidden,inter,topk,experts,tp,ep,dtype,routing",
};
static const struct grid_table skewed = {
    "moe_skewed",
    "tokens,hidden,inter,topk,experts,tp,ep,dtype,routing",
};

enum { BLOCK = 32, TOKENS_MAX = 8192 };

static void line(struct grid_plan *plan, const struct grid_model *m, int tp,
                 enum bed_routing routing)
{
    /* each rank's part is padded to whole blocks of the format */
    int inter = (m->expert_inter / tp + BLOCK - 1) / BLOCK * BLOCK;
    const char *name = routing == BED_BALANCED ? "balanced" : "power_law_1.2";
    grid_new(plan, routing == BED_BALANCED ? &even : &skewed);
    for (const int *t = grid_rows; *t && *t <= TOKENS_MAX; t++) {
        double pairs = (double)*t * m->topk, one = 3.0 * m->hidden * inter;
        struct grid_point *p = grid_point(
            plan, *t, "%d,%d,%d,%d,%d,%d,1,mxfp4,%s", *t, m->hidden, inter * tp,
            m->topk, m->experts, tp, name);
        p->call = (struct call){
            .op = CALL_MOE,
            .moe = {.tokens = *t,
                    .hidden = m->hidden,
                    .inter = inter,
                    .experts = m->experts,
                    .topk = m->topk},
        };
        p->routing = routing;
        p->bytes = routing == BED_BALANCED
                     ? fmin(m->experts, pairs) * one * 17 / 32
                     : m->topk * one * 17 / 32;
        p->operations = 2 * pairs * one;
    }
    grid_once(plan);
}

static void lines(const struct grid_ask *ask, struct grid_plan *plan)
{
    for (size_t i = 0; i < ask->n; i++)
        for (const int *tp = grid_tp; *tp && ask->model[i].experts; tp++) {
            line(plan, &ask->model[i], *tp, BED_BALANCED);
            line(plan, &ask->model[i], *tp, BED_SKEWED);
        }
}

const struct grid grid_moe = {"moe", lines};
