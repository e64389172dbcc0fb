/* rdma_measure - the two ends of a measurement as commands: list the ports,
 * serve, climb a ladder, play a plan. */
#ifndef TOOLS_RDMA_MEASURE_H
#define TOOLS_RDMA_MEASURE_H

#include "calibrate/rdma/ladder.h"
#include "tools/cmd.h"

struct rdma_measure_ask {
    const struct cmd_common *c;
    struct partner_ask end;
    struct ladder_ask ladder;
    char *const *peer; /* hosts */
    size_t peers;
    double patience_s; /* for a listener that is just starting */
    const char *plan;  /* of transfers, CSV */
    int runs, depth;   /* depth: messages outstanding of a transfer */
    const char *bind;  /* NULL: every address */
    int port;
    bool once;
};

bool rdma_measure_list(const struct rdma_measure_ask *ask, struct err *e);
/* Until interrupted, which is no error. */
bool rdma_measure_listen(const struct rdma_measure_ask *ask, struct err *e);
/* Rows go to --csv as they come: what is broken off keeps its rows. */
bool rdma_measure_ladder(const struct rdma_measure_ask *ask, struct err *e);
bool rdma_measure_contend(const struct rdma_measure_ask *ask, struct err *e);

#endif
