#include "sim/base/json.h"

#include "tests/t.h"

#include <float.h>

static const char *const kinds[] = {"closed", "poisson", "trace", NULL};

struct all {
    bool on;
    int64_t tokens;
    double rate, share, any;
    uint64_t seed;
    const char *model;
    int kind;
    struct json_nums list;
    const cJSON *obj, *items, *free;
};

#define AT(field) offsetof(struct all, field)

/* One row of each type, each with a default. */
static const struct json_row rows[] = {
    {"on", JSON_BOOL, AT(on), 0, 0, "true", "Whether.", NULL},
    {"tokens", JSON_INT, AT(tokens), 1, 8192, "256", "Tokens.", NULL},
    {"rate_rps", JSON_NUM, AT(rate), DBL_MIN, INFINITY, "2.5", "1/s.", NULL},
    {"share", JSON_NUM, AT(share), DBL_MIN, 1, "0.9", "Of memory.", NULL},
    {"any", JSON_NUM, AT(any), 0, 0, "-1e300", "Anything.", NULL},
    {"seed", JSON_SEED, AT(seed), 0, 0, "\"18446744073709551615\"", "Seed.",
     NULL},
    {"model", JSON_STR, AT(model), 0, 0, "\"llama\"", "A card.", NULL},
    {"kind", JSON_CHOICE, AT(kind), 0, 0, "\"poisson\"", "Which.", kinds},
    {"list", JSON_NUMS, AT(list), 0, 100, "[1, 2.5]", "Numbers.", NULL},
    {"obj", JSON_OBJ, AT(obj), 0, 0, "{\"a\": {\"b\": [1, \"x\"]}}", "One.",
     NULL},
    {"items", JSON_LIST, AT(items), 0, 0, "[{\"tp\": 1}, {\"tp\": 2}]", "Some.",
     NULL},
    {"free", JSON_ANY, AT(free), 0, 0, "\"word\"", "Anything.", NULL},
    {NULL, JSON_BOOL, 0, 0, 0, NULL, NULL, NULL},
};

/* The same, absent unless given; "model" is required. */
static const struct json_row bare[] = {
    {"tokens", JSON_INT, AT(tokens), -INFINITY, 0, JSON_ABSENT, "", NULL},
    {"rate_rps", JSON_NUM, AT(rate), 1, INFINITY, JSON_ABSENT, "", NULL},
    {"seed", JSON_SEED, AT(seed), 0, 0, JSON_ABSENT, "", NULL},
    {"model", JSON_STR, AT(model), 0, 0, NULL, "a card's name", NULL},
    {"kind", JSON_CHOICE, AT(kind), 0, 0, JSON_ABSENT, "", kinds},
    {"list", JSON_NUMS, AT(list), 0, 0, JSON_ABSENT, "", NULL},
    {"obj", JSON_OBJ, AT(obj), 0, 0, JSON_ABSENT, "", NULL},
    {"items", JSON_LIST, AT(items), 0, 0, JSON_ABSENT, "", NULL},
    {"free", JSON_ANY, AT(free), 0, 0, JSON_ABSENT, "", NULL},
    {"on", JSON_BOOL, AT(on), 0, 0, JSON_ABSENT, "", NULL},
    {NULL, JSON_BOOL, 0, 0, 0, NULL, NULL, NULL},
};

static cJSON *parse(const char *text)
{
    struct err e = {0};
    cJSON *root = NULL;
    OK(json_parse(text, &root, &e), e);
    return root;
}

/* Reads text, frees its tree before anything is looked at. */
static void take(const char *text, const struct json_row *r, struct all *v,
                 struct arena *a)
{
    struct err e = {0};
    cJSON *root = parse(text);
    memset(v, 0x5a, sizeof *v); /* no field may keep this */
    OK(json_read(root, r, v, "", a, &e), e);
    json_free(root);
    EQ(e.kind, ERR_NONE);
}

static void expect_tree(const cJSON *tree, const char *text)
{
    assert_non_null(tree);
    char *got = cJSON_PrintUnformatted(tree);
    STR_EQ(got, text);
    cJSON_free(got);
}

static void defaults(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct all v;
    struct err e = {0};
    memset(&v, 0x5a, sizeof v);
    OK(json_read(NULL, rows, &v, "x", a, &e), e);
    EQ(v.on, true);
    EQ(v.tokens, 256);
    NEAR(v.rate, 2.5, 0);
    NEAR(v.any, -1e300, 0);
    assert_true(v.seed == UINT64_MAX);
    STR_EQ(v.model, "llama");
    EQ(v.kind, 1);
    EQ(v.list.n, 2);
    NEAR(v.list.v[1], 2.5, 0);
    expect_tree(v.obj, "{\"a\":{\"b\":[1,\"x\"]}}");
    expect_tree(v.items, "[{\"tp\":1},{\"tp\":2}]");
    EQ(cJSON_GetArraySize(v.items), 2);
    assert_ptr_equal(v.items->child->prev, v.items->child->next);
    expect_tree(v.free, "\"word\"");
    arena_close(a);
}

