#include "tests/t.h"

#include "sim/store/db.h"

static void opens_and_keeps(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir(), path[4096];
    snprintf(path, sizeof path, "%s/a.db", dir);
    struct db d;
    OK(db_open(&d, path, &e), e);
    OK(db_exec(&d,
               "INSERT INTO run VALUES ('r', 'predicted', '{}', '', '1', "
               "'2020-01-02', 'here')",
               &e),
       e);
    db_close(&d);
    db_close(&d); /* closed twice is fine */
    OK(db_open(&d, path, &e), e);
    sqlite3_stmt *st;
    bool row;
    OK(db_query(&d, &st, &e, "SELECT count(*) FROM run WHERE name = ?", "t",
                "r"),
       e);
    OK(db_step(&d, st, &row, &e), e);
    EQ(row, true);
    EQ(sqlite3_column_int64(st, 0), 1);
    OK(db_step(&d, st, &row, &e), e);
    EQ(row, false);
    db_done(st);
    db_close(&d);
    t_undir(dir);
}

static void binds_nan_and_null(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct db d;
    OK(db_open(&d, ":memory:", &e), e);
    sqlite3_stmt *st;
    bool row;
    OK(db_query(&d, &st, &e, "SELECT ? IS NULL, ? IS NULL, ?, ?", "tddi", NULL,
                NAN, 0.5, INT64_C(1) << 62),
       e);
    OK(db_step(&d, st, &row, &e), e);
    EQ(sqlite3_column_int64(st, 0), 1);
    EQ(sqlite3_column_int64(st, 1), 1);
    NEAR(sqlite3_column_double(st, 2), 0.5, 0);
    EQ(sqlite3_column_int64(st, 3), INT64_C(1) << 62);
    db_done(st);
    db_close(&d);
}

static void refuses_newer(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir(), path[4096];
    snprintf(path, sizeof path, "%s/new.db", dir);
    struct db d;
    OK(db_open(&d, path, &e), e);
    OK(db_exec(&d, "PRAGMA user_version = 99", &e), e);
    db_close(&d);
    EQ(db_open(&d, path, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "99 is newer");
    STR_HAS(e.text, path);
    t_undir(dir);
}

static void tells_kinds_apart(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct db d;
    EQ(db_open(&d, "/nowhere/at/all.db", &e), false);
    EQ(e.kind, ERR_SYSTEM);
    char *dir = t_dir(), path[4096];
    snprintf(path, sizeof path, "%s/text.db", dir);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 200; i++)
        fputs("this is no store\n", f);
    fclose(f);
    EQ(db_open(&d, path, &e), false);
    EQ(e.kind, ERR_INPUT);
    t_undir(dir);
}

static void refuses_bad_sql(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct db d;
    OK(db_open(&d, ":memory:", &e), e);
    EQ(db_exec(&d, "SELEKT 1", &e), false);
    EQ(e.kind, ERR_INPUT);
    EQ(db_exec(&d,
               "INSERT INTO run VALUES ('r', 'guessed', '', '', '1', '', "
               "'')",
               &e),
       false); /* a kind that is none */
    EQ(e.kind, ERR_INPUT);
    db_close(&d);
}

T_MAIN(cmocka_unit_test(opens_and_keeps), cmocka_unit_test(binds_nan_and_null),
       cmocka_unit_test(refuses_newer), cmocka_unit_test(tells_kinds_apart),
       cmocka_unit_test(refuses_bad_sql))
