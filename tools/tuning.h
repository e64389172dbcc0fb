/* tuning - tandem fit --tune: engine parameters of one GPU from whole runs,
 * judged on groups of runs they have not seen, saved as the fit engine/all.
 * Prints tables on stdout.  Memory in the caller's arena. */
#ifndef TOOLS_TUNING_H
#define TOOLS_TUNING_H

#include "tools/objective.h"

struct tuning_ask {
    struct objective_ask data;
    const char *date;
    const char *const *hold; /* "name=value", NULL at the end, or NULL */
    const char *out;         /* every residual as CSV, or NULL */
    const char *params;      /* parameters and their covariance as CSV */
    bool cross_validate;
    bool quiet;
};

bool tuning_run(const struct tuning_ask *ask, struct arena *a, struct fit *fit,
                struct err *e);

#endif
