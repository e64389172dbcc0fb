/* db - SQLite behind struct err: open, schema, prepare, bind, step.
 * db_open creates the file and applies schema.sql (embedded at build time) when
 * it is empty; a store whose user_version is newer than ours is ERR_INPUT, an
 * unwritable one ERR_SYSTEM.  ":memory:" is fine.  One thread per handle. */
#ifndef SIM_STORE_DB_H
#define SIM_STORE_DB_H

#include "sim/base/err.h"

#include <sqlite3.h>
#include <stdint.h>

enum { DB_VERSION = 1 };

struct db {
    sqlite3 *h;
};

bool db_open(struct db *d, const char *path, struct err *e);
void db_close(struct db *d); /* fine on a zeroed one */
/* Runs statements that return nothing. */
bool db_exec(struct db *d, const char *sql, struct err *e);
/* Prepares, binding by fmt: 't' text (NULL = null), 'd' double (NAN = null),
 * 'i' int64.  Caller steps with db_step and finalizes with db_done. */
bool db_query(struct db *d, sqlite3_stmt **st, struct err *e, const char *sql,
              const char *fmt, ...);
/* *row: a row is there.  false: error. */
bool db_step(struct db *d, sqlite3_stmt *st, bool *row, struct err *e);
void db_done(sqlite3_stmt *st);
/* Steps a statement that returns nothing, and finalizes it. */
bool db_finish(struct db *d, sqlite3_stmt *st, struct err *e);

#endif
