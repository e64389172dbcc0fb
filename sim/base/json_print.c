#include "sim/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_BYTES = 32 }; /* "-1.7976931348623157e+308" and room */

/* The fewest digits that read back as v; 17 always do (IEEE 754). */
static char *number_text(double v)
{
    char *text = cJSON_malloc(NUMBER_BYTES);
    if (!text)
        abort();
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, NUMBER_BYTES, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    return text;
}

/* cJSON_Print stops at 15 digits where the next double is near enough; as raw
 * text a number passes through it unchanged. */
static void spell_numbers(cJSON *item)
{
    if (cJSON_IsNumber(item) && isfinite(item->valuedouble)) {
        item->valuestring = number_text(item->valuedouble);
        item->type = cJSON_Raw;
    }
    for (cJSON *i = item->child; i; i = i->next)
        spell_numbers(i);
}

char *json_print(const cJSON *root, bool indented, struct arena *a)
{
    cJSON *copy = cJSON_Duplicate(root, true);
    if (!copy)
        abort();
    spell_numbers(copy);
    char *text = indented ? cJSON_Print(copy) : cJSON_PrintUnformatted(copy);
    if (!text)
        abort();
    char *kept = arena_str(a, text);
    cJSON_free(text);
    cJSON_Delete(copy);
    return kept;
}
