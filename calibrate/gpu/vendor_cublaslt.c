/* Numbers from cublasLt.h, cublas_api.h and library_types.h of CUDA 13.0; they
 * are part of the library's binary interface. */
#include "calibrate/gpu/blaslt.h"

static const char *const sonames[] = {
    "libcublasLt.so.13",
    "libcublasLt.so.12",
    "/usr/local/cuda/lib64/libcublasLt.so.13",
    "/usr/local/cuda/lib64/libcublasLt.so",
    NULL,
};

static const struct blaslt_kind kind = {
    .name = "cuBLASLt",
    .prefix = "cublasLt",
    .env = "CUBLASLT_PATH",
    .sonames = sonames,
    .op_n = 0,
    .op_t = 1,
    .compute_f32 = 68,
    .type_f32 = 0,
    .type_bf16 = 14,
    .type_fp8 = 28,
    .type_fp8_fnuz = 28,
    .desc_transa = 3,
    .desc_transb = 4,
    .desc_a_scale = 17,
    .desc_b_scale = 18,
    .desc_a_mode = 31,
    .desc_b_mode = 32,
    .desc_fast = 25,
    .mode_outer = 3,
    .pref_workspace = 1,
};

static bool open_cublaslt(struct gpu *g, struct arena *a,
                          struct vendor_handle **h, struct err *e)
{
    return blaslt_open(&kind, g, a, h, e);
}

const struct vendor vendor_cublaslt = {
    .name = "cublaslt",
    .open = open_cublaslt,
    .close = blaslt_close,
    .version = blaslt_version,
    .plan = blaslt_plan,
    .launch = blaslt_launch,
};
