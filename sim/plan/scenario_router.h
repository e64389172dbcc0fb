/* scenario_router - "router": {...} of a scenario: a named profile, and keys
 * that differ from it (engine.md 8.2).  Complaints are json.h's. */
#ifndef SIM_PLAN_SCENARIO_ROUTER_H
#define SIM_PLAN_SCENARIO_ROUTER_H

#include "sim/plan/scenario.h"

bool scenario_router_read(const cJSON *obj, struct arena *a, struct scenario *s,
                          struct err *e);
cJSON *scenario_router_json(const struct scenario *s);
/* What the router cannot do in this topology. */
bool scenario_router_fits(const struct scenario *s,
                          const struct scenario_topology *t, struct err *e);

#endif
