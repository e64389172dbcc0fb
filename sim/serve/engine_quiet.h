/* engine_quiet - the promise of an engine that is QUIET (engine.h): the times
 * of
 * its next rounds, and making the first of them real.  For engine.c alone. */
#ifndef SIM_SERVE_ENGINE_QUIET_H
#define SIM_SERVE_ENGINE_QUIET_H

#include "sim/serve/engine.h"

/* Picoseconds to the nearest ns; costs are never negative. */
static inline ns_t engine_ns(int64_t ps)
{
    return (ps + 500) / 1000;
}

static inline struct engine_flight *engine_flight_at(struct engine *g,
                                                     uint32_t i)
{
    return &g->flight[(g->head + i) % ENGINE_DEPTH];
}

/* Rounds that may be promised now; 0: the next is not a quiet one. */
uint32_t engine_quiet_rounds(struct world *w, struct engine *g);
/* Promises n rounds, O(n). */
void engine_quiet_promise(struct engine *g, uint32_t n);
/* When promised round i's host is free again. */
ns_t engine_quiet_host(const struct engine *g, uint32_t i);
/* Rounds whose update is over by `now`. */
uint32_t engine_quiet_kept(const struct engine *g, ns_t now);
/* Makes the first n promised rounds real and drops the rest, O(n). */
void engine_quiet_commit(struct world *w, struct engine *g, uint32_t n);

#endif
