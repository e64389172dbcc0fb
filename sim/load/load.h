/* load - who comes when, asking how much.
 * A load is a stream of requests in order of planned arrival; load_next pulls
 * the next.  A client semaphore (`concurrency` > 0) stands on top in the world:
 * a request is sent at max(planned arrival, slot free), as `vllm bench serve
 * --max-concurrency` does (engine.md 7.1), and its clock starts at the send.
 * Arrivals, input and output lengths each draw from their own stream.
 * Arrival kinds are rooms: arrive_X.c; table generated (ROOM lines).
 * Memory: O(1) beside a trace, which is held whole.  One thread. */
#ifndef SIM_LOAD_LOAD_H
#define SIM_LOAD_LOAD_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/base/json.h"
#include "sim/base/units.h"

#include <stdbool.h>
#include <stdint.h>

enum length_kind {
    LENGTH_FIXED,
    LENGTH_UNIFORM,
    LENGTH_VLLM_RANGE,
    LENGTH_INFERENCEX,
    LENGTH_LOGNORMAL,
    LENGTH_GAUSSIAN
};
struct length_spec {
    int kind;         /* enum length_kind */
    int64_t tokens;   /* fixed, vllm range, inferencex: L; lognormal: mean */
    int64_t min, max; /* uniform: inclusive; lognormal, gaussian: clamp */
    double ratio;     /* vllm: [floor(L(1-r)), ceil(L(1+r))];
                          inferencex: [int(r L), L] */
    double sigma;     /* lognormal: of the logarithm */
    double stdev;     /* gaussian: tokens */
};

struct arrive; /* descriptor of a kind, below */
struct trace;

struct load_spec {
    const struct arrive *arrive;
    int64_t concurrency; /* client semaphore, 0 = none */
    double rate_rps;     /* open loop */
    double burstiness;   /* gamma shape; 1 = Poisson */
    bool rescale;        /* vllm bench: the last arrival lands at N / rate */
    double rate2_rps, dwell_s; /* mmpp: second state, mean stay in each */
    double ramp_start_rps, ramp_end_rps; /* ramp: of first and last request */
    bool ramp_exponential;
    double period_s, swing; /* diurnal: period, relative amplitude < 1 */
    const char *trace;      /* path (from the working directory), kind trace */
    double speedup;         /* trace: times divided by this */
    double spread_s;        /* trace: equal times are spread over this long */
    const struct trace *data; /* what the path holds, shared and const; NULL:
                                 load_new reads the path itself */
    struct length_spec isl, osl;
    int64_t requests;        /* trace: 0 = all of it */
    int64_t warmup_requests; /* copies of request 0 before the clock starts */
    int64_t shared_prefix;   /* tokens every prompt begins with */
};

struct load_req {
    ns_t at; /* planned arrival */
    int32_t isl, osl;
    /* prefix identity, for prefix caching: texts of `seg_tokens` tokens each,
     * the last one shorter; NULL: unique prompt (but shared_prefix) */
    const uint64_t *text;
    uint32_t n_text;
    int32_t text_tokens;
};

enum { LOAD_MAX_TOKENS = 10000000 }; /* of one prompt or answer */
/* A load that takes longer (four months) is a slip of the pen; times of any
 * kind then stay inside ns_t. */
#define LOAD_MAX_SPAN_S 1e7

struct load;

/* Checks the spec (ERR_INPUT), reads the trace unless spec->data has it.  The
 * load lives in the arena.  O(1), or O(requests) where arrivals are rescaled:
 * they are drawn once ahead for their sum. */
bool load_new(struct load **l, const struct load_spec *spec, uint64_t seed,
              struct arena *a, struct err *e);
/* false: none left. */
bool load_next(struct load *l, struct load_req *r);
/* How many load_next gives in all. */
int64_t load_requests(const struct load *l);

/* Reads "load": {...} of a scenario (contract.md 3): {"arrival": {"kind": ...},
 * "isl": {...}, "osl": {...}, "requests": N, "warmup_requests": N,
 * "shared_prefix": N}.  A trace is read here, once, into the arena, and brings
 * its own lengths: isl and osl are refused beside it.  Absent requests are 1000
 * (vllm bench serve), or the whole trace. */
bool load_read(const cJSON *obj, struct load_spec *spec, struct arena *a,
               struct err *e);
cJSON *load_write(const struct load_spec *spec); /* the caller frees it */

/* An arrival kind: rows of its own keys (into struct load_spec), and times.
 * To add one: arrive_X.c with `const struct arrive arrive_X` at its foot, over
 * sim/load/arrive.h; nothing else is edited. */
struct arrive {
    const char *name; /* closed, constant, diurnal, gamma, mmpp, poisson or
                         trace, ramp */
    const char *what;
    const struct json_row *rows;
    /* Arrival time of request i in seconds, drawing from the stream; called
     * for 0, 1, 2 ... in order, and again from 0 where times are rescaled. */
    double (*at)(struct load *l, int64_t i);
    /* What no row can say; NULL: nothing. */
    bool (*check)(const struct load_spec *s, struct err *e);
};
extern const struct arrive *const arrive_table[]; /* ends with NULL */

#endif
