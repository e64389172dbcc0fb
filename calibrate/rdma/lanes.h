/* lanes - one job on several lanes at the same moment.
 * A thread a lane, which start each repetition together; the time of one is the
 * longest of them.  One lane runs on the caller's thread.  The lanes' partners
 * must not be used meanwhile. */
#ifndef CALIBRATE_RDMA_LANES_H
#define CALIBRATE_RDMA_LANES_H

#include "calibrate/rdma/partner.h"

struct lanes;

struct lanes *lanes_open(struct partner_lane *const *lane, size_t n,
                         const struct feed_job *job,
                         const struct rail_crowd *crowd, struct arena *a);
/* Once more; post_s is of the first lane.  After an error: lanes_close. */
bool lanes_run(struct lanes *l, struct feed_took *took, struct err *e);
void lanes_close(struct lanes *l);

#endif
