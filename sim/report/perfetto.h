/* perfetto - a run as a Chrome JSON trace, which Perfetto's UI and trace
 * processor open: one track an engine with its steps (the batch as arguments)
 * and counters of KV use and queue, one asynchronous slice a request with its
 * phases inside, one a KV transfer, and an arrow from the prefill step that
 * made the KV to the decode step that first used it.
 * Format: Trace Event Format (Chromium), times in us with three decimals.
 * A watcher (sim/serve/watch.h); memory O(requests alive at once).  One
 * thread. */
#ifndef SIM_REPORT_PERFETTO_H
#define SIM_REPORT_PERFETTO_H

#include "sim/base/text_out.h"
#include "sim/serve/plant.h"
#include "sim/serve/watch.h"

struct perfetto;

/* Writes the head: the names of all tracks. */
struct perfetto *perfetto_new(struct text_out *o, const struct plant *p,
                              struct arena *a);
void perfetto_step(struct perfetto *t, const struct watch_step *s);
void perfetto_transfer(struct perfetto *t, const struct watch_transfer *x);
void perfetto_life(struct perfetto *t, const struct watch_life *l);
/* The foot. */
void perfetto_end(struct perfetto *t);

#endif
