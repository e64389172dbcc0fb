#include "tests/t.h"

#include "sim/base/arena.h"
#include "sim/serve/wire.h"

#define GB INT64_C(1000000000)

static const struct wire_card card = {
    .name = "unit",
    .nics_per_node = 4,
    .nic_Bps = 50e9,
    .read_s = 6e-6,
    .write_s = 5e-6,
    .read_Bps = 40e9,
    .write_Bps = 48e9,
    .post_s = 2e-6,
    .post_base_s = 1e-5,
    .intra_Bps = 200e9,
    .intra_s = 3e-6,
    .incast = 1,
};

struct fix {
    struct arena *a;
    struct wire *w;
};

static struct fix open_wire(const struct wire_card *c)
{
    struct arena *a = arena_open();
    return (struct fix){a, wire_new(c, 4, 8, a)}; /* two GPUs a NIC */
}

static void send(struct wire *w, ns_t now, enum wire_op op,
                 struct wire_end from, struct wire_end to, int64_t bytes,
                 uint64_t user)
{
    struct wire_part p = {from, to, bytes};
    wire_start(w, now, op, &p, 1, user);
}

/* Steps until something is taken; where that was. */
static ns_t take(struct wire *w, struct wire_done *d)
{
    struct err e = {0};
    for (ns_t at; (at = wire_next(w)) != NS_NEVER;) {
        bool got = wire_take(w, at, d);
        OK(wire_check(w, &e), e);
        if (got)
            return at;
    }
    return NS_NEVER;
}

static struct wire_end end(uint32_t node, uint32_t gpu)
{
    return (struct wire_end){node, gpu};
}

static void one_alone(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_done d;
    EQ(wire_next(x.w), NS_NEVER);
    assert_false(wire_take(x.w, 5, &d));
    send(x.w, 1000, WIRE_READ, end(0, 0), end(1, 7), GB, 42);
    EQ(take(x.w, &d), 1000 + 25000000 + 6000);
    EQ(d.user, 42);
    EQ(d.started, 1000);
    NEAR(d.alone_s, 0.025006, 1e-12);
    send(x.w, GB, WIRE_WRITE, end(0, 0), end(1, 7), 48 * GB, 1);
    EQ(take(x.w, &d), GB + GB + 5000);
    NEAR(d.alone_s, 1.000005, 1e-12);
    send(x.w, 3 * GB, WIRE_READ, end(2, 0), end(2, 7), 100 * GB, 1);
    EQ(take(x.w, &d), 3 * GB + GB / 2 + 3000); /* no READ cap inside */
    NEAR(d.alone_s, 0.500003, 1e-12);
    EQ(wire_next(x.w), NS_NEVER);
    arena_close(x.a);
}

static void an_end_is_rounded_up(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_done d;
    send(x.w, 0, WIRE_READ, end(0, 0), end(1, 0), 1, 1); /* 1/40 ns */
    EQ(take(x.w, &d), 6001);
    send(x.w, 7000, WIRE_READ, end(0, 0), end(1, 0), 40, 1);
    EQ(take(x.w, &d), 13001);
    send(x.w, 20000, WIRE_READ, end(0, 0), end(1, 0), 41, 1);
    EQ(take(x.w, &d), 26002);
    arena_close(x.a);
}

/* GPUs 0 and 1 of eight use NIC 0 of four, GPUs 2 and 3 NIC 1. */
static void gpus_share_their_nic(void **state)
{
    (void)state;
    struct wire_done d;
    struct fix x = open_wire(&card);
    send(x.w, 0, WIRE_READ, end(0, 0), end(1, 0), GB, 1);
    send(x.w, 0, WIRE_READ, end(0, 1), end(2, 0), GB, 2);
    EQ(take(x.w, &d), 40000000 + 6000);
    EQ(d.user, 1);
    NEAR(d.alone_s, 0.025006, 1e-12);
    EQ(take(x.w, &d), 40000000 + 6000);
    EQ(d.user, 2);
    send(x.w, GB, WIRE_READ, end(0, 1), end(1, 0), GB, 1);
    send(x.w, GB, WIRE_READ, end(0, 2), end(2, 0), GB, 2);
    EQ(take(x.w, &d), GB + 25000000 + 6000);
    EQ(take(x.w, &d), GB + 25000000 + 6000);
    arena_close(x.a);
}

