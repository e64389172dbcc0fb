/* Trials on disk: found again, torn ends, other sweeps. */
#include "tests/t.h"

#include "sim/plan/journal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOPOLOGIES = 3, POINTS = 4, TRIALS = TOPOLOGIES * POINTS };

struct desk {
    struct arena *a;
    struct scenario s;
    struct scenario_topology topology[TOPOLOGIES];
    struct space sp;
    char path[64];
    struct journal j;
    struct err e;
};

static int begin(void **state)
{
    static struct desk d;
    d = (struct desk){.a = arena_open()};
    d.sp = (struct space){
        .s = &d.s, .topology = d.topology, .n = TOPOLOGIES, .points = POINTS};
    snprintf(d.path, sizeof d.path, "/tmp/tandem-journal-%d", (int)getpid());
    *state = &d;
    return 0;
}

static int end(void **state)
{
    struct desk *d = *state;
    journal_close(&d->j, true);
    unlink(d->path);
    arena_close(d->a);
    return 0;
}

static struct trial some(const struct desk *d, size_t i)
{
    struct trial t;
    trial_plan(&d->sp, i, &t);
    t.ok = i % 3 != 0;
    t.out.req_s = 1.5 * (double)i;
    snprintf(t.why, sizeof t.why, "%s", t.ok ? "" : "it does not fit");
    return t;
}

static void put(struct desk *d, size_t i)
{
    struct trial t = some(d, i);
    journal_add(&d->j, i, &t);
}

static bool reopen(struct desk *d, const char *sweep, bool resume)
{
    struct journal_ask ask = {d->path, journal_mark(sweep), &d->sp, resume};
    return journal_open(&d->j, &ask, d->a, &d->e);
}

static void same(struct desk *d, size_t i)
{
    struct trial want = some(d, i), got;
    assert_true(journal_find(&d->j, i, &got));
    EQ(got.topology, want.topology);
    EQ(got.point, want.point);
    EQ(got.seed, want.seed);
    EQ(got.ok, want.ok);
    assert_memory_equal(&got.out, &want.out, sizeof got.out);
    assert_string_equal(got.why, want.why);
}

static void finds_what_was_added(void **state)
{
    struct desk *d = *state;
    struct trial t;
    assert_true(reopen(d, "a", false));
    EQ(d->j.found, 0);
    put(d, 7); /* in the order of finishing */
    put(d, 0);
    put(d, 11);
    journal_close(&d->j, false);
    assert_true(reopen(d, "a", true));
    EQ(d->j.found, 3);
    same(d, 0);
    same(d, 7);
    same(d, 11);
    assert_false(journal_find(&d->j, 1, &t));
    put(d, 1); /* and goes on behind them */
    journal_close(&d->j, false);
    assert_true(reopen(d, "a", true));
    EQ(d->j.found, 4);
    same(d, 1);
}

static void torn_end_is_cut(void **state)
{
    struct desk *d = *state;
    struct trial t;
    struct stat st;
    assert_true(reopen(d, "a", false));
    put(d, 3);
    put(d, 4);
    journal_close(&d->j, false);
    assert_int_equal(stat(d->path, &st), 0);
    assert_int_equal(truncate(d->path, st.st_size - 1), 0);
    assert_true(reopen(d, "a", true));
    EQ(d->j.found, 1);
    assert_false(journal_find(&d->j, 4, &t));
    put(d, 5);
    journal_close(&d->j, false);
    assert_true(reopen(d, "a", true));
    EQ(d->j.found, 2);
    same(d, 3);
    same(d, 5);
}

static void spoilt_record_is_not_believed(void **state)
{
    struct desk *d = *state;
    assert_true(reopen(d, "a", false));
    put(d, 3);
    put(d, 4);
    journal_close(&d->j, false);
    FILE *f = fopen(d->path, "r+");
    assert_non_null(f);
    fseek(f, -10, SEEK_END);
    int c = fgetc(f);
    fseek(f, -10, SEEK_END);
    fputc(c ^ 1, f);
    fclose(f);
    assert_true(reopen(d, "a", true));
    EQ(d->j.found, 1);
    same(d, 3);
}

static void other_sweeps_are_refused(void **state)
{
    struct desk *d = *state;
    assert_true(reopen(d, "a", false));
    put(d, 3);
    journal_close(&d->j, false);
    assert_false(reopen(d, "b", true));
    EQ(d->e.kind, ERR_INPUT);
    assert_non_null(strstr(d->e.text, "another sweep"));
    assert_true(reopen(d, "b", false)); /* begins anew */
    journal_close(&d->j, false);
    assert_true(reopen(d, "b", true));
    EQ(d->j.found, 0);
}

static void done_leaves_nothing(void **state)
{
    struct desk *d = *state;
    assert_true(reopen(d, "a", true));
    put(d, 3);
    journal_close(&d->j, true);
    assert_int_not_equal(access(d->path, F_OK), 0);
    d->j = (struct journal){.fd = -1};
    put(d, 3); /* none open: nothing happens */
    assert_true(journal_ok(&d->j, &d->e));
    struct journal_ask bad = {"/nowhere/x.part", 1, &d->sp, true};
    assert_false(journal_open(&d->j, &bad, d->a, &d->e));
    EQ(d->e.kind, ERR_SYSTEM);
}

#define JOURNAL_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(finds_what_was_added),
        JOURNAL_TEST(torn_end_is_cut),
        JOURNAL_TEST(spoilt_record_is_not_believed),
        JOURNAL_TEST(other_sweeps_are_refused),
        JOURNAL_TEST(done_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
