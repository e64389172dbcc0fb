/* gpumem - memory of a GPU for an adapter to reach, through the vendor's own
 * library, which is opened when it is asked for and need not be there:
 * libcuda.so.1, or libamdhip64.so with libhsa-runtime64.so.1.
 * The memory is offered as a dma-buf where driver and library can (fd >= 0),
 * else as an address for a peer-memory module.  No library or no GPU is
 * ERR_ABSENT, refusals are ERR_SYSTEM.  One thread. */
#ifndef CALIBRATE_RDMA_GPUMEM_H
#define CALIBRATE_RDMA_GPUMEM_H

#include "sim/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpumem {
    const struct gpumem_maker *maker;
    void *lib[2];
    uint64_t at; /* device address */
    size_t bytes;
    int fd;          /* dma-buf, -1: none */
    uint64_t offset; /* of the memory in it */
    int gpu;
};

/* How many GPUs there are; 0 without a library. */
int gpumem_count(void);
bool gpumem_open(struct gpumem *m, int gpu, size_t bytes, struct err *e);
void gpumem_close(struct gpumem *m); /* fine on zeroed memory */
bool gpumem_put(struct gpumem *m, const void *from, size_t n);
bool gpumem_get(struct gpumem *m, void *to, size_t n);

#endif
