#include "tests/t.h"

#include "sim/store/costs.h"

static struct fit some(void)
{
    return (struct fit){
        .gpu = "g",
        .op = "gemm",
        .variant = "bf16",
        .form = "gemm",
        .basis = "measured",
        .source = "somebody's table",
        .date = "2020-01-02",
        .n_coef = 2,
        .n_box = 1,
        .coef = {{"t0_us", 3.1, 0.1, "fit"}, {"mem_Bps", 4e12, NAN, "card"}},
        .box = {{"m", 1, 4096}},
        .rows = 17,
        .ape_median = 1.0 / 3,
        .ape_p95 = 10,
        .ape_max = 20,
        .bias = -1,
        .cv_median = NAN,
        .cv_p95 = NAN,
    };
}

static char *exported(struct db *d, const char *gpu)
{
    struct err e = {ERR_NONE, ""};
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    OK(costs_export(d, gpu, f, &e), e);
    fclose(f);
    return text;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void saves_and_loads(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct arena *a = arena_open();
    struct db d;
    struct costs c;
    struct fit in = some();
    OK(db_open(&d, ":memory:", &e), e);
    OK(costs_load(&d, "g", a, &c, &e), e);
    EQ(c.n, 0);
    OK(costs_save(&d, &in, &e), e);
    OK(costs_load(&d, "g", a, &c, &e), e);
    EQ(c.n, 1);
    const struct fit *f = costs_find(&c, "gemm", "bf16");
    EQ(f != NULL, true);
    EQ(costs_find(&c, "gemm", "fp8") == NULL, true);
    EQ(costs_find(&c, "norm", "bf16") == NULL, true);
    EQ(f->rows, 17);
    EQ(f->n_coef, 2);
    STR_EQ(f->coef[1].name, "mem_Bps");
    NEAR(f->coef[0].se, 0.1, 0);
    EQ(isnan(f->coef[1].se) != 0, true);
    NEAR(f->ape_median, 1.0 / 3, 0);
    EQ(isnan(f->cv_p95) != 0, true);
    EQ(f->n_box, 1);
    NEAR(f->box[0].max, 4096, 0);
    db_close(&d);
    arena_close(a);
}

static void replaces_with_all_parts(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct arena *a = arena_open();
    struct db d;
    struct costs c;
    struct fit in = some();
    OK(db_open(&d, ":memory:", &e), e);
    OK(costs_save(&d, &in, &e), e);
    in.n_coef = 1;
    in.n_box = 0;
    OK(costs_save(&d, &in, &e), e);
    in.basis = "guess"; /* refused, and the old one stays */
    EQ(costs_save(&d, &in, &e), false);
    STR_HAS(e.text, "fit gemm/bf16 of g");
    OK(costs_load(&d, "g", a, &c, &e), e);
    EQ(c.n, 1);
    EQ(c.fit[0].n_coef, 1);
    EQ(c.fit[0].n_box, 0);
    db_close(&d);
    arena_close(a);
}

/* import(export(x)) exports the same bytes; twice changes nothing. */
static void text_round_trip(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir(), path[4096];
    struct db d, other;
    struct fit in = some();
    OK(db_open(&d, ":memory:", &e), e);
    OK(db_open(&other, ":memory:", &e), e);
    char name[3][8] = {"norm", "gemm", "host"};
    char variant[8]; /* in names it beyond the loop */
    for (int i = 0; i < 30; i++) {
        in.op = name[i % 3];
        snprintf(variant, sizeof variant, "v%d", 30 - i);
        in.variant = variant;
        in.coef[0].value = 0.1 * i; /* not all are short decimals */
        OK(costs_save(&d, &in, &e), e);
    }
    in.gpu = "h";
    OK(costs_save(&d, &in, &e), e);
    char *first = exported(&d, "g");
    EQ(strstr(first, "'h'") == NULL, true);
    STR_HAS(first, "'somebody''s table'");
    snprintf(path, sizeof path, "%s/costs.sql", dir);
    write_text(path, first);
    OK(costs_import(&other, path, &e), e);
    char *second = exported(&other, "g");
    STR_EQ(second, first);
    OK(costs_import(&other, dir, &e), e); /* the folder names its costs.sql */
    char *third = exported(&other, NULL);
    STR_EQ(third, first);
    free(first);
    free(second);
    free(third);
    db_close(&other);
    db_close(&d);
    t_undir(dir);
}

/* A text store may fill tables, nothing else, and whole or not at all. */
static void import_refuses(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir(), path[4096];
    struct db d;
    const char *bad[] = {
        "ATTACH '/tmp/x.db' AS x;",
        "PRAGMA user_version = 7;",
        "DROP TABLE fit;",
        "CREATE TABLE y (z);",
        /* the first would do, the second not */
        ("INSERT INTO run VALUES ('r', 'predicted', '{}', '', '1', '', ''); "
         "INSERT INTO nothing VALUES (1);"),
    };
    OK(db_open(&d, ":memory:", &e), e);
    snprintf(path, sizeof path, "%s/bad.sql", dir);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(path, bad[i]);
        EQ(costs_import(&d, path, &e), false);
        EQ(e.kind, ERR_INPUT);
        STR_HAS(e.text, path);
    }
    EQ(costs_import(&d, "/nowhere.sql", &e), false);
    EQ(e.kind, ERR_INPUT);
    sqlite3_stmt *st;
    bool row;
    OK(db_query(&d, &st, &e, "SELECT count(*) FROM run", ""), e);
    OK(db_step(&d, st, &row, &e), e);
    EQ(sqlite3_column_int64(st, 0), 0);
    db_done(st);
    db_close(&d);
    t_undir(dir);
}

T_MAIN(cmocka_unit_test(saves_and_loads),
       cmocka_unit_test(replaces_with_all_parts),
       cmocka_unit_test(text_round_trip), cmocka_unit_test(import_refuses))
