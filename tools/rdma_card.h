/* rdma_card - from a ladder's rows to a law, its figures, and a wire card. */
#ifndef TOOLS_RDMA_CARD_H
#define TOOLS_RDMA_CARD_H

#include "tools/cmd.h"

struct rdma_card_ask {
    const struct cmd_common *c;
    const char *rows, *nic; /* CSV; nic NULL: its only one */
    const char *base;       /* card for what was not measured */
    const char *card;       /* where to write, NULL: nowhere */
    int nics, flow_qps;
};

bool rdma_card(const struct rdma_card_ask *ask, struct err *e);

#endif
