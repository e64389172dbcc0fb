/* blaslt - cuBLASLt and hipBLASLt through one door: hipBLASLt's interface is
 * cuBLASLt's with other names and other numbers in its enumerations.  Both are
 * column-major, so y = x w^T (row-major) is y^T = w x^T: A = w transposed,
 * B = x, of n x m results.  Own declarations of what is used; no vendor header
 * is needed to build.  As vendor.h says otherwise. */
#ifndef CALIBRATE_GPU_BLASLT_H
#define CALIBRATE_GPU_BLASLT_H

#include "calibrate/gpu/vendor.h"

struct blaslt_kind {
    const char *name, *prefix;  /* of functions: "cublasLt" */
    const char *env;            /* variable that holds a path of the library */
    const char *const *sonames; /* NULL at the end */
    int op_n, op_t, compute_f32, type_f32, type_bf16, type_fp8, type_fp8_fnuz;
    int desc_transa, desc_transb, desc_a_scale, desc_b_scale;
    int desc_a_mode, desc_b_mode;
    int desc_fast;  /* FP8 sums in less precision; -1: absent */
    int mode_outer; /* a scale for each row of A and column of B */
    int pref_workspace;
};

bool blaslt_open(const struct blaslt_kind *kind, struct gpu *g, struct arena *a,
                 struct vendor_handle **h, struct err *e);
void blaslt_close(struct vendor_handle *h);
const char *blaslt_version(const struct vendor_handle *h);
bool blaslt_plan(struct vendor_handle *h, const struct call_gemm *c,
                 const char **scheme, struct err *e);
bool blaslt_launch(struct vendor_handle *h, const struct call_gemm *c,
                   struct err *e);

#endif
