/* trial - one topology at one load with one seed, and what came of it.  Seeds
 * depend on the load point alone: all topologies meet the same arrivals
 * (common random numbers). */
#ifndef SIM_PLAN_TRIAL_H
#define SIM_PLAN_TRIAL_H

#include "sim/plan/space.h"
#include "sim/serve/world.h"

struct trial {
    size_t topology, point;
    struct load_spec load;
    uint64_t seed;
    bool ok;
    struct outcome out; /* ok */
    char why[256];      /* !ok: the refusal */
};

/* What trial i asks, all but its outcome. */
void trial_plan(const struct space *sp, size_t i, struct trial *t);
/* Trial i of a space: topology i / points, point i % points. */
void trial_run(const struct space *sp, size_t i, bool engine_steps,
               struct arena *a, struct trial *t);

/* The same while somebody looks on. */
void trial_watch(const struct space *sp, size_t i, const struct watch *watch,
                 struct arena *a, struct trial *t);

/* Whether the outcome keeps every promise that was given. */
bool trial_slo_given(const struct scenario_slo *slo);
bool trial_slo_met(const struct scenario_slo *slo, const struct outcome *o);

#endif
