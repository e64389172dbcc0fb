/* gpu - the seam to a device: a table of functions (kernels/plugin.h) that a GPU
 * plug-in, or gpu_null, fills in, and one open device of it.
 * gpu_hip_open loads plug-ins until one finds a device; gpu_null_open has a law
 * instead of a device.  What is absent (library, driver, device) is ERR_ABSENT
 * with every place that was tried.  A device's functions come from one thread.
 * The plug-in's memory is released by gpu_hip_close. */
#ifndef CALIBRATE_GPU_GPU_H
#define CALIBRATE_GPU_GPU_H

#include "kernels/plugin.h"
#include "sim/base/arena.h"
#include "sim/base/err.h"

struct gpu {
    const struct plugin *p;
    struct plugin_device *d;
    struct plugin_info info;
    int devices;   /* that the plug-in's kernels run on */
    void *library; /* NULL: gpu_null */
};

/* Turns a plug-in's result into an err: GPU_DO(g, e, launch, call) is false with
 * e set when the function fails. */
#define GPU_DO(g, e, function, ...)                                            \
    gpu_hip_told((g), #function,                                               \
                 (g)->p->function((g)->d, __VA_ARGS__, &(const char *){NULL}), \
                 (e))

/* path NULL: every hip-*.so in the folders, in order; folders ends with NULL. */
bool gpu_hip_open(struct gpu *g, const char *path, const char *const *folders,
                  struct err *e);
/* Another device of the same plug-in. */
bool gpu_hip_another(const struct gpu *g, int index, struct gpu *other,
                     struct err *e);
void gpu_hip_close(struct gpu *g);

/* A device of gpu_null: `seed` of its noise, `noise` its relative deviation;
 * `wrong` an operation whose results are false, CALL_N: none. */
struct gpu_null_ask {
    uint64_t seed;
    double noise;
    enum call_op wrong;
    int fail_after; /* launches until the device is lost; 0: never */
};
void gpu_null_open(struct gpu *g, const struct gpu_null_ask *ask);
void gpu_null_close(struct gpu *g);

/* The law: seconds of one call, and its constants by name. */
double gpu_null_law(const struct call *c);
struct gpu_null_constant {
    const char *op, *variant, *name;
    double value;
};
extern const struct gpu_null_constant gpu_null_constants[]; /* op NULL ends */

#endif