static void absent_values(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct all v;
    take("{\"model\": \"m\"}", bare, &v, a);
    EQ(v.on, false);
    assert_true(v.tokens == JSON_NOINT);
    assert_true(isnan(v.rate));
    EQ(v.seed, 0);
    EQ(v.kind, JSON_NOCHOICE);
    EQ(v.list.n, 0);
    assert_null(v.obj);
    assert_null(v.items);
    assert_null(v.free);
    arena_close(a);
}

static void given_values_outlive_the_tree(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct all v;
    take("{\"on\": false, \"tokens\": 8192, \"rate_rps\": 1e-9,"
         " \"seed\": 9007199254740992, \"model\": \"\xc3\xa9\","
         " \"kind\": \"trace\", \"list\": [], \"obj\": {}, \"items\": [null],"
         " \"free\": {\"k\": [true]}, \"why\": 1, \"note\": [], \"source\": {},"
         " \"sources\": [\"s\"]}",
         rows, &v, a);
    EQ(v.on, false);
    EQ(v.tokens, 8192);
    NEAR(v.rate, 1e-9, 0);
    EQ(v.seed, 9007199254740992);
    STR_EQ(v.model, "\xc3\xa9");
    EQ(v.kind, 2);
    EQ(v.list.n, 0);
    expect_tree(v.obj, "{}");
    expect_tree(v.items, "[null]");
    expect_tree(v.free, "{\"k\":[true]}");
    take("{\"tokens\": \"7\", \"seed\": \"12\", \"share\": 1}", rows, &v, a);
    EQ(v.tokens, 7);
    EQ(v.seed, 12);
    NEAR(v.share, 1, 0);
    take("{\"model\": \"\", \"tokens\": \"-9223372036854775807\"}", bare, &v,
         a);
    EQ(v.tokens, -INT64_MAX);
    arena_close(a);
}

struct complaint {
    const char *text, *says;
};

static void expect_all(const struct complaint *c, size_t n,
                       const struct json_row *r, const char *where)
{
    struct arena *a = arena_open();
    for (size_t i = 0; i < n; i++) {
        struct all v;
        struct err e = {0};
        cJSON *root = parse(c[i].text);
        assert_false(json_read(root, r, &v, where, a, &e));
        EQ(e.kind, ERR_INPUT);
        STR_EQ(e.text, c[i].says);
        json_free(root);
    }
    arena_close(a);
}

static void out_of_range(void **state)
{
    (void)state;
    static const struct complaint c[] = {
        {"{\"tokens\": 0}", "x.tokens: must be in [1, 8192], got 0"},
        {"{\"tokens\": 8193}", "x.tokens: must be in [1, 8192], got 8193"},
        {"{\"tokens\": \"0\"}", "x.tokens: must be in [1, 8192], got 0"},
        {"{\"tokens\": 1e30}", "x.tokens: must be in [1, 8192], got 1e+30"},
        {"{\"rate_rps\": 0}", "x.rate_rps: must be > 0, got 0"},
        {"{\"rate_rps\": -3}", "x.rate_rps: must be > 0, got -3"},
        {"{\"share\": 1.5}", "x.share: must be in (0, 1], got 1.5"},
        {"{\"share\": 0}", "x.share: must be in (0, 1], got 0"},
        {"{\"list\": [1, 101]}", "x.list.1: must be in [0, 100], got 101"},
    };
    static const struct complaint b[] = {
        {"{\"rate_rps\": 0.5}", "rate_rps: must be >= 1, got 0.5"},
        {"{\"tokens\": 1}", "tokens: must be <= 0, got 1"},
        {"{\"tokens\": -1e30}",
         "tokens: must be an integer (a string of digits beyond 2^53), got "
         "the number -1e+30"},
    };
    expect_all(c, sizeof c / sizeof *c, rows, "x");
    expect_all(b, sizeof b / sizeof *b, bare, "");
}

