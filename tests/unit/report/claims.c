#include "sim/report/claims.h"

#include "sim/base/json.h"
#include "tests/t.h"
#include "tests/unit/report/fake.h"

#include <math.h>

/* A file of hand-made points of one model "m". */
struct box {
    cJSON *sweep, *ladder, *out;
    struct answer_file file[2];
};

static int make(void **state)
{
    struct fake_model m = {.name = "m"};
    struct box *b = calloc(1, sizeof *b);
    if (!b)
        return -1;
    b->sweep = fake_file("sweep", &m, "by hand");
    b->ladder = fake_file("scaleout", &m, "by hand");
    cJSON_AddArrayToObject(b->sweep, "answers");
    cJSON_AddArrayToObject(b->ladder, "answers");
    b->file[0] = (struct answer_file){"sweep.json", b->sweep};
    b->file[1] = (struct answer_file){"ladder.json", b->ladder};
    *state = b;
    return 0;
}

static int clear(void **state)
{
    struct box *b = *state;
    json_free(b->sweep);
    json_free(b->ladder);
    json_free(b->out);
    free(b);
    return 0;
}

static cJSON *add(cJSON *root, const char *topology, double load, double tpsu,
                  double tpsg)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "topology", topology);
    cJSON_AddNumberToObject(o, "concurrency", load);
    cJSON_AddNumberToObject(o, "tpsu", tpsu);
    cJSON_AddNumberToObject(o, "tpsg", tpsg);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(root, "answers"), o);
    return o;
}

/* Straight lines: aggregated 400 at 10 TPSU to 200 at 50, P/D `top` at 10 to
 * `end` at 50. */
static void lines(struct box *b, double top, double end)
{
    add(b->sweep, "agg-tp4", 64, 10, 400);
    add(b->sweep, "agg-tp4", 8, 50, 200);
    add(b->sweep, "2p-tp1-1d-tp2", 64, 10, top);
    add(b->sweep, "2p-tp1-1d-tp2", 8, 50, end);
}

/* The verdict on one claim whose own keys are given. */
static const cJSON *verdict(struct box *b, const char *keys)
{
    char text[1024];
    struct err e = {0};
    cJSON *claims = NULL;
    snprintf(text, sizeof text,
             "{\"claims\": [{\"id\": \"x\", \"claim\": \"c\", \"study\": "
             "\"s\", \"model\": \"m\", %s}]}",
             keys);
    OK(json_parse(text, &claims, &e), e);
    json_free(b->out);
    b->out = NULL;
    OK(claims_check(claims, b->file, 2, &b->out, &e), e);
    json_free(claims);
    EQ(cJSON_GetArraySize(b->out), 1);
    return b->out->child;
}

#define SETS                                                                   \
    "\"of\": [\"2p-*\"], \"over\": [\"agg-*\"], \"of_name\": \"P/D\", "        \
    "\"over_name\": \"agg\", "
#define GAIN SETS "\"kind\": \"band_gain\", "

static void gain_met(void **state)
{
    struct box *b = *state;
    lines(b, 480, 260); /* + 20 % at 10, + 30 % at 50 */
    const cJSON *v = verdict(
        b, GAIN "\"lo\": 10, \"hi\": 50, \"gain_lo\": 0.1, \"gain_hi\": 0.38");
    STR_EQ(answer_text(v, "met"), "yes");
    NEAR(answer_num(v, "numbers.gain_min"), 0.2, 1e-6);
    NEAR(answer_num(v, "numbers.gain_max"), 0.3, 1e-6);
    NEAR(answer_num(v, "numbers.gain_max_at_tpsu"), 50, 1e-6);
    NEAR(answer_num(v, "numbers.ahead_share"), 1, 0);
    STR_HAS(answer_text(v, "predicted"), "+20 to +30 %");
    STR_EQ(answer_text(v, "study"), "s");
}

static void gain_of_another_size(void **state)
{
    struct box *b = *state;
    lines(b, 480, 260);
    const cJSON *v = verdict(
        b, GAIN "\"lo\": 10, \"hi\": 50, \"gain_lo\": 0.4, \"gain_hi\": 0.5");
    STR_EQ(answer_text(v, "met"), "partly");
    STR_HAS(answer_text(v, "why"), "outside the study's range");
    /* the edge of the tolerance counts, a hair beyond does not */
    v = verdict(b, GAIN "\"lo\": 50, \"hi\": 50, \"gain_lo\": 0.34, "
                        "\"gain_hi\": 0.5");
    STR_EQ(answer_text(v, "met"), "yes");
    v = verdict(b, GAIN "\"lo\": 50, \"hi\": 50, \"gain_lo\": 0.36, "
                        "\"gain_hi\": 0.5");
    STR_EQ(answer_text(v, "met"), "partly");
}

