#include "tests/unit/report/scene.h"

/* A sweep of straight lines between two points a topology. */
static void two(cJSON *list, const char *topology, double top, double end)
{
    for (int i = 0; i < 2; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "topology", topology);
        cJSON_AddNumberToObject(o, "concurrency", i ? 4 : 64);
        cJSON_AddNumberToObject(o, "tpsu", i ? 50 : 10);
        cJSON_AddNumberToObject(o, "tpsg", i ? end : top);
        cJSON_AddItemToArray(list, o);
    }
}

static const char *said(struct scene *s, double top, double end)
{
    cJSON *root = fake_file("sweep", &fake_gpt, "w");
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    two(list, "agg-tp1", 400, 200);
    if (top > 0)
        two(list, "1p-tp1-1d-tp1", top, end);
    const char *text = section_sweep_verdict(&s->p, root);
    text = text ? arena_str(s->p.a, text) : NULL;
    json_free(root);
    return text;
}

static void verdicts(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    STR_EQ(said(&s, 350, 250),
           "In the sweep disaggregated serving is ahead at 30.1 to 50 TPSU, "
           "by up to 25 % at 50 TPSU.");
    STR_HAS(said(&s, 300, 150), "aggregated serving is ahead at every TPSU");
    assert_null(said(&s, 0, 0)); /* one family only */
    scene_close(&s);
}

static void shading(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("sweep", &fake_gpt, "w");
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    two(list, "agg-tp1", 400, 200);
    two(list, "1p-tp1-1d-tp1", 350, 250);
    struct svg_chart c = section_sweep_chart(&s.p, root);
    EQ(c.n_bands, 1);
    NEAR(c.band[0].lo, 30, 0.2);
    NEAR(c.band[0].hi, 50, 1e-9);
    STR_EQ(c.band[0].name, "P/D ahead");
    EQ(c.n, 2);
    json_free(root);
    scene_close(&s);
}

/* More topologies than lines can tell apart: dots and two fronts. */
static void crowd(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("plan", &fake_gpt, "w");
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    for (int i = 0; i < 20; i++)
        fake_curve(list, &fake_gpt, (struct fake_plan){i, 2, 1 << i % 4});
    struct svg_chart c = section_sweep_chart(&s.p, root);
    EQ(c.n, 4);
    STR_EQ(c.series[0].name, "aggregated, 20 runs");
    STR_EQ(c.series[3].name, "P/D front");
    EQ(c.series[2].n, 19 * FAKE_LOADS);
    assert_true(c.series[3].n > 1 && c.series[3].n < 19 * FAKE_LOADS);
    json_free(root);
    scene_close(&s);
}

static void thinned(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    cJSON *root = fake_file("plan", &fake_gpt, "w");
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    for (int i = 0; i < 200; i++)
        fake_curve(list, &fake_gpt, (struct fake_plan){1 + i, 2, 1});
    struct svg_chart c = section_sweep_chart(&s.p, root);
    STR_EQ(c.series[0].name, "P/D, 2000 of 4000 runs");
    EQ(c.series[0].n, 2000);
    json_free(root);
    scene_close(&s);
}

T_MAIN(cmocka_unit_test(verdicts), cmocka_unit_test(shading),
       cmocka_unit_test(crowd), cmocka_unit_test(thinned))
