#include "calibrate/gpu/vendor.h"

#include <string.h>

extern const struct vendor vendor_cublaslt, vendor_hipblaslt, vendor_null;

const struct vendor *vendor_of(const struct gpu *g)
{
    if (!g->library)
        return &vendor_null;
    if (strncmp(g->info.arch, "gfx", 3) == 0)
        return &vendor_hipblaslt;
    if (strncmp(g->info.arch, "sm_", 3) == 0)
        return &vendor_cublaslt;
    return &vendor_null;
}