static void gain_of_the_other_sign(void **state)
{
    struct box *b = *state;
    lines(b, 350, 180);
    const cJSON *v = verdict(
        b, GAIN "\"lo\": 10, \"hi\": 50, \"gain_lo\": 0.1, \"gain_hi\": 0.38");
    STR_EQ(answer_text(v, "met"), "no");
    STR_HAS(answer_text(v, "why"), "never ahead");
    NEAR(answer_num(v, "numbers.gain_max"), -0.1, 1e-6);
}

static void gain_in_a_quarter(void **state)
{
    struct box *b = *state;
    lines(b, 410, 170); /* ahead left of 20 TPSU only */
    const cJSON *v = verdict(
        b, GAIN "\"lo\": 10, \"hi\": 50, \"gain_lo\": 0.1, \"gain_hi\": 0.38");
    STR_EQ(answer_text(v, "met"), "no");
    NEAR(answer_num(v, "numbers.ahead_share"), 0.25, 0.01);
}

static void gain_at_a_point(void **state)
{
    struct box *b = *state;
    lines(b, 480, 260);
    const cJSON *v = verdict(b, GAIN "\"lo\": 30, \"hi\": 30, \"gain_lo\": "
                                     "0.2, \"gain_hi\": 0.2");
    STR_EQ(answer_text(v, "met"), "yes"); /* 370 against 300: 23.3 % */
    STR_HAS(answer_text(v, "predicted"), "+23.3 % (370 against 300");
}

/* Beyond the end of a front there is no gain, and it says so. */
static void gain_beyond_a_front(void **state)
{
    struct box *b = *state;
    lines(b, 480, 260);
    const cJSON *v = verdict(
        b, GAIN "\"lo\": 60, \"hi\": 70, \"gain_lo\": 0.1, \"gain_hi\": 0.38");
    STR_EQ(answer_text(v, "met"), "not evaluable");
    STR_HAS(answer_text(v, "why"), "P/D ends at 50 TPSU");
    assert_null(answer_text(v, "predicted"));
    v = verdict(b, GAIN "\"lo\": 5, \"hi\": 20, \"gain_lo\": 0.1, \"gain_hi\": "
                        "0.38");
    STR_HAS(answer_text(v, "why"), "P/D has no point below 10 TPSU");
}

#define LEVEL SETS "\"kind\": \"band_level\", \"lo\": 10, \"hi\": 50, "

static void levels(void **state)
{
    struct box *b = *state;
    lines(b, 480, 260);
    const cJSON *v = verdict(b, LEVEL "\"of_level\": [250, 500], "
                                      "\"over_level\": [210, 410], "
                                      "\"tolerance\": 0.1");
    STR_EQ(answer_text(v, "met"), "yes");
    STR_HAS(answer_text(v, "predicted"), "P/D 260-480, agg 200-400");
    v = verdict(b, LEVEL "\"of_level\": [350, 700], \"over_level\": [210, "
                         "410], \"tolerance\": 0.1");
    STR_EQ(answer_text(v, "met"), "partly");
    v = verdict(b, LEVEL "\"of_level\": [800, 900], \"over_level\": [210, "
                         "410], \"tolerance\": 0.1");
    STR_EQ(answer_text(v, "met"), "no");
}

/* Both ranges fit and the order is wrong: not a yes. */
static void levels_without_the_lead(void **state)
{
    struct box *b = *state;
    lines(b, 390, 260);
    const cJSON *v = verdict(b, LEVEL "\"of_level\": [260, 390], "
                                      "\"over_level\": [200, 400], "
                                      "\"tolerance\": 0.1");
    STR_EQ(answer_text(v, "met"), "partly");
    STR_HAS(answer_text(v, "why"), "not ahead throughout");
}

#define WINNER SETS "\"kind\": \"band_winner\", "

