#include "tests/unit/report/scene.h"

static void rows(void **state)
{
    static const char *const met[] = {"yes", "partly", "no", "not evaluable"};
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < 4; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "claim", "P/D < agg");
        cJSON_AddStringToObject(o, "study", "+38 %");
        cJSON_AddStringToObject(o, "model", "m");
        if (i < 3)
            cJSON_AddStringToObject(o, "predicted", "+20 %");
        cJSON_AddStringToObject(o, "met", met[i]);
        cJSON_AddStringToObject(o, "why", "because");
        cJSON_AddItemToArray(list, o);
    }
    section_claims(&s.p, list, "an article");
    EQ(scene_count(&s, "P/D &lt; agg"), 4);
    EQ(scene_count(&s, "+20 %<br>"), 3);
    STR_HAS(s.b.s, "The study: an article.");
    STR_HAS(s.b.s, "<span class=\"badge yes\">yes</span>");
    STR_HAS(s.b.s, "<span class=\"badge partly\">partly</span>");
    STR_HAS(s.b.s, "<span class=\"badge no\">no</span>");
    STR_HAS(s.b.s, "<span class=\"badge off\">not evaluable</span>");
    json_free(list);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(rows))
