/* Loading reads the three tables of a GPU in one order (op, variant, place),
 * so a fit's coefficients and box arrive together.  The text form is the
 * INSERTs that rebuild those rows, sorted by key; REPLACE drops the old fit
 * and, through the foreign keys, its coefficients and box, so an import is
 * idempotent. */
#include "sim/store/costs.h"

#include "sim/base/file.h"
#include "sim/base/must.h"
#include "sim/base/str.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SQL_MAX = 1 << 26 /* bytes; a text store is some hundred kB */ };

static const char *text(struct arena *a, sqlite3_stmt *st, int col)
{
    return arena_str(a, (const char *)sqlite3_column_text(st, col));
}

static double number(sqlite3_stmt *st, int col)
{
    if (sqlite3_column_type(st, col) == SQLITE_NULL)
        return NAN;
    return sqlite3_column_double(st, col);
}

static void read_fit(sqlite3_stmt *st, struct arena *a, struct fit *f)
{
    f->gpu = text(a, st, 0);
    f->op = text(a, st, 1);
    f->variant = text(a, st, 2);
    f->form = text(a, st, 3);
    f->basis = text(a, st, 4);
    f->source = text(a, st, 5);
    f->date = text(a, st, 6);
    f->rows = sqlite3_column_int64(st, 7);
    f->ape_median = number(st, 8);
    f->ape_p95 = number(st, 9);
    f->ape_max = number(st, 10);
    f->bias = number(st, 11);
    f->cv_median = number(st, 12);
    f->cv_p95 = number(st, 13);
}

static bool load_coefs(struct db *d, struct fit *f, struct arena *a,
                       struct err *e)
{
    sqlite3_stmt *st;
    bool row;
    if (!db_query(d, &st, e,
                  "SELECT name, value, se, source FROM coef WHERE gpu = ? AND "
                  "op = ? AND variant = ? ORDER BY place, name",
                  "ttt", f->gpu, f->op, f->variant))
        return false;
    bool ok = true;
    while ((ok = db_step(d, st, &row, e)) && row) {
        if (f->n_coef == COSTS_COEF) {
            ok = err_set(e, ERR_INPUT, "fit %s/%s: more than %d coefficients",
                         f->op, f->variant, COSTS_COEF);
            break;
        }
        f->coef[f->n_coef++] = (struct fit_coef){
            .name = text(a, st, 0),
            .value = number(st, 1),
            .se = number(st, 2),
            .source = text(a, st, 3),
        };
    }
    db_done(st);
    return ok;
}

static bool load_box(struct db *d, struct fit *f, struct arena *a,
                     struct err *e)
{
    sqlite3_stmt *st;
    bool row;
    if (!db_query(d, &st, e,
                  "SELECT feature, min, max FROM box WHERE gpu = ? AND op = ? "
                  "AND variant = ? ORDER BY place, feature",
                  "ttt", f->gpu, f->op, f->variant))
        return false;
    bool ok = true;
    while ((ok = db_step(d, st, &row, e)) && row) {
        if (f->n_box == COSTS_BOX) {
            ok = err_set(e, ERR_INPUT, "fit %s/%s: more than %d features",
                         f->op, f->variant, COSTS_BOX);
            break;
        }
        f->box[f->n_box++] = (struct fit_box){
            .feature = text(a, st, 0),
            .min = number(st, 1),
            .max = number(st, 2),
        };
    }
    db_done(st);
    return ok;
}

