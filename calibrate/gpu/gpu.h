/* gpu - the seam to a device: a table of functions (kernels/plugin.h) that a
 * GPU plug-in, or gpu_null, fills in, and one open device of it. gpu_hip_open
 * loads plug-ins until one finds a device; gpu_null_open has a law instead of
 * a device.  What is absent (library, driver, device) is ERR_ABSENT and names
 * every place that was tried; a device that fails later is ERR_SYSTEM with the
 * runtime's own words.  A device's functions come from one thread. What open
 * took, close gives back. */
#ifndef CALIBRATE_GPU_GPU_H
#define CALIBRATE_GPU_GPU_H

#include "kernels/plugin.h"
#include "sim/base/err.h"

struct gpu {
    const struct plugin *p;
    struct plugin_device *d;
    struct plugin_info info;
    const char *why; /* the last failure's words */
    int devices;     /* that the plug-in's kernels run on */
    void *library;   /* NULL: gpu_null, or another's */
};

/* Calls function with the device first and `why` last; false: *e is set. */
#define GPU_DO(g, e, function, ...)                                            \
    gpu_told((g), #function, (g)->p->function((g)->d, __VA_ARGS__, &(g)->why), \
             (e))
#define GPU_DO0(g, e, function)                                                \
    gpu_told((g), #function, (g)->p->function((g)->d, &(g)->why), (e))

static inline bool gpu_told(const struct gpu *g, const char *what, int rc,
                            struct err *e)
{
    return rc == 0
        || err_set(e, ERR_SYSTEM, "%s: %s: %s", g->info.name, what,
                   g->why ? g->why : "no reason given");
}

/* path: one plug-in; NULL: every hip-*.so in the folders (NULL at the end). */
bool gpu_hip_open(struct gpu *g, const char *path, const char *const *folders,
                  struct err *e);
/* Device `index` of g's plug-in, which stays g's to close last. */
bool gpu_hip_another(const struct gpu *g, int index, struct gpu *other,
                     struct err *e);
void gpu_hip_close(struct gpu *g);

/* gpu_null: a device whose every call takes the seconds of a law: its own,
 * plain one (a floor, a memory rate, a peak), or the caller's. */
struct gpu_null_ask {
    uint64_t seed;
    double noise;       /* relative deviation of a sample */
    enum call_op wrong; /* its results are false; CALL_N: none's */
    long fail_after;    /* launches until the device is lost; 0: never */
    double (*law)(void *to, const struct call *c); /* NULL: its own */
    void *to;
};
void gpu_null_open(struct gpu *g, const struct gpu_null_ask *ask);
void gpu_null_close(struct gpu *g);
double gpu_null_seconds(const struct call *c); /* its own law */

#endif
