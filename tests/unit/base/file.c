#include "sim/base/file.h"

#include "tests/t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void write_text(const char *path, const char *text)
{
    struct err e = {0};
    struct file_out o;
    OK(file_out_open(&o, path, &e), e);
    fputs(text, o.f);
    OK(file_out_done(&o, &e), e);
}

static void expect_text(const char *path, const char *text)
{
    struct arena *a = arena_open();
    struct err e = {0};
    char *got;
    size_t n;
    OK(file_read(path, 1000, a, &got, &n, &e), e);
    STR_EQ(got, text);
    EQ(n, strlen(text));
    arena_close(a);
}

static void appears_whole_or_not_at_all(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    char *path = arena_fmt(a, "%s/out.json", dir);
    struct err e = {0};
    struct file_out o;

    OK(file_out_open(&o, path, &e), e);
    fputs("half", o.f);
    EQ(access(path, F_OK), -1); /* not there before it is done */
    EQ(t_files(dir, 0), 1);
    file_out_drop(&o);
    EQ(t_files(dir, 0), 0);
    file_out_drop(&o);

    write_text(path, "first");
    expect_text(path, "first");
    OK(file_out_open(&o, path, &e), e);
    fputs("second", o.f);
    fflush(o.f);
    expect_text(path, "first"); /* the old one until then */
    OK(file_out_done(&o, &e), e);
    expect_text(path, "second");
    EQ(t_files(dir, 0), 1);
    file_out_drop(&o); /* fine after done */
    expect_text(path, "second");
    EQ(e.kind, ERR_NONE);
    arena_close(a);
    t_undir(dir);
}

