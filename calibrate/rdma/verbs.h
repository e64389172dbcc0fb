/* verbs - libibverbs' devices, ports and refusals in our words.
 * Built without libibverbs' header everything is ERR_ABSENT. */
#ifndef CALIBRATE_RDMA_VERBS_H
#define CALIBRATE_RDMA_VERBS_H

#include "calibrate/rdma/rail.h"

#if defined(__has_include)
#if __has_include(<infiniband/verbs.h>)
#define VERBS_THERE 1
#endif
#endif
#ifndef VERBS_THERE
#define VERBS_THERE 0
#endif

/* Every port of every device, whatever its state. */
bool verbs_list(struct arena *a, struct rail_port **port, size_t *n,
                struct err *e);

#if VERBS_THERE
#include <infiniband/verbs.h>

struct verbs_port { /* an opened one */
    char device[RAIL_NAME];
    int port, gid_index;
    uint32_t mtu, lid, reads; /* reads: READs at once, a queue pair */
    bool global;              /* addressed by gid */
    uint8_t gid[RAIL_GID];
};

/* Opens the device of a port by its listed name; a port that is not active is
 * ERR_ABSENT with its state.  gid -1: an IPv4 RoCE v2 entry if there is one,
 * else any RoCE v2, else the first; InfiniBand goes by lid. */
bool verbs_open(const char *name, int gid, struct ibv_context **ctx,
                struct verbs_port *port, struct err *e);
/* enum ibv_mtu of a size in bytes, 0: none. */
int verbs_mtu(uint32_t bytes);

/* Always false. */
bool verbs_refused(const char *device, const char *what, int why,
                   struct err *e);
/* The kernel would not pin memory: bytes of it, or (0) a queue pair's. */
bool verbs_no_lock(const char *device, uint64_t bytes, int why, struct err *e);
/* A completion with an error. */
bool verbs_failed(const char *device, enum ibv_wc_status status,
                  const char *peer, struct err *e);
#endif

#endif
