/* steps - every engine step of a run as a CSV row: when, how long, what was in
 * it, how full the cache was.  A watcher (sim/serve/watch.h); one thread. */
#ifndef SIM_REPORT_STEPS_H
#define SIM_REPORT_STEPS_H

#include "sim/base/text_out.h"
#include "sim/serve/plant.h"
#include "sim/serve/watch.h"

/* The header. */
void steps_begin(struct text_out *o);
void steps_row(struct text_out *o, const struct plant *p,
               const struct watch_step *s);

#endif
