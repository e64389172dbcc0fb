#include "calibrate/gpu/table.h"

#include "sim/base/csv.h"
#include "sim/base/file.h"
#include "sim/base/str.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20 };

static bool same_header(const struct table *t, const char *text, struct err *e)
{
    const char *want = arena_fmt(t->a, "%s," TABLE_COLUMNS "\n", t->columns);
    if (strncmp(text, want, strlen(want)) == 0)
        return true;
    return err_set(e, ERR_INPUT, "%s: columns are not %s," TABLE_COLUMNS,
                   t->path, t->columns);
}

/* Cuts a last line that has no end. */
static bool mend(const struct table *t, const char *text, size_t n,
                 struct err *e)
{
    size_t keep = n;
    while (keep > 0 && text[keep - 1] != '\n')
        keep--;
    if (keep == n || truncate(t->path, (off_t)keep) == 0)
        return true;
    return err_set(e, ERR_SYSTEM, "%s: %s", t->path, strerror(errno));
}

static double number(struct csv *c, const char *name)
{
    double v;
    return str_double(csv_text(c, csv_col(c, name)), &v) ? v : NAN;
}

static bool yes(struct csv *c, const char *name)
{
    return strcmp(csv_text(c, csv_col(c, name)), "1") == 0;
}

/* The fields that name the point, put together again. */
static const char *id_of(const struct table *t, struct csv *c)
{
    struct str b = {0};
    int n = 1;
    for (const char *p = t->columns; *p; p++)
        n += *p == ',';
    for (int i = 0; i < n; i++)
        str_fmt(&b, "%s%s", i ? "," : "", csv_text(c, i));
    const char *id = arena_str(t->a, b.s);
    str_free(&b);
    return id;
}

static const char *text_of(const struct table *t, struct csv *c,
                           const char *name)
{
    return arena_str(t->a, csv_text(c, csv_col(c, name)));
}

static void keep(struct table *t, const struct table_row *r)
{
    ARENA_ROOM(t->a, t->row, t->n, t->cap);
    t->row[t->n++] = *r;
}

static bool read_rows(struct table *t, struct err *e)
{
    struct err none = {ERR_NONE, ""};
    struct csv *c;
    if (!csv_open(&c, t->path, e))
        return false;
    while (csv_next(c, &none)) {
        struct table_row r = {
            .id = id_of(t, c),
            .time_us = number(c, "time_us"),
            .mad_us = number(c, "mad_us"),
            .n = (int)number(c, "samples"),
            .clock_mhz = number(c, "clock_mhz"),
            .memory_mhz = number(c, "memory_mhz"),
            .power_w = number(c, "power_w"),
            .temperature_c = number(c, "temperature_c"),
            .throttled = yes(c, "throttled"),
            .steady = yes(c, "steady"),
            .source = text_of(t, c, "source"),
            .version = text_of(t, c, "engine_version"),
            .driver = text_of(t, c, "driver"),
            .date = text_of(t, c, "date"),
            .place = SIZE_MAX,
        };
        keep(t, &r);
    }
    csv_close(c);
    if (none.kind != ERR_NONE)
        *e = none;
    return none.kind == ERR_NONE;
}

bool table_open(struct table *t, const char *dir, const char *name,
                const char *columns, struct arena *a, struct err *e)
{
    char *text;
    size_t n;
    *t = (struct table){
        .path = arena_fmt(a, "%s/%s.csv", dir, name),
        .columns = columns,
        .a = a,
    };
    if (access(t->path, F_OK) != 0)
        return true;
    if (!file_read(t->path, FILE_MAX, a, &text, &n, e) || !mend(t, text, n, e))
        return false;
    if (!memchr(text, '\n', n)) /* not even a header */
        return true;
    return same_header(t, text, e) && read_rows(t, e);
}

struct table_row *table_find(const struct table *t, const char *id)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->row[i].id, id) == 0)
            return &t->row[i];
    return NULL;
}

static void put_number(FILE *f, const char *fmt, double v)
{
    fputc(',', f);
    if (!isnan(v))
        fprintf(f, fmt, v);
}

static void put_text(FILE *f, const char *s)
{
    fputc(',', f);
    csv_put(f, s ? s : "");
}

static void put(FILE *f, const struct table_row *r)
{
    fprintf(f, "%s,%.6g,%d", r->id, r->time_us, r->suspect);
    put_text(f, r->source);
    put_text(f, r->version);
    put_number(f, "%.3g", r->mad_us);
    fprintf(f, ",%d", r->n);
    put_number(f, "%.0f", r->clock_mhz);
    put_number(f, "%.0f", r->memory_mhz);
    put_number(f, "%.0f", r->power_w);
    put_number(f, "%.0f", r->temperature_c);
    fprintf(f, ",%d,%d", r->throttled, r->steady);
    put_text(f, r->driver);
    put_text(f, r->date);
    fputc('\n', f);
}

static bool failed(const struct table *t, struct err *e)
{
    return err_set(e, ERR_SYSTEM, "%s: %s", t->path, strerror(errno));
}

bool table_add(struct table *t, const struct table_row *r, struct err *e)
{
    struct table_row mine = *r;
    mine.id = arena_str(t->a, r->id);
    bool fresh = access(t->path, F_OK) != 0;
    FILE *f = fopen(t->path, "a");
    if (!f)
        return failed(t, e);
    if (fresh || ftell(f) == 0)
        fprintf(f, "%s," TABLE_COLUMNS "\n", t->columns);
    put(f, &mine);
    if (fclose(f) != 0)
        return failed(t, e);
    keep(t, &mine);
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct table_row *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

bool table_done(struct table *t, struct err *e)
{
    struct file_out o;
    if (t->n == 0)
        return true;
    qsort(t->row, t->n, sizeof *t->row, by_place);
    if (!file_out_open(&o, t->path, e))
        return false;
    fprintf(o.f, "%s," TABLE_COLUMNS "\n", t->columns);
    for (size_t i = 0; i < t->n; i++)
        put(o.f, &t->row[i]);
    bool ok = file_out_done(&o, e);
    file_out_drop(&o);
    return ok;
}
