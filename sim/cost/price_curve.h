/* price_curve - a function of an integer, known at some of them.
 * The knots are chosen by halving intervals until a straight line misses the
 * middle by less than PRICE_CURVE_TOL of the sum over the k parts, so a jump
 * ends up between two neighbouring integers.  Values are picoseconds.  Lives in
 * the arena given; const after price_curve_new; reading is O(log knots). */
#ifndef SIM_COST_PRICE_CURVE_H
#define SIM_COST_PRICE_CURVE_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { PRICE_CURVE_PARTS = 8 };
#define PRICE_CURVE_TOL 0.002

struct price_curve {
    int k, n;
    int32_t *x;
    int64_t *v; /* n rows of k */
};

/* Adds nothing: writes the k parts at x, in seconds. */
typedef bool (*price_point)(void *of, int32_t x, double *v, struct err *e);

struct price_curve_ask {
    int32_t lo, hi; /* inclusive; lo <= hi */
    int k;
    price_point point;
    void *of;
};
bool price_curve_new(struct price_curve *c, const struct price_curve_ask *ask,
                     struct arena *a, struct err *e);
/* x in [lo, hi]. */
void price_curve_at(const struct price_curve *c, int32_t x, int64_t *v);

/* Seconds to picoseconds: the one rounding of a price. */
int64_t price_curve_ps(double seconds);

#endif