static void both_directions_are_free_of_each_other(void **state)
{
    (void)state;
    struct wire_done d;
    struct fix x = open_wire(&card);
    send(x.w, 0, WIRE_READ, end(0, 0), end(1, 0), GB, 1);
    send(x.w, 0, WIRE_READ, end(1, 0), end(0, 0), GB, 2);
    EQ(take(x.w, &d), 25006000);
    EQ(take(x.w, &d), 25006000);
    arena_close(x.a);
}

static void an_uplink_limits_the_node(void **state)
{
    (void)state;
    struct wire_card c = card;
    struct wire_done d;
    c.uplink_Bps = 60e9;
    struct fix x = open_wire(&c);
    for (uint32_t i = 0; i < 3; i++)
        send(x.w, 0, WIRE_READ, end(0, 2 * i), end(1 + i, 0), GB, i);
    for (uint32_t i = 0; i < 3; i++) {
        EQ(take(x.w, &d), 50006000);
        EQ(d.user, i);
    }
    send(x.w, GB, WIRE_READ, end(0, 0), end(0, 1), GB, 9);
    EQ(take(x.w, &d), GB + 5003000); /* inside: no uplink */
    arena_close(x.a);
}

/* 0.8 of 50 GB/s while two NICs send; 40 GB/s is then also the READ cap. */
static void fan_in_costs(void **state)
{
    (void)state;
    struct wire_card c = card;
    struct wire_done d;
    c.incast = 0.8;
    struct fix x = open_wire(&c);
    send(x.w, 0, WIRE_READ, end(1, 0), end(0, 0), GB, 1);
    send(x.w, 0, WIRE_READ, end(2, 0), end(0, 1), 2 * GB, 2);
    EQ(take(x.w, &d), 50006000);
    EQ(take(x.w, &d), 75006000); /* alone at its cap for the second half */
    EQ(d.user, 2);
    send(x.w, GB, WIRE_READ, end(1, 0), end(0, 0), GB, 1);
    send(x.w, GB, WIRE_READ, end(1, 1), end(0, 1), GB, 2); /* one sender */
    EQ(take(x.w, &d), GB + 40006000);
    EQ(take(x.w, &d), GB + 40006000);
    struct wire_part p[] = {{end(1, 0), end(0, 0), GB},
                            {end(2, 0), end(0, 0), GB}};
    wire_start(x.w, 2 * GB, WIRE_READ, p, 2, 3);
    EQ(take(x.w, &d), 2 * GB + 50006000);
    NEAR(d.alone_s, 0.050006, 1e-12);
    arena_close(x.a);
}

/* 64 KiB at 40 GB/s take 1.6384 us; with 0.4096 us between messages a fifth
 * of the rate is gone. */
static void small_messages_are_slower(void **state)
{
    (void)state;
    struct wire_card c = card;
    struct wire_done d;
    c.read_gap_s = 0.4096e-6;
    struct fix x = open_wire(&c);
    struct wire_part p = {end(0, 0), end(1, 0), 64 * GB};
    struct wire_ask ask = {WIRE_READ, &p, 1, 65536, 5};
    wire_begin(x.w, 0, &ask);
    EQ(take(x.w, &d), 2 * GB + 6000);
    EQ(d.user, 5);
    NEAR(d.alone_s, 2.000006, 1e-9);
    ask.message_bytes = 66000; /* counts as 64 KiB */
    wire_begin(x.w, 3 * GB, &ask);
    EQ(take(x.w, &d), 5 * GB + 6000);
    ask.message_bytes = 0; /* large */
    wire_begin(x.w, 6 * GB, &ask);
    EQ(take(x.w, &d), 6 * GB + 1600006000);
    ask.op = WIRE_WRITE; /* has no gap */
    ask.message_bytes = 512;
    wire_begin(x.w, 9 * GB, &ask);
    EQ(take(x.w, &d), 9 * GB + 1333333334 + 5000);
    p.to = end(0, 4); /* inside, neither */
    ask.op = WIRE_READ;
    wire_begin(x.w, 12 * GB, &ask);
    EQ(take(x.w, &d), 12 * GB + 320000000 + 3000);
    arena_close(x.a);
}

