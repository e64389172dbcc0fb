/* html - the few pieces a self-contained page is made of.
 * html_text is the only way for outside text into a page or a chart: it
 * escapes what HTML and XML give a meaning, drops control characters, and
 * replaces bytes that are not UTF-8.  Functions append to a caller's buffer.
 * Pure; any thread. */
#ifndef SIM_REPORT_HTML_H
#define SIM_REPORT_HTML_H

#include "sim/base/str.h"

/* Escaped, fit for text and for quoted attributes; NULL adds nothing. */
void html_text(struct str *b, const char *s);
/* "(s)" with the same escaping after formatting. */
void html_fmt(struct str *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Everything up to the first section: doctype, style, title; and the end. */
void html_open(struct str *b, const char *title);
void html_close(struct str *b);

/* <tag>escaped text</tag>; tag may carry attributes: "td class=\"n\"". */
void html_tag(struct str *b, const char *tag, const char *text);

/* Opens a scrolling frame and a table with these heads (NULL at the end; a
 * leading "#" makes a column of numbers) and its tbody. */
void html_table(struct str *b, const char *const *heads);
void html_table_end(struct str *b);
/* A number cell with the printf format of one double; NAN is a dash. */
void html_num(struct str *b, const char *fmt, double v);
/* A text cell; NULL is a dash. */
void html_cell(struct str *b, const char *text);

/* A word in a coloured frame: tone is "yes", "partly", "no" or "off". */
void html_badge(struct str *b, const char *tone, const char *text);

#endif
