#include "sim/load/kind.h"

#include "sim/base/must.h"

#include <string.h>

static struct json_row kind_row(const char *const *names, size_t at)
{
    return (struct json_row){
        .key = "kind",
        .type = JSON_CHOICE,
        .at = at,
        .choices = names,
        .help = "which of the kinds; the other keys depend on it",
    };
}

bool kind_of(const cJSON *obj, const char *const *names, const char *where,
             int *kind, struct err *e)
{
    struct json_row rows[] = {kind_row(names, 0), {.key = NULL}};
    struct arena *a = arena_open();
    cJSON *only = cJSON_CreateObject();
    cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, "kind");
    if (item)
        must(cJSON_AddItemReferenceToObject(only, "kind", item));
    bool ok = json_read(only, rows, kind, where, a, e);
    cJSON_Delete(only);
    arena_close(a);
    return ok;
}

const struct json_row *kind_rows(const struct json_row *rows,
                                 const char *const *names, size_t at,
                                 struct arena *a)
{
    size_t n = 1; /* the row that ends them */
    while (rows[n - 1].key)
        n++;
    struct json_row *all = ARENA_ARRAY(a, struct json_row, n + 1);
    all[0] = kind_row(names, at);
    memcpy(all + 1, rows, n * sizeof *rows);
    return all;
}

cJSON *kind_write(const char *name, const struct json_row *rows,
                  const void *from)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *keys = json_write(rows, from);
    must(out && keys && cJSON_AddStringToObject(out, "kind", name));
    while (keys->child) {
        cJSON *item = cJSON_DetachItemViaPointer(keys, keys->child);
        must(cJSON_AddItemToObject(out, item->string, item));
    }
    cJSON_Delete(keys);
    return out;
}
