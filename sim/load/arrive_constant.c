#include "sim/load/arrive.h"

/* The first request comes one gap after the start, as everywhere in
 * `vllm bench serve`. */
static double at(struct load *l, int64_t i)
{
    return (double)(i + 1) / l->spec.rate_rps;
}

static const struct json_row rows[] = {
    ARRIVE_RATE,
    ARRIVE_CAP,
    ARRIVE_LAST,
};

const struct arrive arrive_constant = {
    .name = "constant",
    .what = "equal gaps",
    .rows = rows,
    .at = at,
};
