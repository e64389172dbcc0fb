/* wire - KV transfers over shared links.
 * Directed links: per GPU scale-up egress and ingress inside a node (xGMI,
 * NVLink), per NIC transmit and receive (GPU g of a node uses NIC g * nics /
 * gpus), per node uplink up and down where the card limits it.  A flow is bytes
 * over a fixed path, from where they lie to where they go.  Shares are max-min
 * fair by progressive filling, recomputed when a flow starts or ends, each flow
 * capped where it leaves the node by the card's rate for its direction (READ or
 * WRITE) and its messages' size, size / (gap + size / rate).  A lone transfer
 * takes posting + latency + bytes / min(cap, narrowest link): links are busy
 * from the start, the latency comes after the last byte.  While a NIC receives
 * from more than one NIC its capacity is multiplied by the card's incast
 * efficiency.  Bytes are integers and conserved (wire_check).  Not modelled:
 * loss, PFC, DCQCN.
 * Lives in the trial's arena; one thread; times of calls never go back.  A
 * start or finish costs O(S log S) over the S flows whose rates change and
 * those they share a link with; memory O(links + most flows ever alive). */
#ifndef SIM_SERVE_WIRE_H
#define SIM_SERVE_WIRE_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/base/units.h"
#include "sim/cost/card.h"

#include <stdbool.h>
#include <stdint.h>

struct wire;

struct wire_end {
    uint32_t node, gpu; /* gpu: index inside the node */
};

enum wire_op { WIRE_READ, WIRE_WRITE };

struct wire_part { /* one flow of a transfer */
    struct wire_end from, to;
    int64_t bytes;
};

struct wire *wire_new(const struct wire_card *card, uint32_t nodes,
                      uint32_t gpus_per_node, struct arena *a);

/* Starts a transfer of n flows at `now`; done when the last flow is.  user is
 * handed back.  Posting is the caller's (it occupies the engine's host). */
void wire_start(struct wire *w, ns_t now, enum wire_op op,
                const struct wire_part *part, uint32_t n, uint64_t user);
/* The same for messages of one size; wire_start's are large.  Sizes count to
 * within 2 %, so that few caps occur. */
struct wire_ask {
    enum wire_op op;
    const struct wire_part *part;
    uint32_t n;
    double message_bytes; /* 0: large */
    uint64_t user;
};
void wire_begin(struct wire *w, ns_t now, const struct wire_ask *ask);
/* When to call wire_take next (NS_NEVER: none moving): a transfer finishes
 * then, or a flow of one does and others speed up (wire_take gives false). */
ns_t wire_next(const struct wire *w);
/* Takes one transfer that is finished at `now`, in order of finishing, then of
 * start; false: none.  started: when it began; alone_s: what it would have
 * taken with all links to itself (its busiest link or cap, plus latency). */
struct wire_done {
    uint64_t user;
    ns_t started;
    double alone_s;
};
bool wire_take(struct wire *w, ns_t now, struct wire_done *done);

/* Seconds of posting on the engine's host for a transfer of that many
 * descriptors (one thread, blocking; engine.md 5.3). */
double wire_post_s(const struct wire_card *card, double descriptors);

/* Busy share of the node's NICs in one direction: the time-integral of rate
 * over nic_Bps divided by now, mean over NICs, in [0, 1].  now: not past
 * wire_next. */
double wire_util(const struct wire *w, uint32_t node, bool receive, ns_t now);

/* What links did, and what transfers waited for.  waited_s: seconds that flows
 * lost because this link held them back, against having all links to
 * themselves, up to now for flows that have ended, up to their last change of
 * rate for others.  A flow at its own cap waits for no link. */
enum wire_kind {
    WIRE_GPU_OUT, /* inside a node */
    WIRE_GPU_IN,
    WIRE_NIC_OUT,
    WIRE_NIC_IN,
    WIRE_UP,
    WIRE_DOWN,
    WIRE_KINDS,
};
struct wire_link_seen {
    enum wire_kind kind;
    uint32_t node, unit;            /* unit: GPU or NIC of the node */
    double moved_B, busy, waited_s; /* busy: share of its capacity */
};
const char *wire_kind_name(enum wire_kind kind);
uint32_t wire_links(const struct wire *w);
/* now: as for wire_util. */
struct wire_link_seen wire_link_seen(const struct wire *w, uint32_t link,
                                     ns_t now);

/* All links in one: how much was lost on which kind, and on which link most. */
struct wire_sum {
    double waited_s[WIRE_KINDS];
    double busiest[WIRE_KINDS];  /* the busiest link of the kind */
    struct wire_link_seen worst; /* waited_s 0: nobody waited for a link */
};
void wire_sum(const struct wire *w, ns_t now, struct wire_sum *sum);

/* Bytes asked = bytes delivered + bytes of flows still moving, and the shares
 * are feasible and max-min fair.  ERR_SYSTEM; O(links + flows). */
bool wire_check(const struct wire *w, struct err *e);

#endif
