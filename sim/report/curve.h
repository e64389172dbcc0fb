/* curve - answers gathered by topology, and the front over a set of them.
 * A curve is one topology's answers in order of load (request rate when there
 * is one, else concurrency).  level(x) of a set is the most TPSG (tokens/s/GPU)
 * that any of its curves has at a TPSU (tokens/s/user) of at least x, each
 * curve linear between neighbouring loads: a point between two loads belongs
 * to one topology and can be run.  Left of the set's smallest TPSU the level is
 * that of the whole set, right of its largest there is none (NAN).
 * Everything lives in the caller's arena; the answers are not owned. */
#ifndef SIM_REPORT_CURVE_H
#define SIM_REPORT_CURVE_H

#include "sim/base/arena.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

struct curve_point {
    double load; /* requests/s or concurrency */
    double tpsu, tpsg;
    const cJSON *answer;
};

struct curve {
    const char *topology;
    bool pd; /* prefill and decode apart */
    struct curve_point *point;
    size_t n;
};

struct curve_set {
    struct curve *curve; /* in order of first appearance */
    size_t n;
    double lo, hi; /* smallest and largest TPSU; NAN when empty */
};

/* Answers without topology, tpsu or tpsg are passed over; NULL is no answer. */
struct curve_set curve_gather(const cJSON *answers, struct arena *a);
/* The curves whose topology matches one of the shell patterns (a list of
 * strings, or one string). */
struct curve_set curve_pick(const struct curve_set *all, const cJSON *patterns,
                            struct arena *a);
struct curve_set curve_family(const struct curve_set *all, bool pd,
                              struct arena *a);
bool curve_is_pd(const char *topology);

/* which, when given, gets the topology that has it.  O(points). */
double curve_level(const struct curve_set *s, double tpsu, const char **which);
/* The points of the set that no other one beats in both figures, by falling
 * TPSU. */
size_t curve_front(const struct curve_set *s, struct curve_point **out,
                   struct arena *a);
/* The curve's point at that load, NULL when it has none. */
const struct curve_point *curve_at(const struct curve *c, double load);

#endif