static void wrong_types(void **state)
{
    (void)state;
    static const struct complaint c[] = {
        {"[]", "p.0: must be an object, got a list"},
        {"3", "p.0: must be an object, got the number 3"},
        {"{\"on\": 1}", "p.0.on: must be true or false, got the number 1"},
        {"{\"tokens\": 1.5}",
         "p.0.tokens: must be an integer, got the number 1.5"},
        {"{\"tokens\": \"1.0\"}",
         "p.0.tokens: must be an integer, got the string \"1.0\""},
        {"{\"tokens\": true}",
         "p.0.tokens: must be an integer, got the boolean true"},
        {"{\"rate_rps\": \"3\"}",
         "p.0.rate_rps: must be a number, got the string \"3\""},
        {"{\"rate_rps\": null}", "p.0.rate_rps: must be a number, got null"},
        {"{\"seed\": -1}",
         "p.0.seed: must be an integer from 0 to 2^53, or a string of digits "
         "up to 2^64 - 1, got the number -1"},
        {"{\"seed\": 1e19}",
         "p.0.seed: must be an integer from 0 to 2^53, or a string of digits "
         "up to 2^64 - 1, got the number 1e+19"},
        {"{\"model\": {}}", "p.0.model: must be a string, got an object"},
        {"{\"kind\": 1}", "p.0.kind: must be one of \"closed\", \"poisson\", "
                          "\"trace\", got the number 1"},
        {"{\"kind\": \"poison\"}",
         "p.0.kind: unknown value \"poison\" (nearest: \"poisson\"; known: "
         "\"closed\", \"poisson\", \"trace\")"},
        {"{\"list\": 1}",
         "p.0.list: must be a list of numbers, got the number 1"},
        {"{\"list\": [1, \"2\"]}",
         "p.0.list.1: must be a number, got the string \"2\""},
        {"{\"obj\": []}", "p.0.obj: must be an object, got a list"},
        {"{\"items\": {}}", "p.0.items: must be a list, got an object"},
    };
    expect_all(c, sizeof c / sizeof *c, rows, "p.0");
}

static void unknown_and_missing_keys(void **state)
{
    (void)state;
    static const struct complaint c[] = {
        {"{\"model\": \"m\", \"tokns\": 1}",
         "tokns: unknown key (nearest: \"tokens\"; known: tokens, rate_rps, "
         "seed, model, kind, list, obj, items, free, on)"},
        {"{\"model\": \"m\", \"Model\": \"m\"}",
         "Model: unknown key (nearest: \"model\"; known: tokens, rate_rps, "
         "seed, model, kind, list, obj, items, free, on)"},
        {"{\"model\": \"m\", \"gpu_memory\": 1}",
         "gpu_memory: unknown key (known: tokens, rate_rps, seed, model, kind, "
         "list, obj, items, free, on)"},
        {"{}", "model: missing (a card's name)"},
    };
    expect_all(c, sizeof c / sizeof *c, bare, "");
}

/* Not a number in a tree that no text can make. */
static void nan_is_refused(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    static const char *const keys[] = {"tokens", "rate_rps", "any", "seed"};
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            cJSON *root = cJSON_CreateObject();
            cJSON_AddNumberToObject(root, keys[k], bad[i]);
            struct all v;
            struct err e = {0};
            assert_false(json_read(root, rows, &v, "", a, &e));
            EQ(e.kind, ERR_INPUT);
            json_free(root);
        }
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "list");
    cJSON_AddItemToArray(list, cJSON_CreateNumber(NAN));
    struct all v;
    struct err e = {0};
    assert_false(json_read(root, rows, &v, "", a, &e));
    STR_HAS(e.text, "list.0: must be a number, got the number nan");
    json_free(root);
    arena_close(a);
}

static void text_that_is_not_json(void **state)
{
    (void)state;
    static const struct complaint c[] = {
        {"", "line 1: not JSON at \"\""},
        {"{\n\"a\": 1,\n\"b\": NaN}\n", "line 3: not JSON at \"NaN}\""},
        {"{\"a\": 1} x", "line 1: not JSON at \"x\""},
        {"{\"a\": Infinity}", "line 1: not JSON at \"Infinity}\""},
        {"{\"a\": 1e999}", "a: a number too large for a double"},
        {"{\"a\": 1, \"b\": 2, \"a\": 1}", "a: given twice"},
        {"{\"p\": [{}, {\"t\": 1, \"t\": 2}]}", "p.1.t: given twice"},
        {"[[1, 2], [3, 1e999]]", "1.1: a number too large for a double"},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct err e = {0};
        cJSON *root = NULL;
        assert_false(json_parse(c[i].text, &root, &e));
        EQ(e.kind, ERR_INPUT);
        STR_EQ(e.text, c[i].says);
        assert_null(root);
    }
    json_free(parse("{\"a\": {\"a\": 1, \"A\": 1}}"));
    json_free(NULL);
}

