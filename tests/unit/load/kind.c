#include "tests/t.h"

#include "sim/load/kind.h"

struct box {
    int kind;
    double size;
    int64_t count;
};

static const struct json_row rows[] = {
    {.key = "size",
     .type = JSON_NUM,
     .at = offsetof(struct box, size),
     .min = 0,
     .max = 10,
     .dflt = "2.5",
     .help = "how large"},
    {.key = "count",
     .type = JSON_INT,
     .at = offsetof(struct box, count),
     .min = 0,
     .max = 9,
     .help = "how many"},
    {.key = NULL},
};

static const char *const names[] = {"round", "square", NULL};

static bool kind_in(const char *text, int *kind, struct err *e)
{
    cJSON *obj;
    if (!json_parse(text, &obj, e))
        return false;
    bool ok = kind_of(obj, names, "box", kind, e);
    json_free(obj);
    return ok;
}

static void finds_the_kind(void **state)
{
    (void)state;
    struct err e = {0};
    int kind = -1;
    OK(kind_in("{\"count\": 3, \"kind\": \"square\"}", &kind, &e), e);
    EQ(kind, 1);
    OK(kind_in("{\"kind\": \"round\"}", &kind, &e), e);
    EQ(kind, 0);
}

static void refuses_what_is_no_kind(void **state)
{
    (void)state;
    struct err e = {0};
    int kind = 7;
    assert_false(kind_in("{\"count\": 3}", &kind, &e));
    STR_HAS(e.text, "box.kind: missing");
    assert_false(kind_in("{\"kind\": \"squar\"}", &kind, &e));
    STR_HAS(e.text, "square");
    assert_false(kind_in("{\"kind\": 3}", &kind, &e));
    EQ(e.kind, ERR_INPUT);
}

static void reads_and_writes_the_whole(void **state)
{
    (void)state;
    struct err e = {0};
    struct arena *a = arena_open();
    struct box b = {0};
    cJSON *obj;
    OK(json_parse("{\"count\": 3, \"kind\": \"square\"}", &obj, &e), e);
    const struct json_row *all = kind_rows(rows, names,
                                           offsetof(struct box, kind), a);
    OK(json_read(obj, all, &b, "box", a, &e), e);
    EQ(b.kind, 1);
    NEAR(b.size, 2.5, 0);
    EQ(b.count, 3);
    json_free(obj);
    cJSON *out = kind_write(names[b.kind], rows, &b);
    char *text = cJSON_PrintUnformatted(out);
    STR_EQ(text, "{\"kind\":\"square\",\"size\":2.5,\"count\":3}");
    cJSON_free(text);
    cJSON_Delete(out);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(finds_the_kind),
       cmocka_unit_test(refuses_what_is_no_kind),
       cmocka_unit_test(reads_and_writes_the_whole))