static void winner(void **state)
{
    struct box *b = *state;
    lines(b, 350, 260); /* behind up to 30 TPSU, ahead beyond */
    const cJSON *v = verdict(b, WINNER "\"lo\": 35");
    STR_EQ(answer_text(v, "met"), "yes");
    NEAR(answer_num(v, "numbers.hi_tpsu"), 50, 0); /* open end closed */
    v = verdict(b, WINNER "\"hi\": 20");
    STR_EQ(answer_text(v, "met"), "no");
    NEAR(answer_num(v, "numbers.lo_tpsu"), 10, 0);
    v = verdict(b, WINNER "\"lo\": 20");
    STR_EQ(answer_text(v, "met"), "partly");
    v = verdict(b, WINNER "\"lo\": 100");
    STR_EQ(answer_text(v, "met"), "not evaluable");
    STR_HAS(answer_text(v, "why"), "10 to 50 TPSU");
}

static void winner_by_reach(void **state)
{
    struct box *b = *state;
    lines(b, 350, 180);
    add(b->sweep, "2p-tp1-1d-tp2", 4, 90, 60); /* agg ends at 50 */
    const cJSON *v = verdict(b, WINNER "\"lo\": 55");
    STR_EQ(answer_text(v, "met"), "yes");
    STR_HAS(answer_text(v, "why"), "agg ends at 50 TPSU");
}

#define ORDER                                                                  \
    "\"kind\": \"load_order\", \"of\": [\"1p-tp1-1d-tp2\", "                   \
    "\"2p-tp1-1d-tp2\", \"3p-tp1-1d-tp2\"]"

static void three(struct box *b, double one, double two, double last)
{
    static const char *const name[] = {"1p-tp1-1d-tp2", "2p-tp1-1d-tp2",
                                       "3p-tp1-1d-tp2"};
    const double high[] = {one, two, last};
    for (int i = 0; i < 3; i++) {
        add(b->sweep, name[i], 4, 100, 100 - 20 * i);
        add(b->sweep, name[i], 512, 5, high[i]);
        add(b->sweep, name[i], 600 + i, 1, 9999); /* not common */
    }
}

static void order(void **state)
{
    struct box *b = *state;
    three(b, 200, 300, 350);
    const cJSON *v = verdict(b, ORDER);
    STR_EQ(answer_text(v, "met"), "yes");
    NEAR(answer_num(v, "numbers.concurrency_high"), 512, 0);
    NEAR(answer_num(v, "numbers.last_over_first_low"), 0.6, 1e-9);
    NEAR(answer_num(v, "numbers.last_over_first_high"), 1.75, 1e-9);
    STR_HAS(answer_text(v, "predicted"), "at concurrency 512: "
                                         "1p-tp1-1d-tp2 200, ");
}

static void order_in_part(void **state)
{
    struct box *b = *state;
    three(b, 200, 300, 290);
    STR_EQ(answer_text(verdict(b, ORDER), "met"), "partly");
}

static void order_not(void **state)
{
    struct box *b = *state;
    three(b, 200, 150, 100); /* 0.5 < 0.6 at low concurrency */
    STR_EQ(answer_text(verdict(b, ORDER), "met"), "no");
    const cJSON *v = verdict(b, "\"kind\": \"load_order\", \"of\": "
                                "[\"1p-tp1-1d-tp2\", \"4p-tp1-1d-tp2\"]");
    STR_EQ(answer_text(v, "met"), "not evaluable");
    STR_HAS(answer_text(v, "why"), "4p-tp1-1d-tp2");
}

#define LADDER                                                                 \
    "\"kind\": \"rate_ladder\", \"of\": [\"8p-tp1-4d-tp2\"], \"over\": "       \
    "[\"12x-agg-tp2\"], \"of_name\": \"two\", \"over_name\": \"three\", "      \
    "\"flat_ratio\": 1.5"

static void rung(struct box *b, const char *topology, double rate, double e2e,
                 double itl)
{
    cJSON *o = add(b->ladder, topology, 1, 1, 1);
    cJSON_AddNumberToObject(o, "rate_rps", rate);
    cJSON *d = cJSON_AddObjectToObject(o, "e2e_ms");
    cJSON_AddNumberToObject(d, "mean", e2e);
    d = cJSON_AddObjectToObject(o, "itl_ms");
    cJSON_AddNumberToObject(d, "p99", itl);
}