/* What one flow leaves of a link, the faster takes: 40 GB/s capped at 8. */
static void a_slow_flow_leaves_room(void **state)
{
    (void)state;
    struct wire_card c = card;
    struct wire_done d;
    c.read_gap_s = 0.4096e-6; /* 4 KiB: 0.1024 + 0.4096 us */
    struct fix x = open_wire(&c);
    struct wire_part p = {end(0, 0), end(1, 0), 8 * GB};
    struct wire_ask ask = {WIRE_READ, &p, 1, 4096, 1};
    wire_begin(x.w, 0, &ask);
    send(x.w, 0, WIRE_READ, end(0, 1), end(2, 0), 40 * GB, 2);
    EQ(take(x.w, &d), GB + 6000);
    EQ(d.user, 1);
    EQ(take(x.w, &d), GB + 6000);
    arena_close(x.a);
}

static double waited(const struct wire *w, enum wire_kind kind, uint32_t node,
                     uint32_t unit, ns_t now)
{
    for (uint32_t l = 0; l < wire_links(w); l++) {
        struct wire_link_seen s = wire_link_seen(w, l, now);
        if (s.kind == kind && s.node == node && s.unit == unit)
            return s.waited_s;
    }
    return NAN;
}

/* Two READs of 1 GB into NIC 1 of node 3, 40 GB/s each alone, 25 shared. */
static void waits_go_to_the_link_that_was_full(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_done d;
    double total = 0;
    send(x.w, 0, WIRE_READ, end(0, 0), end(3, 2), GB, 1);
    send(x.w, 0, WIRE_READ, end(1, 0), end(3, 3), GB, 2);
    ns_t at = take(x.w, &d);
    EQ(at, 40006000);
    EQ(take(x.w, &d), at);
    for (uint32_t l = 0; l < wire_links(x.w); l++)
        total += wire_link_seen(x.w, l, at).waited_s;
    NEAR(waited(x.w, WIRE_NIC_IN, 3, 1, at), 2 * 0.015, 1e-9);
    NEAR(total, 2 * 0.015, 1e-9);
    NEAR(wire_link_seen(x.w, 0, at).moved_B, 0, 0);
    struct wire_sum sum;
    wire_sum(x.w, at, &sum);
    NEAR(sum.waited_s[WIRE_NIC_IN], 2 * 0.015, 1e-9);
    NEAR(sum.waited_s[WIRE_NIC_OUT], 0, 1e-12);
    EQ(sum.worst.kind, WIRE_NIC_IN);
    EQ(sum.worst.node, 3);
    EQ(sum.worst.unit, 1);
    NEAR(sum.busiest[WIRE_NIC_IN], 2 / (50 * 0.040006), 1e-6);
    send(x.w, GB, WIRE_READ, end(0, 0), end(0, 1), GB, 1); /* alone */
    take(x.w, &d);
    NEAR(waited(x.w, WIRE_GPU_OUT, 0, 0, 2 * GB), 0, 1e-12);
    arena_close(x.a);
}

static void a_link_says_what_it_is(void **state)
{
    (void)state;
    struct wire_card c = card;
    c.uplink_Bps = 60e9;
    struct fix x = open_wire(&c);
    uint32_t seen[WIRE_KINDS] = {0};
    EQ(wire_links(x.w), 4 * 2 * (8 + 4 + 1));
    for (uint32_t l = 0; l < wire_links(x.w); l++) {
        struct wire_link_seen s = wire_link_seen(x.w, l, GB);
        EQ(s.node, l / 26);
        assert_true(s.unit < 8);
        NEAR(s.busy, 0, 0);
        seen[s.kind]++;
        assert_non_null(wire_kind_name(s.kind));
    }
    EQ(seen[WIRE_GPU_OUT], 32);
    EQ(seen[WIRE_GPU_IN], 32);
    EQ(seen[WIRE_NIC_OUT], 16);
    EQ(seen[WIRE_NIC_IN], 16);
    EQ(seen[WIRE_UP], 4);
    EQ(seen[WIRE_DOWN], 4);
    STR_EQ(wire_kind_name(WIRE_NIC_IN), "NIC in");
    DIES(wire_kind_name(WIRE_KINDS));
    DIES(wire_link_seen(x.w, wire_links(x.w), GB));
    arena_close(x.a);
}

