#include "tests/t.h"

#include "sim/load/length.h"

enum { DRAWS = 20000 };

static bool read_text(const char *text, struct length_spec *s, struct err *e)
{
    cJSON *obj;
    if (!json_parse(text, &obj, e))
        return false;
    bool ok = length_read(obj, "load.isl", s, e);
    json_free(obj);
    return ok;
}

static void refused(const char *text, const char *says)
{
    struct err e = {0};
    struct length_spec s = {.kind = 77};
    assert_false(read_text(text, &s, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, says);
    EQ(s.kind, 77);
}

/* Smallest, largest and mean of many draws. */
struct seen {
    int64_t lo, hi;
    double mean;
};

static struct seen draw_many(const char *text)
{
    struct err e = {0};
    struct length_spec s;
    struct rng r = rng_stream(1, RNG_ISL, 0);
    struct seen seen = {INT64_MAX, 0, 0};
    OK(read_text(text, &s, &e), e);
    for (int i = 0; i < DRAWS; i++) {
        int64_t n = length_draw(&s, &r);
        seen.lo = n < seen.lo ? n : seen.lo;
        seen.hi = n > seen.hi ? n : seen.hi;
        seen.mean += (double)n / DRAWS;
    }
    return seen;
}

static void L2_the_same_flag_means_two_things(void **state)
{
    (void)state;
    struct seen s = draw_many(
        "{\"kind\": \"vllm-range\", \"tokens\": 1000, \"ratio\": 0.2}");
    EQ(s.lo, 800);
    EQ(s.hi, 1200);
    NEAR(s.mean, 1000, 4); /* sd 116 / sqrt(20000), 4.9 of them */
    s = draw_many("{\"kind\": \"inferencex\", \"tokens\": 1000}");
    EQ(s.lo, 800);
    EQ(s.hi, 1000);
    NEAR(s.mean, 900, 2);
}

static void other_kinds(void **state)
{
    (void)state;
    struct seen s = draw_many("{\"kind\": \"fixed\", \"tokens\": 4096}");
    EQ(s.lo, 4096);
    EQ(s.hi, 4096);
    s = draw_many("{\"kind\": \"uniform\", \"min\": 3, \"max\": 7}");
    EQ(s.lo, 3);
    EQ(s.hi, 7);
    NEAR(s.mean, 5, 0.05);
    s = draw_many("{\"kind\": \"lognormal\", \"tokens\": 500, \"sigma\": 1}");
    NEAR(s.mean, 500, 500 * 1.31 / 141 * 4.5); /* cv sqrt(e - 1) */
    assert_true(s.lo >= 1 && s.hi > 5000);
    s = draw_many("{\"kind\": \"lognormal\", \"tokens\": 500, \"sigma\": 1,"
                  " \"min\": 200, \"max\": 900}");
    EQ(s.lo, 200);
    EQ(s.hi, 900);
    s = draw_many("{\"kind\": \"gaussian\", \"tokens\": 500, \"stdev\": 50}");
    NEAR(s.mean, 500, 50 / 141.0 * 4.5);
    assert_true(s.lo >= 250 && s.lo < 350 && s.hi <= 750 && s.hi > 650);
    s = draw_many("{\"kind\": \"gaussian\", \"tokens\": 5, \"stdev\": 50,"
                  " \"max\": 90}");
    EQ(s.lo, 1);
    EQ(s.hi, 90);
}

static void never_below_one_token(void **state)
{
    (void)state;
    struct seen s = draw_many(
        "{\"kind\": \"vllm-range\", \"tokens\": 2, \"ratio\": 0.9}");
    EQ(s.lo, 1);
    EQ(s.hi, 4);
    s = draw_many("{\"kind\": \"inferencex\", \"tokens\": 2, \"ratio\": 0}");
    EQ(s.lo, 1);
    EQ(s.hi, 2);
}

static void refuses(void **state)
{
    (void)state;
    refused("{\"kind\": \"fixed\", \"tokens\": 0}", "load.isl.tokens");
    refused("{\"kind\": \"fixed\", \"tokens\": 10000001}", "load.isl.tokens");
    refused("{\"kind\": \"fixed\", \"tokens\": 1.5}", "integer");
    refused("{\"kind\": \"fixed\"}", "load.isl.tokens: missing");
    refused("{\"kind\": \"fixed\", \"tokens\": 4, \"ratio\": 0}", "ratio");
    refused("{\"kind\": \"fixd\", \"tokens\": 4}", "fixed");
    refused("{\"kind\": \"uniform\", \"min\": 8, \"max\": 4}", "min must be");
    refused("{\"kind\": \"vllm-range\", \"tokens\": 4, \"ratio\": 1}", "ratio");
    refused("{\"kind\": \"lognormal\", \"tokens\": 4, \"sigma\": -1}", "sigma");
    refused("{\"kind\": \"gaussian\", \"tokens\": 50, \"stdev\": 1,"
            " \"min\": 70}",
            "min must be");
    refused("[]", "load.isl");
}

static void checks_what_did_not_come_from_json(void **state)
{
    (void)state;
    struct err e = {0};
    struct length_spec s = {.kind = LENGTH_FIXED, .tokens = 5};
    OK(length_check(&s, "osl", &e), e);
    s.tokens = 0;
    assert_false(length_check(&s, "osl", &e));
    STR_HAS(e.text, "osl.tokens");
    s = (struct length_spec){.kind = LENGTH_LOGNORMAL,
                             .tokens = 5,
                             .sigma = NAN,
                             .min = 1,
                             .max = 2};
    assert_false(length_check(&s, "osl", &e));
    STR_HAS(e.text, "osl.sigma");
    s.kind = 9;
    assert_false(length_check(&s, "osl", &e));
}

static void bounds_hold_all_draws(void **state)
{
    (void)state;
    struct rng r = rng_stream(5, RNG_TEST, 0);
    for (int i = 0; i < 500; i++) {
        struct length_spec s = {.kind = (int)rng_below(&r, LENGTH_GAUSSIAN + 1),
                                .tokens = rng_range(&r, 1, 100000),
                                .min = rng_range(&r, 1, 50),
                                .max = rng_range(&r, 50, 100000),
                                .ratio = rng_unit(&r),
                                .sigma = 3 * rng_unit(&r)};
        int64_t lo, hi;
        length_bounds(&s, &lo, &hi);
        assert_true(lo >= 1 && lo <= hi && hi <= LOAD_MAX_TOKENS);
        for (int k = 0; k < 20; k++) {
            int64_t n = length_draw(&s, &r);
            assert_true(n >= lo && n <= hi);
        }
    }
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    struct err e = {0};
    struct length_spec s;
    OK(read_text("{\"kind\": \"inferencex\", \"tokens\": 64}", &s, &e), e);
    cJSON *out = length_write(&s);
    char *text = cJSON_PrintUnformatted(out);
    STR_EQ(text, "{\"kind\":\"inferencex\",\"tokens\":64,\"ratio\":0.8}");
    cJSON_free(text);
    cJSON_Delete(out);
}

T_MAIN(cmocka_unit_test(L2_the_same_flag_means_two_things),
       cmocka_unit_test(other_kinds), cmocka_unit_test(never_below_one_token),
       cmocka_unit_test(refuses),
       cmocka_unit_test(checks_what_did_not_come_from_json),
       cmocka_unit_test(bounds_hold_all_draws),
       cmocka_unit_test(writes_what_it_reads))
