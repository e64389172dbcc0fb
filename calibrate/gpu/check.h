/* check - a call's results against the reference, on the device it will be
 * timed on.  Outputs are poisoned, the call is run once, and `spans` pieces of
 * each output (0: all) are compared: the first, the last and others drawn from
 * seed. A result outside its slack is ERR_NO and names the element, what came
 * out and what was expected; nothing of such a call may be stored.  Scratch
 * lies in the arena. */
#ifndef CALIBRATE_GPU_CHECK_H
#define CALIBRATE_GPU_CHECK_H

#include "calibrate/gpu/gpu.h"
#include "sim/base/arena.h"

/* Runs the call; NULL: the plug-in's launch. */
struct check_runner {
    bool (*run)(void *to, const struct call *c, struct err *e);
    void *to;
};

struct check {
    int spans;
    uint64_t seed;
    double worst; /* out: the largest error, of the slack it had */
};

bool check_call(struct gpu *g, const struct call *c,
                const struct check_runner *runner, struct check *k,
                struct arena *a, struct err *e);

#endif
