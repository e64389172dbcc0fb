/* arrive - what the arrival kinds (arrive_X.c) see of a load, and the table.
 * A kind draws from l->chance alone and keeps its state in the fields below,
 * which load.c zeroes before request 0.  Times are seconds since the run began
 * and never go back.  Lives with its load; one thread; O(1) per request. */
#ifndef SIM_LOAD_ARRIVE_H
#define SIM_LOAD_ARRIVE_H

#include "sim/base/json.h"
#include "sim/des/rng.h"
#include "sim/load/load.h"
#include "sim/load/trace.h"

#include <stddef.h>
#include <stdint.h>

struct load {
    struct load_spec spec;
    uint64_t seed;
    int64_t n;    /* requests in all */
    int64_t next; /* index of the next */
    double scale; /* arrival times are multiplied by this */
    struct rng isl, osl;
    const struct trace *trace; /* NULL but for kind trace */
    /* of the kind, zeroed for request 0 */
    struct rng chance;
    double clock_s;         /* where its clock stands */
    double until_s;         /* mmpp: when the state ends */
    int state;              /* mmpp: 0 or 1 */
    int64_t group, group_n; /* trace: rows of equal time, first and count */
};

extern const struct arrive arrive_trace; /* brings lengths with its times */

#define ARRIVE_ROW(name, kind, low, high, deflt, text)                         \
    {                                                                          \
        .key = #name, .type = (kind), .at = offsetof(struct load_spec, name),  \
        .min = (low), .max = (high), .dflt = (deflt), .help = (text)           \
    }

/* Beyond these a load is taken for a slip of the pen. */
#define ARRIVE_MIN_RPS 1e-6
#define ARRIVE_MAX_RPS 1e6
#define ARRIVE_MAX_CONCURRENCY 1e6

#define ARRIVE_RATE                                                            \
    ARRIVE_ROW(rate_rps, JSON_NUM, ARRIVE_MIN_RPS, ARRIVE_MAX_RPS, NULL,       \
               "mean arrivals per second")
#define ARRIVE_CAP                                                             \
    ARRIVE_ROW(concurrency, JSON_INT, 0, ARRIVE_MAX_CONCURRENCY, "0",          \
               "most requests in flight (client semaphore), 0 = no cap")
#define ARRIVE_RESCALE                                                         \
    ARRIVE_ROW(rescale, JSON_BOOL, 0, 0, "true",                               \
               "stretch the times so that the last is at requests / rate")
/* A shape below this puts most of the load into single gaps. */
#define ARRIVE_BURST(deflt)                                                    \
    ARRIVE_ROW(burstiness, JSON_NUM, 0.05, 1e6, deflt,                         \
               "gamma shape of the gaps: 1 = Poisson, less is burstier")
#define ARRIVE_LAST                                                            \
    {                                                                          \
        .key = NULL                                                            \
    }

/* Length of the table, at most ARRIVE_KINDS; and the names, ending with NULL,
 * in its order. */
enum { ARRIVE_KINDS = 31 };
struct arrive_names {
    const char *name[ARRIVE_KINDS + 1];
};
struct arrive_names arrive_all(void);

#endif
