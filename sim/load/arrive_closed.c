#include "sim/load/arrive.h"

/* All requests are there at once and pass the semaphore: `vllm bench serve
 * --request-rate inf --max-concurrency C`. */
static double at(struct load *l, int64_t i)
{
    (void)l;
    (void)i;
    return 0;
}

static const struct json_row rows[] = {
    ARRIVE_ROW(concurrency, JSON_INT, 1, ARRIVE_MAX_CONCURRENCY, NULL,
               "requests in flight"),
    ARRIVE_LAST,
};

const struct arrive arrive_closed = {
    .name = "closed",
    .what = "a fixed number in flight: the next is sent when one completes",
    .rows = rows,
    .at = at,
};
