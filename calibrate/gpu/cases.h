/* cases - small calls at awkward sizes, checked in full before an operation is
 * timed: odd numbers of rows, lengths that fill no tile, pasts, windows, groups
 * of heads, both block sizes, idle and crowded experts.  Constants. */
#ifndef CALIBRATE_GPU_CASES_H
#define CALIBRATE_GPU_CASES_H

#include "calibrate/gpu/bed.h"

struct cases_one {
    struct call call;
    enum bed_routing routing;
};

/* CALL_N ends. */
extern const struct cases_one cases_all[];
/* One line: "prefill batch 2 q 100 kv 173 ..." into text. */
void cases_name(const struct call *c, char *text, size_t n);

#endif
