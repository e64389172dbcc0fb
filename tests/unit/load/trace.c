#include "tests/t.h"

#include "sim/base/arena.h"
#include "sim/load/trace.h"

#include <zlib.h>

/* Writes text under dir/name, gzipped where the name says so, cut by `cut`
 * bytes at the end; the path is the arena's. */
static char *put(struct arena *a, const char *dir, const char *name,
                 const char *text, long cut)
{
    char *path = arena_fmt(a, "%s/%s", dir, name);
    if (strstr(name, ".gz")) {
        gzFile gz = gzopen(path, "wb");
        assert_non_null(gz);
        EQ(gzwrite(gz, text, (unsigned)strlen(text)), strlen(text));
        EQ(gzclose(gz), Z_OK);
    } else {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
    }
    if (cut) {
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        fseek(f, 0, SEEK_END);
        long n = ftell(f);
        fclose(f);
        EQ(truncate(path, n - cut), 0);
    }
    return path;
}

static void refused_cut(const char *name, const char *text, long cut,
                        const char *says)
{
    struct arena *a = arena_open();
    char *dir = t_dir();
    struct err e = {0};
    struct trace t = {.n = -1};
    char *path = put(a, dir, name, text, cut);
    assert_false(trace_read(path, &t, a, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, path);
    STR_HAS(e.text, says);
    EQ(t.n, -1);
    t_undir(dir);
    arena_close(a);
}

static void refused(const char *name, const char *text, const char *says)
{
    refused_cut(name, text, 0, says);
}

static struct trace read_text(struct arena *a, const char *name,
                              const char *text)
{
    char *dir = t_dir();
    struct err e = {0};
    struct trace t;
    OK(trace_read(put(a, dir, name, text, 0), &t, a, &e), e);
    t_undir(dir);
    return t;
}

static void own_csv(void **state)
{
    (void)state;
    static const char text[] = "osl,who,arrival_s,isl\n"
                               "1,a,0.5,10\n"
                               "2,b,0.5,20\n"
                               "3,c,7.000000001,30\n";
    const char *const names[] = {"t.csv", "t.csv.gz"};
    for (int i = 0; i < 2; i++) {
        struct arena *a = arena_open();
        struct trace t = read_text(a, names[i], text);
        EQ(t.n, 3);
        EQ(t.at[0], 500000000);
        EQ(t.at[2], 7000000001);
        EQ(t.isl[1], 20);
        EQ(t.osl[2], 3);
        assert_null(t.first);
        arena_close(a);
    }
}

static void azure_csv(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct trace t = read_text(a, "azure.csv",
                               "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                               "2024-02-28 23:59:59.9799600,4808,10\n"
                               "2024-02-29 00:00:00.0000000,3180,8\n"
                               "2024-03-01T00:00:01+00:00,110,27\n");
    EQ(t.n, 3);
    EQ(t.at[0], 0);
    EQ(t.at[1], 20040000);
    EQ(t.at[2], 86401020040000); /* over a leap day */
    EQ(t.isl[0], 4808);
    EQ(t.osl[2], 27);
    t = read_text(a, "azure.csv",
                  "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                  "1999-12-31 00:00:00,1,1\n"
                  "2000-03-01 00:00:00Z,1,1\n");
    EQ(t.at[1], 61 * 86400 * 1000000000LL);
    arena_close(a);
}

static void mooncake_jsonl(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct trace t = read_text(
        a, "m.jsonl",
        "{\"timestamp\": 0, \"input_length\": 513, \"output_length\": 5, "
        "\"hash_ids\": [7, 9007199254740992]}\n"
        "\n"
        "{\"timestamp\": 3000, \"input_length\": 512, \"output_length\": 1, "
        "\"hash_ids\": [8], \"session\": \"x\"}");
    EQ(t.n, 2);
    EQ(t.at[1], 3000000000);
    EQ(t.first[0], 0);
    EQ(t.first[1], 2);
    EQ(t.first[2], 3);
    EQ(t.text[0], 7);
    EQ(t.text[1], INT64_C(9007199254740992));
    EQ(t.text[2], 8);
    arena_close(a);
}

static void crosses_every_capacity(void **state)
{
    (void)state;
    enum { ROWS = 5000 };
    struct arena *a = arena_open();
    char *text = arena_get(a, ROWS, 100);
    size_t n = 0;
    for (int i = 0; i < ROWS; i++)
        n += (size_t)sprintf(text + n,
                             "{\"timestamp\": %d, \"input_length\": "
                             "%d, \"output_length\": 1, \"hash_ids\": [%d,"
                             "%d]}\n",
                             i, 600 + i % 100, i, 2 * i);
    struct trace t = read_text(a, "m.jsonl.gz", text);
    EQ(t.n, ROWS);
    for (int i = 0; i < ROWS; i++) {
        EQ(t.at[i], i * 1000000LL);
        EQ(t.isl[i], 600 + i % 100);
        EQ(t.text[t.first[i] + 1], 2 * i);
    }
    arena_close(a);
}

#define HEAD "arrival_s,isl,osl\n"
#define AZURE "TIMESTAMP,ContextTokens,GeneratedTokens\n"
#define LINE(at, isl, ids)                                                     \
    "{\"timestamp\": " at ", \"input_length\": " isl                           \
    ", \"output_length\": 1, \"hash_ids\": " ids "}\n"

static void refuses_bad_csv(void **state)
{
    (void)state;
    refused("t.csv", "", "empty");
    refused("t.csv", HEAD, "no rows");
    refused("t.csv", "time,in,out\n1,2,3\n", ":1: a trace has the columns");
    refused("t.csv", HEAD "1,2,3\n0.5,2,3\n", ":3: time goes back");
    refused("t.csv", HEAD "-1,2,3\n", ":2: time must be in");
    refused("t.csv", HEAD "1e9,2,3\n", ":2: time must be in");
    refused("t.csv", HEAD "1,-2,3\n", ":2: lengths must be");
    refused("t.csv", HEAD "1,2,0\n", ":2: lengths must be");
    refused("t.csv", HEAD "1,2.5,1\n", ":2: lengths must be");
    refused("t.csv", HEAD "1,20000000,1\n", ":2: lengths must be");
    refused("t.csv", HEAD "1,,1\n", ":2: column isl");
    refused("t.csv", HEAD "1,2,nan\n", ":2: column osl");
    refused("t.csv", HEAD "1,2,3\n4,5\n", ":3: 2 fields");
    refused("t.csv", HEAD "1,2,3\n4,\"5", ":3: torn");
    refused("t.csv", AZURE "2023-13-16 18:17:03.9,1,1\n", ":2: TIMESTAMP");
    refused("t.csv", AZURE "2023-11-16 18:17,1,1\n", ":2: TIMESTAMP");
    refused("t.csv", AZURE "2023-11-16 18:17:03 EST,1,1\n", ":2: TIMESTAMP");
    refused("t.csv", AZURE "2023-11-16 18:17:03,1,1\n2023-11-16 18:17:02,1,1",
            ":3: time goes back");
}

static void refuses_bad_jsonl(void **state)
{
    (void)state;
    refused("t.jsonl", "", "no rows");
    refused("t.jsonl", "\n\n", "no rows");
    refused("t.jsonl", LINE("0", "9", "[1]") "{\"timestamp\": 1, \"inp",
            ":2: not a JSON object");
    refused("t.jsonl", "[1]\n", ":1: not a JSON object");
    refused("t.jsonl", "{\"timestamp\": 0}\n", ":1: input_length");
    refused("t.jsonl", LINE("\"0\"", "9", "[1]"), ":1: timestamp");
    refused("t.jsonl", LINE("1e999", "9", "[1]"), ":1: timestamp");
    refused("t.jsonl", LINE("5", "9", "[1]") "\n" LINE("4", "9", "[1]"),
            ":3: time goes back");
    refused("t.jsonl", LINE("0", "513", "[1]"), ":1: 513 tokens have 2");
    refused("t.jsonl", LINE("0", "512", "[1, 2]"), ":1: 512 tokens have 1");
    refused("t.jsonl", LINE("0", "9", "[-1]"), ":1: hash_ids");
    refused("t.jsonl", LINE("0", "9", "[0.5]"), ":1: hash_ids");
    refused("t.jsonl", LINE("0", "9", "[1e300]"), ":1: hash_ids");
    refused("t.jsonl", LINE("0", "9", "7"), ":1: hash_ids");
    refused("t.jsonl", LINE("0", "0", "[]"), ":1: lengths must be");
}

/* The checksum at the end is 8 bytes; more reaches into the data. */
static void refuses_torn_gzip(void **state)
{
    (void)state;
    static const char rows[] = LINE("0", "9", "[1]") LINE("1", "9", "[2]");
    refused_cut("t.jsonl.gz", rows, 4, "torn gzip");
    refused_cut("t.jsonl.gz", rows, 12, "torn gzip");
    refused_cut("t.csv.gz", HEAD "1,2,3\n4,5,6\n", 4, "torn gzip");
}

static void refuses_a_missing_file(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct trace t;
    assert_false(trace_read("/nowhere/t.jsonl", &t, a, &e));
    EQ(e.kind, ERR_INPUT);
    assert_false(trace_read("/nowhere/t.csv", &t, a, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "/nowhere/t.csv");
    arena_close(a);
}

static void refuses_a_line_without_end(void **state)
{
    (void)state;
    enum { LONG = (1 << 24) + 10 };
    char *text = malloc(LONG + 1);
    assert_non_null(text);
    memset(text, ' ', LONG);
    text[LONG] = '\0';
    refused("t.jsonl.gz", text, ":1: line too long");
    free(text);
}

/* Counts, lengths and ids of the halves are those of the whole. */
static void halves_make_the_whole(void **state)
{
    (void)state;
    static const char first[] = LINE("0", "600", "[1, 2]")
        LINE("5", "9", "[1]");
    static const char second[] = LINE("5", "9", "[3]")
        LINE("9", "700", "[1, 4]");
    struct arena *a = arena_open();
    struct trace w = read_text(a, "w.jsonl",
                               arena_fmt(a, "%s%s", first, second));
    struct trace h[2] = {read_text(a, "a.jsonl", first),
                         read_text(a, "b.jsonl", second)};
    EQ(h[0].n + h[1].n, w.n);
    for (int64_t i = 0; i < w.n; i++) {
        const struct trace *t = &h[i >= h[0].n];
        int64_t k = i < h[0].n ? i : i - h[0].n;
        EQ(t->at[k], w.at[i]);
        EQ(t->isl[k], w.isl[i]);
        EQ(t->first[k + 1] - t->first[k], w.first[i + 1] - w.first[i]);
        EQ(t->text[t->first[k]], w.text[w.first[i]]);
    }
    arena_close(a);
}

T_MAIN(cmocka_unit_test(own_csv), cmocka_unit_test(azure_csv),
       cmocka_unit_test(mooncake_jsonl),
       cmocka_unit_test(crosses_every_capacity),
       cmocka_unit_test(refuses_bad_csv), cmocka_unit_test(refuses_bad_jsonl),
       cmocka_unit_test(refuses_torn_gzip),
       cmocka_unit_test(refuses_a_missing_file),
       cmocka_unit_test(refuses_a_line_without_end),
       cmocka_unit_test(halves_make_the_whole))
