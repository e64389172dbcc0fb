/* json - JSON objects read through rows: key, type, range, default, help.
 * cJSON parses; what comes out lies in the caller's arena.  Unknown keys, wrong
 * types, values outside [min, max] and NaN are refused with path, value, what
 * is allowed and the nearest known key (ERR_INPUT).  Keys are case sensitive.
 * A row with dflt NULL is required; dflt JSON_ABSENT leaves NAN, JSON_NOINT,
 * JSON_NOCHOICE, NULL, false, 0 (seed) or an empty list; any other dflt is JSON
 * text, and one that its own row refuses stops the program.
 * Large integers: a JSON string of digits is accepted for JSON_INT and
 * JSON_SEED (cJSON numbers are doubles). */
#ifndef SIM_BASE_JSON_H
#define SIM_BASE_JSON_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_ABSENT "\001absent"
#define JSON_NOINT INT64_MIN
#define JSON_NOCHOICE (-1)

enum json_type {
    JSON_BOOL,   /* bool */
    JSON_INT,    /* int64_t */
    JSON_NUM,    /* double */
    JSON_SEED,   /* uint64_t */
    JSON_STR,    /* const char * */
    JSON_CHOICE, /* int, index into choices (ends with NULL) */
    JSON_NUMS,   /* struct json_nums */
    JSON_OBJ,    /* const cJSON * (object), NULL when absent */
    JSON_LIST,   /* const cJSON * (array), NULL when absent */
    JSON_ANY,    /* const cJSON *, NULL when absent */
};

struct json_nums {
    double *v;
    size_t n;
};

struct json_row {
    const char *key;
    enum json_type type;
    size_t at;       /* offsetof in the target struct */
    double min, max; /* numbers and list items; both 0 = any; -INFINITY and
                      * INFINITY leave a side open; min DBL_MIN says > 0 */
    const char *dflt;
    const char *help; /* one sentence with the unit */
    const char *const *choices;
};

/* Parses text; the tree lives until json_free.  Errors carry the line.  A key
 * given twice, at any depth, is refused with its path. */
bool json_parse(const char *text, cJSON **root, struct err *e);
void json_free(cJSON *root);
/* Reads and parses a file (at most 64 MiB).  Errors name the file already;
 * those of json_read and json_set do not: err_in(e, "%s", path) is the
 * caller's. */
bool json_load(const char *path, cJSON **root, struct err *e);

/* rows ends with a row whose key is NULL.  where = path of obj in the file,
 * e.g. "load.arrival" ("" at the top).  obj NULL reads an empty object.  All
 * that into points to, subtrees too, lies in a: the file's tree may go.
 * Keys "why", "note", "source" and "sources" are always allowed. */
bool json_read(const cJSON *obj, const struct json_row *rows, void *into,
               const char *where, struct arena *a, struct err *e);

/* --set path=value: sets a dotted path ("pools.0.tp") in root, making objects
 * on the way; value is JSON text, or a bare string when it does not parse.
 * Integers beyond 2^53 stay digits in a string.  A list index that is not there
 * and a path through a plain value are ERR_USAGE, with the assignment. */
bool json_set(cJSON *root, const char *assignment, struct err *e);

/* Writes a struct back through its rows into a new object (absent values are
 * left out): how `show scenario` prints defaults. */
cJSON *json_write(const struct json_row *rows, const void *from);

/* The tree as text in a, on one line or indented.  Every double reads back as
 * itself, which cJSON_Print does not promise; what is not finite is null. */
char *json_print(const cJSON *root, bool indented, struct arena *a);

#endif
