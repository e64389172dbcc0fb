/* Which replica: vectors W1, W2 and W3 of engine.md, scrapes and ties. */
#include "tests/t.h"

#include "tests/unit/serve/rig.h"

static struct load_spec load;

static struct rig *pods(struct arena *a, uint32_t n, enum route_kind kind)
{
    struct plant_pool p = fix_pool(
        ROLE_AGGREGATED, n, 1,
        fix_timed(a, (struct fix_times){10000, 0, 0, 0}));
    struct plant *plant = ARENA_NEW(a, struct plant);
    *plant = fix_plant(&p, 1);
    plant->router.decode = plant->router.prefill = kind;
    return rig_open(a, plant, &load);
}

static uint32_t picked(struct rig *r, double at_us)
{
    r->w.req[0] = (struct world_req){.isl = 16, .osl = 1};
    route_deliver(&r->w, 0, (ns_t)(at_us * 1e3));
    return r->w.req[0].decode;
}

/* A pod's queue has n requests from now on. */
static void queue(struct rig *r, uint32_t pod, uint32_t n, double at_us)
{
    struct engine *g = &r->w.engine[pod];
    struct sched_spec s = {.prompt_tokens = 1, .max_tokens = 1};
    struct sched_output out = {0};
    uint32_t req = 0;
    while (sched_waiting(g->sched) > n && sched_peek(g->sched, false, 0, &req))
        sched_abort(g->sched, req, &out);
    while (sched_waiting(g->sched) < n)
        sched_add(g->sched, &s);
    route_gauge(&r->w, g, (ns_t)(at_us * 1e3));
}

/* How often each pod is picked, in n draws at one moment. */
static void draw(struct rig *r, int n, double at_us, int *of)
{
    for (uint32_t i = 0; i < r->w.n_engines; i++)
        of[i] = 0;
    while (n--)
        of[picked(r, at_us)]++;
}

static void W1_the_shortest_queue(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, ROUTE_QUEUE);
    int of[3];
    queue(r, 1, 1, 1);
    draw(r, 100, 60000, of); /* {0, 1}: 1.0 and 0.0 */
    EQ(of[0], 100);
    queue(r, 0, 3, 61000);
    queue(r, 1, 3, 61000);
    draw(r, 100, 120000, of); /* {3, 3}: 1.0 both */
    assert_true(of[0] > 25 && of[1] > 25);
    r = pods(a, 3, ROUTE_QUEUE);
    queue(r, 1, 2, 1);
    queue(r, 2, 4, 1);
    draw(r, 100, 60000, of); /* {0, 2, 4}: 1.0, 0.5, 0.0 */
    EQ(of[0], 100);
    queue(r, 0, 5, 61000);
    draw(r, 100, 120000, of); /* {5, 2, 4} */
    EQ(of[1], 100);
    arena_close(a);
}

static void W2_idle_pods_are_drawn_uniformly(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 4, ROUTE_QUEUE);
    int of[4];
    double chi = 0;
    draw(r, 10000, 1000, of);
    for (int i = 0; i < 4; i++)
        chi += (of[i] - 2500.0) * (of[i] - 2500.0) / 2500;
    /* chi squared of 3 degrees: 99.9 % of draws are below, 99.5 % above */
    assert_true(chi < 16.3 && chi > 0.07);
    arena_close(a);
}

static void W3_one_snapshot_between_scrapes(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, ROUTE_QUEUE);
    r->w.engine[0].scrape_phase = 10000000; /* scrapes at 10, 60, 110 ms */
    r->w.engine[1].scrape_phase = 30000000; /* 30, 80, 130 ms */
    queue(r, 0, 1, 5000);
    queue(r, 1, 2, 5000);
    EQ(picked(r, 31000), 0);
    /* all that changes after a pod's scrape is seen at its next */
    queue(r, 0, 7, 32000);
    for (int i = 0; i < 20; i++)
        EQ(picked(r, 33000 + 1000 * i), 0);
    queue(r, 0, 9, 59000);
    EQ(picked(r, 59900), 0);
    EQ(picked(r, 60000), 1);
    EQ(r->w.engine[0].scraped, 9);
    /* what came and went between two scrapes is never seen */
    queue(r, 1, 50, 81000);
    queue(r, 1, 2, 129000);
    EQ(picked(r, 131000), 1);
    EQ(r->w.engine[1].scraped, 2);
    /* a scrape sees what was there then, whoever asks when */
    queue(r, 0, 1, 140000);
    queue(r, 0, 70, 161000); /* after the scrape at 160 ms */
    EQ(picked(r, 162000), 0);
    EQ(r->w.engine[0].scraped, 1);
    arena_close(a);
}

