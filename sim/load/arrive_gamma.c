#include "sim/load/arrive.h"

/* Gaps of shape b and scale 1 / (rate b), as `vllm bench serve --burstiness`:
 * mean 1 / rate, coefficient of variation 1 / sqrt(b). */
static double at(struct load *l, int64_t i)
{
    (void)i;
    const struct load_spec *s = &l->spec;
    l->clock_s += rng_gamma(&l->chance, s->burstiness) / s->rate_rps;
    return l->clock_s;
}

static const struct json_row rows[] = {
    ARRIVE_RATE, ARRIVE_BURST(NULL), ARRIVE_RESCALE, ARRIVE_CAP, ARRIVE_LAST,
};

const struct arrive arrive_gamma = {
    .name = "gamma",
    .what = "gamma gaps of a given burstiness",
    .rows = rows,
    .at = at,
};
