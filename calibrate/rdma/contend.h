/* contend - transfers that share a path, and when each was done.
 * A plan is a CSV table with the columns transfer, op (READ, WRITE: as this end
 * sees it), start_ms, bytes and message_bytes; each transfer has a queue pair
 * of its own.  A run plays the plan once; its rows are the plan's with run,
 * begun_ms and ended_ms behind, which contend_load reads, too. */
#ifndef CALIBRATE_RDMA_CONTEND_H
#define CALIBRATE_RDMA_CONTEND_H

#include "calibrate/rdma/partner.h"

#include <stdio.h>

struct contend_move {
    char name[32];
    enum rail_op op;
    double start_s;
    uint64_t bytes, message_bytes;
    uint32_t run;
    double begun_s, ended_s; /* NAN in a plan */
};

struct contend_plan {
    struct contend_move *move;
    size_t n;
};

/* At most RAIL_QPS transfers a run; sizes a multiple of their messages'. */
bool contend_load(const char *path, struct arena *a, struct contend_plan *p,
                  struct err *e);
/* Plays the plan that many times; out has room for runs x n moves.  depth:
 * messages of a transfer that are outstanding at once. */
struct contend_ask {
    uint32_t runs, depth;
};
bool contend_play(struct partner *p, const struct contend_plan *plan,
                  const struct contend_ask *ask, struct contend_move *out,
                  struct err *e);

void contend_head(FILE *f);
void contend_line(FILE *f, const struct contend_move *m);

#endif
