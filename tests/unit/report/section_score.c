#include "tests/unit/report/scene.h"

static void score(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_score();
    section_score(&s.p, root);
    STR_HAS(s.b.s, "<td>itl_ms_p99</td><td class=\"n\">39</td>"
                   "<td class=\"n\">10.5</td><td class=\"n\">9.1</td>"
                   "<td class=\"n\">-6.0</td><td class=\"n\">23.0</td>");
    STR_HAS(s.b.s, "Figures: 156 ok, 4 unsupported.");
    STR_HAS(s.b.s, "<td>no such wire</td><td class=\"n\">4</td>");
    EQ(scene_count(&s, "fake-3\n"), 4);
    EQ(scene_count(&s, "fake-7\n"), 0); /* not predicted, not drawn */
    EQ(scene_count(&s, "class=\"l dash\""), 1);
    json_free(root);
    scene_close(&s);
}

/* The tip says the error that the mark shows. */
static void error_in_per_cent(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("score", &fake_gpt, "w");
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "run_id", "r");
    cJSON_AddStringToObject(o, "metric", "tpot_ms_median");
    cJSON_AddStringToObject(o, "status", "ok");
    answer_put(o, "measured", 20);
    answer_put(o, "predicted", 18);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "rows"), o);
    section_score(&s.p, root);
    STR_HAS(s.b.s, "r\ntpot_ms_median\nmeasured 20\npredicted 18 (-10.0 %)");
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(score), cmocka_unit_test(error_in_per_cent))
