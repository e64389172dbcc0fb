#include "tests/unit/report/scene.h"

static void one(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_run();
    section_run(&s.p, root);
    STR_HAS(s.b.s, "Where mean TTFT goes");
    STR_HAS(s.b.s, "<td>prefill</td><td class=\"n\">110.0</td>"
                   "<td class=\"n\">27 %</td>");
    STR_HAS(s.b.s, "<td>TTFT</td><td class=\"n\">1045</td>");
    EQ(scene_count(&s, "<td class=\"w\">2p-tp1-1d-tp2</td>"), 1);
    EQ(scene_count(&s, "KV transfer"), 0); /* not in this answer */
    json_free(root);
    scene_close(&s);
}

static void several(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("run", &fake_gpt, "w");
    fake_curve(cJSON_AddArrayToObject(root, "answers"), &fake_gpt,
               (struct fake_plan){0, 1, 2});
    section_run(&s.p, root);
    EQ(scene_count(&s, "<td class=\"w\">agg-tp2</td>"), FAKE_LOADS);
    EQ(scene_count(&s, "Where mean TTFT goes"), 0);
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(one), cmocka_unit_test(several))
