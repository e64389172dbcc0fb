/* vendor - GEMMs of a vendor's library, loaded at run time: they are what an
 * engine's linear layers reach.  An absent library is ERR_ABSENT with the names
 * that were tried.  The handle lies in the arena; close gives back the rest.
 * To add one: vendor_x.c with `const struct vendor vendor_x`, and its line in
 * vendor.c. */
#ifndef CALIBRATE_GPU_VENDOR_H
#define CALIBRATE_GPU_VENDOR_H

#include "calibrate/gpu/gpu.h"
#include "sim/base/arena.h"

struct vendor_handle;

struct vendor {
    const char *name; /* "cublaslt" */
    bool (*open)(struct gpu *g, struct arena *a, struct vendor_handle **h,
                 struct err *e);
    void (*close)(struct vendor_handle *h);
    const char *(*version)(const struct vendor_handle *h);
    /* Chooses a kernel for these sizes as an engine would: the library's first
     * proposal.  scheme says how FP8 is scaled.  A refusal is ERR_NO. */
    bool (*plan)(struct vendor_handle *h, const struct call_gemm *c,
                 const char **scheme, struct err *e);
    /* Queues the planned kernel; c may differ in its pointers alone. */
    bool (*launch)(struct vendor_handle *h, const struct call_gemm *c,
                   struct err *e);
};

/* The one for this device: by its plug-in's name. */
const struct vendor *vendor_of(const struct gpu *g);

#endif
