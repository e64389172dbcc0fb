/* costs - what was measured and the laws fitted to it.
 * A fit belongs to (gpu, op, variant), names its form (sim/cost/form.h) and its
 * coefficients by name, with standard errors, the box of features it was fitted
 * in, and its residuals.  basis says what it rests on: "measured" = op rows of
 * that GPU; "law" = a physical law with named, sourced constants because that
 * GPU has no rows.  Loaded structs live in the caller's arena and are const
 * from then on; shared between threads. */
#ifndef SIM_STORE_COSTS_H
#define SIM_STORE_COSTS_H

#include "sim/base/arena.h"
#include "sim/store/db.h"

#include <stddef.h>
#include <stdio.h>

enum { COSTS_COEF = 48, COSTS_BOX = 8 };

struct fit_coef {
    const char *name; /* with its unit: "t0_us", "bw_Bps" */
    double value;
    double se;          /* NAN when it was not fitted */
    const char *source; /* "fit", or where the constant comes from */
};

struct fit_box {
    const char *feature;
    double min, max; /* inclusive; outside it a prediction is extrapolated */
};

struct fit {
    const char *gpu, *op, *variant, *form;
    const char *basis;  /* "measured" | "law" */
    const char *source; /* tables and versions, or the law's citation */
    const char *date;
    int n_coef, n_box;
    struct fit_coef coef[COSTS_COEF];
    struct fit_box box[COSTS_BOX];
    int64_t rows; /* measurements used */
    /* absolute relative errors over those rows, in per cent; NAN for a law;
     * cv_* are out-of-sample (leave-one-group-out) */
    double ape_median, ape_p95, ape_max, bias;
    double cv_median, cv_p95;
};

struct costs {
    const char *gpu;
    const char *store; /* path it was loaded from */
    struct fit *fit;
    size_t n;
};

/* All fits of a GPU.  None at all: n = 0, not an error. */
bool costs_load(struct db *d, const char *gpu, struct arena *a, struct costs *c,
                struct err *e);
/* NULL when absent. */
const struct fit *costs_find(const struct costs *c, const char *op,
                             const char *variant);
/* Inserts or replaces a fit. */
bool costs_save(struct db *d, const struct fit *f, struct err *e);

/* Text form: results/GPU*.sql or *.csv of one folder, imported in one
 * transaction; importing the same text again changes nothing. */
bool costs_import(struct db *d, const char *path, struct err *e);
/* Sorted SQL text of everything that belongs to a GPU (NULL = all), written
 * to f; import(export(x)) == x byte for byte on re-export. */
bool costs_export(struct db *d, const char *gpu, FILE *f, struct err *e);

#endif
