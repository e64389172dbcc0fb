/* timer - how long a call takes: laid into the bed for as many turns as keep
 * its cold operands cold, queued as a graph (as an engine replays its steps),
 * and repeated until the median is steady (calibrate/bench).  A time therefore
 * includes the gap between two kernels of a graph and no host time. Errors:
 * ERR_NO when the device or library refuses the call or its result is wrong
 * (nothing to store, others go on); ERR_SYSTEM when memory ran out or the
 * device failed: timer_alive tells which.  One thread. */
#ifndef CALIBRATE_GPU_TIMER_H
#define CALIBRATE_GPU_TIMER_H

#include "calibrate/bench/bench.h"
#include "calibrate/gpu/bed.h"
#include "calibrate/gpu/meter.h"
#include "calibrate/gpu/vendor.h"

struct timer {
    struct gpu *g;
    struct bed *bed;
    struct meter *meter;
    const struct vendor *vendor; /* NULL: none */
    struct vendor_handle *handle;
    const struct bench_rule *rule;
    uint64_t seed;
};

struct timer_ask {
    const struct call *call; /* sizes */
    enum bed_routing routing;
    bool vendor;
    int spans; /* of each output compared before timing; 0: none */
};

struct timer_result {
    struct bench_time time;
    struct meter_reading meter; /* while it ran */
    double worst;               /* error, of its slack */
    bool wrong;                 /* ERR_NO because a result did not agree */
    const char *scheme;         /* of the vendor's kernel; NULL */
};

bool timer_run(struct timer *t, const struct timer_ask *ask,
               struct timer_result *r, struct err *e);

/* Keeps the call running for so many seconds of device time and tells of every
 * stretch of it: seconds since the begin, of one call, and the meter. */
typedef void timer_told(void *to, double at_s, double call_s,
                        const struct meter_reading *m);
bool timer_hold(struct timer *t, const struct timer_ask *ask, double seconds,
                timer_told *told, void *to, struct err *e);

/* Whether the device still answers. */
bool timer_alive(struct timer *t);

#endif
