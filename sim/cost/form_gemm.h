/* form_gemm - the part that two GEMM forms share: seconds of one GEMM from the
 * first FORM_GEMM_COEF coefficients and the features m, n, k, weight_B, act_B.
 * Pure. */
#ifndef SIM_COST_FORM_GEMM_H
#define SIM_COST_FORM_GEMM_H

enum { FORM_GEMM_COEF = 9 };

double form_gemm_time(const double *coef, const double *x);

#endif
