#include "tests/t.h"

#include "calibrate/fit/study.h"

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void fits_a_folder(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir();
    struct arena *a = arena_open();
    char *table = arena_str(a, "bytes,time_us,source\n");
    for (int i = 1; i <= 20; i++)
        table = arena_fmt(a, "%s%d,%.9g,me\n", table, i * 1000000, 3 + i * 0.5);
    write_text(dir, "norm.csv", table);
    write_text(dir, "stated.csv",
               "op,variant,form,coef,value,source\n"
               "norm,bf16,stream,sharp,1,a sum\n"
               "host,launch,host,t0_us,0,none\n"
               "host,launch,host,per_request_us,0,none\n"
               "host,launch,host,per_launch_us,5,a paper\n");
    struct db d;
    struct costs c;
    struct gpu_card gpu = {.name = "g", .cus = 1};
    struct study_ask ask = {.gpu = &gpu, .dir = dir, .date = "2020-01-02"};
    OK(db_open(&d, ":memory:", &e), e);
    OK(study_all(&ask, &d, &e), e);
    OK(costs_load(&d, "g", a, &c, &e), e);
    EQ(c.n, 2);
    const struct fit *f = costs_find(&c, "norm", "bf16");
    STR_EQ(f->basis, "measured");
    STR_EQ(f->source, "me");
    EQ(f->rows, 20);
    NEAR(f->coef[0].value, 3, 1e-3);
    STR_EQ(f->coef[2].source, "a sum");
    EQ(f->ape_max < 0.1, true);
    EQ(f->cv_median < 0.1, true);
    NEAR(f->box[0].min, 1e6, 0);
    f = costs_find(&c, "host", "launch");
    STR_EQ(f->basis, "law");
    EQ(f->rows, 0);
    EQ(isnan(f->ape_median) != 0, true);
    NEAR(f->coef[2].value, 5, 0);
    STR_EQ(f->coef[2].source, "a paper");
    db_close(&d);
    arena_close(a);
    t_undir(dir);
}

static void refuses_half_a_law(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    char *dir = t_dir();
    write_text(dir, "stated.csv",
               "op,variant,form,coef,value,source\n"
               "host,launch,host,t0_us,0,none\n");
    struct db d;
    struct gpu_card gpu = {.name = "g"};
    struct study_ask ask = {.gpu = &gpu, .dir = dir, .date = ""};
    OK(db_open(&d, ":memory:", &e), e);
    EQ(study_all(&ask, &d, &e), false);
    STR_HAS(e.text, "host/launch");
    STR_HAS(e.text, "not every coefficient");
    write_text(dir, "stated.csv",
               "op,variant,form,coef,value,source\n"
               "host,launch,host,colour,0,none\n");
    EQ(study_all(&ask, &d, &e), false);
    STR_HAS(e.text, "has no colour");
    t_files(dir, 1);
    EQ(study_all(&ask, &d, &e), false);
    STR_HAS(e.text, "no tables");
    db_close(&d);
    t_undir(dir);
}

T_MAIN(cmocka_unit_test(fits_a_folder), cmocka_unit_test(refuses_half_a_law))
