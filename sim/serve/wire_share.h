/* wire_share - the links and flows of a wire, and who gets how much.
 * wire_share_solve makes the rates max-min fair again after flows came or went:
 * afterwards each flow is at its cap, or crosses a full link on which none is
 * faster (Bertsekas and Gallager, Data Networks, 6.5.2: that allocation is
 * unique).  Rates are bytes per second.  Lives in the wire's arena; one thread.
 * Costs O(S log S) over the S flows whose rates may move and those that share a
 * link with them. */
#ifndef SIM_SERVE_WIRE_SHARE_H
#define SIM_SERVE_WIRE_SHARE_H

#include "sim/base/arena.h"
#include "sim/base/units.h"

#include <stdbool.h>
#include <stdint.h>

#define WIRE_SHARE_NONE UINT32_MAX

enum {
    WIRE_SHARE_HOPS = 4,    /* NIC, uplink up, uplink down, NIC */
    WIRE_SHARE_CLASSES = 3, /* of caps, from the start: set, ascending */
};

struct wire_flow {
    double rate;   /* B/s since `since` */
    double left_B; /* at `since`; fluid, so fractions of a byte occur */
    int64_t bytes;
    ns_t since;
    ns_t end;     /* when the last byte is through at this rate */
    ns_t latency; /* from then to its completion */
    uint32_t transfer;
    uint32_t bind;  /* link that holds it back; NONE: its own cap */
    uint32_t heap;  /* its place among the ends, NONE before the first */
    uint32_t round; /* last solve it was part of */
    uint32_t held;  /* the link that held it back since `since` */
    uint16_t class; /* flows of one class have one cap */
    uint8_t hops;   /* 0: the slot is free */
    bool frozen;    /* of a solve: has its rate */
    double wanted;  /* of a solve: that rate */
    uint32_t link[WIRE_SHARE_HOPS];
    /* neighbours in the list of link[i], as flow * HOPS + hop */
    uint32_t next[WIRE_SHARE_HOPS], prev[WIRE_SHARE_HOPS];
};

struct wire_link {
    double full_Bps; /* data sheet */
    double Bps;      /* now: less under fan-in */
    double load;     /* sum of rates since `since` */
    double moved_B;  /* integral of load up to `since` */
    double waited_s; /* that flows lost on it up to their `since` */
    ns_t since;
    uint32_t head, n; /* flows on it */
    uint32_t round;   /* last solve it was part of */
    bool receives;    /* subject to incast */
    /* of a solve */
    bool binds;      /* froze a flow, at `level` */
    uint32_t inside; /* flows being solved */
    uint32_t open;   /* ... that have no rate yet */
    double room;     /* B/s not given away */
    double level;    /* what each open flow would get: a bound from below */
    double most;     /* fastest of the flows being solved */
};

struct wire_net {
    struct arena *a;
    struct wire_link *link;
    struct wire_flow *flow; /* slots; free ones are chained by next[0] */
    uint32_t links, slots, free;
    double *cap;              /* by class */
    uint32_t *order, classes; /* classes by ascending cap */
    uint32_t *open;           /* of a solve: flows of a class without rate */
    double incast;
    uint32_t round;
    uint32_t *in, n_in;     /* flows of a solve */
    uint32_t *on, n_on;     /* their links */
    uint32_t *heap, n_heap; /* those links by level */
    uint32_t *ends, n_ends; /* live flows by (end, slot) */
};

/* n links whose full_Bps and receives the caller sets before any flow. */
void wire_share_init(struct wire_net *w, uint32_t n, struct arena *a);

/* The class of a cap, a new one when no flow had it: O(classes). */
uint16_t wire_share_class(struct wire_net *w, double cap);

/* Flows come and go in batches of one instant: begin, then any number of drops,
 * then of adds, then solve. */
void wire_share_begin(struct wire_net *w);
/* A slot; the caller sets its bytes, class, hops and links before add. */
uint32_t wire_share_slot(struct wire_net *w);
void wire_share_add(struct wire_net *w, uint32_t f, ns_t now);
void wire_share_drop(struct wire_net *w, uint32_t f, ns_t now);
void wire_share_solve(struct wire_net *w, ns_t now);

/* The flow that ends first, NONE when none moves. */
uint32_t wire_share_first(const struct wire_net *w);
/* Rates are feasible and max-min fair to about 1e-6.  O(links + flows). */
bool wire_share_fair(const struct wire_net *w);

#endif
