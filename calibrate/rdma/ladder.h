/* ladder - what a path does, by message size, batch, queue pairs, direction,
 * senders and rails.
 * A rung is one way of moving; it is repeated until its share of time is over,
 * and told as soon as it is measured, so what is broken off keeps what it has.
 * Kinds of rungs:
 *   lone   one message, then the next: latency and rate
 *   batch  many block-sized messages posted together, as a KV hand-over does
 *   qps    a batch spread over 1, 2, 4 ... queue pairs
 *   both   a batch, while the other end moves the same the other way
 *   fan    several ends' batches into one port here (needs several partners)
 *   rails  a batch on each of several rails at once
 * Times are seconds of a whole batch, on each rail. */
#ifndef CALIBRATE_RDMA_LADDER_H
#define CALIBRATE_RDMA_LADDER_H

#include "calibrate/rdma/partner.h"

#include <stdio.h>

enum ladder_kind {
    LADDER_LONE,
    LADDER_BATCH,
    LADDER_QPS,
    LADDER_BOTH,
    LADDER_FAN,
    LADDER_RAILS,
    LADDER_KINDS,
};

struct ladder_rung {
    enum ladder_kind kind;
    enum rail_op op;
    uint64_t bytes; /* of a message */
    uint32_t messages, qps;
    uint32_t senders, rails;
};

struct ladder_row {
    struct ladder_rung rung;
    const char *nic; /* the port here */
    bool gpu;        /* memory of a GPU at this end */
    uint32_t n;      /* repetitions */
    double min_s, p50_s, mad_s, p90_s, p99_s;
    double post_s; /* processor time of posting, median; NAN: not this end's */
};

struct ladder_ask {
    uint64_t least, most; /* message sizes, powers of 4 apart */
    uint32_t qps;         /* most queue pairs, a power of 2 */
    uint32_t batch;       /* most messages of a batch, a power of 2 */
    double rung_s;        /* time for a rung */
    bool skip[LADDER_KINDS];
    const volatile sig_atomic_t *stop;
};

const char *ladder_kind_name(enum ladder_kind k);

/* The rungs for that many partners and rails, in the arena. */
size_t ladder_rungs(const struct ladder_ask *ask, size_t partners, size_t rails,
                    struct arena *a, struct ladder_rung **rung);

/* Climbs them; told hears each row, and how many are done of how many.  It
 * returning false ends the ladder with its error. */
struct ladder_ear {
    bool (*told)(void *to, const struct ladder_row *row, size_t done, size_t of,
                 struct err *e);
    void *to;
};
bool ladder_run(struct partner *p, size_t partners,
                const struct ladder_ask *ask, const struct ladder_ear *ear,
                struct err *e);

/* Rows as CSV; columns as calibrate/fit/link.h reads them. */
void ladder_head(FILE *f);
void ladder_line(FILE *f, const struct ladder_row *row);

#endif
