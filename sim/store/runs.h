/* runs - what was simulated or measured, with the whole resolved scenario. A
 * run has a name, unique in a store, and metrics by name; a metric's name ends
 * in its unit ("ttft_p99_ms").  Strings that are read lie in the caller's
 * arena; those given to runs_save are copied.  One thread a store. */
#ifndef SIM_STORE_RUNS_H
#define SIM_STORE_RUNS_H

#include "sim/base/arena.h"
#include "sim/store/db.h"

#include <stddef.h>

struct run_metric {
    const char *name;
    double value;      /* NAN: not reached */
    double half_width; /* of its 95 % interval; NAN: not known */
};

struct run {
    const char *name;
    const char *kind;     /* "predicted" | "measured" */
    const char *scenario; /* resolved, JSON */
    const char *store;    /* costs it rests on; "" for a measurement */
    uint64_t seed;
    const char *date;   /* YYYY-MM-DD */
    const char *source; /* program and version, or who measured */
    const struct run_metric *metric;
    size_t n_metric;
};

/* Inserts or replaces the run of that name, whole or not at all. */
bool runs_save(struct db *d, const struct run *r, struct err *e);
/* The run of that name; absent: ERR_ABSENT. */
bool runs_load(struct db *d, const char *name, struct arena *a, struct run *r,
               struct err *e);
/* Names, sorted, NULL at the end. */
bool runs_list(struct db *d, struct arena *a, const char ***names,
               struct err *e);

#endif
