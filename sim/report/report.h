/* report - answers as one self-contained HTML page: the plan first, then the
 * charts and tables of every kind of file given, the study's claims beside the
 * predictions, and what all of it rests on.  No scripts, no network, no fonts;
 * light and dark.  Every text that comes from a file is escaped.  Files of a
 * kind that is not known are ERR_INPUT; kinds that are not given are not shown.
 * One thread; O(answers log answers). */
#ifndef SIM_REPORT_REPORT_H
#define SIM_REPORT_REPORT_H

#include "sim/base/err.h"
#include "sim/base/str.h"
#include "sim/report/answer.h"

struct report_ask {
    const char *title;              /* NULL: made from the models */
    const struct answer_file *file; /* in the order of the page */
    size_t n;
    const cJSON *claims; /* a claims file (claims.h), NULL: none */
};

/* Appends the page to html. */
bool report_html(const struct report_ask *ask, struct str *html, struct err *e);

/* One Pareto chart (TPSG against TPSU) of a sweep as a stand-alone SVG file
 * that a README can show. */
bool report_svg(const struct answer_file *file, struct str *svg, struct err *e);

#endif