/* Two nodes: slower at first, E2E at the top as given, ITL up to itl. */
static void ladder(struct box *b, double e2e, double itl)
{
    rung(b, "8p-tp1-4d-tp2", 10, 2000, 10);
    rung(b, "12x-agg-tp2", 10, 1500, 12);
    rung(b, "8p-tp1-4d-tp2", 30, 2100, 12);
    rung(b, "12x-agg-tp2", 30, 2600, 30);
    rung(b, "8p-tp1-4d-tp2", 50, e2e, itl);
    rung(b, "12x-agg-tp2", 50, 6000, 60);
    rung(b, "12x-agg-tp2", 70, 1, 1); /* not common */
}

static void ladder_met(void **state)
{
    struct box *b = *state;
    ladder(b, 2500, 14);
    const cJSON *v = verdict(b, LADDER);
    STR_EQ(answer_text(v, "met"), "yes");
    NEAR(answer_num(v, "numbers.ahead_from_rps"), 30, 0);
    NEAR(answer_num(v, "numbers.rate_rps_high"), 50, 0);
    NEAR(answer_num(v, "numbers.of_itl_p99_ratio"), 1.4, 1e-9);
    NEAR(answer_num(v, "numbers.over_itl_p99_ratio"), 5, 1e-9);
    STR_HAS(answer_text(v, "predicted"),
            "at 50/s mean E2E 2.50 s against 6.00 s");
}

static void ladder_in_part(void **state)
{
    struct box *b = *state;
    ladder(b, 2500, 16); /* 1.6 is not flat */
    const cJSON *v = verdict(b, LADDER);
    STR_EQ(answer_text(v, "met"), "partly");
    STR_HAS(answer_text(v, "why"), "does not stay");
}

static void ladder_not(void **state)
{
    struct box *b = *state;
    ladder(b, 7000, 16);
    const cJSON *v = verdict(b, LADDER);
    STR_EQ(answer_text(v, "met"), "no");
    STR_HAS(answer_text(v, "why"), "behind at the highest rate");
    assert_null(answer_at(v, "numbers.ahead_from_rps"));
}

static void nothing_to_go_by(void **state)
{
    struct box *b = *state;
    const cJSON *v = verdict(b, LADDER);
    STR_EQ(answer_text(v, "met"), "not evaluable");
    STR_HAS(answer_text(v, "why"), "no answers for two");
    cJSON_SetValuestring(
        cJSON_GetObjectItem(cJSON_GetObjectItem(b->ladder, "scenario"),
                            "model"),
        "n");
    v = verdict(b, LADDER);
    STR_EQ(answer_text(v, "why"), "no scaleout of m among the files");
}

static void malformed(void **state)
{
    struct box *b = *state;
    struct err e = {0};
    cJSON *c = NULL;
    OK(json_parse("{\"claims\": [{\"id\": \"x\"}]}", &c, &e), e);
    EQ(claims_check(c, b->file, 2, &b->out, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "claims.0: claim");
    assert_null(b->out);
    json_free(c);
    EQ(claims_check(NULL, b->file, 2, &b->out, &e), false);
}

/* The shipped file is read whole, and every claim finds its topologies in a
 * sweep and a scale-out of the study's kind. */
static void shipped(void **state)
{
    struct box *b = *state;
    struct err e = {0};
    cJSON *c = NULL;
    cJSON *root[] = {fake_sweep(&fake_llama), fake_sweep(&fake_gpt),
                     fake_scaleout()};
    struct answer_file f[] = {{"a", root[0]}, {"b", root[1]}, {"c", root[2]}};
    OK(json_load("scenarios/seed/claims.json", &c, &e), e);
    OK(claims_check(c, f, 3, &b->out, &e), e);
    EQ(cJSON_GetArraySize(b->out), 8);
    for (const cJSON *i = b->out->child; i; i = i->next) {
        assert_true(strcmp(answer_text(i, "met"), "not evaluable") != 0);
        assert_non_null(answer_text(i, "predicted"));
        assert_non_null(answer_at(i, "numbers")->child);
    }
    json_free(c);
    for (int i = 0; i < 3; i++)
        json_free(root[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, clear)
T_MAIN(TEST(gain_met), TEST(gain_of_another_size), TEST(gain_of_the_other_sign),
       TEST(gain_in_a_quarter), TEST(gain_at_a_point),
       TEST(gain_beyond_a_front), TEST(levels), TEST(levels_without_the_lead),
       TEST(winner), TEST(winner_by_reach), TEST(order), TEST(order_in_part),
       TEST(order_not), TEST(ladder_met), TEST(ladder_in_part),
       TEST(ladder_not), TEST(nothing_to_go_by), TEST(malformed), TEST(shipped))
