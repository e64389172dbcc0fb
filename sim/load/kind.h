/* kind - JSON objects whose other keys depend on the value of "kind".
 * {"kind": "poisson", "rate_rps": 3}: kind_of names the kind, kind_rows gives
 * the rows that read the whole object, kind_write writes one back.  Complaints
 * are json.h's.  Any thread. */
#ifndef SIM_LOAD_KIND_H
#define SIM_LOAD_KIND_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* Index of obj's kind in names (which end with NULL). */
bool kind_of(const cJSON *obj, const char *const *names, const char *where,
             int *kind, struct err *e);
/* rows with one more in front for the key "kind", an int at `at`. */
const struct json_row *kind_rows(const struct json_row *rows,
                                 const char *const *names, size_t at,
                                 struct arena *a);
cJSON *kind_write(const char *name, const struct json_row *rows,
                  const void *from);

#endif
