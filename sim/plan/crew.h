/* crew - who runs the trials.  Workers take the next index atomically, each
 * with an arena of its own that is reset between trials; results are handed out
 * in index order on the calling thread, so output is the same for any number of
 * workers.  At most `ahead` results wait for an earlier one, which bounds
 * memory. */
#ifndef SIM_PLAN_CREW_H
#define SIM_PLAN_CREW_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <signal.h>
#include <stddef.h>

struct crew_job {
    size_t n;    /* indices 0..n */
    int workers; /* >= 1 */
    size_t size; /* bytes of one result */
    void *ctx;
    /* On a worker: fills the result of index i. */
    void (*work)(void *ctx, size_t i, struct arena *a, void *result);
    /* On the caller, in index order; false stops the crew. */
    bool (*emit)(void *ctx, size_t i, const void *result, struct err *e);
    /* Set by a signal handler: finish what runs, then stop; NULL = never. */
    const volatile sig_atomic_t *stop;
};

/* false: emit refused, a thread could not start, or stop was set (ERR_SYSTEM,
 * with how many were finished). */
bool crew_run(const struct crew_job *job, struct err *e);

#endif
