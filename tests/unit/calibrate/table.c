#include "calibrate/gpu/table.h"

#include "sim/base/file.h"
#include "tests/t.h"

static struct table_row row(const char *id, double us, size_t place)
{
    return (struct table_row){
        .id = id,
        .time_us = us,
        .mad_us = 0.1,
        .n = 5,
        .clock_mhz = 1980,
        .memory_mhz = NAN,
        .power_w = NAN,
        .temperature_c = 40,
        .throttled = true,
        .source = "a, b",
        .version = "v",
        .driver = "d",
        .date = "2000-01-02",
        .place = place,
    };
}

static void rows_come_back(void **state)
{
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir();
    struct table t, again;
    (void)state;
    assert_true(table_open(&t, dir, "gemm", "m,n", a, &e));
    struct table_row one = row("1,16", 2.5, 0), two = row("2,16", 3.5, 1);
    assert_true(table_add(&t, &one, &e));
    assert_true(table_add(&t, &two, &e));
    assert_true(table_open(&again, dir, "gemm", "m,n", a, &e));
    EQ(again.n, 2);
    const struct table_row *r = table_find(&again, "2,16");
    assert_non_null(r);
    NEAR(r->time_us, 3.5, 1e-9);
    NEAR(r->clock_mhz, 1980, 0);
    assert_true(isnan(r->power_w));
    assert_true(r->throttled);
    assert_false(r->steady);
    EQ(r->n, 5);
    STR_EQ(r->source, "a, b");
    assert_null(table_find(&again, "3,16"));
    t_undir(dir);
    arena_close(a);
}

/* A process that died while it wrote leaves half a line. */
static void torn_line_is_dropped(void **state)
{
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir(), path[4096];
    struct table t;
    (void)state;
    assert_true(table_open(&t, dir, "gemm", "m,n", a, &e));
    struct table_row one = row("1,16", 2.5, 0), two = row("2,16", 3.5, 1);
    assert_true(table_add(&t, &one, &e));
    snprintf(path, sizeof path, "%s/gemm.csv", dir);
    FILE *f = fopen(path, "a");
    fprintf(f, "2,16,3.");
    fclose(f);
    assert_true(table_open(&t, dir, "gemm", "m,n", a, &e));
    EQ(t.n, 1);
    assert_true(table_add(&t, &two, &e));
    assert_true(table_open(&t, dir, "gemm", "m,n", a, &e));
    EQ(t.n, 2);
    t_undir(dir);
    arena_close(a);
}

static void other_columns_are_refused(void **state)
{
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir();
    struct table t;
    (void)state;
    assert_true(table_open(&t, dir, "gemm", "m,n", a, &e));
    struct table_row one = row("1,16", 2.5, 0);
    assert_true(table_add(&t, &one, &e));
    assert_false(table_open(&t, dir, "gemm", "m,n,k", a, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "gemm.csv");
    t_undir(dir);
    arena_close(a);
}

static void done_puts_in_order(void **state)
{
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir();
    struct table t, again;
    (void)state;
    assert_true(table_open(&t, dir, "gemm", "m,n", a, &e));
    struct table_row one = row("9,16", 2.5, 7), two = row("2,16", 3.5, 1);
    assert_true(table_add(&t, &one, &e));
    assert_true(table_add(&t, &two, &e));
    table_find(&t, "9,16")->suspect = true;
    assert_true(table_done(&t, &e));
    assert_true(table_open(&again, dir, "gemm", "m,n", a, &e));
    STR_EQ(again.row[0].id, "2,16");
    STR_EQ(again.row[1].id, "9,16");
    t_undir(dir);
    arena_close(a);
}

static void unwritable_folder(void **state)
{
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    struct table t;
    (void)state;
    assert_true(table_open(&t, "/nonexistent", "gemm", "m,n", a, &e));
    struct table_row one = row("1,16", 2.5, 0);
    assert_false(table_add(&t, &one, &e));
    EQ(e.kind, ERR_SYSTEM);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(rows_come_back), cmocka_unit_test(torn_line_is_dropped),
       cmocka_unit_test(other_columns_are_refused),
       cmocka_unit_test(done_puts_in_order),
       cmocka_unit_test(unwritable_folder))
