/* link - the law of an RDMA path, from a ladder's rows.
 * A batch of n messages of s bytes over q queue pairs takes
 *   latency + max(n (gap + s / rail'), n / q s / flow)
 * rail' = rail x (several senders: incast / senders) x (busy both ways: both).
 * The knee is at gap x rail bytes: smaller messages are bound by their number.
 * A coefficient the rows do not move is held: gap without batches of different
 * length at 0, flow where more queue pairs gain nothing at infinity, incast
 * without fan-in and both without two-way rows at 1.
 * link_load reads the columns op, devices_per_side, messages_per_batch,
 * message_bytes, time_us_per_batch, and if there kind, nic, senders, both,
 * queue_pairs, post_us, memory.  Times are seconds, rates bytes per second. */
#ifndef CALIBRATE_FIT_LINK_H
#define CALIBRATE_FIT_LINK_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

enum link_op { LINK_READ, LINK_WRITE };

struct link_row {
    enum link_op op;
    double bytes, messages, qps, senders, rails;
    bool both, gpu;
    double time_s, post_s; /* of a batch; post_s NAN: not told */
};

struct link_rows {
    struct link_row *row;
    size_t n;
    const char *nic;
    size_t other; /* rows of other NICs, or of no direction */
};

struct link_value {
    double is, se; /* se NAN: held, on a bound, or too few rows to tell */
    bool held;
};

struct link_law { /* of a direction */
    size_t n;     /* rows it rests on, 0: none, the rest is unset */
    struct link_value latency_s, rail_Bps, flow_Bps, gap_s, incast, both;
    double ape_median, ape_p95, ape_max; /* per cent */
};

struct link_fit {
    const char *nic;
    bool gpu;
    struct link_law op[2];                 /* by enum link_op */
    struct link_value post_s, post_base_s; /* NAN: no row tells */
    size_t n_post;
    int rails;          /* most that were measured together */
    double rails_Bps;   /* their sum then, and ... */
    double rails_share; /* ... over that many times one's; NAN: one only */
};

/* nic NULL: the file's only one. */
bool link_load(const char *path, const char *nic, struct arena *a,
               struct link_rows *r, struct err *e);
/* Too few rows, or rows no law explains, are ERR_INPUT. */
bool link_fit(const struct link_rows *r, struct link_fit *f, struct err *e);
/* Seconds by the law. */
double link_time(const struct link_law *law, const struct link_row *row);

/* A wire card (models/README.md): what was measured, the rest from the base
 * card; every number's source says which.  flow_qps: queue pairs of one KV
 * flow.  nics 0: as many as the base card has.  The caller frees the tree. */
struct link_card_ask {
    const cJSON *base;
    const char *base_name, *date;
    int nics, flow_qps;
};
cJSON *link_card(const struct link_fit *f, const struct link_card_ask *ask);

#endif
