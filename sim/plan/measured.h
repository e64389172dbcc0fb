/* measured - tables of measured runs (contract section 4, `score`): a row is
 * turned into the scenario it was run as, or refused with the reason, never
 * guessed.  Columns that are missing or empty were not published; what a row
 * leaves open and a default fills is named in its note.
 * Rows live in the arena; reading is single-threaded, running is a crew's. */
#ifndef SIM_PLAN_MEASURED_H
#define SIM_PLAN_MEASURED_H

#include "sim/cost/tuned.h"
#include "sim/plan/scenario.h"
#include "sim/serve/world.h"

enum { MEASURED_METRICS = 20 };

struct measured_metric {
    const char *name; /* the column: "tpot_ms_median" */
    double value;     /* measured; NAN = not published */
};

enum measured_status {
    MEASURED_OK,
    MEASURED_UNCALIBRATED, /* predicted from another GPU's fits by data sheet */
    MEASURED_UNSUPPORTED
};
const char *measured_status_name(enum measured_status s);

struct measured_row {
    const char *run_id, *gpu, *model, *topology;
    enum measured_status status;
    const char *note;
    char refused[256];        /* note of a row that measured_run refused */
    const struct scenario *s; /* NULL when unsupported */
    struct plant plant;
    int tp;
    double isl, osl, concurrency; /* as published, for grouping */
    struct tuned_ways ways;
    bool cold; /* few warm-ups before Triton's kernels: some are compiled while
                  the run is measured */
    double cold_s;   /* how long; lengthens the run, not its median gaps */
    double weight;   /* column "weight", 1 where none: doubt in the row */
    bool in_process; /* no HTTP in front: the front end's time is not there */
    struct measured_metric metric[MEASURED_METRICS];
    struct outcome out; /* filled by measured_run */
};

struct measured_ask {
    const char *path, *models;
    struct db *store;
    const char *seed;
};

bool measured_read(const struct measured_ask *ask, struct arena *a,
                   struct measured_row **rows, size_t *n, struct err *e);
/* Simulates a row that is not unsupported; a refusal makes it so. */
void measured_run(struct measured_row *r, struct arena *a);
/* The same row run with other engine parameters: a copy whose plant and outcome
 * lie in `a`.  false: it cannot be run so. */
bool measured_try(const struct measured_row *r, const struct tuned *t,
                  struct arena *a, struct measured_row *out, struct err *e);
/* What tandem says for metric i; NAN when it has no such figure. */
double measured_predicted(const struct measured_row *r, int i);

#endif