static void a_transfer_is_done_when_its_last_flow_is(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_done d;
    struct wire_part p[] = {{end(0, 0), end(1, 0), GB},
                            {end(0, 0), end(1, 2), 3 * GB},
                            {end(0, 0), end(0, 2), 0}};
    wire_start(x.w, 0, WIRE_READ, p, 3, 7);
    EQ(wire_next(x.w), 40000000); /* the first is through, at 25 GB/s */
    assert_false(wire_take(x.w, 40000000, &d));
    EQ(take(x.w, &d), 40000000 + 50000000 + 6000);
    EQ(d.user, 7);
    NEAR(d.alone_s, 0.080006, 1e-12); /* 4 GB over the one NIC */
    arena_close(x.a);
}

static void nothing_to_move_is_done_at_once(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_done d;
    struct wire_part p = {end(0, 0), end(1, 0), 0};
    wire_start(x.w, 10, WIRE_READ, NULL, 0, 1);
    wire_start(x.w, 10, WIRE_READ, &p, 1, 2);
    EQ(take(x.w, &d), 10);
    EQ(d.user, 1);
    NEAR(d.alone_s, 0, 0);
    EQ(take(x.w, &d), 6010);
    EQ(d.user, 2);
    arena_close(x.a);
}

static void equals_are_taken_in_order_of_start(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_done d;
    enum { N = 1000 }; /* flows and transfers grow over their first rooms */
    for (uint64_t i = 0; i < N; i++)
        send(x.w, 0, WIRE_READ, end(0, 0), end(1, 0), 50000, i);
    for (uint64_t i = 0; i < N; i++) {
        EQ(wire_next(x.w), i ? 1006000 : 1000000);
        EQ(take(x.w, &d), 1006000);
        EQ(d.user, i);
    }
    arena_close(x.a);
}

static void util_is_the_busy_share(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_done d;
    NEAR(wire_util(x.w, 0, false, 0), 0, 0);
    send(x.w, 0, WIRE_READ, end(0, 0), end(1, 2), 20 * GB, 1); /* 0.5 s */
    NEAR(wire_util(x.w, 0, false, GB / 4), 0.8 / 4, 1e-12);
    take(x.w, &d);
    NEAR(wire_util(x.w, 0, false, GB), 0.4 / 4, 1e-9);
    NEAR(wire_util(x.w, 1, true, GB), 0.4 / 4, 1e-9);
    NEAR(wire_util(x.w, 0, true, GB), 0, 0);
    NEAR(wire_util(x.w, 2, true, GB), 0, 0);
    arena_close(x.a);
}

static void posting_is_affine(void **state)
{
    (void)state;
    NEAR(wire_post_s(&card, 0), 1e-5, 1e-18);
    NEAR(wire_post_s(&card, 118), 1e-5 + 118 * 2e-6, 1e-15);
}

static void our_mistakes_stop_it(void **state)
{
    (void)state;
    struct fix x = open_wire(&card);
    struct wire_card bad = card;
    bad.incast = 0;
    DIES(wire_new(&bad, 1, 1, x.a));
    bad = card;
    bad.nic_Bps = 0;
    DIES(wire_new(&bad, 1, 1, x.a));
    DIES(send(x.w, 0, WIRE_READ, end(4, 0), end(1, 0), 1, 1));
    DIES(send(x.w, 0, WIRE_READ, end(0, 0), end(1, 8), 1, 1));
    DIES(send(x.w, 0, WIRE_READ, end(0, 0), end(1, 0), -1, 1));
    send(x.w, 10, WIRE_READ, end(0, 0), end(1, 0), 1, 1);
    DIES(send(x.w, 9, WIRE_READ, end(0, 0), end(1, 0), 1, 1));
    arena_close(x.a);
}

T_MAIN(cmocka_unit_test(one_alone), cmocka_unit_test(an_end_is_rounded_up),
       cmocka_unit_test(gpus_share_their_nic),
       cmocka_unit_test(both_directions_are_free_of_each_other),
       cmocka_unit_test(an_uplink_limits_the_node),
       cmocka_unit_test(fan_in_costs),
       cmocka_unit_test(small_messages_are_slower),
       cmocka_unit_test(a_slow_flow_leaves_room),
       cmocka_unit_test(waits_go_to_the_link_that_was_full),
       cmocka_unit_test(a_link_says_what_it_is),
       cmocka_unit_test(a_transfer_is_done_when_its_last_flow_is),
       cmocka_unit_test(nothing_to_move_is_done_at_once),
       cmocka_unit_test(equals_are_taken_in_order_of_start),
       cmocka_unit_test(util_is_the_busy_share),
       cmocka_unit_test(posting_is_affine),
       cmocka_unit_test(our_mistakes_stop_it))
