/* bed - device memory full of random numbers of a model's magnitude, and calls
 * laid into it. What a model reads cold (weights, caches, copied blocks) moves
 * on from turn to turn, so that what a turn reads was not touched while twice
 * the last-level cache went by; what a model has just written (activations)
 * stays. bed_reserve makes room for a call's turns and fixes block tables and
 * routing; bed_place then sets the pointers of one turn; they are good until
 * the next bed_reserve.  Out of device memory is ERR_SYSTEM.  One thread. */
#ifndef CALIBRATE_GPU_BED_H
#define CALIBRATE_GPU_BED_H

#include "calibrate/gpu/gpu.h"
#include "sim/base/arena.h"

struct bed;

/* llc_bytes: of the card; 0: what the device says. */
struct bed *bed_open(struct gpu *g, size_t llc_bytes, uint64_t seed,
                     struct arena *a);
void bed_close(struct bed *b);

/* How the tokens of a moe call fall to experts. */
enum bed_routing { BED_BALANCED, BED_SKEWED };

/* most: turns at most; *turns: how many are worthwhile. */
bool bed_reserve(struct bed *b, const struct call *c, enum bed_routing routing,
                 int most, int *turns, struct err *e);
void bed_place(struct bed *b, struct call *c, int turn);

#endif
