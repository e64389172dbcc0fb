/* length - how many tokens a prompt or an answer has.
 * All kinds give at least 1 and at most LOAD_MAX_TOKENS.  The vLLM kind is
 * `vllm bench serve --random-range-ratio`, the InferenceX kind its fork's flag
 * of the same name and another meaning (engine.md 7.1).  Plain data, any
 * thread, O(1). */
#ifndef SIM_LOAD_LENGTH_H
#define SIM_LOAD_LENGTH_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/base/json.h"
#include "sim/des/rng.h"
#include "sim/load/load.h"

#include <stdbool.h>
#include <stdint.h>

/* {"kind": "fixed", "tokens": N} and so on; ERR_INPUT under `where`. */
bool length_read(const cJSON *obj, const char *where, struct length_spec *s,
                 struct err *e);
cJSON *length_write(const struct length_spec *s); /* the caller frees it */
/* The same checks for a spec that was not read from JSON. */
bool length_check(const struct length_spec *s, const char *where,
                  struct err *e);

/* Inclusive bounds of what can be drawn. */
void length_bounds(const struct length_spec *s, int64_t *lo, int64_t *hi);
int32_t length_draw(const struct length_spec *s, struct rng *r);

#endif
