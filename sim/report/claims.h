/* claims - what a study says, held against what is predicted.
 * A claims file is {"source": ..., "claims": [...]}; a claim has the study's
 * words ("id", "claim", "study"), the model it is about (a card name) and a
 * predicate of a generic kind over sets of topologies ("of", "over": lists of
 * shell patterns):
 *   band_gain    of's front over over's in [lo, hi] TPSU: gain_lo..gain_hi
 *   band_level   both fronts' levels in [lo, hi]: of_level, over_level
 *   band_winner  of's front is ahead of over's in [lo, hi]; either end open
 *   load_order   of's topologies, fewest first, by TPSG at high concurrency
 *   rate_ladder  of beats over at the highest common request rate, and its P99
 *                ITL stays within flat_ratio
 * Fronts are curve.h's.  The first four are asked of the model's sweep (or
 * of a plan that holds its answers), the last of its scaleout.  A verdict
 * follows from the numbers beside it by the rules in claims.c, and what cannot
 * be evaluated says why.
 * Pure; any thread; O(points) a sample of the band. */
#ifndef SIM_REPORT_CLAIMS_H
#define SIM_REPORT_CLAIMS_H

#include "sim/base/err.h"
#include "sim/report/answer.h"

/* A list of {"id", "claim", "study", "model", "predicted" (a sentence),
 * "numbers": {...}, "met": "yes" | "partly" | "no" | "not evaluable", "why"}
 * in file order; the caller frees it with json_free.  ERR_INPUT when the
 * claims are malformed. */
bool claims_check(const cJSON *claims, const struct answer_file *file, size_t n,
                  cJSON **out, struct err *e);

#endif
