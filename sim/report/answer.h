/* answer - one prediction as the world sees it: an outcome with what was asked
 * and what it rests on, as one JSON object, and that object as a line, a row of
 * CSV or a line of an aligned table.  The same keys everywhere.
 * Units: times in ms, rates per second, shares in [0, 1], money in USD.
 * Numbers have at most six significant digits (counts are exact) and print as
 * the same bytes everywhere.  What is not known (NAN, not asked, no price) is
 * left out: no key ever holds null.
 * Trees are cJSON's: the caller frees them with json_free.  Any thread. */
#ifndef SIM_REPORT_ANSWER_H
#define SIM_REPORT_ANSWER_H

#include "sim/cost/price.h"
#include "sim/plan/scenario.h"
#include "sim/serve/world.h"

#include <stdio.h>

/* basis[i] belongs to pool i of the topology; NULL entries are passed over.
 * slo_met is there when the scenario has a bound, usd_per_mtok_output when the
 * GPU card has a price.  A metric without a sample keeps any promise.
 * kv_transfer_ms is a mean; kv_transfer_dist_ms has its distribution. */
cJSON *answer_json(const struct scenario *s, const struct scenario_topology *t,
                   const struct load_spec *load, const struct outcome *o,
                   const struct price_basis *const basis[]);

/* One line of JSON Lines, newline included.  Errors stay in f (ferror), here
 * and below. */
void answer_line(FILE *f, const cJSON *answer);
/* Header and n rows, columns as wide as their longest cell; absent values
 * print as "-". */
void answer_table(FILE *f, cJSON *const *answers, size_t n);
/* Header and n rows of fixed columns; nested keys are joined by "_"
 * (ttft_ms_p99, util_prefill_kv), lists by ";"; absent values are empty. */
void answer_csv(FILE *f, cJSON *const *answers, size_t n);
/* One row of it; NULL: the header. */
void answer_csv_row(FILE *f, const cJSON *answer);
/* One row of it, or with NULL the header: for answers that stream by. */
void answer_csv_row(FILE *f, const cJSON *answer);

/* The number under a dotted path ("ttft_ms.p99"), NAN when there is none; the
 * text under a path, NULL when there is none; the value, NULL when none. */
double answer_num(const cJSON *obj, const char *path);
const char *answer_text(const cJSON *obj, const char *path);
const cJSON *answer_at(const cJSON *obj, const char *path);

/* A JSON number rounded to six significant digits; NAN and infinity give
 * NULL.  answer_put adds it under key, or nothing. */
cJSON *answer_number(double v);
void answer_put(cJSON *obj, const char *key, double v);

/* A file of answers: the object that a command writes with --json.  "kind" is
 * one of run, sweep, phases, pair, plan, scaleout, score; "scenario" the
 * resolved scenario; "answers" a list of answers; further keys by kind:
 *   run      the answer's own keys in place of "answers"
 *   phases   "prefill": [{tp concurrency tok_s tok_s_per_gpu req_s ...}]
 *            "decode":  [{tp concurrency tok_s tok_s_per_gpu tpsu tpot_ms}]
 *   pair     "pairs":   [{decode_tp concurrency p_gpus total_gpus tpsu tpsg}]
 *   plan     "bands":   [{lo hi ranked: [answer ...]}] (hi absent: open)
 *            "slo_ranked": [answer ...]; "topologies" "trials" "requests"
 *            counts; "infeasible": {reason: count}
 *   score    "rows":    [{run_id gpu model topology metric measured predicted
 *                         ape_pct status note}]
 *            "summary": [{gpu model metric n mape_pct median_pct bias_pct
 *                         worst_pct}]  */
struct answer_file {
    const char *name;  /* its path, for "what this rests on" */
    const cJSON *root; /* not owned */
};

#endif
