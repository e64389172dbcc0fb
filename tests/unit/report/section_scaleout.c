#include "tests/unit/report/scene.h"

static void four_charts(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_scaleout();
    section_scaleout(&s.p, root);
    EQ(scene_count(&s, "<svg "), 4);
    STR_HAS(s.b.s, "P99 ITL, gpt-oss-120b on mi300x");
    STR_HAS(s.b.s, "All 33 predictions");
    EQ(scene_count(&s, ">12x-agg-tp2</text>") >= 4, true);
    json_free(root);
    scene_close(&s);
}

/* Overload spans decades: the axis shows 1, 10, 100 then. */
static void overload_is_logarithmic(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("scaleout", &fake_gpt, "w");
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    for (int i = 0; i < 4; i++) {
        cJSON *o = fake_answer(&fake_gpt, (struct fake_plan){0, 1, 2}, 4,
                               10 + i);
        cJSON *d = cJSON_GetObjectItem(o, "e2e_ms");
        cJSON_SetNumberHelper(cJSON_GetObjectItem(d, "mean"),
                              1000 * pow(10, i));
        cJSON_AddItemToArray(list, o);
    }
    section_scaleout(&s.p, root);
    const char *end = strstr(s.b.s, "</svg>");
    const char *tick = strstr(s.b.s, ">100</text>");
    assert_true(tick && tick < end);
    json_free(root);
    scene_close(&s);
}

static void nothing(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("scaleout", &fake_gpt, "w");
    section_scaleout(&s.p, root);
    EQ(s.b.n, 0);
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(four_charts), cmocka_unit_test(overload_is_logarithmic),
       cmocka_unit_test(nothing))
