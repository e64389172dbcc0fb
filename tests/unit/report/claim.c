#include "sim/report/claim.h"

#include "tests/t.h"

#include <math.h>

/* Reads JSON text as a claim; e holds the complaint. */
static bool read_text(const char *text, struct claim *c, struct arena *a,
                      struct err *e)
{
    cJSON *o = NULL;
    *e = (struct err){0};
    OK(json_parse(text, &o, e), *e);
    bool ok = claim_read(o, a, c, e);
    json_free(o);
    return ok;
}

#define HEAD                                                                   \
    "\"id\": \"x\", \"claim\": \"c\", \"study\": \"s\", \"model\": \"m\", "    \
    "\"of\": [\"a\"], \"over\": [\"b\"], \"of_name\": \"A\", "                 \
    "\"over_name\": \"B\", "

static void whole(void **state)
{
    struct arena *a = arena_open();
    struct claim c;
    struct err e;
    (void)state;
    OK(read_text("{" HEAD "\"kind\": \"band_gain\", \"lo\": 15, \"hi\": 41, "
                 "\"gain_lo\": 0.1, \"gain_hi\": 0.38}",
                 &c, a, &e),
       e);
    EQ(c.kind, CLAIM_BAND_GAIN);
    NEAR(c.lo, 15, 0);
    NEAR(c.tolerance, 0.05, 0);
    STR_EQ(c.of->child->valuestring, "a");
    OK(read_text("{" HEAD "\"kind\": \"band_winner\"}", &c, a, &e), e);
    EQ(isnan(c.lo) && isnan(c.hi), 1);
    arena_close(a);
}

static void refused(void **state)
{
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"{" HEAD "\"kind\": \"band_gain\", \"lo\": 5}", "lo <= hi"},
        {"{" HEAD "\"kind\": \"band_gain\", \"lo\": 5, \"hi\": 4, "
         "\"gain_lo\": 0, \"gain_hi\": 1}",
         "lo <= hi"},
        {"{" HEAD "\"kind\": \"band_level\", \"lo\": 5, \"hi\": 9, "
         "\"of_level\": [1], \"over_level\": [1, 2]}",
         "two numbers"},
        {"{" HEAD "\"kind\": \"band\"}", "band_gain"},
        {"{" HEAD "\"kind\": \"rate_ladder\", \"flat_ratio\": 0.5}",
         "flat_ratio"},
        {"{" HEAD "\"kind\": \"rate_ladder\", \"flat\": 2}", "flat_ratio"},
        {"{\"id\": \"x\", \"claim\": \"c\", \"study\": \"s\", \"model\": "
         "\"m\", \"of\": [], \"kind\": \"rate_ladder\"}",
         "needs over"},
        {"{\"id\": \"x\"}", "claim"},
    };
    struct arena *a = arena_open();
    struct claim c;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EQ(read_text(bad[i].text, &c, a, &e), false);
        EQ(e.kind, ERR_INPUT);
        STR_HAS(e.text, bad[i].said);
    }
    arena_close(a);
}

T_MAIN(cmocka_unit_test(whole), cmocka_unit_test(refused))
