/* campaign - measures what a plan of lines holds, in an order that an end at
 * any time does not spoil: first a few points of every line, then, for as long
 * as there is time, the middle of the gap where interpolation between measured
 * neighbours errs most; it stops when no gap errs by more than CAMPAIGN_GOOD.
 *
 * A folder of tables is both the result and the state: what it holds is not
 * measured again.  Before anything is timed, every operation is checked at the
 * awkward sizes of cases.h, and every timed call again on a few of its results;
 * what fails is told, left out, and not tried again.
 * A lost device ends it (ERR_SYSTEM); what was measured is kept.
 * One thread. */
#ifndef CALIBRATE_GPU_CAMPAIGN_H
#define CALIBRATE_GPU_CAMPAIGN_H

#include "calibrate/gpu/grid.h"
#include "calibrate/gpu/table.h"
#include "calibrate/gpu/timer.h"

#include <signal.h>

#define CAMPAIGN_GOOD 0.03 /* relative error of interpolation that is enough */

/* A row that was stored, with its point; a sentence about something left out;
 * and how far things are. */
struct campaign_ears {
    void (*row)(void *to, const struct grid_table *t,
                const struct grid_point *p, const struct table_row *r);
    void (*note)(void *to, const char *text);
    void (*progress)(void *to, double done, double total, const char *now);
    void *to;
};

struct campaign_ask {
    const char *dir;          /* of tables */
    const char *const *grids; /* names, NULL at the end; NULL: all */
    const struct grid_model *model;
    size_t models;
    double seconds;            /* of wall time for all of it */
    const char *source, *date; /* written into rows */
    bool sustained;            /* hold heavy calls at the power limit, too */
    const volatile sig_atomic_t *stop; /* NULL: nobody stops it */
    struct campaign_ears ears;
};

struct campaign_sum {
    size_t lines, points;   /* of the plan */
    size_t measured, found; /* now, and in the folder already */
    size_t refused;         /* by the device or the library, or out of memory */
    size_t wrong;           /* results that did not agree: nothing stored */
    size_t throttled;       /* rows flagged */
    size_t cases, cases_wrong;
    double worst_bend;  /* of the gaps that are left */
    bool stopped, late; /* by a signal; by the clock */
};

bool campaign_run(struct timer *t, const struct campaign_ask *ask,
                  struct campaign_sum *sum, struct err *e);

#endif
