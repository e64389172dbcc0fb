#include "sim/store/runs.h"

#include "sim/base/str.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { SEED_TEXT = 24 /* 20 digits of 64 bits and a NUL */ };

static bool save_all(struct db *d, const struct run *r, struct err *e)
{
    sqlite3_stmt *st;
    char seed[SEED_TEXT];
    snprintf(seed, sizeof seed, "%" PRIu64, r->seed);
    if (!db_query(d, &st, e,
                  "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?)",
                  "ttttttt", r->name, r->kind, r->scenario, r->store, seed,
                  r->date, r->source)
        || !db_finish(d, st, e))
        return false;
    for (size_t i = 0; i < r->n_metric; i++) {
        const struct run_metric *m = &r->metric[i];
        if (!db_query(d, &st, e, "INSERT INTO run_metric VALUES (?, ?, ?, ?)",
                      "ttdd", r->name, m->name, m->value, m->half_width)
            || !db_finish(d, st, e))
            return false;
    }
    return true;
}

bool runs_save(struct db *d, const struct run *r, struct err *e)
{
    if (!db_exec(d, "SAVEPOINT save_run", e))
        return false;
    if (save_all(d, r, e) && db_exec(d, "RELEASE save_run", e))
        return true;
    struct err undo; /* the first trouble is the one to tell */
    db_exec(d, "ROLLBACK TO save_run", &undo);
    db_exec(d, "RELEASE save_run", &undo);
    return err_in(e, "run %s", r->name);
}

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

static bool load_head(struct db *d, const char *name, struct arena *a,
                      struct run *r, struct err *e)
{
    sqlite3_stmt *st;
    bool row = false;
    if (!db_query(d, &st, e,
                  "SELECT name, kind, scenario, store, seed, date, source "
                  "FROM run WHERE name = ?",
                  "t", name))
        return false;
    bool ok = db_step(d, st, &row, e);
    if (ok && !row)
        ok = err_set(e, ERR_ABSENT, "no run %s in the store", name);
    if (ok) {
        *r = (struct run){
            .name = text(a, st, 0),
            .kind = text(a, st, 1),
            .scenario = text(a, st, 2),
            .store = text(a, st, 3),
            .date = text(a, st, 5),
            .source = text(a, st, 6),
        };
        const char *seed = text(a, st, 4);
        ok = str_uint64(seed, &r->seed)
          || err_set(e, ERR_INPUT, "run %s: seed '%s'", name, seed);
    }
    db_done(st);
    return ok;
}

bool runs_load(struct db *d, const char *name, struct arena *a, struct run *r,
               struct err *e)
{
    sqlite3_stmt *st;
    if (!load_head(d, name, a, r, e)
        || !db_query(d, &st, e,
                     "SELECT metric, value, half_width FROM run_metric WHERE "
                     "run = ? ORDER BY metric",
                     "t", name))
        return false;
    struct run_metric *m = NULL;
    size_t n = 0, cap = 0;
    bool ok, row;
    while ((ok = db_step(d, st, &row, e)) && row) {
        ARENA_ROOM(a, m, n, cap);
        m[n++] = (struct run_metric){text(a, st, 0), number(st, 1),
                                     number(st, 2)};
    }
    db_done(st);
    r->metric = m;
    r->n_metric = n;
    return ok;
}

bool runs_list(struct db *d, struct arena *a, const char ***names,
               struct err *e)
{
    sqlite3_stmt *st;
    if (!db_query(d, &st, e, "SELECT name FROM run ORDER BY name", ""))
        return false;
    const char **list = NULL;
    size_t n = 0, cap = 0;
    bool ok, row;
    while ((ok = db_step(d, st, &row, e)) && row) {
        ARENA_ROOM(a, list, n, cap);
        list[n++] = text(a, st, 0);
    }
    db_done(st);
    ARENA_ROOM(a, list, n, cap);
    list[n] = NULL;
    *names = list;
    return ok;
}
