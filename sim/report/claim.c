#include "sim/report/claim.h"

#include <math.h>
#include <stddef.h>

static const char *const kinds[] = {"band_gain",  "band_level",  "band_winner",
                                    "load_order", "rate_ladder", NULL};

#define AT(field) offsetof(struct claim, field)
static const struct json_row rows[] = {
    {.key = "id", .type = JSON_STR, .at = AT(id), .help = "a short name"},
    {.key = "claim",
     .type = JSON_STR,
     .at = AT(claim),
     .help = "the claim as a sentence"},
    {.key = "study",
     .type = JSON_STR,
     .at = AT(study),
     .help = "the study's figure"},
    {.key = "model",
     .type = JSON_STR,
     .at = AT(model),
     .help = "a card in models/llm"},
    {.key = "kind",
     .type = JSON_CHOICE,
     .at = AT(kind),
     .choices = kinds,
     .help = "the predicate"},
    {.key = "of",
     .type = JSON_LIST,
     .at = AT(of),
     .help = "patterns of topology names"},
    {.key = "over",
     .type = JSON_LIST,
     .at = AT(over),
     .dflt = JSON_ABSENT,
     .help = "what it is compared with"},
    {.key = "of_name",
     .type = JSON_STR,
     .at = AT(of_name),
     .dflt = JSON_ABSENT,
     .help = "how the first set is called"},
    {.key = "over_name",
     .type = JSON_STR,
     .at = AT(over_name),
     .dflt = JSON_ABSENT,
     .help = "how the second set is called"},
    {.key = "lo",
     .type = JSON_NUM,
     .at = AT(lo),
     .max = INFINITY,
     .dflt = JSON_ABSENT,
     .help = "TPSU, tokens/s/user"},
    {.key = "hi",
     .type = JSON_NUM,
     .at = AT(hi),
     .max = INFINITY,
     .dflt = JSON_ABSENT,
     .help = "TPSU, tokens/s/user"},
    {.key = "gain_lo",
     .type = JSON_NUM,
     .at = AT(gain_lo),
     .dflt = JSON_ABSENT,
     .help = "a share: 0.1 is 10 %"},
    {.key = "gain_hi",
     .type = JSON_NUM,
     .at = AT(gain_hi),
     .dflt = JSON_ABSENT,
     .help = "a share"},
    {.key = "tolerance",
     .type = JSON_NUM,
     .at = AT(tolerance),
     .max = 1,
     .dflt = "0.05",
     .help = "a share, on gains absolute, on levels relative"},
    {.key = "flat_ratio",
     .type = JSON_NUM,
     .at = AT(flat_ratio),
     .min = 1,
     .max = INFINITY,
     .dflt = "1.5",
     .help = "largest over smallest"},
    {.key = "of_level",
     .type = JSON_NUMS,
     .at = AT(of_level),
     .max = INFINITY,
     .dflt = JSON_ABSENT,
     .help = "[least, most] tokens/s/GPU"},
    {.key = "over_level",
     .type = JSON_NUMS,
     .at = AT(over_level),
     .max = INFINITY,
     .dflt = JSON_ABSENT,
     .help = "[least, most] tokens/s/GPU"},
    {0},
};

static bool complete(const struct claim *c, struct err *e)
{
    bool two = c->kind != CLAIM_LOAD_ORDER;
    if (two && (!c->over || !c->of_name || !c->over_name))
        return err_set(e, ERR_INPUT,
                       "%s: %s needs over, of_name and "
                       "over_name",
                       c->id, kinds[c->kind]);
    if (c->kind == CLAIM_BAND_GAIN
        && (isnan(c->lo) || !(c->lo <= c->hi) || !(c->gain_lo <= c->gain_hi)))
        return err_set(e, ERR_INPUT,
                       "%s: band_gain needs lo <= hi and "
                       "gain_lo <= gain_hi",
                       c->id);
    if (c->kind == CLAIM_BAND_LEVEL
        && (!(c->lo <= c->hi) || c->of_level.n != 2 || c->over_level.n != 2))
        return err_set(e, ERR_INPUT,
                       "%s: band_level needs lo <= hi, and "
                       "of_level and over_level of two numbers",
                       c->id);
    return true;
}

bool claim_read(const cJSON *item, struct arena *a, struct claim *c,
                struct err *e)
{
    return json_read(item, rows, c, "", a, e) && complete(c, e);
}
