/* units - the only conversions between simulated time and seconds.
 * ns_t: int64 ns since the run began (292 years).  Costs are doubles in seconds
 * until one rounding here. */
#ifndef SIM_BASE_UNITS_H
#define SIM_BASE_UNITS_H

#include <stdint.h>

typedef int64_t ns_t;

#define NS_NEVER INT64_MAX
#define NS_PER_S 1000000000.0
#define NS_PER_MS 1000000.0
#define NS_PER_US 1000.0

static inline ns_t units_ns(double seconds)
{
    return (ns_t)(seconds * NS_PER_S + 0.5);
}

static inline double units_s(ns_t t)
{
    return (double)t / NS_PER_S;
}

static inline double units_ms(ns_t t)
{
    return (double)t / NS_PER_MS;
}

#endif
