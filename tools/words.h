/* words - how commands say an answer: what it rests on, the figures, the
 * files. */
#ifndef TOOLS_WORDS_H
#define TOOLS_WORDS_H

#include "sim/plan/rank.h"
#include "tools/cmd.h"

#include <stdio.h>

/* The answer of a finished trial; the caller frees it with json_free. */
cJSON *words_answer(const struct space *sp, const struct trial *t);
/* Store, fits and their error, profile, seed, laws, extrapolation. */
void words_basis(FILE *f, const struct scenario *s, const struct plant *p);
/* One prediction, metric by metric. */
void words_run(FILE *f, const struct scenario *s, const cJSON *answer);
/* --json and --csv of one answer. */
bool words_files(const struct cmd_common *c, cJSON *answer, struct err *e);
/* Bands and SLO list of a sweep. */
void words_rank(FILE *f, const struct rank *r);
cJSON *words_rank_json(const struct rank *r);

#endif
