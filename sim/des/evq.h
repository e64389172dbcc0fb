/* evq - what happens next.
 * Order: earlier time, then lower rank, then first pushed; so one seed has one
 * history.  Times are ns since the run began.  Lives in the run's arena; one
 * thread.  An entity (engine, client, wire ...) has one slot and so at most one
 * pending event: evq_set re-times it (which counts as a new push; the time it
 * has already changes nothing), NS_NEVER clears it.  A time before the last
 * popped one is our mistake and stops the program.  set and pop are
 * O(log n) over the slots (an indexed binary heap). */
#ifndef SIM_DES_EVQ_H
#define SIM_DES_EVQ_H

#include "sim/base/arena.h"
#include "sim/base/units.h"

#include <stdbool.h>
#include <stdint.h>

struct evq;

/* n slots, all idle.  rank(slot) is fixed at creation by evq_rank. */
struct evq *evq_new(struct arena *a, uint32_t n);
/* Rank (below 2^24) of a slot for simultaneous events; call before the first
 * evq_set. */
void evq_rank(struct evq *q, uint32_t slot, uint32_t rank);
void evq_set(struct evq *q, uint32_t slot, ns_t at);
ns_t evq_at(const struct evq *q, uint32_t slot); /* NS_NEVER when idle */
/* The earliest: clears its slot.  false: nothing left. */
bool evq_pop(struct evq *q, ns_t *at, uint32_t *slot);
ns_t evq_next(const struct evq *q); /* NS_NEVER when empty */

#endif
