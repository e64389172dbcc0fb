#include "sim/base/text_out.h"

#include "tests/t.h"

#include "sim/base/csv.h"

#include <fcntl.h>
#include <sys/stat.h>

static void read_back(const char *name)
{
    struct arena *a = arena_open();
    struct err e = {0};
    char *dir = t_dir();
    const char *path = arena_fmt(a, "%s/%s", dir, name);
    struct text_out o;
    struct csv *c;
    OK(text_out_open(&o, path, &e), e);
    EQ(access(path, F_OK), -1); /* whole or not at all */
    text_out_fmt(&o, "a,b\n%d,%s\n", 7, "x");
    OK(text_out_done(&o, &e), e);
    OK(csv_open(&c, path, &e), e);
    assert_true(csv_next(c, &e));
    STR_EQ(csv_text(c, csv_col(c, "a")), "7");
    STR_EQ(csv_text(c, csv_col(c, "b")), "x");
    csv_close(c);
    EQ(t_files(dir, 0), 1);
    t_undir(dir);
    arena_close(a);
}

static void plain_and_gzip(void **state)
{
    (void)state;
    read_back("x.csv");
    read_back("x.csv.gz");
}

static void dropped(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    char *dir = t_dir();
    struct text_out o;
    OK(text_out_open(&o, arena_fmt(a, "%s/x.gz", dir), &e), e);
    text_out_fmt(&o, "x");
    text_out_drop(&o);
    EQ(t_files(dir, 0), 0);
    t_undir(dir);
    arena_close(a);
}

static void a_full_disk(void **state)
{
    (void)state;
    static const char *const name[] = {"x", "x.gz"};
    struct stat st;
    if (stat("/dev/full", &st) != 0)
        skip();
    for (int i = 0; i < 2; i++) {
        struct arena *a = arena_open();
        struct err e = {0};
        char *dir = t_dir();
        struct text_out o;
        OK(text_out_open(&o, arena_fmt(a, "%s/%s", dir, name[i]), &e), e);
        int full = open("/dev/full", O_WRONLY);
        assert_true(dup2(full, fileno(o.file.f)) >= 0);
        close(full);
        for (int k = 0; k < 100000 && !i; k++)
            text_out_fmt(&o, "line %d\n", k);
        o.failed |= i; /* the compressor's descriptor is its own */
        assert_false(text_out_done(&o, &e));
        EQ(e.kind, ERR_SYSTEM);
        EQ(t_files(dir, 0), 0);
        t_undir(dir);
        arena_close(a);
    }
}

T_MAIN(cmocka_unit_test(plain_and_gzip), cmocka_unit_test(dropped),
       cmocka_unit_test(a_full_disk))
