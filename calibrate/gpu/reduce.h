/* reduce - all-reduce over the GPUs of this host, in one process: every number
 * of ranks that the devices give (2, 4, 8), own kernels over peer memory.
 * Each is checked on the first and the last rank; times are of graphs that all
 * ranks replay together, on rank 0's clock.  Rows go to DIR/allreduce.csv:
 * `custom` is the faster of one-shot and two-stage, `qr_int4` the 4-bit one.
 * One device is ERR_ABSENT; a device that cannot reach another's memory, too.
 */
#ifndef CALIBRATE_GPU_REDUCE_H
#define CALIBRATE_GPU_REDUCE_H

#include "calibrate/gpu/table.h"
#include "calibrate/gpu/timer.h"

struct reduce_ask {
    const char *dir, *source, *date;
    size_t most_bytes; /* of a message */
    int most_ranks;
};

/* *rows: how many were measured now. */
bool reduce_run(struct timer *t, const struct reduce_ask *ask, size_t *rows,
                struct err *e);

#endif
