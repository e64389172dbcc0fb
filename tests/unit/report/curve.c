#include "sim/report/curve.h"

#include "sim/base/json.h"
#include "tests/t.h"

#include <math.h>

struct box {
    struct arena *a;
    cJSON *list;
};

static void add(struct box *b, const char *topology, double c, double tpsu,
                double tpsg)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "topology", topology);
    cJSON_AddNumberToObject(o, "concurrency", c);
    cJSON_AddNumberToObject(o, "tpsu", tpsu);
    cJSON_AddNumberToObject(o, "tpsg", tpsg);
    cJSON_AddItemToArray(b->list, o);
}

static int make(void **state)
{
    struct box *b = calloc(1, sizeof *b);
    if (!b)
        return -1;
    b->a = arena_open();
    b->list = cJSON_CreateArray();
    add(b, "agg-tp1", 64, 10, 640); /* loads out of order */
    add(b, "1p-tp1-1d-tp2", 16, 40, 300);
    add(b, "agg-tp1", 16, 30, 480);
    add(b, "1p-tp1-1d-tp2", 64, 20, 500);
    add(b, "agg-tp1", 32, 20, 600);
    *state = b;
    return 0;
}

static int clear(void **state)
{
    struct box *b = *state;
    json_free(b->list);
    arena_close(b->a);
    free(b);
    return 0;
}

static void gathered(void **state)
{
    struct box *b = *state;
    cJSON *odd = cJSON_CreateObject(); /* a refusal: no figures */
    cJSON_AddStringToObject(odd, "topology", "agg-tp9");
    cJSON_AddItemToArray(b->list, odd);
    struct curve_set s = curve_gather(b->list, b->a);
    EQ(s.n, 2);
    STR_EQ(s.curve[0].topology, "agg-tp1");
    STR_EQ(s.curve[1].topology, "1p-tp1-1d-tp2");
    EQ(s.curve[0].pd, false);
    EQ(s.curve[1].pd, true);
    EQ(s.curve[0].n, 3);
    NEAR(s.curve[0].point[0].load, 16, 0);
    NEAR(s.curve[0].point[2].load, 64, 0);
    NEAR(s.lo, 10, 0);
    NEAR(s.hi, 40, 0);
    EQ(curve_gather(NULL, b->a).n, 0);
    assert_non_null(curve_at(&s.curve[0], 32));
    assert_null(curve_at(&s.curve[0], 33));
}

static void level(void **state)
{
    struct box *b = *state;
    const char *who = NULL;
    struct curve_set s = curve_gather(b->list, b->a);
    struct curve_set agg = curve_family(&s, false, b->a);
    NEAR(curve_level(&agg, 25, NULL), 540, 1e-9); /* between 600 and 480 */
    NEAR(curve_level(&agg, 20, NULL), 600, 1e-9);
    NEAR(curve_level(&agg, 5, NULL), 640, 1e-9); /* held to the left */
    EQ(isnan(curve_level(&agg, 30.1, NULL)), 1); /* never to the right */
    NEAR(curve_level(&s, 35, &who), 350, 1e-9);
    STR_EQ(who, "1p-tp1-1d-tp2");
    NEAR(curve_level(&s, 25, &who), 540, 1e-9);
    STR_EQ(who, "agg-tp1");
}

/* A curve that turns back: overload lowers both figures. */
static void level_of_a_bent_curve(void **state)
{
    struct box *b = *state;
    add(b, "agg-tp2", 1, 50, 100);
    add(b, "agg-tp2", 2, 45, 200);
    add(b, "agg-tp2", 4, 30, 150);
    struct curve_set s = curve_gather(b->list, b->a);
    cJSON *one = cJSON_CreateString("agg-tp2");
    struct curve_set bent = curve_pick(&s, one, b->a);
    EQ(bent.n, 1);
    NEAR(curve_level(&bent, 35, NULL), 200, 1e-9);
    NEAR(curve_level(&bent, 47.5, NULL), 150, 1e-9);
    json_free(one);
}

static void picked(void **state)
{
    struct box *b = *state;
    struct curve_set s = curve_gather(b->list, b->a);
    struct err e = {0};
    cJSON *p = NULL;
    OK(json_parse("[\"[0-9]*p-tp*\", \"nothing\"]", &p, &e), e);
    struct curve_set pd = curve_pick(&s, p, b->a);
    EQ(pd.n, 1);
    STR_EQ(pd.curve[0].topology, "1p-tp1-1d-tp2");
    NEAR(pd.lo, 20, 0);
    json_free(p);
    EQ(curve_pick(&s, NULL, b->a).n, 0);
    EQ(curve_is_pd("8x-agg-tp2"), false);
    EQ(curve_is_pd("8p-tp1-4d-tp2"), true);
}

static void front(void **state)
{
    struct box *b = *state;
    struct curve_point *f;
    struct curve_set s = curve_gather(b->list, b->a);
    EQ(curve_front(&s, &f, b->a), 4); /* (20, 500) is beaten by (20, 600) */
    NEAR(f[0].tpsu, 40, 0);
    NEAR(f[3].tpsg, 640, 0);
    for (size_t i = 1; i < 4; i++)
        assert_true(f[i].tpsu <= f[i - 1].tpsu && f[i].tpsg > f[i - 1].tpsg);
}

static void many_topologies(void **state)
{
    struct box *b = *state;
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "%dx-agg-tp1", 2 + i % 1000);
        int thousands = i / 1000;
        add(b, name, 1000 - thousands, 5, i);
    }
    struct curve_set s = curve_gather(b->list, b->a);
    EQ(s.n, 1002);
    STR_EQ(s.curve[2].topology, "2x-agg-tp1");
    STR_EQ(s.curve[1001].topology, "1001x-agg-tp1");
    EQ(s.curve[500].n, 3);
    assert_true(s.curve[500].point[0].load < s.curve[500].point[2].load);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, clear)
T_MAIN(TEST(gathered), TEST(level), TEST(level_of_a_bent_curve), TEST(picked),
       TEST(front), TEST(many_topologies))
