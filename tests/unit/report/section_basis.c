#include "tests/unit/report/scene.h"

static void one_ground_for_alike(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_sweep(&fake_gpt), *plan = fake_planned(&fake_llama);
    struct answer_file f[] = {{"a.json", root}, {"b.json", plan}};
    section_basis(&s.p, f, 2);
    EQ(scene_count(&s, "<dl>"), 2); /* two models, P/D or not */
    STR_HAS(s.b.s, "<dt>Predictions</dt><dd>140</dd>");
    STR_HAS(s.b.s, "<dt>Laws in place of measurements</dt>"
                   "<dd>allreduce, wire</dd>");
    STR_HAS(s.b.s, "<dt>Wire</dt><dd>fake-wire</dd>");
    STR_HAS(s.b.s, "<dt>Seeds</dt><dd>1</dd>");
    STR_HAS(s.b.s, "4.5 % median absolute error");
    EQ(scene_count(&s, ">2 of 11 operators by law</span>"), 2);
    STR_HAS(s.b.s, "<code>a.json</code></td><td>sweep</td>");
    json_free(root);
    json_free(plan);
    scene_close(&s);
}

/* One prediction that is not calibrated makes the ground so. */
static void worst_counts(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_sweep(&fake_gpt);
    cJSON *last = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "answers"), 99);
    cJSON *basis = cJSON_GetObjectItem(last, "basis");
    cJSON_ReplaceItemInObject(basis, "calibrated", cJSON_CreateFalse());
    cJSON_ReplaceItemInObject(basis, "seed", cJSON_CreateString("77"));
    cJSON_AddStringToObject(basis, "donor", "mi300x");
    cJSON *fits = cJSON_GetObjectItem(basis, "fits");
    cJSON_SetNumberHelper(cJSON_GetObjectItem(fits, "ape_median_pct"), 9.25);
    struct answer_file f = {"a.json", root};
    section_basis(&s.p, &f, 1);
    EQ(scene_count(&s, ">not calibrated</span>"), 1);
    STR_HAS(s.b.s, "<dd>1, 77</dd>");
    STR_HAS(s.b.s, "9.2 % median absolute error");
    STR_HAS(s.b.s, "<dt>Scaled by data sheet from</dt><dd>mi300x</dd>");
    json_free(root);
    scene_close(&s);
}

/* Only what rests on measurements throughout is called calibrated. */
static void no_laws(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_run();
    cJSON *fits = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "basis"),
                                      "fits");
    cJSON_SetNumberHelper(cJSON_GetObjectItem(fits, "laws"), 0);
    struct answer_file f = {"a.json", root};
    section_basis(&s.p, &f, 1);
    EQ(scene_count(&s, "<span class=\"badge yes\">calibrated</span>"), 1);
    STR_HAS(s.b.s, "<td class=\"n\">1</td>");
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(no_laws), cmocka_unit_test(one_ground_for_alike),
       cmocka_unit_test(worst_counts))
