/* gaps - what launching costs beside running: kernels that do nothing, one
 * after the other and as nodes of a graph; on the device, and on the host that
 * queues them.  Writes DIR/gaps.csv (kind, time_us of one launch or node). */
#ifndef CALIBRATE_GPU_GAPS_H
#define CALIBRATE_GPU_GAPS_H

#include "calibrate/gpu/timer.h"

bool gaps_run(struct timer *t, const char *dir, const char *source,
              const char *date, struct err *e);

#endif
