/* spread - order statistics of repeated times.
 * Sorts the values in place; n > 0; nearest rank for percentiles. */
#ifndef CALIBRATE_RDMA_SPREAD_H
#define CALIBRATE_RDMA_SPREAD_H

#include <stddef.h>

struct spread {
    double min, p50, p90, p99, max;
    double mad; /* median distance from the median */
};

struct spread spread_of(double *v, size_t n);

#endif
