#include "tests/t.h"

#include "sim/base/arena.h"
#include "sim/des/rng.h"
#include "sim/serve/wire_share.h"

static struct wire_net net_of(uint32_t links, double Bps, struct arena *a)
{
    struct wire_net w;
    wire_share_init(&w, links, a);
    for (uint32_t l = 0; l < links; l++)
        w.link[l].full_Bps = Bps;
    for (int c = 0; c < WIRE_SHARE_CLASSES; c++)
        w.cap[c] = INFINITY;
    return w;
}

static uint32_t flow(struct wire_net *w, int64_t bytes, uint8_t class,
                     uint32_t from, uint32_t to)
{
    uint32_t f = wire_share_slot(w);
    w->flow[f].bytes = bytes;
    w->flow[f].class = class;
    w->flow[f].hops = (uint8_t)(from == to ? 1 : 2);
    w->flow[f].link[0] = from;
    w->flow[f].link[1] = to;
    return f;
}

static void add(struct wire_net *w, uint32_t f, ns_t now)
{
    wire_share_begin(w);
    wire_share_add(w, f, now);
    wire_share_solve(w, now);
    assert_true(wire_share_fair(w));
}

static void drop(struct wire_net *w, uint32_t f, ns_t now)
{
    wire_share_begin(w);
    wire_share_drop(w, f, now);
    wire_share_solve(w, now);
    assert_true(wire_share_fair(w));
}

/* Bertsekas and Gallager's picture: a long flow against two short ones. */
static void the_long_flow_and_the_short(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct wire_net w = net_of(2, 10e9, a);
    uint32_t lengthy = flow(&w, 1000, 0, 0, 1);
    add(&w, lengthy, 0);
    NEAR(w.flow[lengthy].rate, 10e9, 1);
    uint32_t left = flow(&w, 1000, 0, 0, 0);
    add(&w, left, 0);
    uint32_t more = flow(&w, 1000, 0, 0, 0), right = flow(&w, 1000, 0, 1, 1);
    add(&w, more, 0);
    add(&w, right, 0);
    NEAR(w.flow[lengthy].rate, 10e9 / 3, 1);
    NEAR(w.flow[left].rate, 10e9 / 3, 1);
    NEAR(w.flow[right].rate, 20e9 / 3, 1);
    EQ(w.flow[right].bind, 1);
    EQ(w.flow[lengthy].bind, 0);
    drop(&w, more, 0);
    NEAR(w.flow[lengthy].rate, 5e9, 1);
    NEAR(w.flow[right].rate, 5e9, 1);
    arena_close(a);
}

static void a_cap_leaves_the_rest_to_others(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct wire_net w = net_of(1, 10e9, a);
    w.cap[0] = 1e9;
    w.cap[1] = 2e9;
    uint32_t f[4];
    for (uint8_t i = 0; i < 4; i++) {
        f[i] = flow(&w, 1000, i < 2 ? i : 2, 0, 0);
        add(&w, f[i], 0);
    }
    NEAR(w.flow[f[0]].rate, 1e9, 1);
    NEAR(w.flow[f[1]].rate, 2e9, 1);
    NEAR(w.flow[f[2]].rate, 3.5e9, 1);
    NEAR(w.flow[f[3]].rate, 3.5e9, 1);
    EQ(w.flow[f[0]].bind, WIRE_SHARE_NONE);
    arena_close(a);
}

static void ends_come_in_order(void **state)
{
    (void)state;
    enum { N = 300 }; /* slots grow several times */
    struct arena *a = arena_open();
    struct wire_net w = net_of(N, 1e9, a);
    struct rng r = rng_stream(1, RNG_TEST, 0);
    EQ(wire_share_first(&w), WIRE_SHARE_NONE);
    for (uint32_t i = 0; i < N; i++)
        add(&w, flow(&w, rng_range(&r, 1, 1000), 0, i, i), 0);
    ns_t before = 0;
    for (int i = 0; i < N; i++) {
        uint32_t f = wire_share_first(&w);
        EQ(w.flow[f].end, w.flow[f].bytes); /* 1 B a ns */
        assert_true(w.flow[f].end >= before);
        before = w.flow[f].end;
        drop(&w, f, before);
    }
    EQ(wire_share_first(&w), WIRE_SHARE_NONE);
    EQ(w.slots, 512);
    arena_close(a);
}

