/* objective - measured runs, phase tables and step logs as residuals of engine
 * parameters.  A run's residuals are logarithms of predicted over measured of
 * its metrics, each over its expected error; a step log's are those of the GPU
 * time of its steps, summed by run, kind and size.  Everything is simulated
 * again for each parameter vector, on a crew.
 * Memory in the caller's arena; one thread calls. */
#ifndef TOOLS_OBJECTIVE_H
#define TOOLS_OBJECTIVE_H

#include "sim/plan/measured.h"

struct objective_ask {
    const char *gpu;
    const char *const *runs; /* tables, NULL at the end */
    const char *steps;       /* step log of runs in those tables, or NULL */
    const char *stalls;      /* intervals of it to leave out, or NULL */
    const char *models, *seed;
    struct db *store;
    int workers;
};

struct objective_item {
    const char *run_id, *metric, *group; /* group: model, TP, lengths */
    size_t row;
    int metric_at, cell; /* one of them is -1 */
    double measured, sigma, weight;
};

struct objective;
bool objective_new(const struct objective_ask *ask, struct arena *a,
                   struct objective **o, struct err *e);
size_t objective_items(const struct objective *o,
                       const struct objective_item **items);
const struct measured_row *objective_row(const struct objective *o, size_t i);
/* v: n_vec vectors of all TUNED_N parameters; r: n_vec x items residuals.
 * only: NULL, or for each vector the group to evaluate (others: 0). */
bool objective_eval(struct objective *o, size_t n_vec, const double *v,
                    const char *const *only, double *r, struct err *e);

#endif
