#include "tests/unit/report/scene.h"

static void best(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_planned(&fake_gpt);
    section_plan_best(&s.p, root);
    STR_HAS(
        s.b.s,
        "Most tokens/s/GPU with P99 TTFT ≤ 2000 ms and "
        "P99 ITL ≤ 50 ms: <strong>2p-tp1-1d-tp1</strong> at concurrency 192 "
        "on 3 GPUs: 1409 tok/s/GPU at 22.0 tok/s/user.");
    STR_HAS(s.b.s, "<td class=\"w\">0 to 20</td>");
    STR_HAS(s.b.s, "<td class=\"w\">100 and above</td>");
    STR_HAS(s.b.s, "2p-tp1-1d-tp1, -2 %"); /* the best of the other kind */
    json_free(root);
    scene_close(&s);
}

static void nothing_keeps_the_promise(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_planned(&fake_gpt);
    cJSON_DeleteItemFromObject(root, "slo_ranked");
    cJSON_AddArrayToObject(root, "slo_ranked");
    cJSON *band = cJSON_GetObjectItem(root, "bands")->child;
    cJSON_DeleteItemFromObject(band, "ranked");
    cJSON_AddArrayToObject(band, "ranked");
    section_plan_best(&s.p, root);
    STR_HAS(s.b.s, "No plan that was tried keeps P99 TTFT ≤ 2000 ms");
    STR_HAS(s.b.s, "no plan reaches it");
    json_free(root);
    scene_close(&s);
}

static void plan(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_planned(&fake_gpt);
    section_plan(&s.p, root);
    STR_HAS(s.b.s, "5120 topologies, 51200 trials, 102 million simulated "
                   "requests.");
    EQ(scene_count(&s, "<summary>TPSU "), 5);
    STR_HAS(s.b.s, "more than 72 GPUs</td><td class=\"n\">310</td>");
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(best), cmocka_unit_test(nothing_keeps_the_promise),
       cmocka_unit_test(plan))
