#include "sim/load/arrive.h"

/* The rows that share row i's instant. */
static void find_group(struct load *l, int64_t i)
{
    const struct trace *t = l->trace;
    l->group = i;
    l->group_n = 1;
    while (i + l->group_n < t->n && t->at[i + l->group_n] == t->at[i])
        l->group_n++;
}

/* Traces stamped on a coarse grid (Mooncake: 3 s) put many requests on one
 * instant; k of them are set at equal steps over spread_s, or up to the next
 * instant where that comes sooner. */
static double at(struct load *l, int64_t i)
{
    const struct trace *t = l->trace;
    double at_s = units_s(t->at[i]);
    if (l->spec.spread_s > 0) {
        if (i == l->group + l->group_n)
            find_group(l, i);
        double room_s = l->spec.spread_s;
        int64_t after = l->group + l->group_n;
        if (after < t->n && units_s(t->at[after]) - at_s < room_s)
            room_s = units_s(t->at[after]) - at_s;
        at_s += room_s * (double)(i - l->group) / (double)l->group_n;
    }
    return at_s / l->spec.speedup;
}

static const struct json_row rows[] = {
    {.key = "file",
     .type = JSON_STR,
     .at = offsetof(struct load_spec, trace),
     .help = "path of a CSV or JSONL trace, plain or gzip"},
    ARRIVE_ROW(speedup, JSON_NUM, 0.02, 1e6, "1",
               "the trace's times are divided by this"),
    ARRIVE_ROW(spread_s, JSON_NUM, 0, 1e6, "0",
               "requests of one instant are spread over this many seconds"),
    ARRIVE_CAP,
    ARRIVE_LAST,
};

const struct arrive arrive_trace = {
    .name = "trace",
    .what = "times, lengths and shared prefixes of a recorded trace",
    .rows = rows,
    .at = at,
};
