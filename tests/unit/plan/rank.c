/* The best of a sweep, against sorting everything. */
#include "tests/t.h"

#include "sim/des/rng.h"
#include "sim/plan/rank.h"

enum { TOPOLOGIES = 40, POINTS = 5, TRIALS = TOPOLOGIES * POINTS };

static double edges[] = {0, 20, 50};
static struct scenario_topology topology[TOPOLOGIES];
static struct scenario scenario;
static struct space space = {
    .s = &scenario, .topology = topology, .n = TOPOLOGIES, .points = POINTS};

static void prepare(void)
{
    scenario.sweep.bands = (struct json_nums){edges, 3};
    scenario.slo = (struct scenario_slo){NAN, 30, NAN, NAN, NAN};
    for (uint32_t i = 0; i < TOPOLOGIES; i++)
        topology[i].gpus = 1 + i % 7;
}

/* Few values, so that there are many ties. */
static struct trial random_trial(struct rng *r, size_t i)
{
    struct trial t = {.topology = i / POINTS, .point = i % POINTS, .ok = true};
    t.out.tpsu = 10 * rng_below(r, 9);
    t.out.tpsg = 10 * rng_below(r, 12);
    t.out.itl.p99 = 5 * rng_below(r, 12);
    t.out.requests = 100;
    return t;
}

static int by_worth(const void *x, const void *y)
{
    const struct trial *a = x, *b = y;
    if (a->out.tpsg != b->out.tpsg)
        return a->out.tpsg > b->out.tpsg ? -1 : 1;
    int g = (int)topology[a->topology].gpus - (int)topology[b->topology].gpus;
    if (g)
        return g;
    size_t i = a->topology * POINTS + a->point;
    size_t k = b->topology * POINTS + b->point;
    return i < k ? -1 : 1;
}

static bool in_list(const struct trial *t, const struct rank_list *l, bool slo)
{
    if (slo)
        return t->out.itl.p99 <= 30;
    return t->out.tpsu >= l->lo && t->out.tpsu < l->hi;
}

static void check(const struct rank_list *l, const struct trial *sorted,
                  bool slo)
{
    bool seen[TOPOLOGIES] = {false};
    size_t n = 0;
    for (size_t i = 0; i < TRIALS && n < RANK_KEEP; i++) {
        const struct trial *t = &sorted[i];
        if (!in_list(t, l, slo) || seen[t->topology])
            continue;
        seen[t->topology] = true;
        assert_true(n < l->n);
        EQ(l->top[n].topology, t->topology);
        EQ(l->top[n].point, t->point);
        n++;
    }
    EQ(l->n, n);
}

static void best_of_all(void **state)
{
    (void)state;
    prepare();
    struct rng r = rng_stream(3, RNG_TEST, 0);
    for (int round = 0; round < 200; round++) {
        struct arena *a = arena_open();
        struct trial t[TRIALS];
        struct rank k;
        int met = 0;
        rank_init(&k, &space, a);
        EQ(k.n_bands, 3);
        for (size_t i = 0; i < TRIALS; i++) {
            t[i] = random_trial(&r, i);
            met += t[i].out.itl.p99 <= 30;
            rank_add(&k, &t[i]);
        }
        qsort(t, TRIALS, sizeof *t, by_worth);
        for (int b = 0; b < 3; b++)
            check(&k.band[b], t, false);
        check(&k.slo, t, true);
        EQ(k.trials, TRIALS);
        EQ(k.slo_met, met);
        EQ(k.requests, 100 * TRIALS);
        arena_close(a);
    }
}

/* In what order trials come does not matter. */
static void any_order(void **state)
{
    (void)state;
    prepare();
    struct arena *a = arena_open();
    struct rng r = rng_stream(4, RNG_TEST, 0);
    struct trial t[TRIALS];
    struct rank k, l;
    rank_init(&k, &space, a);
    rank_init(&l, &space, a);
    for (size_t i = 0; i < TRIALS; i++)
        t[i] = random_trial(&r, i);
    for (size_t i = 0; i < TRIALS; i++) {
        rank_add(&k, &t[i]);
        rank_add(&l, &t[TRIALS - 1 - i]);
    }
    for (int b = 0; b < 3; b++) {
        EQ(k.band[b].n, l.band[b].n);
        for (size_t i = 0; i < k.band[b].n; i++) {
            EQ(k.band[b].top[i].topology, l.band[b].top[i].topology);
            EQ(k.band[b].top[i].point, l.band[b].top[i].point);
        }
    }
    arena_close(a);
}

static void refusals_and_no_promise(void **state)
{
    (void)state;
    prepare();
    scenario.slo.itl_ms_p99 = NAN;
    struct arena *a = arena_open();
    struct rank k;
    rank_init(&k, &space, a);
    for (size_t i = 0; i < 30; i++) {
        struct trial t = {.topology = i};
        snprintf(t.why, sizeof t.why, "reason %zu", i % 10);
        rank_add(&k, &t);
    }
    struct trial good = {.topology = 1, .ok = true};
    rank_add(&k, &good);
    EQ(k.trials, 31);
    EQ(k.refused, 30);
    EQ(k.n_refusal, 10);
    for (size_t i = 0; i < 10; i++) {
        EQ(k.refusal[i].count, 3);
        STR_EQ(k.refusal[i].reason, arena_fmt(a, "reason %zu", i));
    }
    EQ(k.band[0].n, 1);
    assert_false(k.slo_given);
    EQ(k.slo.n, 0);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(best_of_all), cmocka_unit_test(any_order),
       cmocka_unit_test(refusals_and_no_promise))
