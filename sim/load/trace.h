/* trace - recorded arrivals: when, how long, which text they share.
 * Read from CSV or JSON lines, plain or gzip:
 *   own CSV    arrival_s,isl,osl[,prefix][,...]  seconds from the start;
 *              prefix: ids of 512-token texts, runs as first-last
 *   Azure CSV  TIMESTAMP,ContextTokens,GeneratedTokens  date and time; row 0 is
 *              time 0
 *   Mooncake   {"timestamp": ms, "input_length": N, "output_length": N,
 *              "hash_ids": [...]} a line; an id per started 512 tokens
 * An empty or torn file, a number out of range, and time that goes back are
 * ERR_INPUT with file and line.  The arrays live in the arena, const from then
 * on; any thread may read them.  24 bytes a row and 8 an id. */
#ifndef SIM_LOAD_TRACE_H
#define SIM_LOAD_TRACE_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/base/units.h"

#include <stdbool.h>
#include <stdint.h>

enum { TRACE_TEXT_TOKENS = 512 }; /* of one hash id (Mooncake) */

struct trace {
    const char *path;
    int64_t n;
    const ns_t *at;           /* never goes back */
    const int32_t *isl, *osl; /* at least 1 */
    const uint64_t *text;     /* ids of all rows, one after the other */
    const uint32_t *first;    /* n + 1: row i has text[first[i]..first[i+1]);
                              NULL: the trace has no ids */
};

bool trace_read(const char *path, struct trace *t, struct arena *a,
                struct err *e);

#endif
