#include "sim/load/arrive.h"

/* `vllm bench serve --request-rate R [--burstiness B]`: exponential gaps, and
 * gamma ones once B is not 1. */
static double at(struct load *l, int64_t i)
{
    (void)i;
    const struct load_spec *s = &l->spec;
    double gap = s->burstiness == 1 ? rng_exp(&l->chance)
                                    : rng_gamma(&l->chance, s->burstiness);
    l->clock_s += gap / s->rate_rps;
    return l->clock_s;
}

static const struct json_row rows[] = {
    ARRIVE_RATE, ARRIVE_BURST("1"), ARRIVE_RESCALE, ARRIVE_CAP, ARRIVE_LAST,
};

const struct arrive arrive_poisson = {
    .name = "poisson",
    .what = "independent arrivals at a mean rate",
    .rows = rows,
    .at = at,
};
