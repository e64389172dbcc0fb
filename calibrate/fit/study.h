/* study - one GPU's operator tables to laws in the store. Every (operator,
 * variant) the tables hold is fitted and judged, on its rows and on groups of
 * rows it has not seen; coefficients that a source states are held there; what
 * has no rows but is stated whole is saved as a law.  One thread; seconds a
 * GPU. */
#ifndef CALIBRATE_FIT_STUDY_H
#define CALIBRATE_FIT_STUDY_H

#include "sim/cost/card.h"
#include "sim/store/costs.h"

struct study_ask {
    const struct gpu_card *gpu;
    const char *dir;  /* of tables, see rows.h */
    const char *date; /* written into the fits, YYYY-MM-DD */
    void (*told)(void *to, const struct fit *f); /* each fit; may be NULL */
    void *to;
};

/* Fits every (operator, variant) the tables hold, adds the stated laws, and
 * saves all of them. */
bool study_all(const struct study_ask *ask, struct db *d, struct err *e);

#endif
