/* The vendor of devices that have none (gpu_null, the emulator): the plug-in's
 * own tiles. */
#include "calibrate/gpu/vendor.h"

struct vendor_handle {
    struct gpu *g;
};

static bool open_null(struct gpu *g, struct arena *a, struct vendor_handle **h,
                      struct err *e)
{
    (void)e;
    *h = ARENA_NEW(a, struct vendor_handle);
    (*h)->g = g;
    return true;
}

static void close_null(struct vendor_handle *h)
{
    (void)h;
}

static const char *version(const struct vendor_handle *h)
{
    return h->g->p->name;
}

static struct call call_of(const struct call_gemm *c)
{
    return (struct call){.op = CALL_GEMM, .gemm = *c};
}

static bool plan(struct vendor_handle *h, const struct call_gemm *c,
                 const char **scheme, struct err *e)
{
    struct call call = call_of(c);
    const char *lacks = h->g->p->lacks(&call);
    *scheme = "null";
    return !lacks || err_set(e, ERR_NO, "%s", lacks);
}

static bool launch(struct vendor_handle *h, const struct call_gemm *c,
                   struct err *e)
{
    struct call call = call_of(c);
    return GPU_DO(h->g, e, launch, &call);
}

const struct vendor vendor_null = {
    .name = "null",
    .open = open_null,
    .close = close_null,
    .version = version,
    .plan = plan,
    .launch = launch,
};