static void loads_files(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    char *dir = t_dir(), *path = arena_fmt(a, "%s/s.json", dir);
    static const struct {
        const char *text;
        size_t n;
        const char *says;
    } cases[] = {
        {"{\"a\": 1}\n", 9, NULL},
        {"{\n\"a\" 1}", 8, "/s.json: line 2: not JSON at \"1}\""},
        {"{\"p\": {\"a\": 1, \"a\": 1}}", 23, "/s.json: p.a: given twice"},
        {"{}\0{}", 5, "/s.json: not JSON: a NUL byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *f = fopen(path, "wb");
        EQ(fwrite(cases[i].text, 1, cases[i].n, f), cases[i].n);
        fclose(f);
        struct err e = {0};
        cJSON *root = NULL;
        EQ(json_load(path, &root, &e), cases[i].says == NULL);
        STR_EQ(e.kind ? e.text + strlen(dir) : NULL, cases[i].says);
        json_free(root);
    }
    struct err e = {0};
    cJSON *root = NULL;
    unlink(path);
    assert_false(json_load(path, &root, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "/s.json: No such file");
    arena_close(a);
    t_undir(dir);
}

/* What is written reads back as the same struct, bit for bit. */
static void writes_what_it_reads(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"tokens\": 3, \"rate_rps\": 0.1, \"seed\": 5, \"list\": []}",
        "{\"on\": false, \"any\": 0.30000000000000004, \"kind\": \"closed\","
        " \"seed\": \"9007199254740993\", \"list\": [0.1, 99.9],"
        " \"obj\": {\"z\": null}, \"items\": [], \"free\": null}",
    };
    struct arena *a = arena_open();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct all v, w;
        take(texts[i], rows, &v, a);
        cJSON *one = json_write(rows, &v);
        const char *text = json_print(one, i % 2, a);
        take(text, rows, &w, a);
        cJSON *two = json_write(rows, &w);
        assert_true(cJSON_Compare(one, two, true));
        EQ(w.on, v.on);
        EQ(w.tokens, v.tokens);
        NEAR(w.rate, v.rate, 0);
        NEAR(w.any, v.any, 0);
        assert_true(w.seed == v.seed);
        STR_EQ(w.model, v.model);
        EQ(w.kind, v.kind);
        EQ(w.list.n, v.list.n);
        for (size_t k = 0; k < v.list.n; k++)
            NEAR(w.list.v[k], v.list.v[k], 0);
        json_free(one);
        json_free(two);
    }
    arena_close(a);
}

static void writes_only_what_is_there(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct all v;
    take("{\"model\": \"m\"}", bare, &v, a);
    cJSON *o = json_write(bare, &v);
    expect_tree(o, "{\"seed\":0,\"model\":\"m\",\"on\":false}");
    json_free(o);
    take("{\"model\": \"m\", \"tokens\": \"-9007199254740993\","
         " \"seed\": \"18446744073709551615\", \"kind\": \"trace\"}",
         bare, &v, a);
    o = json_write(bare, &v);
    expect_tree(o, "{\"tokens\":\"-9007199254740993\","
                   "\"seed\":\"18446744073709551615\",\"model\":\"m\","
                   "\"kind\":\"trace\",\"on\":false}");
    json_free(o);
    arena_close(a);
}

static void a_default_its_row_refuses_stops(void **state)
{
    (void)state;
    static const struct json_row low[] = {
        {"tokens", JSON_INT, AT(tokens), 1, 2, "3", "", NULL},
        {NULL, JSON_BOOL, 0, 0, 0, NULL, NULL, NULL},
    };
    static const struct json_row no_json[] = {
        {"model", JSON_STR, AT(model), 0, 0, "llama", "", NULL},
        {NULL, JSON_BOOL, 0, 0, 0, NULL, NULL, NULL},
    };
    struct arena *a = arena_open();
    struct all v;
    struct err e = {0};
    DIES(json_read(NULL, low, &v, "", a, &e));
    DIES(json_read(NULL, no_json, &v, "", a, &e));
    arena_close(a);
}

T_MAIN(cmocka_unit_test(defaults), cmocka_unit_test(absent_values),
       cmocka_unit_test(given_values_outlive_the_tree),
       cmocka_unit_test(out_of_range), cmocka_unit_test(wrong_types),
       cmocka_unit_test(unknown_and_missing_keys),
       cmocka_unit_test(nan_is_refused),
       cmocka_unit_test(text_that_is_not_json), cmocka_unit_test(loads_files),
       cmocka_unit_test(writes_what_it_reads),
       cmocka_unit_test(writes_only_what_is_there),
       cmocka_unit_test(a_default_its_row_refuses_stops))
