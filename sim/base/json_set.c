#include "sim/base/json.h"

#include "sim/base/str.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Doubles hold every integer up to here: 2^53. */
#define EXACT 9007199254740992.0

static cJSON *checked(cJSON *item)
{
    if (!item)
        abort(); /* cJSON gives NULL only when memory is out */
    return item;
}

/* The value of an assignment.  Digits that a double would round stay text. */
static cJSON *value_of(const char *text)
{
    int64_t i;
    uint64_t u;
    bool whole = str_uint64(text, &u) || str_int64(text, &i);
    cJSON *v = NULL;
    struct err ignored = {0};
    if (!json_parse(text, &v, &ignored)
        || (whole && fabs(v->valuedouble) > EXACT)) {
        json_free(v);
        v = checked(cJSON_CreateString(text));
    }
    return v;
}

/* One step of a path: a key of an object or an index of a list. */
static bool step(cJSON *at, const char *name, cJSON **next, struct err *e)
{
    *next = NULL;
    if (cJSON_IsObject(at)) {
        *next = cJSON_GetObjectItemCaseSensitive(at, name);
        return true;
    }
    uint64_t i;
    int n = cJSON_GetArraySize(at);
    bool ok = cJSON_IsArray(at) && str_uint64(name, &i) && i < (uint64_t)n;
    if (ok)
        *next = cJSON_GetArrayItem(at, (int)i);
    else if (!cJSON_IsArray(at))
        err_set(e, ERR_USAGE, "\"%s\": what should hold it is a plain value",
                name);
    else if (n == 0)
        err_set(e, ERR_USAGE, "the list is empty, got index \"%s\"", name);
    else
        err_set(e, ERR_USAGE, "list index must be in [0, %d], got \"%s\"",
                n - 1, name);
    return ok;
}

static void put(cJSON *at, const char *name, cJSON *old, cJSON *v)
{
    bool ok;
    if (!old)
        ok = cJSON_AddItemToObject(at, name, v);
    else if (cJSON_IsObject(at))
        ok = cJSON_ReplaceItemInObjectCaseSensitive(at, name, v);
    else
        ok = cJSON_ReplaceItemViaPointer(at, old, v);
    if (!ok)
        abort(); /* memory is out: old and name are there */
}

/* Walks names (cut in place) down to the last and puts v there. */
static bool set_at(cJSON *root, char *names, cJSON *v, struct err *e)
{
    cJSON *at = root;
    for (char *name = names;;) {
        char *dot = strchr(name, '.');
        if (dot)
            *dot = '\0';
        cJSON *next;
        if (!*name)
            return err_set(e, ERR_USAGE, "an empty name in the path");
        if (!step(at, name, &next, e))
            return false;
        if (!dot) {
            put(at, name, next, v);
            return true;
        }
        if (!next) {
            next = checked(cJSON_CreateObject());
            put(at, name, NULL, next);
        }
        at = next;
        name = dot + 1;
    }
}

bool json_set(cJSON *root, const char *assignment, struct err *e)
{
    const char *eq = strchr(assignment, '=');
    if (!eq || eq == assignment)
        return err_set(e, ERR_USAGE, "--set %s: must be path=value",
                       assignment);
    struct str names = {0};
    str_addn(&names, assignment, (size_t)(eq - assignment));
    cJSON *v = value_of(eq + 1);
    bool ok = set_at(root, names.s, v, e);
    str_free(&names);
    if (!ok) {
        json_free(v);
        err_in(e, "--set %s", assignment);
    }
    return ok;
}
