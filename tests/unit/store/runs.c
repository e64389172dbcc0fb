#include "tests/t.h"

#include "sim/store/runs.h"

static const struct run_metric two[] = {
    {"ttft_p99_ms", 12.5, NAN},
    {"output_tps", 1000, 3},
};

static struct run one(void)
{
    return (struct run){
        .name = "a",
        .kind = "predicted",
        .scenario = "{\"it's\": 1}",
        .store = "x.db",
        .seed = UINT64_MAX,
        .date = "2020-01-02",
        .source = "here",
        .metric = two,
        .n_metric = 2,
    };
}

static void saves_and_loads(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct arena *a = arena_open();
    struct db d;
    struct run in = one(), out;
    OK(db_open(&d, ":memory:", &e), e);
    OK(runs_save(&d, &in, &e), e);
    OK(runs_load(&d, "a", a, &out, &e), e);
    STR_EQ(out.scenario, in.scenario);
    STR_EQ(out.kind, "predicted");
    EQ(out.seed == UINT64_MAX, true);
    EQ(out.n_metric, 2);
    STR_EQ(out.metric[0].name, "output_tps"); /* sorted */
    NEAR(out.metric[0].half_width, 3, 0);
    NEAR(out.metric[1].value, 12.5, 0);
    EQ(isnan(out.metric[1].half_width) != 0, true);
    db_close(&d);
    arena_close(a);
}

static void replaces_whole(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct arena *a = arena_open();
    struct db d;
    struct run in = one(), out;
    OK(db_open(&d, ":memory:", &e), e);
    OK(runs_save(&d, &in, &e), e);
    in.n_metric = 1;
    OK(runs_save(&d, &in, &e), e);
    in.kind = "guessed"; /* refused: the old one stays */
    EQ(runs_save(&d, &in, &e), false);
    STR_HAS(e.text, "run a");
    OK(runs_load(&d, "a", a, &out, &e), e);
    EQ(out.n_metric, 1);
    STR_EQ(out.kind, "predicted");
    db_close(&d);
    arena_close(a);
}

static void lists(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct arena *a = arena_open();
    struct db d;
    const char **names;
    struct run r = one();
    OK(db_open(&d, ":memory:", &e), e);
    OK(runs_list(&d, a, &names, &e), e);
    EQ(names[0] == NULL, true);
    for (int i = 30; i > 0; i--) { /* past the first capacities */
        r.name = arena_fmt(a, "run-%02d", i);
        OK(runs_save(&d, &r, &e), e);
    }
    OK(runs_list(&d, a, &names, &e), e);
    STR_EQ(names[0], "run-01");
    STR_EQ(names[29], "run-30");
    EQ(names[30] == NULL, true);
    EQ(runs_load(&d, "run-31", a, &r, &e), false);
    EQ(e.kind, ERR_ABSENT);
    db_close(&d);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(saves_and_loads), cmocka_unit_test(replaces_whole),
       cmocka_unit_test(lists))
