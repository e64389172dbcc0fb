/* partner_int - what both ends put into frames. */
#ifndef CALIBRATE_RDMA_PARTNER_INT_H
#define CALIBRATE_RDMA_PARTNER_INT_H

#include "calibrate/rdma/partner.h"

enum {
    PARTNER_PORTS = 48, /* of a host; a frame holds as many */
    PARTNER_LANES = 64, /* open at once, of one caller */
};

void partner_put_ports(struct side_frame *f, const struct rail_port *p,
                       size_t n);
void partner_put_end(struct side_frame *f, const struct rail_end *x);
void partner_get_end(struct side_frame *f, struct rail_end *x);
void partner_put_run(struct side_frame *f, const struct feed_job *j,
                     const struct rail_crowd *c);
void partner_get_run(struct side_frame *f, struct feed_job *j,
                     struct rail_crowd *c);
uint64_t partner_sum(const uint8_t *b, size_t n);
void partner_pattern(uint8_t *b, size_t n, uint64_t seed);
/* What a rail of the n-th port is opened with; device, size and queue pairs are
 * the caller's to fill in. */
struct rail_ask partner_rail(const struct partner_ask *ask, size_t port);

#endif
