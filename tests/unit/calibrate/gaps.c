#include "calibrate/gpu/gaps.h"

#include "calibrate/gpu/reduce.h"
#include "calibrate/gpu/sustain.h"
#include "sim/base/csv.h"
#include "tests/unit/calibrate/null.h"

static double first_us(const char *dir, const char *file, const char *column)
{
    struct csv *c;
    struct err e = {ERR_NONE, ""};
    double v = NAN;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    assert_true(csv_open(&c, path, &e));
    assert_true(csv_next(c, &e));
    assert_true(csv_num(c, csv_col(c, column), &v, &e));
    csv_close(c);
    return v;
}

static void launches_cost_what_they_cost(void **state)
{
    struct call empty = {.op = CALL_EMPTY};
    struct null n;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir();
    (void)state;
    null_open(&n, null_plain);
    assert_true(gaps_run(&n.t, dir, "test", "2000-01-01", &e));
    NEAR(first_us(dir, "gaps.csv", "time_us"), 1e6 * gpu_null_seconds(&empty),
         0.01);
    t_undir(dir);
    null_close(&n);
}

static void held_calls_have_two_times(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir();
    struct sustain_ask ask = {dir, 0.5, "test", "2000-01-01"};
    (void)state;
    null_open(&n, null_plain);
    assert_true(sustain_run(&n.t, &ask, &e));
    double early = first_us(dir, "sustained.csv", "short_us");
    NEAR(first_us(dir, "sustained.csv", "sustained_us"), early, 0.02 * early);
    t_undir(dir);
    null_close(&n);
}

static void one_device_reduces_nothing(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    size_t rows;
    struct reduce_ask ask = {"/nonexistent", "test", "2000-01-01", 4096, 8};
    (void)state;
    null_open(&n, null_plain);
    assert_false(reduce_run(&n.t, &ask, &rows, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "needs 2 GPUs");
    EQ(rows, 0);
    null_close(&n);
}

T_MAIN(cmocka_unit_test(launches_cost_what_they_cost),
       cmocka_unit_test(held_calls_have_two_times),
       cmocka_unit_test(one_device_reduces_nothing))
