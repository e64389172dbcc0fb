#include "sim/store/db.h"

#include "sim/base/must.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

static const char db_schema[] =
#include "gen/schema.inc"
    ;

enum { BUSY_MS = 5000 /* another process may be writing */ };

/* SQLite's word in the form of ours: what the caller gave is bad input, what
 * the system refuses is the system's. */
static bool refused(struct db *d, struct err *e, const char *what)
{
    int rc = d->h ? sqlite3_errcode(d->h) : SQLITE_NOMEM;
    const char *why = d->h ? sqlite3_errmsg(d->h) : "out of memory";
    enum err_kind kind = ERR_SYSTEM;
    if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT || rc == SQLITE_ERROR
        || rc == SQLITE_CONSTRAINT || rc == SQLITE_MISMATCH
        || rc == SQLITE_AUTH)
        kind = ERR_INPUT;
    return err_set(e, kind, "%s: %s", what, why);
}

static bool version(struct db *d, int64_t *v, struct err *e)
{
    sqlite3_stmt *st;
    bool row;
    if (!db_query(d, &st, e, "PRAGMA user_version", ""))
        return false;
    bool ok = db_step(d, st, &row, e);
    *v = ok && row ? sqlite3_column_int64(st, 0) : 0;
    db_done(st);
    return ok;
}

/* Under the write lock: another process may have filled it meanwhile. */
static bool fill(struct db *d, struct err *e)
{
    int64_t v;
    if (!version(d, &v, e))
        return false;
    return v == DB_VERSION || db_exec(d, db_schema, e);
}

static bool prepare_store(struct db *d, struct err *e)
{
    int64_t v;
    sqlite3_busy_timeout(d->h, BUSY_MS);
    if (!db_exec(d, "PRAGMA foreign_keys = ON", e) || !version(d, &v, e))
        return false;
    if (v > DB_VERSION)
        return err_set(e, ERR_INPUT,
                       "store version %lld is newer than this program's %d",
                       (long long)v, DB_VERSION);
    if (v == DB_VERSION)
        return true;
    return db_exec(d, "BEGIN IMMEDIATE", e) && fill(d, e)
        && db_exec(d, "COMMIT", e);
}

bool db_open(struct db *d, const char *path, struct err *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
              | SQLITE_OPEN_NOMUTEX;
    d->h = NULL;
    bool ok = sqlite3_open_v2(path, &d->h, flags, NULL) == SQLITE_OK
                ? prepare_store(d, e)
                : refused(d, e, "cannot open");
    if (ok)
        return true;
    db_close(d);
    return err_in(e, "%s", path);
}

void db_close(struct db *d)
{
    sqlite3_close_v2(d->h);
    d->h = NULL;
}

bool db_exec(struct db *d, const char *sql, struct err *e)
{
    if (sqlite3_exec(d->h, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return refused(d, e, "store");
}

static int bind_one(sqlite3_stmt *st, int i, char kind, va_list *ap)
{
    if (kind == 't') {
        const char *s = va_arg(*ap, const char *);
        return sqlite3_bind_text(st, i, s, -1, SQLITE_TRANSIENT);
    }
    if (kind == 'i')
        return sqlite3_bind_int64(st, i, va_arg(*ap, int64_t));
    must(kind == 'd');
    double v = va_arg(*ap, double);
    return isnan(v) ? sqlite3_bind_null(st, i) : sqlite3_bind_double(st, i, v);
}

bool db_query(struct db *d, sqlite3_stmt **st, struct err *e, const char *sql,
              const char *fmt, ...)
{
    *st = NULL;
    if (sqlite3_prepare_v2(d->h, sql, -1, st, NULL) != SQLITE_OK)
        return refused(d, e, "store");
    must(sqlite3_bind_parameter_count(*st) == (int)strlen(fmt));
    va_list ap;
    va_start(ap, fmt);
    int rc = SQLITE_OK;
    for (int i = 0; fmt[i] && rc == SQLITE_OK; i++)
        rc = bind_one(*st, i + 1, fmt[i], &ap);
    va_end(ap);
    if (rc == SQLITE_OK)
        return true;
    db_done(*st);
    *st = NULL;
    return refused(d, e, "store");
}

bool db_step(struct db *d, sqlite3_stmt *st, bool *row, struct err *e)
{
    int rc = sqlite3_step(st);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return true;
    return refused(d, e, "store");
}

void db_done(sqlite3_stmt *st)
{
    sqlite3_finalize(st);
}

bool db_finish(struct db *d, sqlite3_stmt *st, struct err *e)
{
    bool row;
    bool ok = db_step(d, st, &row, e);
    db_done(st);
    return ok;
}
