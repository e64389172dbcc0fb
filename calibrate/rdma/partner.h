/* partner - the two ends of a ladder.
 * The caller drives: it lists the other end's ports, opens lanes (a rail here
 * joined to a rail there), moves bytes by itself, and asks the other end to
 * move some at the same time.  The other end serves, one caller after another.
 * A lane's and a partner's memory is the caller's; both are closed by it, in
 * any order of lanes, lanes before partners.  One thread a partner.
 * An end that fails tells the other why. */
#ifndef CALIBRATE_RDMA_PARTNER_H
#define CALIBRATE_RDMA_PARTNER_H

#include "calibrate/rdma/feed.h"
#include "calibrate/rdma/side.h"

enum { PARTNER_MOST = 16 }; /* partners, or rails, of one ladder */

struct partner_ask { /* what one end chooses for itself */
    const struct rail_ops *rail;
    const char *const *device; /* NULL at the end; NULL: all active ports */
    uint32_t mtu;              /* 0: the port's */
    int gid;                   /* -1: chosen */
    bool host;                 /* host memory, also where there is a GPU */
    const struct rail_law *law;
    uint64_t seed;
};

/* The end's own ports: those it named, else all active ones.  A named port that
 * is not there or not active, and no active port at all, is ERR_ABSENT. */
bool partner_ports(const struct partner_ask *ask, struct arena *a,
                   struct rail_port **port, size_t *n, struct err *e);

struct partner {
    const struct partner_ask *ask;
    struct side side;
    struct rail_port *mine, *its; /* in the arena of partner_call */
    size_t n_mine, n_its;
    uint32_t lanes; /* opened so far */
};

struct partner_lane {
    struct partner *p;
    uint32_t id;
    struct rail *rail; /* NULL: closed */
    char its_note[160];
};

bool partner_call(struct partner *p, const char *peer, double patience_s,
                  const struct partner_ask *ask, struct arena *a,
                  struct err *e);
void partner_close(struct partner *p);

/* Opens a lane between port `mine` here and port `its` there, and moves a
 * pattern both ways: bytes that arrive changed are ERR_SYSTEM. */
struct partner_want {
    size_t mine, its;
    uint64_t bytes;
    uint32_t qps;
};
bool partner_open(struct partner *p, const struct partner_want *want,
                  struct partner_lane *l, struct err *e);
void partner_shut(struct partner_lane *l); /* fine when closed */

/* The other end moves the job again and again, from its first completion (when
 * this returns) until partner_end. */
bool partner_begin(struct partner_lane *l, const struct feed_job *job,
                   const struct rail_crowd *crowd, struct err *e);
struct partner_took {
    uint32_t n;          /* batches that were whole */
    double p50_s, mad_s; /* of a batch */
    double post_s;       /* a batch, median */
};
bool partner_end(struct partner_lane *l, struct partner_took *took,
                 struct err *e);
/* After an error of a rail: where the other end broke off, its own words for
 * it, or that it has gone. */
void partner_why(struct partner *p, struct err *e);

/* Serves callers until told to stop (ERR_NO), or `once` (true when that caller
 * ended well).  said hears a line for each caller that came and went. */
struct partner_door {
    int fd; /* listening */
    bool once;
    const volatile sig_atomic_t *stop;
    void (*said)(void *to, const char *line);
    void *to;
};
bool partner_serve(const struct partner_door *door,
                   const struct partner_ask *ask, struct err *e);

#endif
