/* judge - how well a law describes its rows, and rows it has not seen.
 * Errors are 100 (predicted / measured - 1) per cent.  Pure but for the fits of
 * the cross-validation. */
#ifndef CALIBRATE_FIT_JUDGE_H
#define CALIBRATE_FIT_JUDGE_H

#include "calibrate/fit/fit.h"

struct judge {
    double median, p95, max; /* of the absolute errors */
    double bias;             /* mean signed error */
};

/* n > 0. */
struct judge judge_rows(const struct fit_law *law, const struct fit_point *p,
                        size_t n);

/* Leaves groups out, one fold at a time (one group a fold up to JUDGE_FOLDS
 * groups, else groups dealt in turn), fits the rest and judges what was left
 * out.  NAN when there are fewer than three groups. */
enum { JUDGE_FOLDS = 10 };
bool judge_unseen(const struct fit_law *law, const struct fit_point *p,
                  size_t n, struct judge *j, struct err *e);

#endif
