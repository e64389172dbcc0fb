/* plugin - the table of functions that a GPU plug-in (build/gpu/hip-*.so)
 * exports: one device's memory, stream, clock and kernels.
 * The one exported symbol is `const struct plugin *plugin_table(void)`.
 * Every int result is 0 or an error; `why` then says it in words (static text,
 * valid until the next call).  Calls of one device come from one thread.
 * Device pointers are plain addresses.  launch, copy_in and zero are queued on
 * the device's stream; the rest waits for it. */
#ifndef KERNELS_PLUGIN_H
#define KERNELS_PLUGIN_H

#include "kernels/call.h"

enum { PLUGIN_VERSION = 1, PLUGIN_TEXT = 128 };

struct plugin_info {
    char name[PLUGIN_TEXT];   /* as the runtime says it */
    char arch[32];            /* "gfx942", "sm_90" */
    char pci[32];             /* "0000:1b:00.0" */
    char driver[64];          /* versions of driver and runtime */
    int units;                /* compute units, multiprocessors */
    int lanes;                /* of a wave */
    bool fnuz;                /* FP8 format, see fill.h */
    size_t memory_bytes, free_bytes;
    size_t llc_bytes;         /* as the runtime says it; 0: it does not */
};

struct plugin_device;
struct plugin_graph;

struct plugin {
    int version;
    const char *name; /* "hip-sm_90" */

    /* Devices that this plug-in's kernels run on; 0: why says what is absent */
    int (*count)(const char **why);
    int (*open)(int index, struct plugin_device **d, const char **why);
    void (*close)(struct plugin_device *d);
    int (*info)(struct plugin_device *d, struct plugin_info *i,
                const char **why);

    int (*take)(struct plugin_device *d, size_t bytes, void **p,
                const char **why);
    /* the same for memory that other devices write while kernels run */
    int (*take_shared)(struct plugin_device *d, size_t bytes, void **p,
                       const char **why);
    void (*give)(struct plugin_device *d, void *p);
    int (*pinned)(struct plugin_device *d, size_t bytes, void **p,
                  const char **why);
    void (*unpin)(struct plugin_device *d, void *p);
    int (*copy_in)(struct plugin_device *d, void *to, const void *from,
                   size_t bytes, const char **why);
    int (*copy_out)(struct plugin_device *d, void *to, const void *from,
                    size_t bytes, const char **why);
    int (*zero)(struct plugin_device *d, void *p, int byte, size_t bytes,
                const char **why);
    /* n elements (FILL_FP4: an even number) by formula */
    int (*fill)(struct plugin_device *d, void *p, const struct fill *f,
                uint64_t n, const char **why);

    /* 0 when this target has the call, else a reason */
    const char *(*lacks)(const struct call *c);
    size_t (*work)(struct plugin_device *d, const struct call *c);
    int (*launch)(struct plugin_device *d, const struct call *c,
                  const char **why);
    int (*wait)(struct plugin_device *d, const char **why);

    /* Events 0 to 15 on the stream. */
    int (*mark)(struct plugin_device *d, int event, const char **why);
    int (*between)(struct plugin_device *d, int from, int to, double *seconds,
                   const char **why);

    /* What is launched between record and keep becomes a graph. */
    int (*record)(struct plugin_device *d, const char **why);
    int (*keep)(struct plugin_device *d, struct plugin_graph **g,
                const char **why);
    int (*replay)(struct plugin_device *d, struct plugin_graph *g,
                  const char **why);
    void (*drop)(struct plugin_device *d, struct plugin_graph *g);

    /* The runtime's stream, for a vendor's library. */
    void *(*stream)(struct plugin_device *d);
    /* Lets a reach b's memory. */
    int (*peer)(struct plugin_device *a, struct plugin_device *b,
                const char **why);
};

#ifdef __cplusplus
extern "C"
#endif
    const struct plugin *
    plugin_table(void);

#endif
