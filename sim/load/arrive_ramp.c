#include "sim/load/arrive.h"

#include <math.h>

/* The rate goes from one value to another by request index, and gaps are gamma
 * with the rate of their request: `vllm bench serve --ramp-up-strategy`
 * (engine.md 7.1; benchmarks/serve.py, _get_current_request_rate).  Times are
 * not rescaled. */
static double at(struct load *l, int64_t i)
{
    const struct load_spec *s = &l->spec;
    double progress = l->n > 1 ? (double)i / (double)(l->n - 1) : 0;
    double span = s->ramp_end_rps - s->ramp_start_rps;
    double rate = s->ramp_exponential
                    ? s->ramp_start_rps
                          * pow(s->ramp_end_rps / s->ramp_start_rps, progress)
                    : s->ramp_start_rps + span * progress;
    l->clock_s += rng_gamma(&l->chance, s->burstiness) / rate;
    return l->clock_s;
}

static bool check(const struct load_spec *s, struct err *e)
{
    double least = fmin(s->ramp_start_rps, s->ramp_end_rps);
    if ((double)s->requests / least <= LOAD_MAX_SPAN_S)
        return true;
    return err_set(e, ERR_INPUT,
                   "load: %lld requests at %g a second may last longer than "
                   "%g s",
                   (long long)s->requests, least, LOAD_MAX_SPAN_S);
}

static const struct json_row rows[] = {
    ARRIVE_ROW(ramp_start_rps, JSON_NUM, ARRIVE_MIN_RPS, ARRIVE_MAX_RPS, NULL,
               "arrivals per second at the first request"),
    ARRIVE_ROW(ramp_end_rps, JSON_NUM, ARRIVE_MIN_RPS, ARRIVE_MAX_RPS, NULL,
               "arrivals per second at the last request"),
    ARRIVE_ROW(ramp_exponential, JSON_BOOL, 0, 0, "false",
               "by equal factors, not by equal steps"),
    ARRIVE_BURST("1"),
    ARRIVE_CAP,
    ARRIVE_LAST,
};

const struct arrive arrive_ramp = {
    .name = "ramp",
    .what = "a rate that rises or falls by request, as vllm bench's ramp-up",
    .rows = rows,
    .at = at,
    .check = check,
};
