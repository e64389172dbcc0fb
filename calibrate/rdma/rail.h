/* rail - one RDMA path from here to a peer, and who provides it.
 * A rail is a device's port with registered memory and up to RAIL_QPS reliable
 * queue pairs, each joined to the queue pair of the same number at the other
 * end.  Messages are posted in chains; message k of a chain lies at the k-th
 * multiple of its size, the same place at both ends, wrapped at the memory's
 * end.  Completions are counted in messages, in order for each queue pair.
 * Times are seconds of the rail's own clock; sizes are bytes.  The peer's
 * processor takes no part in READ and WRITE.
 * rail_verbs moves real bytes, rail_null obeys a stated law on a clock of its
 * own and moves none.  To add one: calibrate/rdma/rail_x.c with
 * `const struct rail_ops rail_x` at its foot; the table is generated.
 * A rail belongs to one thread at a time; different rails are independent. */
#ifndef CALIBRATE_RDMA_RAIL_H
#define CALIBRATE_RDMA_RAIL_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rail_op { RAIL_READ, RAIL_WRITE };

enum {
    RAIL_QPS = 16,
    RAIL_CHAIN = 32,  /* messages behind one doorbell */
    RAIL_DEPTH = 128, /* messages outstanding on a queue pair */
    RAIL_NAME = 32,
    RAIL_GID = 16,
};

struct rail_port {        /* a port as it was found */
    char name[RAIL_NAME]; /* "mlx5_0", or "mlx5_0:2" for a second port */
    char state[16];       /* "ACTIVE", "DOWN", ... */
    bool active;
    uint32_t mtu; /* bytes of a packet's payload */
    double Bps;   /* nominal, 0: not told */
};

struct rail_end { /* what the other end must know */
    char name[RAIL_NAME];
    uint32_t mtu, lid, psn, rkey, reads; /* reads: READs at once, a QP */
    uint8_t gid[RAIL_GID];
    uint64_t addr, bytes;
    uint32_t qps, qpn[RAIL_QPS];
};

/* What rail_null obeys.  A batch of n messages over q queue pairs takes
 *   latency + max(n / q bytes / flow, n (gap + bytes / rail'))
 * where rail' is the rail's rate, times incast / senders when several send to
 * it, times both when it also sends.  Posting costs base + each a chain. */
struct rail_law {
    double latency_s[2], flow_Bps[2], rail_Bps[2]; /* by enum rail_op */
    double gap_s, incast, both;
    double post_s, post_base_s;
    double noise; /* relative spread of a message's service time */
};

struct rail_ask {
    const char *device;
    uint64_t bytes; /* memory to register */
    uint32_t qps;
    uint32_t mtu; /* 0: the port's, which must be the peer's too */
    int gid;      /* index, -1: chosen */
    int gpu;      /* its memory; -1: the host's */
    int watch;    /* a descriptor that ends a wait when readable, -1: none */
    const struct rail_law *law; /* rail_null; NULL: its default */
    uint64_t seed;              /* of rail_null's noise */
};

struct rail {
    const struct rail_ops *ops;
    double post_s;  /* processor time spent posting, so far */
    bool on_gpu;    /* the memory is a GPU's */
    char note[160]; /* why not, when it was asked for */
};

struct rail_chain {
    enum rail_op op;
    uint64_t bytes; /* of a message, at most the memory's */
    uint32_t n;     /* at most RAIL_CHAIN */
    uint32_t qp;
};

struct rail_done {
    uint32_t qp, n;
};

/* Who moves at the same time as this rail. */
struct rail_crowd {
    uint32_t senders; /* into the receiving port */
    bool both;        /* the other direction is busy, too */
};

struct rail_ops {
    const char *name;
    bool real; /* its clock is the world's, its bytes are somewhere */
    /* Ports, in order; none is ERR_ABSENT and says what was looked for. */
    bool (*list)(struct arena *a, struct rail_port **port, size_t *n,
                 struct err *e);
    bool (*open)(const struct rail_ask *ask, struct rail **r, struct err *e);
    void (*close)(struct rail *r); /* NULL is fine */
    void (*end)(const struct rail *r, struct rail_end *mine);
    bool (*join)(struct rail *r, const struct rail_end *its, struct err *e);
    /* Copies out of and into the registered memory; false: it has none. */
    bool (*get)(struct rail *r, void *to, size_t n);
    bool (*put)(struct rail *r, const void *from, size_t n);
    double (*now)(struct rail *r);
    void (*begin)(struct rail *r, const struct rail_crowd *c);
    /* The caller keeps a queue pair's outstanding messages to RAIL_DEPTH. */
    bool (*post)(struct rail *r, const struct rail_chain *c, struct err *e);
    /* Waits for completions until `until`; none by then gives *n = 0. */
    bool (*wait)(struct rail *r, double until, struct rail_done *d, size_t room,
                 size_t *n, struct err *e);
};

extern const struct rail_ops *const rail_table[];   /* NULL at the end */
const struct rail_ops *rail_find(const char *name); /* NULL when unknown */

#endif
