/* phases - prefill and decode each alone on one engine, as the llm-d study
 * measures them: prefill with one output token, decode with a cache that
 * DecodeBenchConnector fills (engine.md 5.8); and the pairing worked out from
 * them: how many prefill engines keep one decode engine fed.
 * Everything lives in the arena; points run on a crew. */
#ifndef SIM_PLAN_PHASES_H
#define SIM_PLAN_PHASES_H

#include "sim/plan/scenario.h"
#include "sim/serve/world.h"

#include <signal.h>

struct phases_point {
    bool decode;
    int tp;
    int64_t concurrency;
    bool ok;
    char why[256];
    double tok_s; /* prompt tokens (prefill) or output tokens (decode) */
    double req_s;
    double tpsu; /* decode: tok_s / concurrency */
    struct outcome out;
};

struct phases_pair {
    int prefill_tp, decode_tp;
    int64_t concurrency;
    int64_t p_engines; /* ceil(decode requests/s / prefill requests/s) */
    int64_t gpus;
    double tpsu, tpsg;
};

struct phases {
    struct phases_point *point; /* all prefill points, then all decode points */
    size_t n, n_prefill;
    struct phases_pair *pair;
    size_t n_pair;
};

struct phases_ask {
    const struct scenario *s;
    int workers;
    const volatile sig_atomic_t *stop;
    void (*progress)(void *to, size_t done, size_t total);
    void *to;
};

bool phases_run(const struct phases_ask *ask, struct arena *a, struct phases *p,
                struct err *e);

#endif