bool costs_load(struct db *d, const char *gpu, struct arena *a, struct costs *c,
                struct err *e)
{
    const char *path = sqlite3_db_filename(d->h, "main");
    *c = (struct costs){
        .gpu = arena_str(a, gpu),
        .store = arena_str(a, path && *path ? path : ":memory:"),
    };
    sqlite3_stmt *st;
    if (!db_query(d, &st, e,
                  "SELECT gpu, op, variant, form, basis, source, date, rows, "
                  "ape_median, ape_p95, ape_max, bias, cv_median, cv_p95 "
                  "FROM fit WHERE gpu = ? ORDER BY op, variant",
                  "t", gpu))
        return false;
    size_t cap = 0;
    bool row, ok;
    while ((ok = db_step(d, st, &row, e)) && row) {
        ARENA_ROOM(a, c->fit, c->n, cap);
        c->fit[c->n] = (struct fit){.gpu = NULL};
        read_fit(st, a, &c->fit[c->n++]);
    }
    db_done(st);
    for (size_t i = 0; ok && i < c->n; i++)
        ok = load_coefs(d, &c->fit[i], a, e) && load_box(d, &c->fit[i], a, e);
    return ok;
}

const struct fit *costs_find(const struct costs *c, const char *op,
                             const char *variant)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct fit *f = &c->fit[i];
        if (strcmp(f->op, op) == 0 && strcmp(f->variant, variant) == 0)
            return f;
    }
    return NULL;
}

static bool save_head(struct db *d, const struct fit *f, struct err *e)
{
    sqlite3_stmt *st;
    return db_query(d, &st, e,
                    "INSERT OR REPLACE INTO fit VALUES "
                    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    "tttttttidddddd", f->gpu, f->op, f->variant, f->form,
                    f->basis, f->source, f->date, f->rows, f->ape_median,
                    f->ape_p95, f->ape_max, f->bias, f->cv_median, f->cv_p95)
        && db_finish(d, st, e);
}

static bool save_coef(struct db *d, const struct fit *f, int i, struct err *e)
{
    const struct fit_coef *c = &f->coef[i];
    sqlite3_stmt *st;
    return db_query(d, &st, e,
                    "INSERT INTO coef VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    "tttitddt", f->gpu, f->op, f->variant, (int64_t)i, c->name,
                    c->value, c->se, c->source)
        && db_finish(d, st, e);
}

static bool save_box(struct db *d, const struct fit *f, int i, struct err *e)
{
    const struct fit_box *b = &f->box[i];
    sqlite3_stmt *st;
    return db_query(d, &st, e, "INSERT INTO box VALUES (?, ?, ?, ?, ?, ?, ?)",
                    "tttitdd", f->gpu, f->op, f->variant, (int64_t)i,
                    b->feature, b->min, b->max)
        && db_finish(d, st, e);
}

static bool save_all(struct db *d, const struct fit *f, struct err *e)
{
    if (!save_head(d, f, e))
        return false;
    for (int i = 0; i < f->n_coef; i++)
        if (!save_coef(d, f, i, e))
            return false;
    for (int i = 0; i < f->n_box; i++)
        if (!save_box(d, f, i, e))
            return false;
    return true;
}

bool costs_save(struct db *d, const struct fit *f, struct err *e)
{
    must(f->n_coef <= COSTS_COEF && f->n_box <= COSTS_BOX);
    if (!db_exec(d, "SAVEPOINT save_fit", e))
        return false;
    if (save_all(d, f, e) && db_exec(d, "RELEASE save_fit", e))
        return true;
    struct err undo; /* the first trouble is the one to tell */
    db_exec(d, "ROLLBACK TO save_fit", &undo);
    db_exec(d, "RELEASE save_fit", &undo);
    return err_in(e, "fit %s/%s of %s", f->op, f->variant, f->gpu);
}

