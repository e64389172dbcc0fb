/* claim - one claim of a claims file, read and checked (claims.h says what its
 * kinds mean).  Strings and trees lie in the arena.  Gains and tolerances are
 * shares (0.1 is 10 %), TPSU in output tokens/s/user, levels in output
 * tokens/s/GPU. */
#ifndef SIM_REPORT_CLAIM_H
#define SIM_REPORT_CLAIM_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/base/json.h"

enum claim_kind {
    CLAIM_BAND_GAIN,
    CLAIM_BAND_LEVEL,
    CLAIM_BAND_WINNER,
    CLAIM_LOAD_ORDER,
    CLAIM_RATE_LADDER,
};

struct claim {
    const char *id, *claim, *study, *model;
    int kind; /* enum claim_kind */
    const cJSON *of, *over;
    const char *of_name, *over_name;
    double lo, hi; /* NAN: open */
    double gain_lo, gain_hi, tolerance, flat_ratio;
    struct json_nums of_level, over_level; /* least and most */
};

/* ERR_INPUT when a key is missing, unknown or out of range. */
bool claim_read(const cJSON *item, struct arena *a, struct claim *c,
                struct err *e);

#endif
