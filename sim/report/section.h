/* section - the parts of the report page, one file each (section_X.c).
 * Each appends one section for one file of answers, or nothing when the file
 * has nothing to say.  Heads carry the model so that two files of a kind can
 * stand on one page.  Rows beyond a limit are counted, not shown. */
#ifndef SIM_REPORT_SECTION_H
#define SIM_REPORT_SECTION_H

#include "sim/base/arena.h"
#include "sim/base/str.h"
#include "sim/report/answer.h"
#include "sim/report/curve.h"
#include "sim/report/svg.h"

struct section {
    struct str *out;
    struct arena *a; /* scratch of the page */
};

/* <h2> with an id for the page's navigation; model may be NULL. */
void section_head(struct section *p, const char *id, const char *text);
/* "llama-3.3-70b-fp8-dynamic on mi300x". */
const char *section_subject(struct section *p, const cJSON *root);
/* A table of answers, at most limit rows; the first stands out when ranked. */
void section_answers(struct section *p, const cJSON *list, size_t limit,
                     bool ranked);
/* The same below a fold. */
void section_data(struct section *p, const cJSON *list);
/* What the pointer shows over an answer's mark. */
const char *section_tip(struct section *p, const cJSON *answer);
/* A head and a chart; the same in a card of its own. */
void section_figure(struct section *p, const char *head,
                    const struct svg_chart *c);
void section_chart(struct section *p, const char *head,
                   const struct svg_chart *c);
/* One line of a chart per curve: aggregated hollow and blue, P/D filled and
 * orange; y(answer) and x(answer) by the paths given; scale: y times that. */
struct section_axes {
    const char *x, *y;
    double scale;
};
struct svg_series *section_lines(struct section *p, const struct curve_set *s,
                                 const struct section_axes *axes);

/* The Pareto chart of a sweep; parts live in p->a. */
struct svg_chart section_sweep_chart(struct section *p, const cJSON *root);
/* Ranges of TPSU where P/D's front is above the aggregated one, in a sentence;
 * NULL when a family is missing. */
const char *section_sweep_verdict(struct section *p, const cJSON *root);

void section_sweep(struct section *p, const cJSON *root);
void section_scaleout(struct section *p, const cJSON *root);
void section_phases(struct section *p, const cJSON *root);
void section_phases_pair(struct section *p, const cJSON *root);
void section_plan(struct section *p, const cJSON *root);
/* The plan's best, for the head of the page. */
void section_plan_best(struct section *p, const cJSON *root);
void section_run(struct section *p, const cJSON *root);
void section_score(struct section *p, const cJSON *root);
/* verdicts: what claims_check gives. */
void section_claims(struct section *p, const cJSON *verdicts,
                    const char *source);
void section_basis(struct section *p, const struct answer_file *file, size_t n);

#endif
