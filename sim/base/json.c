#include "sim/base/json.h"

#include "sim/base/file.h"
#include "sim/base/must.h"
#include "sim/base/str.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 64 << 20 };

/* Doubles hold every integer up to here: 2^53. */
#define EXACT 9007199254740992.0

static const char *const free_keys[] = {"why", "note", "source", "sources",
                                        NULL};

/* ---- text to tree ---- */

static int by_text(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;
    return strcmp(*a, *b);
}

/* NULL, or a key that obj holds twice. */
static const char *twice(const cJSON *obj)
{
    size_t n = 0;
    for (const cJSON *i = obj->child; i; i = i->next)
        n++;
    if (n < 2)
        return NULL;
    struct arena *a = arena_open();
    const char **keys = ARENA_ARRAY(a, const char *, n);
    n = 0;
    for (const cJSON *i = obj->child; i; i = i->next)
        keys[n++] = i->string;
    qsort(keys, n, sizeof *keys, by_text);
    const char *found = NULL;
    for (size_t i = 1; i < n && !found; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            found = keys[i];
    arena_close(a);
    return found;
}

/* The way down to an item, told from the item up. */
struct way {
    const struct way *up;
    const cJSON *item;
    int at;
};

static void tell(const struct way *w, struct str *b)
{
    if (!w->up)
        return;
    tell(w->up, b);
    if (w->item->string)
        str_fmt(b, "%s%s", b->n ? "." : "", w->item->string);
    else
        str_fmt(b, "%s%d", b->n ? "." : "", w->at);
}

static bool bad_item(const struct way *w, const char *key, const char *what,
                     struct err *e)
{
    struct str path = {0};
    tell(w, &path);
    if (key)
        str_fmt(&path, "%s%s", path.n ? "." : "", key);
    err_set(e, ERR_INPUT, "%s%s%s", path.n ? path.s : "", path.n ? ": " : "",
            what);
    str_free(&path);
    return false;
}

/* cJSON keeps both of two equal keys and reads "1e999" as infinity.  Depth is
 * bounded by cJSON's own nesting limit. */
static bool check_tree(const struct way *w, struct err *e)
{
    const cJSON *item = w->item;
    if (cJSON_IsNumber(item) && !isfinite(item->valuedouble))
        return bad_item(w, NULL, "a number too large for a double", e);
    const char *key = cJSON_IsObject(item) ? twice(item) : NULL;
    if (key)
        return bad_item(w, key, "given twice", e);
    struct way down = {.up = w};
    for (down.item = item->child; down.item; down.item = down.item->next) {
        if (!check_tree(&down, e))
            return false;
        down.at++;
    }
    return true;
}

bool json_parse(const char *text, cJSON **root, struct err *e)
{
    const char *end = text;
    cJSON *tree = cJSON_ParseWithOpts(text, &end, 1);
    if (!tree) {
        long line = 1;
        for (const char *p = text; p < end; p++)
            line += *p == '\n';
        size_t n = strcspn(end, "\n");
        return err_set(e, ERR_INPUT, "line %ld: not JSON at \"%.*s\"", line,
                       n < 40 ? (int)n : 40, end);
    }
    if (!check_tree(&(struct way){.item = tree}, e)) {
        cJSON_Delete(tree);
        return false;
    }
    *root = tree;
    return true;
}

void json_free(cJSON *root)
{
    cJSON_Delete(root);
}

bool json_load(const char *path, cJSON **root, struct err *e)
{
    struct arena *a = arena_open();
    char *text;
    size_t n;
    bool ok = file_read(path, FILE_BYTES, a, &text, &n, e);
    if (ok) {
        ok = strlen(text) == n ? json_parse(text, root, e)
                               : err_set(e, ERR_INPUT, "not JSON: a NUL byte");
        if (!ok)
            err_in(e, "%s", path);
    }
    arena_close(a);
    return ok;
}

/* ---- complaints ---- */

/* One value being read, and all that a complaint about it needs. */
struct spot {
    const char *where;
    const struct json_row *row;
    struct arena *a;
    struct err *e;
};

static const char *path_to(const struct spot *s)
{
    return arena_fmt(s->a, "%s%s%s", s->where, *s->where ? "." : "",
                     s->row->key);
}

/* What a value is, as a reader of the file would say it. */
static const char *said(const cJSON *item, struct arena *a)
{
    if (cJSON_IsNumber(item))
        return arena_fmt(a, "the number %.15g", item->valuedouble);
    if (cJSON_IsString(item))
        return arena_fmt(a, "the string \"%.60s\"", item->valuestring);
    if (cJSON_IsBool(item))
        return cJSON_IsTrue(item) ? "the boolean true" : "the boolean false";
    if (cJSON_IsArray(item))
        return "a list";
    return cJSON_IsObject(item) ? "an object" : "null";
}

static bool wrong(const struct spot *s, const cJSON *item, const char *wanted)
{
    return err_set(s->e, ERR_INPUT, "%s: must be %s, got %s", path_to(s),
                   wanted, said(item, s->a));
}

static bool inside(const struct json_row *r, double v)
{
    return (r->min == 0 && r->max == 0) || (v >= r->min && v <= r->max);
}

static bool in_range(const struct spot *s, double v)
{
    const struct json_row *r = s->row;
    if (inside(r, v))
        return true;
    const char *open = r->min == DBL_MIN ? "(0" : NULL;
    const char *low = r->min == DBL_MIN ? "> 0"
                                        : arena_fmt(s->a, ">= %.15g", r->min);
    const char *allowed;
    if (isinf(r->max))
        allowed = low;
    else if (isinf(r->min))
        allowed = arena_fmt(s->a, "<= %.15g", r->max);
    else
        allowed = arena_fmt(s->a, "in %s, %.15g]",
                            open ? open : arena_fmt(s->a, "[%.15g", r->min),
                            r->max);
    return err_set(s->e, ERR_INPUT, "%s: must be %s, got %.15g", path_to(s),
                   allowed, v);
}

/* "a, b, c" from names; quoted or not. */
static const char *listed(const char *const *names, const char *quote,
                          struct arena *a)
{
    struct str b = {0};
    for (size_t i = 0; names[i]; i++)
        str_fmt(&b, "%s%s%s%s", i ? ", " : "", quote, names[i], quote);
    const char *s = arena_str(a, b.n ? b.s : "none");
    str_free(&b);
    return s;
}

static const char *hint(const char *got, const char *const *names,
                        struct arena *a)
{
    const char *near = str_nearest(got, names);
    return near ? arena_fmt(a, "nearest: \"%s\"; ", near) : "";
}

static bool unknown(const cJSON *item, const struct json_row *rows,
                    struct spot s)
{
    size_t n = 0;
    while (rows[n].key)
        n++;
    const char **names = ARENA_ARRAY(s.a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = rows[i].key;
    struct json_row row = {.key = item->string};
    s.row = &row;
    return err_set(s.e, ERR_INPUT, "%s: unknown key (%sknown: %s)", path_to(&s),
                   hint(item->string, names, s.a), listed(names, "", s.a));
}

/* ---- values ---- */

static bool read_int(const struct spot *s, const cJSON *item, int64_t *out)
{
    double v = item->valuedouble;
    if (cJSON_IsString(item) && str_int64(item->valuestring, out))
        return in_range(s, (double)*out);
    if (!cJSON_IsNumber(item) || v != floor(v))
        return wrong(s, item, "an integer");
    if (!in_range(s, v))
        return false;
    if (fabs(v) > EXACT)
        return wrong(s, item, "an integer (a string of digits beyond 2^53)");
    *out = (int64_t)v;
    return true;
}

static bool read_seed(const struct spot *s, const cJSON *item, uint64_t *out)
{
    double v = item->valuedouble;
    if (cJSON_IsString(item) && str_uint64(item->valuestring, out))
        return in_range(s, (double)*out);
    if (!cJSON_IsNumber(item) || v != floor(v) || v < 0 || v > EXACT)
        return wrong(s, item,
                     "an integer from 0 to 2^53, or a string of "
                     "digits up to 2^64 - 1");
    *out = (uint64_t)v;
    return in_range(s, v);
}

static bool read_num(const struct spot *s, const cJSON *item, double *out)
{
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return wrong(s, item, "a number");
    *out = item->valuedouble;
    return in_range(s, *out);
}

static bool read_choice(const struct spot *s, const cJSON *item, int *out)
{
    const char *const *c = s->row->choices;
    must(c);
    if (!cJSON_IsString(item))
        return wrong(s, item,
                     arena_fmt(s->a, "one of %s", listed(c, "\"", s->a)));
    for (int i = 0; c[i]; i++) {
        if (strcmp(c[i], item->valuestring) == 0) {
            *out = i;
            return true;
        }
    }
    return err_set(s->e, ERR_INPUT, "%s: unknown value \"%.60s\" (%sknown: %s)",
                   path_to(s), item->valuestring,
                   hint(item->valuestring, c, s->a), listed(c, "\"", s->a));
}

static bool read_nums(struct spot s, const cJSON *item, struct json_nums *out)
{
    if (!cJSON_IsArray(item))
        return wrong(&s, item, "a list of numbers");
    struct json_nums v = {0};
    for (const cJSON *i = item->child; i; i = i->next)
        v.n++;
    v.v = ARENA_ARRAY(s.a, double, v.n);
    size_t at = 0;
    for (const cJSON *i = item->child; i; i = i->next, at++) {
        double x = i->valuedouble;
        bool is_num = cJSON_IsNumber(i) && isfinite(x);
        v.v[at] = x;
        if (is_num && inside(s.row, x))
            continue;
        struct json_row row = *s.row;
        row.key = arena_fmt(s.a, "%s.%zu", row.key, at);
        s.row = &row;
        return is_num ? in_range(&s, x) : wrong(&s, i, "a number");
    }
    *out = v;
    return true;
}

/* The tree of the file ends with json_free; what is read lives on. */
static cJSON *copy_tree(const cJSON *item, struct arena *a)
{
    cJSON *c = ARENA_NEW(a, cJSON);
    c->type = item->type & ~(cJSON_IsReference | cJSON_StringIsConst);
    c->valueint = item->valueint;
    c->valuedouble = item->valuedouble;
    if (item->valuestring)
        c->valuestring = arena_str(a, item->valuestring);
    if (item->string)
        c->string = arena_str(a, item->string);
    cJSON *last = NULL;
    for (const cJSON *i = item->child; i; i = i->next) {
        cJSON *k = copy_tree(i, a);
        if (last)
            last->next = k;
        else
            c->child = k;
        k->prev = last;
        last = k;
    }
    if (last)
        c->child->prev = last; /* cJSON keeps the tail there */
    return c;
}

static bool read_tree(const struct spot *s, const cJSON *item,
                      const cJSON **out)
{
    if (s->row->type == JSON_OBJ && !cJSON_IsObject(item))
        return wrong(s, item, "an object");
    if (s->row->type == JSON_LIST && !cJSON_IsArray(item))
        return wrong(s, item, "a list");
    *out = copy_tree(item, s->a);
    return true;
}

static bool read_value(const struct spot *s, const cJSON *item, void *to)
{
    switch (s->row->type) {
    case JSON_BOOL:
        if (!cJSON_IsBool(item))
            return wrong(s, item, "true or false");
        *(bool *)to = cJSON_IsTrue(item);
        return true;
    case JSON_STR:
        if (!cJSON_IsString(item))
            return wrong(s, item, "a string");
        *(const char **)to = arena_str(s->a, item->valuestring);
        return true;
    case JSON_INT:
        return read_int(s, item, to);
    case JSON_NUM:
        return read_num(s, item, to);
    case JSON_SEED:
        return read_seed(s, item, to);
    case JSON_CHOICE:
        return read_choice(s, item, to);
    case JSON_NUMS:
        return read_nums(*s, item, to);
    case JSON_OBJ:
    case JSON_LIST:
    case JSON_ANY:
        return read_tree(s, item, to);
    }
    must_fail("a known json_type", __FILE__, __LINE__);
}

static void read_absent(enum json_type type, void *to)
{
    switch (type) {
    case JSON_BOOL:
        *(bool *)to = false;
        return;
    case JSON_INT:
        *(int64_t *)to = JSON_NOINT;
        return;
    case JSON_NUM:
        *(double *)to = NAN;
        return;
    case JSON_SEED:
        *(uint64_t *)to = 0;
        return;
    case JSON_STR:
        *(const char **)to = NULL;
        return;
    case JSON_CHOICE:
        *(int *)to = JSON_NOCHOICE;
        return;
    case JSON_NUMS:
        *(struct json_nums *)to = (struct json_nums){0};
        return;
    case JSON_OBJ:
    case JSON_LIST:
    case JSON_ANY:
        *(const cJSON **)to = NULL;
        return;
    }
}

/* A default that its own row refuses is our mistake: the message shows it. */
static bool read_default(const struct spot *s, void *to)
{
    const char *text = s->row->dflt;
    if (!text)
        return err_set(s->e, ERR_INPUT, "%s: missing (%s)", path_to(s),
                       s->row->help ? s->row->help : "required");
    if (strcmp(text, JSON_ABSENT) == 0) {
        read_absent(s->row->type, to);
        return true;
    }
    struct err mine = {0};
    struct spot at = *s;
    at.e = &mine;
    cJSON *item = NULL;
    bool ok = json_parse(text, &item, &mine) && read_value(&at, item, to);
    if (!ok)
        must_fail(mine.text, __FILE__, __LINE__);
    json_free(item);
    return true;
}

static const cJSON *child(const cJSON *obj, const char *key)
{
    for (const cJSON *i = obj ? obj->child : NULL; i; i = i->next)
        if (strcmp(i->string, key) == 0)
            return i;
    return NULL;
}

static bool is_known(const char *key, const struct json_row *rows)
{
    for (; rows->key; rows++)
        if (strcmp(rows->key, key) == 0)
            return true;
    for (size_t i = 0; free_keys[i]; i++)
        if (strcmp(free_keys[i], key) == 0)
            return true;
    return false;
}

bool json_read(const cJSON *obj, const struct json_row *rows, void *into,
               const char *where, struct arena *a, struct err *e)
{
    struct spot s = {.where = where, .a = a, .e = e};
    if (obj && !cJSON_IsObject(obj))
        return err_set(e, ERR_INPUT, "%s%smust be an object, got %s", where,
                       *where ? ": " : "", said(obj, a));
    for (const cJSON *i = obj ? obj->child : NULL; i; i = i->next)
        if (!is_known(i->string, rows))
            return unknown(i, rows, s);
    for (; rows->key; rows++) {
        void *to = (char *)into + rows->at;
        const cJSON *item = child(obj, rows->key);
        s.row = rows;
        if (!(item ? read_value(&s, item, to) : read_default(&s, to)))
            return false;
    }
    return true;
}

/* ---- struct to tree ---- */

static cJSON *made(cJSON *item)
{
    if (!item)
        abort(); /* cJSON gives NULL only when memory is out */
    return item;
}

static cJSON *write_nums(const struct json_nums *v)
{
    cJSON *list = made(cJSON_CreateArray());
    for (size_t i = 0; i < v->n; i++)
        cJSON_AddItemToArray(list, made(cJSON_CreateNumber(v->v[i])));
    return list;
}

static cJSON *write_int(int64_t v)
{
    if (v >= -(int64_t)EXACT && v <= (int64_t)EXACT)
        return made(cJSON_CreateNumber((double)v));
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)v);
    return made(cJSON_CreateString(digits));
}

