/* rows - operator measurements out of a folder of tables, as op_calls.
 * Tables are gemm.csv, quant.csv, norm.csv, attention_prefill.csv,
 * attention_decode.csv, moe.csv, allreduce.csv, sample.csv and host.csv (or
 * .csv.gz), each optional; columns by name, times in microseconds, as
 * results/README.md lists them.  Rows a table marks as accidents (suspect = 1)
 * are left out and counted.
 * stated.csv holds coefficients that are named by a source instead of fitted.
 * Everything lives in the caller's arena.  A malformed row is ERR_INPUT with
 * file and line. */
#ifndef CALIBRATE_FIT_ROWS_H
#define CALIBRATE_FIT_ROWS_H

#include "sim/base/arena.h"
#include "sim/cost/op.h"

#include <stddef.h>
#include <stdint.h>

struct row {
    struct op_call call;
    double time_s;
    uint32_t group;     /* rows of one shape share it (cross-validation) */
    const char *source; /* who measured, and which version */
};

struct rows {
    struct row *row;
    size_t n;
    size_t left_out; /* accidents by the table's own mark */
};

struct stated { /* coef "": only the form is stated */
    const char *op, *variant, *form, *coef, *source;
    double value;
};

struct stated_list {
    struct stated *item;
    size_t n;
};

bool rows_load(const char *dir, struct arena *a, struct rows *r, struct err *e);
/* No stated.csv is an empty list. */
bool rows_stated(const char *dir, struct arena *a, struct stated_list *l,
                 struct err *e);

#endif
