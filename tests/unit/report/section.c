#include "tests/unit/report/scene.h"

static void answers(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *list = cJSON_CreateArray();
    fake_curve(list, &fake_gpt, (struct fake_plan){0, 1, 4});
    section_answers(&s.p, list, 3, true);
    EQ(scene_count(&s, "<tr class=\"best\">"), 1);
    EQ(scene_count(&s, "<td class=\"w\">agg-tp4</td>"), 3);
    STR_HAS(s.b.s, "17 more not shown");
    EQ(scene_count(&s, "Requests/s"), 0); /* a column nobody fills */
    EQ(scene_count(&s, ">met</span>"), 3);
    json_free(list);
    scene_close(&s);
}

static void folded(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    section_data(&s.p, NULL);
    EQ(s.b.n, 0);
    cJSON *list = cJSON_CreateArray();
    section_data(&s.p, list);
    EQ(s.b.n, 0);
    fake_curve(list, &fake_gpt, (struct fake_plan){0, 1, 4});
    section_data(&s.p, list);
    STR_HAS(s.b.s, "All 20 predictions");
    json_free(list);
    scene_close(&s);
}

static void tip(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *a = fake_answer(&fake_gpt, (struct fake_plan){2, 1, 2}, 64, NAN);
    const char *t = section_tip(&s.p, a);
    STR_HAS(t, "2p-tp1-1d-tp2, concurrency 64\nTPSU ");
    STR_HAS(t, "tok/s/user ± ");
    STR_HAS(t, "limited by compute of prefill");
    json_free(a);
    a = cJSON_CreateObject();
    STR_EQ(section_tip(&s.p, a), "");
    json_free(a);
    scene_close(&s);
}

static void families(void **state)
{
    static const struct section_axes axes = {"tpsu", "e2e_ms.mean", 1e-3};
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_sweep(&fake_gpt);
    struct curve_set all = curve_gather(answer_at(root, "answers"), s.p.a);
    struct svg_series *line = section_lines(&s.p, &all, &axes);
    EQ(all.n, 7);
    for (size_t i = 0; i < all.n; i++) {
        EQ(line[i].tone, i < 4 ? 'a' : 'd');
        EQ(line[i].hollow, i < 4);
        EQ(line[i].n, FAKE_LOADS);
        for (size_t k = 0; k < i; k++)
            assert_true(line[k].tone != line[i].tone
                        || line[k].shade != line[i].shade);
    }
    NEAR(line[0].point[0].y,
         answer_num(all.curve[0].point[0].answer, "e2e_ms.mean") / 1e3, 1e-12);
    json_free(root);
    scene_close(&s);
}

static void subject(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = cJSON_CreateObject();
    STR_EQ(section_subject(&s.p, root), "unnamed model");
    json_free(root);
    root = fake_file("run", &fake_gpt, "w");
    STR_EQ(section_subject(&s.p, root), "gpt-oss-120b on mi300x");
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(answers), cmocka_unit_test(folded),
       cmocka_unit_test(tip), cmocka_unit_test(families),
       cmocka_unit_test(subject))