static cJSON *write_seed(uint64_t v)
{
    if (v <= (uint64_t)EXACT)
        return made(cJSON_CreateNumber((double)v));
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    return made(cJSON_CreateString(digits));
}

static bool is_absent(const struct json_row *r, const void *at)
{
    switch (r->type) {
    case JSON_BOOL:
    case JSON_SEED:
        return false;
    case JSON_INT:
        return *(const int64_t *)at == JSON_NOINT;
    case JSON_NUM:
        return isnan(*(const double *)at);
    case JSON_STR:
        return !*(const char *const *)at;
    case JSON_CHOICE:
        return *(const int *)at == JSON_NOCHOICE;
    case JSON_NUMS: /* an empty list that is no default must be seen */
        return ((const struct json_nums *)at)->n == 0 && r->dflt
            && strcmp(r->dflt, JSON_ABSENT) == 0;
    case JSON_OBJ:
    case JSON_LIST:
    case JSON_ANY:
        return !*(const cJSON *const *)at;
    }
    must_fail("a known json_type", __FILE__, __LINE__);
}

static cJSON *write_value(const struct json_row *r, const void *at)
{
    switch (r->type) {
    case JSON_BOOL:
        return made(cJSON_CreateBool(*(const bool *)at));
    case JSON_INT:
        return write_int(*(const int64_t *)at);
    case JSON_NUM:
        return made(cJSON_CreateNumber(*(const double *)at));
    case JSON_SEED:
        return write_seed(*(const uint64_t *)at);
    case JSON_STR:
        return made(cJSON_CreateString(*(const char *const *)at));
    case JSON_CHOICE:
        return made(cJSON_CreateString(r->choices[*(const int *)at]));
    case JSON_NUMS:
        return write_nums(at);
    case JSON_OBJ:
    case JSON_LIST:
    case JSON_ANY:
        return made(cJSON_Duplicate(*(const cJSON *const *)at, true));
    }
    must_fail("a known json_type", __FILE__, __LINE__);
}

cJSON *json_write(const struct json_row *rows, const void *from)
{
    cJSON *obj = made(cJSON_CreateObject());
    for (; rows->key; rows++) {
        const void *at = (const char *)from + rows->at;
        if (is_absent(rows, at))
            continue;
        if (!cJSON_AddItemToObject(obj, rows->key, write_value(rows, at)))
            abort();
    }
    return obj;
}