/* A text store may fill tables and do nothing else. */
static int allow(void *unused, int action, const char *a, const char *b,
                 const char *c, const char *in)
{
    (void)unused;
    (void)b;
    (void)c;
    (void)in;
    switch (action) {
    case SQLITE_INSERT:
    case SQLITE_DELETE:
    case SQLITE_UPDATE:
        return strncmp(a, "sqlite_", strlen("sqlite_")) == 0 ? SQLITE_DENY
                                                             : SQLITE_OK;
    case SQLITE_READ:
    case SQLITE_SELECT:
        return SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static bool run_text(struct db *d, const char *sql, struct err *e)
{
    if (!db_exec(d, "SAVEPOINT import_text", e))
        return false;
    sqlite3_set_authorizer(d->h, allow, NULL);
    bool ok = db_exec(d, sql, e);
    sqlite3_set_authorizer(d->h, NULL, NULL);
    if (ok && db_exec(d, "RELEASE import_text", e))
        return true;
    struct err undo;
    db_exec(d, "ROLLBACK TO import_text", &undo);
    db_exec(d, "RELEASE import_text", &undo);
    return false;
}

bool costs_import(struct db *d, const char *path, struct err *e)
{
    struct arena *a = arena_open();
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        path = arena_fmt(a, "%s/costs.sql", path);
    char *sql;
    size_t n;
    bool ok = file_read(path, SQL_MAX, a, &sql, &n, e);
    if (ok && strlen(sql) != n)
        ok = err_set(e, ERR_INPUT, "%s: not text", path);
    else if (ok)
        ok = run_text(d, sql, e) || err_in(e, "%s", path);
    arena_close(a);
    return ok;
}

/* The shortest decimal that reads back as the same double. */
static void put_number(struct str *b, double v)
{
    char s[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    str_add(b, s);
    if (!strpbrk(s, ".e")) /* STRICT REAL columns read it back as typed */
        str_add(b, ".0");
}

static void put_value(struct str *b, sqlite3_stmt *st, int col)
{
    switch (sqlite3_column_type(st, col)) {
    case SQLITE_NULL:
        str_add(b, "NULL");
        return;
    case SQLITE_INTEGER:
        str_fmt(b, "%" PRId64, (int64_t)sqlite3_column_int64(st, col));
        return;
    case SQLITE_FLOAT:
        put_number(b, sqlite3_column_double(st, col));
        return;
    default:
        break;
    }
    str_add(b, "'");
    const char *s = (const char *)sqlite3_column_text(st, col);
    for (; *s; s++)
        str_addn(b, *s == '\'' ? "''" : s, *s == '\'' ? 2 : 1);
    str_add(b, "'");
}

static void put_row(struct str *b, const char *table, sqlite3_stmt *st)
{
    str_fmt(b, "INSERT OR REPLACE INTO %s VALUES (", table);
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        if (i)
            str_add(b, ", ");
        put_value(b, st, i);
    }
    str_add(b, ");\n");
}

/* Appends every row of a table that belongs to gpu (NULL = all). */
static bool export_table(struct db *d, const char *table, const char *order,
                         const char *gpu, struct str *b, struct err *e)
{
    struct str q = {0};
    str_fmt(&q, "SELECT * FROM %s WHERE ?1 IS NULL OR gpu = ?1 ORDER BY %s",
            table, order);
    sqlite3_stmt *st;
    bool ok = db_query(d, &st, e, q.s, "t", gpu), row = true;
    str_free(&q);
    if (!ok)
        return false;
    while ((ok = db_step(d, st, &row, e)) && row)
        put_row(b, table, st);
    db_done(st);
    return ok;
}

bool costs_export(struct db *d, const char *gpu, FILE *f, struct err *e)
{
    struct str b = {0};
    bool ok = export_table(d, "fit", "gpu, op, variant", gpu, &b, e)
           && export_table(d, "coef", "gpu, op, variant, place, name", gpu, &b,
                           e)
           && export_table(d, "box", "gpu, op, variant, place, feature", gpu,
                           &b, e)
           && export_table(d, "measurement",
                           "gpu, op, variant, call, system, date, version", gpu,
                           &b, e);
    if (ok && b.n && fwrite(b.s, 1, b.n, f) != b.n)
        ok = err_set(e, ERR_SYSTEM, "cannot write the text store");
    str_free(&b);
    return ok;
}
