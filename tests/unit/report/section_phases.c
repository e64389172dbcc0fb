#include "tests/unit/report/scene.h"

static void phases(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_phases(&fake_gpt);
    section_phases(&s.p, root);
    EQ(scene_count(&s, "<svg "), 3);
    EQ(scene_count(&s, "aria-label=\"Prefill alone, "), 1);
    EQ(scene_count(&s, "aria-label=\"Decode alone"), 2);
    STR_HAS(s.b.s, "<td class=\"n\">36551</td>"); /* the peak at TP1 */
    STR_HAS(s.b.s, "tp 1\nconcurrency 4\n");
    json_free(root);
    scene_close(&s);
}

/* A point that does not fit says so in place of figures: a hole, no more. */
static void refused_point(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_phases(&fake_gpt);
    cJSON *point = cJSON_CreateObject();
    answer_put(point, "tp", 1);
    answer_put(point, "concurrency", 2);
    cJSON_AddStringToObject(point, "refused", "no room");
    cJSON_InsertItemInArray(cJSON_GetObjectItem(root, "prefill"), 0, point);
    section_phases(&s.p, root);
    STR_HAS(s.b.s, "<td class=\"n\">36551</td>");
    EQ(scene_count(&s, "nan"), 0);
    json_free(root);
    scene_close(&s);
}

static void prefill_alone(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_phases(&fake_gpt);
    cJSON_DeleteItemFromObject(root, "decode");
    section_phases(&s.p, root);
    EQ(scene_count(&s, "<svg "), 1);
    EQ(scene_count(&s, "All decode points"), 0);
    json_free(root);
    scene_close(&s);
}

/* Of each decode TP the best pair stands in the short table, once. */
static void pairs(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("pair", &fake_gpt, "w");
    cJSON *list = cJSON_AddArrayToObject(root, "pairs");
    static const double row[][2] = {{1, 700}, {1, 900}, {1, 900}, {2, 800}};
    for (int i = 0; i < 4; i++) {
        cJSON *o = cJSON_CreateObject();
        answer_put(o, "decode_tp", row[i][0]);
        answer_put(o, "concurrency", 16 + i);
        answer_put(o, "p_gpus", 2);
        answer_put(o, "total_gpus", 3);
        answer_put(o, "tpsu", 50 + i);
        answer_put(o, "tpsg", row[i][1]);
        cJSON_AddItemToArray(list, o);
    }
    section_phases_pair(&s.p, root);
    char *fold = strstr(s.b.s, "All pairs");
    assert_non_null(fold);
    *fold = 0;
    EQ(scene_count(&s, "<td class=\"n\">900</td>"), 1);
    EQ(scene_count(&s, "<td class=\"n\">17</td>"), 1);
    EQ(scene_count(&s, "<td class=\"n\">800</td>"), 1);
    EQ(scene_count(&s, "<td class=\"n\">700</td>"), 0);
    *fold = 'A';
    EQ(scene_count(&s, "<td class=\"n\">700</td>"), 1);
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(phases), cmocka_unit_test(refused_point),
       cmocka_unit_test(prefill_alone), cmocka_unit_test(pairs))
