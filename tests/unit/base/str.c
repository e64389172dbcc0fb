#include "sim/base/str.h"

#include "tests/t.h"

static void grows_past_its_capacity(void **state)
{
    (void)state;
    struct str b = {0};
    size_t n = 0, cap = 0;
    int grown = 0;
    for (int i = 0; i < 500; i++) {
        str_fmt(&b, "%d,", i);
        str_add(&b, "ab");
        str_addn(&b, "cdXX", 2);
        char want[32];
        snprintf(want, sizeof want, "%d,abcd", i);
        STR_EQ(b.s + n, want);
        n += strlen(want);
        EQ(b.n, n);
        grown += b.cap != cap;
        cap = b.cap;
    }
    assert_true(grown >= 4);
    str_free(&b);
    assert_null(b.s);
    str_addn(&b, NULL, 0);
    STR_EQ(b.s, "");
    str_free(&b);
}

static void doubles_are_whole_tokens(void **state)
{
    (void)state;
    double v = -1;
    assert_true(str_double("1.5", &v));
    NEAR(v, 1.5, 0);
    assert_true(str_double("-2e3", &v));
    NEAR(v, -2000, 0);
    assert_true(str_double(".5", &v));
    NEAR(v, 0.5, 0);
    static const char *const bad[] = {
        "",       " 1",   "1 ",  "1x",  "x",  "nan", "inf",
        "1e9999", "0x10", "1,5", "--1", "1e", "-",   "1.2.3",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (str_double(bad[i], &v))
            fail_msg("took \"%s\"", bad[i]);
    NEAR(v, 0.5, 0); /* untouched */
}

static void integers_are_whole_tokens(void **state)
{
    (void)state;
    int64_t i = 5;
    uint64_t u = 5;
    assert_true(str_int64("-9223372036854775808", &i));
    EQ(i, INT64_MIN);
    assert_true(str_int64("9223372036854775807", &i));
    EQ(i, INT64_MAX);
    assert_true(str_uint64("18446744073709551615", &u));
    assert_true(u == UINT64_MAX);
    static const char *const bad[] = {"",    " 1",  "1 ", "1.0", "1e3",
                                      "0x1", "--1", "-",  "+",   "+-1"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (str_int64(bad[k], &i) || str_uint64(bad[k], &u))
            fail_msg("took \"%s\"", bad[k]);
    assert_false(str_int64("9223372036854775808", &i));
    EQ(i, INT64_MAX);
    assert_false(str_uint64("18446744073709551616", &u));
    assert_false(str_uint64("-1", &u));
    assert_true(u == UINT64_MAX);
}

static void nearest_name(void **state)
{
    (void)state;
    static const char *const keys[] = {"concurrency", "rate_rps", "requests",
                                       "tp",          "isl",      NULL};
    static const char *const none[] = {NULL};
    STR_EQ(str_nearest("concurency", keys), "concurrency");
    STR_EQ(str_nearest("rate_rsp", keys), "rate_rps");
    STR_EQ(str_nearest("pt", keys), "tp"); /* one swap */
    STR_EQ(str_nearest("Requests", keys), "requests");
    STR_EQ(str_nearest("osl", keys), "isl");
    STR_EQ(str_nearest("tpp", keys), "tp");
    STR_EQ(str_nearest("isl", keys), "isl");
    assert_null(str_nearest("warmup", keys));
    assert_null(str_nearest("x", keys));
    assert_null(str_nearest("", keys));
    assert_null(str_nearest("tp", none));
    static const char *const ties[] = {"ab1", "ab2", NULL};
    STR_EQ(str_nearest("ab3", ties), "ab1"); /* the first of equals */
    char big[200];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    const char *const big_keys[] = {big, "tp", NULL};
    assert_null(str_nearest(big, keys));
    STR_EQ(str_nearest("tp", big_keys), "tp");
}

T_MAIN(cmocka_unit_test(grows_past_its_capacity),
       cmocka_unit_test(doubles_are_whole_tokens),
       cmocka_unit_test(integers_are_whole_tokens),
       cmocka_unit_test(nearest_name))
