/* form - the laws a fit may take.  A form is a file form_X.c whose last lines
 * are `const struct form form_X`; the table is generated from the directory.
 * value() returns seconds from coefficients (in the order of coef) and features
 * (in the order of feature).  Pure functions; any thread; O(1).
 * To add one: sim/cost/form_x.c with names, bounds, first guess, value. */
#ifndef SIM_COST_FORM_H
#define SIM_COST_FORM_H

enum { FORM_COEF = 40, FORM_FEATURE = 8 };

struct form {
    const char *name;
    const char *what; /* the equation, with units */
    int n_coef, n_feature;
    const char *coef[FORM_COEF];
    double lo[FORM_COEF], hi[FORM_COEF]; /* bounds a fit keeps */
    double guess[FORM_COEF];
    const char *feature[FORM_FEATURE];
    double (*value)(const double *coef, const double *x);
};

extern const struct form *const form_table[];   /* NULL at the end */
const struct form *form_find(const char *name); /* NULL when unknown */

#endif
