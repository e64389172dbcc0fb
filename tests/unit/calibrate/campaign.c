#include "calibrate/gpu/campaign.h"

#include "tests/unit/calibrate/null.h"

struct heard {
    int rows, notes, progress;
    char note[512];
};

static void row(void *to, const struct grid_table *t,
                const struct grid_point *p, const struct table_row *r)
{
    struct heard *h = to;
    (void)t;
    assert_true(r->time_us > 0 && p->bytes > 0);
    h->rows++;
}

static void note(void *to, const char *text)
{
    struct heard *h = to;
    if (!h->notes++)
        snprintf(h->note, sizeof h->note, "%s", text);
}

static void progress(void *to, double done, double total, const char *now)
{
    struct heard *h = to;
    (void)now;
    assert_true(done >= 0 && total > 0);
    h->progress++;
}

static const char *const copies[] = {"copy", "norm", NULL};
static const char *const gemms[] = {"gemm", NULL};

static struct campaign_ask ask_of(const char *dir, const char *const *grids,
                                  struct heard *h)
{
    return (struct campaign_ask){
        .dir = dir,
        .grids = grids,
        .model = &null_model,
        .models = 1,
        .seconds = 60,
        .source = "test",
        .date = "2000-01-01",
        .ears = {row, note, progress, h},
    };
}

/* Smooth laws need few points, and a second run needs none. */
static void measures_until_good(void **state)
{
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct heard h = {0}, again = {0};
    struct campaign_sum s, t;
    char *dir = t_dir();
    (void)state;
    null_open(&n, null_plain);
    struct campaign_ask ask = ask_of(dir, copies, &h);
    assert_true(campaign_run(&n.t, &ask, &s, &e));
    assert_true(s.worst_bend <= CAMPAIGN_GOOD);
    assert_true(s.measured > 20 && s.measured < s.points);
    EQ(s.measured, h.rows);
    EQ(s.wrong + s.refused + s.cases_wrong, 0);
    assert_true(s.cases > 5 && h.progress > h.rows);
    ask.ears.to = &again;
    assert_true(campaign_run(&n.t, &ask, &t, &e));
    EQ(t.measured, 0);
    EQ(t.found, s.measured);
    t_undir(dir);
    null_close(&n);
}

/* A lost device ends it; what was measured is there for the next run. */
static void goes_on_after_a_loss(void **state)
{
    struct gpu_null_ask of = null_plain;
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct heard h = {0};
    struct campaign_sum s, t;
    char *dir = t_dir();
    (void)state;
    of.fail_after = 20000;
    null_open(&n, of);
    struct campaign_ask ask = ask_of(dir, gemms, &h);
    assert_false(campaign_run(&n.t, &ask, &s, &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "the device is lost");
    assert_true(h.rows > 0);
    null_close(&n);
    null_open(&n, null_plain);
    assert_true(campaign_run(&n.t, &ask, &t, &e));
    EQ(t.found, s.measured);
    assert_true(t.measured > 0);
    t_undir(dir);
    null_close(&n);
}

/* Results that do not agree leave no row. */
static void wrong_results_are_not_stored(void **state)
{
    struct gpu_null_ask of = null_plain;
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct heard h = {0};
    struct campaign_sum s;
    char *dir = t_dir();
    (void)state;
    of.wrong = CALL_GEMM;
    null_open(&n, of);
    struct campaign_ask ask = ask_of(dir, gemms, &h);
    assert_true(campaign_run(&n.t, &ask, &s, &e));
    assert_true(s.cases_wrong > 0 && s.wrong > 0);
    assert_true(h.notes > 0);
    STR_HAS(h.note, "wrong: gemm");
    char path[4096];
    snprintf(path, sizeof path, "%s/gemm.csv", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/own_gemm.csv", dir);
    EQ(access(path, F_OK), 0); /* the streaming kernel was right */
    t_undir(dir);
    null_close(&n);
}

static void stops_when_told(void **state)
{
    static const volatile sig_atomic_t stop = 1;
    struct null n;
    struct err e = {ERR_NONE, ""};
    struct heard h = {0};
    struct campaign_sum s;
    char *dir = t_dir();
    (void)state;
    null_open(&n, null_plain);
    struct campaign_ask ask = ask_of(dir, copies, &h);
    ask.stop = &stop;
    assert_true(campaign_run(&n.t, &ask, &s, &e));
    assert_true(s.stopped);
    EQ(s.measured, 0);
    ask.stop = NULL;
    ask.seconds = 0;
    assert_true(campaign_run(&n.t, &ask, &s, &e));
    assert_true(s.late);
    t_undir(dir);
    null_close(&n);
}

T_MAIN(cmocka_unit_test(measures_until_good),
       cmocka_unit_test(goes_on_after_a_loss),
       cmocka_unit_test(wrong_results_are_not_stored),
       cmocka_unit_test(stops_when_told))