static void two_writers_and_links(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    char *path = arena_fmt(a, "%s/a", dir), *link = arena_fmt(a, "%s/l", dir);
    struct err e = {0};
    struct file_out x, y;
    OK(file_out_open(&x, path, &e), e);
    OK(file_out_open(&y, path, &e), e);
    fputs("x", x.f);
    fputs("y", y.f);
    OK(file_out_done(&y, &e), e);
    expect_text(path, "y");
    OK(file_out_done(&x, &e), e);
    expect_text(path, "x");
    EQ(symlink(path, link), 0);
    write_text(link, "through");
    expect_text(path, "through");
    struct stat st;
    EQ(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    mode_t mask = umask(022);
    umask(mask);
    EQ(stat(path, &st), 0);
    EQ(st.st_mode & 0777, 0666 & ~mask);
    EQ(t_files(dir, 0), 2);
    arena_close(a);
    t_undir(dir);
}

static void refusals_name_the_path(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    struct err e = {0};
    struct file_out o;
    assert_false(file_out_open(&o, arena_fmt(a, "%s/no/x", dir), &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "/no/x: No such file");
    assert_false(file_out_open(&o, dir, &e));
    STR_HAS(e.text, "Is a directory");
    EQ(t_files(dir, 0), 0);

    char *got;
    size_t n;
    assert_false(file_read(arena_fmt(a, "%s/gone", dir), 9, a, &got, &n, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "/gone: No such file");
    assert_false(file_read(dir, 9, a, &got, &n, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "Is a directory");
    arena_close(a);
    t_undir(dir);
}

/* A limit on file size stands for the full disk, in a child that it binds.
 * The test names no device: a broken file_out would replace it. */
static void a_full_disk_is_told(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    char *path = arena_fmt(a, "%s/big", dir);
    write_text(path, "old");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit few = {100, 100};
        signal(SIGXFSZ, SIG_IGN);
        struct err e = {0};
        struct file_out o;
        bool bad = setrlimit(RLIMIT_FSIZE, &few) != 0
                || !file_out_open(&o, path, &e);
        for (int i = 0; !bad && i < 200; i++)
            fputc('x', o.f);
        bad = bad || file_out_done(&o, &e) || e.kind != ERR_SYSTEM
           || !strstr(e.text, "/big: File too large");
        _exit(bad);
    }
    int status;
    EQ(waitpid(pid, &status, 0), pid);
    EQ(status, 0);
    expect_text(path, "old");
    EQ(t_files(dir, 0), 1);
    arena_close(a);
    t_undir(dir);
}

/* A pipe cannot be replaced: it is written as it stands. */
static void a_pipe_stays_a_pipe(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    char *path = arena_fmt(a, "%s/fifo", dir);
    EQ(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    write_text(path, "hello");
    char got[16] = {0};
    EQ(read(fd, got, sizeof got - 1), 5);
    STR_EQ(got, "hello");
    close(fd);
    struct stat st;
    EQ(stat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    EQ(t_files(dir, 0), 1);
    arena_close(a);
    t_undir(dir);
}

/* In a child, for stdout's error state would stay with the test. */
static void stdout_is_flushed_and_checked(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY); /* never by its name below */
    if (full < 0)
        skip();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct err e = {0};
        struct file_out o;
        dup2(full, STDOUT_FILENO);
        bool bad = !file_out_open(&o, "-", &e) || o.f != stdout;
        fputs("x", stdout);
        bad = bad || file_out_done(&o, &e) || e.kind != ERR_SYSTEM
           || !strstr(e.text, "stdout: No space left");
        _exit(bad);
    }
    close(full);
    int status;
    EQ(waitpid(pid, &status, 0), pid);
    EQ(status, 0);
    struct err e = {0};
    struct file_out o;
    OK(file_out_open(&o, "-", &e), e);
    OK(file_out_done(&o, &e), e);
    EQ(fflush(stdout), 0); /* still open */
}

static void reads_all_sizes(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    char *path = arena_fmt(a, "%s/x", dir);
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i], got_n;
        char *text = arena_get(a, n + 1, 1), *got;
        for (size_t k = 0; k < n; k++)
            text[k] = (char)('a' + k % 23);
        write_text(path, text);
        struct err e = {0};
        OK(file_read(path, n, a, &got, &got_n, &e), e);
        EQ(got_n, n);
        STR_EQ(got, text);
        if (n == 0)
            continue;
        assert_false(file_read(path, n - 1, a, &got, &got_n, &e));
        EQ(e.kind, ERR_INPUT);
        STR_HAS(e.text, "larger than");
    }
    arena_close(a);
    t_undir(dir);
}

/* A pipe has no size to go by: the buffer has to grow. */
static void reads_a_pipe(void **state)
{
    (void)state;
    enum { N = 1000000 };
    char *dir = t_dir();
    struct arena *a = arena_open();
    char *path = arena_fmt(a, "%s/fifo", dir);
    EQ(mkfifo(path, 0600), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        FILE *f = fopen(path, "w");
        for (int i = 0; i < N; i++)
            fputc('a' + i % 23, f);
        fclose(f);
        _exit(0);
    }
    struct err e = {0};
    char *got;
    size_t n;
    OK(file_read(path, 2 * N, a, &got, &n, &e), e);
    EQ(n, N);
    for (int i = 0; i < N; i++)
        if (got[i] != 'a' + i % 23)
            fail_msg("byte %d", i);
    EQ(waitpid(pid, NULL, 0), pid);
    arena_close(a);
    t_undir(dir);
}

static void folders_on_the_way(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    struct err e = {0};
    OK(file_dirs(arena_fmt(a, "%s/p//q/r/", dir), &e), e);
    OK(file_dirs(arena_fmt(a, "%s/p/q/r", dir), &e), e);
    char *file = arena_fmt(a, "%s/p/q/r/f", dir);
    write_text(file, "x");
    assert_false(file_dirs(arena_fmt(a, "%s/deeper", file), &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "/p/q/r/f");
    unlink(file);
    rmdir(arena_fmt(a, "%s/p/q/r", dir));
    rmdir(arena_fmt(a, "%s/p/q", dir));
    rmdir(arena_fmt(a, "%s/p", dir));
    EQ(t_files(dir, 0), 0);
    arena_close(a);
    t_undir(dir);
}

T_MAIN(cmocka_unit_test(appears_whole_or_not_at_all),
       cmocka_unit_test(two_writers_and_links),
       cmocka_unit_test(refusals_name_the_path),
       cmocka_unit_test(a_full_disk_is_told),
       cmocka_unit_test(a_pipe_stays_a_pipe),
       cmocka_unit_test(stdout_is_flushed_and_checked),
       cmocka_unit_test(reads_all_sizes), cmocka_unit_test(reads_a_pipe),
       cmocka_unit_test(folders_on_the_way))