static void no_period_is_no_age(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, ROUTE_QUEUE);
    struct plant *p = (struct plant *)(uintptr_t)r->w.plant;
    p->router.scrape_s = 0;
    queue(r, 0, 1, 1);
    EQ(picked(r, 1), 1);
    queue(r, 1, 2, 1);
    EQ(picked(r, 1), 0);
    arena_close(a);
}

static void kv_is_scraped_too(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 2, ROUTE_KV);
    struct sched_spec s = {.prompt_tokens = 1600, .max_tokens = 2};
    struct sched_batch b = {0};
    int of[2];
    draw(r, 100, 1000, of);
    assert_true(of[0] > 25 && of[1] > 25);
    sched_add(r->w.engine[0].sched, &s);
    sched_schedule(r->w.engine[0].sched, &b);
    route_gauge(&r->w, &r->w.engine[0], 2000000);
    NEAR(r->w.engine[0].gauge_kv, 0.001, 1e-12);
    draw(r, 100, 60000, of);
    EQ(of[1], 100);
    arena_close(a);
}

static void counters_of_the_picker_have_no_age(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 3, ROUTE_ACTIVE);
    int of[3];
    draw(r, 300, 1000, of); /* each pick counts at once */
    for (int i = 0; i < 3; i++)
        EQ(of[i], 100);
    EQ(r->w.engine[1].active, 100);
    r->w.engine[1].active = 0;
    draw(r, 100, 1000, of);
    EQ(of[1], 100);
    arena_close(a);
}

static void in_turn_and_at_random(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = pods(a, 3, ROUTE_ROUND_ROBIN);
    int of[3];
    for (uint32_t i = 0; i < 9; i++)
        EQ(picked(r, i), i % 3);
    r = pods(a, 3, ROUTE_RANDOM);
    draw(r, 3000, 1000, of);
    for (int i = 0; i < 3; i++)
        NEAR(of[i], 1000, 130); /* five standard deviations */
    arena_close(a);
}

/* The decode pod is picked first, and both are told. */
static void both_sides_of_a_pair(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const struct price *price = fix_timed(a,
                                          (struct fix_times){10000, 0, 0, 0});
    struct plant_pool p[2] = {fix_pool(ROLE_PREFILL, 2, 1, price),
                              fix_pool(ROLE_DECODE, 3, 1, price)};
    struct plant plant = fix_plant(p, 2);
    plant.router.prefill = plant.router.decode = ROUTE_ROUND_ROBIN;
    struct rig *r = rig_open(a, &plant, &load);
    for (uint32_t i = 0; i < 6; i++) {
        EQ(picked(r, 1), 2 + i % 3);
        EQ(r->w.req[0].prefill, i % 2);
        EQ(r->w.engine[i % 2].inbox.n, i / 2 + 1);
        EQ(r->w.engine[2 + i % 3].inbox.n, 0);
    }
    EQ(r->w.engine[0].active, 3);
    EQ(r->w.engine[2].active, 2);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(W1_the_shortest_queue),
       cmocka_unit_test(W2_idle_pods_are_drawn_uniformly),
       cmocka_unit_test(W3_one_snapshot_between_scrapes),
       cmocka_unit_test(no_period_is_no_age),
       cmocka_unit_test(kv_is_scraped_too),
       cmocka_unit_test(counters_of_the_picker_have_no_age),
       cmocka_unit_test(in_turn_and_at_random),
       cmocka_unit_test(both_sides_of_a_pair))
