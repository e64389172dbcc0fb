/* feed - keeps a rail's queue pairs full until its jobs are done.
 * A job is a number of equal messages over its own queue pairs, from a start
 * time on; chains go to them in turn.  One thread; memory is the caller's.
 * Times are seconds since feed_run began. */
#ifndef CALIBRATE_RDMA_FEED_H
#define CALIBRATE_RDMA_FEED_H

#include "calibrate/rdma/rail.h"

struct feed_job {
    enum rail_op op;
    uint64_t bytes; /* of a message */
    uint32_t messages;
    uint32_t first, qps; /* its queue pairs, no other job's */
    uint32_t depth;      /* messages outstanding a queue pair; 0: RAIL_DEPTH */
    double start_s;
    double begun_s, ended_s; /* out: first posted, last complete */
};

struct feed_took {
    double seconds; /* until the last job's end */
    double post_s;  /* processor time spent posting */
};

bool feed_run(struct rail *r, struct feed_job *job, size_t n,
              struct feed_took *took, struct err *e);

#endif
