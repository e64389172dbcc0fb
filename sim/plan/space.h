/* space - every topology of a sweep and every load it is tried at.
 * Topologies: the scenario's own, a list of names, or all replica counts and
 * TPs of P/D pairs and replicated aggregated pools that fit the GPUs.  What
 * cannot be built is counted by reason, never dropped silently.  Lives in the
 * arena; const once built; order is fixed. */
#ifndef SIM_PLAN_SPACE_H
#define SIM_PLAN_SPACE_H

#include "sim/plan/scenario.h"

struct space_refusal {
    const char *reason; /* first one seen of its kind */
    int64_t count;
};

struct space {
    const struct scenario *s;
    struct scenario_topology *topology;
    struct plant *plant; /* of each topology */
    size_t n, cap;
    size_t points; /* loads tried on each topology */
    struct space_refusal *refused;
    size_t n_refused, cap_refused;
};

/* ERR_INPUT when nothing at all can be built, with the first reason. */
bool space_build(const struct scenario *s, struct arena *a, struct space *sp,
                 struct err *e);

/* The load of point i (< points) on topology t. */
struct load_spec space_load(const struct space *sp, size_t t, size_t i);

#endif