/* Links in a row of rising width, each flow over two neighbours: what happens
 * at the narrow end is felt link by link, beyond the rounds of growing. */
static void a_change_reaches_as_far_as_it_must(void **state)
{
    (void)state;
    enum { N = 60 };
    struct arena *a = arena_open();
    struct wire_net w = net_of(N + 1, 1e9, a);
    for (uint32_t l = 0; l <= N; l++)
        w.link[l].full_Bps = 1e9 * (1 + 0.3 * l);
    for (uint32_t i = 0; i < N; i++)
        add(&w, flow(&w, 1 << 30, 0, i, i + 1), 0);
    double far = w.flow[N - 1].rate;
    uint32_t f = flow(&w, 1 << 30, 0, 0, 0);
    add(&w, f, 0);
    assert_true(w.flow[N - 1].rate != far);
    drop(&w, f, 0);
    NEAR(w.flow[N - 1].rate, far, 1);
    arena_close(a);
}

/* Nothing else moves when a flow comes where there is room. */
static void a_change_stays_where_it_is(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct wire_net w = net_of(4, 10e9, a);
    w.cap[0] = 2e9;
    for (uint32_t i = 0; i < 4; i++)
        add(&w, flow(&w, 1000, 0, i, (i + 1) % 4), 0);
    wire_share_begin(&w);
    wire_share_add(&w, flow(&w, 1000, 0, 0, 1), 0);
    wire_share_solve(&w, 0);
    EQ(w.n_in, 1);
    arena_close(a);
}

static void fan_in_narrows_a_receiver(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct wire_net w = net_of(3, 10e9, a);
    w.incast = 0.5;
    w.link[2].receives = true;
    uint32_t f = flow(&w, 1000, 0, 0, 2), g = flow(&w, 1000, 0, 0, 2),
             h = flow(&w, 1000, 0, 1, 2);
    add(&w, f, 0);
    add(&w, g, 0);
    NEAR(w.flow[f].rate, 5e9, 1);
    add(&w, h, 0);
    NEAR(w.flow[f].rate, 5e9 / 3, 1);
    drop(&w, h, 0);
    NEAR(w.flow[f].rate, 5e9, 1);
    arena_close(a);
}

static void fair_sees_what_is_not(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct wire_net w = net_of(1, 10e9, a);
    uint32_t f = flow(&w, 1000, 0, 0, 0), g = flow(&w, 1000, 0, 0, 0);
    add(&w, f, 0);
    add(&w, g, 0);
    w.flow[f].rate = 6e9; /* too much for the link */
    assert_false(wire_share_fair(&w));
    w.flow[g].rate = 4e9; /* full, but g is not the fastest */
    assert_false(wire_share_fair(&w));
    w.flow[f].rate = w.flow[g].rate = 4e9; /* room left */
    assert_false(wire_share_fair(&w));
    w.cap[0] = 4e9; /* ... but both at their cap */
    assert_true(wire_share_fair(&w));
    arena_close(a);
}

T_MAIN(cmocka_unit_test(the_long_flow_and_the_short),
       cmocka_unit_test(a_cap_leaves_the_rest_to_others),
       cmocka_unit_test(ends_come_in_order),
       cmocka_unit_test(a_change_reaches_as_far_as_it_must),
       cmocka_unit_test(a_change_stays_where_it_is),
       cmocka_unit_test(fan_in_narrows_a_receiver),
       cmocka_unit_test(fair_sees_what_is_not))
