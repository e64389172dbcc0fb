/* Numbers from hipblaslt.h, hipblas-common.h and library_types.h of ROCm 7.
 * Up to ROCm 6 the attributes 31 and 32 are unknown, and FP8 falls back to one
 * scale a matrix. */
#include "calibrate/gpu/blaslt.h"

static const char *const sonames[] = {
    "libhipblaslt.so.1",
    "libhipblaslt.so.0",
    "libhipblaslt.so",
    "/opt/rocm/lib/libhipblaslt.so",
    NULL,
};

static const struct blaslt_kind kind = {
    .name = "hipBLASLt",
    .prefix = "hipblasLt",
    .env = "HIPBLASLT_PATH",
    .sonames = sonames,
    .op_n = 111,
    .op_t = 112,
    .compute_f32 = 2,
    .type_f32 = 0,
    .type_bf16 = 14,
    .type_fp8 = 28,
    .type_fp8_fnuz = 1000,
    .desc_transa = 0,
    .desc_transb = 1,
    .desc_a_scale = 5,
    .desc_b_scale = 6,
    .desc_a_mode = 31,
    .desc_b_mode = 32,
    .desc_fast = -1,
    .mode_outer = 3,
    .pref_workspace = 1,
};

static bool open_hipblaslt(struct gpu *g, struct arena *a,
                           struct vendor_handle **h, struct err *e)
{
    return blaslt_open(&kind, g, a, h, e);
}

const struct vendor vendor_hipblaslt = {
    .name = "hipblaslt",
    .open = open_hipblaslt,
    .close = blaslt_close,
    .version = blaslt_version,
    .plan = blaslt_plan,
    .launch = blaslt_launch,
};
