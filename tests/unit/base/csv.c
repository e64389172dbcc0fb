#include "sim/base/csv.h"

#include "sim/base/arena.h"
#include "tests/t.h"

#include <zlib.h>

struct box {
    struct arena *a;
    char *dir;
    struct err e;
};

static int make(void **state)
{
    struct box *b = calloc(1, sizeof *b);
    if (!b)
        return -1;
    b->a = arena_open();
    b->dir = t_dir();
    *state = b;
    return 0;
}

static int clear(void **state)
{
    struct box *b = *state;
    arena_close(b->a);
    t_undir(b->dir);
    free(b);
    return 0;
}

static const char *write_bytes(struct box *b, const char *text, size_t n)
{
    char *path = arena_fmt(b->a, "%s/t.csv", b->dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    EQ(fwrite(text, 1, n, f), n);
    fclose(f);
    return path;
}

static struct csv *open_text(struct box *b, const char *text)
{
    struct csv *c = NULL;
    const char *path = write_bytes(b, text, strlen(text));
    b->e = (struct err){0};
    OK(csv_open(&c, path, &b->e), b->e);
    return c;
}

static void expect_end(struct box *b, struct csv *c)
{
    assert_false(csv_next(c, &b->e));
    STR_EQ(b->e.text, "");
    EQ(b->e.kind, ERR_NONE);
    csv_close(c);
}

/* Reads on to an error, which is put as if the file were called "t.csv". */
static const char *complaint(struct box *b, const char *text, size_t n)
{
    struct csv *c = NULL;
    const char *path = write_bytes(b, text, n);
    b->e = (struct err){0};
    if (csv_open(&c, path, &b->e))
        while (csv_next(c, &b->e))
            ;
    csv_close(c);
    if (b->e.kind == ERR_NONE)
        return "none";
    EQ(b->e.kind, ERR_INPUT);
    EQ(strncmp(b->e.text, b->dir, strlen(b->dir)), 0);
    return b->e.text + strlen(b->dir) + 1;
}

static void columns_by_name(void **state)
{
    struct box *b = *state;
    struct csv *c = open_text(b, "m,n, k \n1,2.5,-3e2\n\n4,,x\n");
    EQ(csv_col(c, "m"), 0);
    EQ(csv_col(c, "k"), 2);
    EQ(csv_col(c, "K"), -1);
    double v = 7;
    OK(csv_next(c, &b->e), b->e);
    EQ(csv_line(c), 2);
    OK(csv_num(c, csv_col(c, "n"), &v, &b->e), b->e);
    NEAR(v, 2.5, 0);
    OK(csv_num(c, 2, &v, &b->e), b->e);
    NEAR(v, -300, 0);
    STR_EQ(csv_text(c, -1), "");
    DIES(csv_text(c, 3));
    OK(csv_next(c, &b->e), b->e);
    EQ(csv_line(c), 4);
    STR_EQ(csv_text(c, 1), "");
    STR_HAS(csv_path(c), "/t.csv");
    struct err e = {0};
    assert_false(csv_num(c, 2, &v, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "/t.csv:4: column k: must be a finite number, got \"x\"");
    assert_false(csv_num(c, 1, &v, &e));
    STR_HAS(e.text, "column n: must be a finite number, got \"\"");
    assert_false(csv_num(c, -1, &v, &e));
    NEAR(v, -300, 0);
    expect_end(b, c);
}

static void quoted_fields(void **state)
{
    struct box *b = *state;
    struct csv *c = open_text(b, "a,\"b,c\"\n"
                                 "\"say \"\"hi\"\"\",\"two\nlines\"\n"
                                 "\" kept \",last");
    EQ(csv_col(c, "b,c"), 1);
    OK(csv_next(c, &b->e), b->e);
    STR_EQ(csv_text(c, 0), "say \"hi\"");
    STR_EQ(csv_text(c, 1), "two\nlines");
    EQ(csv_line(c), 2);
    OK(csv_next(c, &b->e), b->e); /* no line end at the end of the file */
    STR_EQ(csv_text(c, 0), " kept ");
    STR_EQ(csv_text(c, 1), "last");
    EQ(csv_line(c), 4);
    expect_end(b, c);
}

static void crlf_and_mark(void **state)
{
    struct box *b = *state;
    struct csv *c = open_text(b, "\xef\xbb\xbf"
                                 "a,b\r\n1,2\r\n3,4\r\n");
    EQ(csv_col(c, "a"), 0);
    OK(csv_next(c, &b->e), b->e);
    STR_EQ(csv_text(c, 1), "2");
    OK(csv_next(c, &b->e), b->e);
    STR_EQ(csv_text(c, 1), "4");
    EQ(csv_line(c), 3);
    expect_end(b, c);
}

static void complaints_name_file_and_line(void **state)
{
    struct box *b = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "t.csv: empty, no header"},
        {"\n \n", "t.csv: empty, no header"},
        {"a,b\n", "none"},
        {"a,b\n1,2\n3\n", "t.csv:3: 1 fields where the header has 2"},
        {"a,b\n1,2\n3,4,5", "t.csv:3: 3 fields where the header has 2"},
        {"a,b,a\n1,2,3\n", "t.csv:1: two columns named \"a\""},
        {"a,b\n1,\"2\n3,4\n", "t.csv:2: torn: the file ends inside quotes"},
        {"a,b\n1,2\n3,x\"y\n", "t.csv:3: a quote where none may be"},
        {"a,b\r1,2\r3,4\n", "t.csv:1: a NUL byte or a bare carriage return"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        STR_EQ(complaint(b, cases[i].text, strlen(cases[i].text)),
               cases[i].says);
    static const char nul[] = "a,b\n1,2\n3\0,4\n";
    STR_EQ(complaint(b, nul, sizeof nul - 1),
           "t.csv:3: a NUL byte or a bare carriage return");
    struct csv *c;
    assert_false(csv_open(&c, arena_fmt(b->a, "%s/gone.csv", b->dir), &b->e));
    STR_HAS(b->e.text, "/gone.csv: No such file");
    assert_false(csv_open(&c, b->dir, &b->e));
    EQ(b->e.kind, ERR_INPUT);
}

static void stays_ended_after_a_complaint(void **state)
{
    struct box *b = *state;
    struct csv *c = open_text(b, "a,b\n1\n2,3\n");
    struct err e = {0};
    assert_false(csv_next(c, &e));
    EQ(e.kind, ERR_INPUT);
    expect_end(b, c);
}

/* Longer than the read buffer several times, so that rows, quotes and CRLF
 * fall on its edges; written by csv_put. */
static char *many_rows(struct box *b, int rows, size_t *n)
{
    char *text;
    FILE *f = open_memstream(&text, n);
    assert_non_null(f);
    fputs("i,text\r\n", f);
    for (int i = 0; i < rows; i++) {
        char field[64];
        snprintf(field, sizeof field, i % 3 ? "%d%.*s" : "%d, \"%.*s\"\n", i,
                 i % 29, "abcdefghijklmnopqrstuvwxyz....");
        fprintf(f, "%d,", i);
        csv_put(f, field);
        fputs(i % 2 ? "\r\n" : "\n", f);
    }
    fclose(f);
    char *copy = arena_grow(b->a, text, *n + 1, *n + 1, 1);
    free(text);
    return copy;
}

static void check_many(struct box *b, struct csv *c, int rows)
{
    double v;
    for (int i = 0; i < rows; i++) {
        char want[64];
        snprintf(want, sizeof want, i % 3 ? "%d%.*s" : "%d, \"%.*s\"\n", i,
                 i % 29, "abcdefghijklmnopqrstuvwxyz....");
        OK(csv_next(c, &b->e), b->e);
        OK(csv_num(c, 0, &v, &b->e), b->e);
        NEAR(v, i, 0);
        STR_EQ(csv_text(c, 1), want);
    }
    expect_end(b, c);
}

static void rows_across_the_buffer(void **state)
{
    struct box *b = *state;
    size_t n;
    char *text = many_rows(b, 20000, &n);
    assert_true(n > 5 * 65536);
    check_many(b, open_text(b, text), 20000);
}

static const char *zip(struct box *b, const char *text, size_t n)
{
    char *path = arena_fmt(b->a, "%s/t.csv", b->dir);
    gzFile gz = gzopen(path, "wb6");
    assert_non_null(gz);
    EQ(gzwrite(gz, text, (unsigned)n), n);
    EQ(gzclose(gz), Z_OK);
    return path;
}

static void gzip_is_transparent(void **state)
{
    struct box *b = *state;
    size_t n;
    char *text = many_rows(b, 20000, &n);
    const char *path = zip(b, text, n);
    struct csv *c = NULL;
    OK(csv_open(&c, path, &b->e), b->e);
    check_many(b, c, 20000);
}

/* Cut anywhere behind gzip's two magic bytes, or one byte changed. */
static void torn_gzip_is_refused(void **state)
{
    struct box *b = *state;
    const char *path = zip(b, "a,b\n1,2\n3,4\n5,6\n", 16);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char bytes[256];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(n > 20 && n < sizeof bytes);
    STR_EQ(complaint(b, bytes, n), "none");
    for (size_t cut = 2; cut < n; cut++)
        STR_HAS(complaint(b, bytes, cut), "torn gzip: unexpected end");
    bytes[n - 6] ^= 1; /* in the checksum */
    STR_HAS(complaint(b, bytes, n), "cannot be read");
}

static void puts_what_it_reads(void **state)
{
    struct box *b = *state;
    static const char *const fields[] = {
        "plain", "with,comma", "q\"q", "line\nend", " space", "space ",
        "",      "1.5",        "\"",   "a\r\nb",    "tab\t",
    };
    enum { N = sizeof fields / sizeof *fields };
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    for (int i = 0; i < N; i++)
        fprintf(f, "%sc%d", i ? "," : "", i);
    fputc('\n', f);
    for (int i = 0; i < N; i++) {
        if (i)
            fputc(',', f);
        csv_put(f, fields[i]);
    }
    fputc('\n', f);
    fclose(f);
    STR_HAS(text, "\nplain,\"with,comma\",\"q\"\"q\",");
    struct csv *c = open_text(b, text);
    free(text);
    OK(csv_next(c, &b->e), b->e);
    for (int i = 0; i < N; i++)
        STR_EQ(csv_text(c, i), fields[i]);
    expect_end(b, c);
}

/* More columns than the first room for fields, several times over. */
static void wide_rows(void **state)
{
    struct box *b = *state;
    enum { N = 200 };
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    for (int i = 0; i < 2 * N; i++)
        fprintf(f, "x%d%c", i, i % N == N - 1 ? '\n' : ',');
    fclose(f);
    struct csv *c = open_text(b, text);
    free(text);
    EQ(csv_col(c, "x199"), 199);
    OK(csv_next(c, &b->e), b->e);
    STR_EQ(csv_text(c, 0), "x200");
    STR_EQ(csv_text(c, N - 1), "x399");
    expect_end(b, c);
}

#define BOXED(test) cmocka_unit_test_setup_teardown(test, make, clear)

T_MAIN(BOXED(columns_by_name), BOXED(quoted_fields), BOXED(crlf_and_mark),
       BOXED(complaints_name_file_and_line),
       BOXED(stays_ended_after_a_complaint), BOXED(rows_across_the_buffer),
       BOXED(gzip_is_transparent), BOXED(torn_gzip_is_refused),
       BOXED(puts_what_it_reads), BOXED(wide_rows))
