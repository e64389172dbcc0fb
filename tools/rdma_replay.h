/* rdma_replay - measured transfers that shared a path, against the wire model:
 * the same starts and sizes over a card's links, each end beside the median of
 * the runs. */
#ifndef TOOLS_RDMA_REPLAY_H
#define TOOLS_RDMA_REPLAY_H

#include "tools/cmd.h"

struct rdma_replay_ask {
    const struct cmd_common *c;
    const char *runs; /* CSV of `--contend` */
    const char *card; /* file of a wire card */
    double tolerance; /* relative, of the time from its start to its end */
};

/* ERR_NO when a transfer is predicted outside the tolerance. */
bool rdma_replay(const struct rdma_replay_ask *ask, struct err *e);

#endif
