#include "sim/base/json.h"

#include "tests/t.h"

static const char start[] =
    "{\"a\": 1, \"pools\": [{\"tp\": 1}, {\"tp\": 2, \"role\": \"decode\"}],"
    " \"none\": [], \"text\": \"t\"}";

static cJSON *parse(const char *text)
{
    struct err e = {0};
    cJSON *root = NULL;
    OK(json_parse(text, &root, &e), e);
    return root;
}

/* start with the assignment done is want. */
static void sets(const char *assignment, const char *want)
{
    struct err e = {0};
    cJSON *root = parse(start);
    OK(json_set(root, assignment, &e), e);
    cJSON *wanted = parse(want);
    char *got = cJSON_PrintUnformatted(root);
    char *text = cJSON_PrintUnformatted(wanted);
    STR_EQ(got, text);
    cJSON_free(got);
    cJSON_free(text);
    json_free(root);
    json_free(wanted);
}

/* The same tree with `a` or what follows it changed. */
#define A(value)                                                               \
    "{\"a\": " value ", \"pools\": [{\"tp\": 1}, {\"tp\": 2, "                 \
    "\"role\": \"decode\"}], \"none\": [], \"text\": \"t\"}"
#define POOLS(value)                                                           \
    "{\"a\": 1, \"pools\": " value ", \"none\": [], "                          \
    "\"text\": \"t\"}"
#define MORE(value)                                                            \
    "{\"a\": 1, \"pools\": [{\"tp\": 1}, {\"tp\": 2, "                         \
    "\"role\": \"decode\"}], \"none\": [], \"text\": \"t\", " value "}"

static void values(void **state)
{
    (void)state;
    sets("a=2.5", A("2.5"));
    sets("a=-7", A("-7"));
    sets("a=true", A("true"));
    sets("a=null", A("null"));
    sets("a=[1, {\"b\": 2}]", A("[1, {\"b\": 2}]"));
    sets("a=\"quoted\"", A("\"quoted\""));
    sets("a=bare word", A("\"bare word\""));
    sets("a=", A("\"\""));
    sets("a=x=y", A("\"x=y\""));
    sets("a=NaN", A("\"NaN\""));
    sets("a=9007199254740992", A("9007199254740992"));
    sets("a=18446744073709551615", A("\"18446744073709551615\""));
    sets("a=-9007199254740994", A("\"-9007199254740994\""));
}

static void paths(void **state)
{
    (void)state;
    sets("pools.0.tp=8", POOLS("[{\"tp\": 8}, {\"tp\": 2, "
                               "\"role\": \"decode\"}]"));
    sets("pools.1={\"tp\": 4}", POOLS("[{\"tp\": 1}, {\"tp\": 4}]"));
    sets("pools.0={\"tp\": 4}", POOLS("[{\"tp\": 4}, {\"tp\": 2, "
                                      "\"role\": \"decode\"}]"));
    sets("pools.0.engine.seqs=9",
         POOLS("[{\"tp\": 1, \"engine\": {\"seqs\": 9}}, {\"tp\": 2, "
               "\"role\": \"decode\"}]"));
    sets("pools=[]", POOLS("[]"));
    sets("b=1", MORE("\"b\": 1"));
    sets("load.arrival.kind=poisson",
         MORE("\"load\": {\"arrival\": {\"kind\": \"poisson\"}}"));
    sets("A=1", MORE("\"A\": 1")); /* case matters */
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *set, *says;
    } cases[] = {
        {"a", "--set a: must be path=value"},
        {"=1", "--set =1: must be path=value"},
        {"pools.2.tp=1", "--set pools.2.tp=1: list index must be in [0, 1], "
                         "got \"2\""},
        {"pools.2=1", "--set pools.2=1: list index must be in [0, 1], got "
                      "\"2\""},
        {"pools.-1=1", "--set pools.-1=1: list index must be in [0, 1], got "
                       "\"-1\""},
        {"pools.tp=1", "--set pools.tp=1: list index must be in [0, 1], got "
                       "\"tp\""},
        {"pools.4294967296=1", "--set pools.4294967296=1: list index must be "
                               "in [0, 1], got \"4294967296\""},
        {"none.0=1", "--set none.0=1: the list is empty, got index \"0\""},
        {"text.x=1",
         "--set text.x=1: \"x\": what should hold it is a plain value"},
        {"pools..tp=1", "--set pools..tp=1: an empty name in the path"},
        {"a.=1", "--set a.=1: an empty name in the path"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        cJSON *root = parse(start), *same = parse(start);
        assert_false(json_set(root, cases[i].set, &e));
        EQ(e.kind, ERR_USAGE);
        STR_EQ(e.text, cases[i].says);
        assert_true(cJSON_Compare(root, same, true));
        json_free(root);
        json_free(same);
    }
}

static void a_wide_seed_reaches_its_row(void **state)
{
    (void)state;
    uint64_t seed = 0;
    const struct json_row rows[] = {
        {"seed", JSON_SEED, 0, 0, 0, "\"1\"", "Seed.", NULL},
        {NULL, JSON_BOOL, 0, 0, 0, NULL, NULL, NULL},
    };
    struct arena *a = arena_open();
    struct err e = {0};
    cJSON *root = parse("{}");
    OK(json_set(root, "seed=18446744073709551615", &e), e);
    OK(json_read(root, rows, &seed, "", a, &e), e);
    assert_true(seed == UINT64_MAX);
    json_free(root);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(values), cmocka_unit_test(paths),
       cmocka_unit_test(refusals),
       cmocka_unit_test(a_wide_seed_reaches_its_row))
