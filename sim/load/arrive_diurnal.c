#include "sim/load/arrive.h"

#include <math.h>

/* Poisson arrivals at rate (1 + swing sin(2 pi t / period)), by thinning ones
 * at the highest rate (Lewis and Shedler, Naval Research Logistics 26(3),
 * 1979). */
static double at(struct load *l, int64_t i)
{
    (void)i;
    const struct load_spec *s = &l->spec;
    struct rng *r = &l->chance;
    double most = 1 + s->swing, now;
    do {
        l->clock_s += rng_exp(r) / (s->rate_rps * most);
        now = 1 + s->swing * sin(2 * M_PI * l->clock_s / s->period_s);
    } while (rng_unit(r) * most >= now);
    return l->clock_s;
}

static const struct json_row rows[] = {
    ARRIVE_RATE,
    ARRIVE_ROW(period_s, JSON_NUM, 1e-3, 1e7, "86400",
               "seconds from one peak to the next"),
    ARRIVE_ROW(swing, JSON_NUM, 0, 1 - 0x1p-20, NULL,
               "amplitude over the mean rate, < 1"),
    ARRIVE_CAP,
    ARRIVE_LAST,
};

const struct arrive arrive_diurnal = {
    .name = "diurnal",
    .what = "Poisson arrivals whose rate follows a sine",
    .rows = rows,
    .at = at,
};
