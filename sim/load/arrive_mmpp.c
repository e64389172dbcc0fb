#include "sim/load/arrive.h"

#include <math.h>

/* Each stay costs a draw, so arrivals must not be rare beside them. */
#define MIN_PER_STAY 0.01

/* Two-state Markov-modulated Poisson process: rate_rps in state 0, rate2_rps in
 * state 1, exponential stays of mean dwell_s in each, begun in equilibrium
 * (either state, probability 1/2).  Mean rate (rate + rate2) / 2.  Gaps have no
 * memory, so one that runs over a change of state is drawn again from there. */
static double at(struct load *l, int64_t i)
{
    const struct load_spec *s = &l->spec;
    struct rng *r = &l->chance;
    if (i == 0) {
        l->state = (int)rng_below(r, 2);
        l->until_s = s->dwell_s * rng_exp(r);
    }
    for (;;) {
        double rate = l->state ? s->rate2_rps : s->rate_rps;
        double gap = rate > 0 ? rng_exp(r) / rate : INFINITY;
        if (l->clock_s + gap <= l->until_s) {
            l->clock_s += gap;
            return l->clock_s;
        }
        l->clock_s = l->until_s;
        l->until_s += s->dwell_s * rng_exp(r);
        l->state = !l->state;
    }
}

static bool check(const struct load_spec *s, struct err *e)
{
    if (s->dwell_s * (s->rate_rps + s->rate2_rps) >= MIN_PER_STAY)
        return true;
    return err_set(e, ERR_INPUT,
                   "load.arrival.dwell_s: %g s at %g and %g a second is less "
                   "than %g arrivals a stay",
                   s->dwell_s, s->rate_rps, s->rate2_rps, MIN_PER_STAY);
}

static const struct json_row rows[] = {
    ARRIVE_RATE,
    ARRIVE_ROW(rate2_rps, JSON_NUM, 0, ARRIVE_MAX_RPS, NULL,
               "arrivals per second in the other state"),
    ARRIVE_ROW(dwell_s, JSON_NUM, 1e-3, 1e6, NULL,
               "mean stay in each state in seconds"),
    ARRIVE_CAP,
    ARRIVE_LAST,
};

const struct arrive arrive_mmpp = {
    .name = "mmpp",
    .what = "Poisson arrivals whose rate switches between two values",
    .rows = rows,
    .at = at,
    .check = check,
};
