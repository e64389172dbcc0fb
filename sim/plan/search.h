/* search - for each topology, how much load it takes under the SLO, and which
 * topology takes most a GPU.
 * Load is clients (closed loop) or requests a second (open loop, where the
 * scenario's arrivals have a rate).  The largest load that keeps the SLO is
 * found by doubling and bisection on a ladder of 8 steps an octave, assuming
 * that more load never helps; every trial runs the whole load of the scenario.
 * Topologies are independent and run on a crew. */
#ifndef SIM_PLAN_SEARCH_H
#define SIM_PLAN_SEARCH_H

#include "sim/plan/trial.h"

#include <signal.h>

struct search_result {
    size_t topology;
    bool found; /* some load keeps the SLO */
    int trials;
    struct trial best; /* the trial at the largest such load */
    char why[256];     /* !found */
};

struct search_ask {
    const struct space *sp;
    int workers;
    const volatile sig_atomic_t *stop;
    void (*progress)(void *to, size_t done, size_t total);
    void *to;
};

/* results[sp->n], in topology order, then sorted by TPSG, best first. */
bool search_run(const struct search_ask *ask, struct search_result *results,
                struct err *e);

#endif
