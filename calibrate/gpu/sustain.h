/* sustain - heavy calls held for seconds, so that the device meets its power
 * limit and its clock settles where a busy server's does: GEMMs by the
 * vendor's library and own prefill attention.  Writes DIR/sustained.csv: each
 * call's time and the clock in the first tenth of a second and at the end,
 * with power and temperature. */
#ifndef CALIBRATE_GPU_SUSTAIN_H
#define CALIBRATE_GPU_SUSTAIN_H

#include "calibrate/gpu/timer.h"

struct sustain_ask {
    const char *dir;
    double seconds; /* each call */
    const char *source, *date;
};

bool sustain_run(struct timer *t, const struct sustain_ask *ask, struct err *e);

#endif
