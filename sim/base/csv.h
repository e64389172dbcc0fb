/* csv - delimited text by column name; gzip is read transparently (zlib),
 * quoting is libcsv's (RFC 4180).  A reader holds one row; its strings live
 * until the next csv_next.  Torn files, rows with another number of fields,
 * and missing columns are ERR_INPUT with file and line.  Streaming, O(row). */
#ifndef SIM_BASE_CSV_H
#define SIM_BASE_CSV_H

#include "sim/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct csv;

bool csv_open(struct csv **c, const char *path, struct err *e);
void csv_close(struct csv *c); /* NULL is fine */

/* Column index by header name, -1 when the file has none. */
int csv_col(const struct csv *c, const char *name);
/* Next data row.  false with e->kind ERR_NONE (untouched) at the end. */
bool csv_next(struct csv *c, struct err *e);
long csv_line(const struct csv *c);
const char *csv_path(const struct csv *c);

/* Field text; "" for col -1. */
const char *csv_text(const struct csv *c, int col);
/* Field as a finite number; false with a message that names file, line,
 * column and text.  An empty field is refused: test csv_text first. */
bool csv_num(const struct csv *c, int col, double *out, struct err *e);

/* Writes one field, quoted when needed; no separator. */
void csv_put(FILE *f, const char *text);

#endif
