#include "sim/base/err.h"

#include "tests/t.h"

static void outermost_first(void **state)
{
    (void)state;
    struct err e = {0};
    assert_false(err_set(&e, ERR_INPUT, "must be > 0, got %d", -3));
    assert_false(err_in(&e, "%s.%s", "load.arrival", "rate_rps"));
    assert_false(err_in(&e, "scenarios/chat.json"));
    STR_EQ(e.text, "scenarios/chat.json: load.arrival.rate_rps: "
                   "must be > 0, got -3");
    EQ(e.kind, ERR_INPUT);
}

static void may_quote_itself(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, ERR_NO, "inner");
    err_set(&e, ERR_SYSTEM, "outer (%s)", e.text);
    STR_EQ(e.text, "outer (inner)");
    EQ(e.kind, ERR_SYSTEM);
    err_in(&e, "[%s]", e.text);
    STR_EQ(e.text, "[outer (inner)]: outer (inner)");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char big[3 * ERR_TEXT];
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    struct err e = {0};
    err_set(&e, ERR_INPUT, "%s", big);
    EQ(strlen(e.text), ERR_TEXT - 1);
    err_in(&e, "here");
    EQ(strlen(e.text), ERR_TEXT - 1);
    STR_HAS(e.text, "here: xxx");
    for (size_t n = ERR_TEXT - 4; n < ERR_TEXT + 2; n++) {
        err_set(&e, ERR_INPUT, "y");
        err_in(&e, "%s", big + sizeof big - 1 - n);
        EQ(strlen(e.text), n + 3 < ERR_TEXT ? n + 3 : ERR_TEXT - 1);
    }
}

static void kinds_are_exit_codes(void **state)
{
    (void)state;
    EQ(ERR_NO, 1);
    EQ(ERR_USAGE, 2);
    EQ(ERR_INPUT, 3);
    EQ(ERR_ABSENT, 4);
    EQ(ERR_SYSTEM, 5);
}

static void context_needs_an_error(void **state)
{
    (void)state;
    struct err e = {0};
    DIES(err_in(&e, "x"));
    DIES(err_set(&e, ERR_NONE, "x"));
}

T_MAIN(cmocka_unit_test(outermost_first), cmocka_unit_test(may_quote_itself),
       cmocka_unit_test(long_texts_are_cut),
       cmocka_unit_test(kinds_are_exit_codes),
       cmocka_unit_test(context_needs_an_error))
