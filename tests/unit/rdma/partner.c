#include "tests/unit/rdma/loop.h"
#include "tests/unit/rdma/local.h"

static int calm(void **state)
{
    (void)state;
    memset(&local_mood, 0, sizeof local_mood);
    return 0;
}

/* Calls the loop; host memory, so that no GPU is looked for. */
static bool call(struct loop *l, struct partner *p, struct partner_ask *mine,
                 struct arena *a, struct err *e)
{
    *mine = (struct partner_ask){.rail = l->ask.rail, .gid = -1, .host = true};
    *p = (struct partner){.side.fd = -1};
    return partner_call(p, l->peer, 1, mine, a, e);
}

static const struct partner_want want = {.bytes = 1 << 17, .qps = 2};

static void ports_are_chosen_by_name_or_by_state(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    struct rail_port *port;
    size_t n;
    const char *two[] = {"local2", "local0", NULL}, *no[] = {"mlx5_0", NULL};
    struct partner_ask ask = {.rail = &local_ops};
    OK(partner_ports(&ask, a, &port, &n, &e), e);
    EQ(n, 3);
    ask.device = two;
    OK(partner_ports(&ask, a, &port, &n, &e), e);
    EQ(n, 2);
    STR_EQ(port[0].name, "local2");
    ask.device = no;
    assert_false(partner_ports(&ask, a, &port, &n, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "no RDMA port \"mlx5_0\"; there is local0");
    local_mood.inactive = "local0";
    ask.device = two;
    assert_false(partner_ports(&ask, a, &port, &n, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "local0 is DOWN, must be ACTIVE");
    ask.device = NULL;
    OK(partner_ports(&ask, a, &port, &n, &e), e);
    EQ(n, 2);
    STR_EQ(port[0].name, "local1");
    arena_close(a);
}

static void bytes_go_over_and_come_back(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    struct partner_ask mine;
    struct partner p;
    struct partner_lane lane;
    struct partner_took took;
    struct loop l;
    loop_open(&l, &local_ops, NULL);
    OK(call(&l, &p, &mine, a, &e), e);
    EQ(p.n_its, 3);
    STR_EQ(p.its[1].name, "local1");
    EQ(p.its[1].mtu, 1024);
    NEAR(p.its[1].Bps, 1e9, 0);
    OK(partner_open(&p, &want, &lane, &e), e);
    EQ(local_mood.open, 2);
    struct feed_job j = {
        .op = RAIL_WRITE, .bytes = 4096, .messages = 20, .qps = 2};
    const struct rail_crowd crowd = {.senders = 1};
    OK(partner_begin(&lane, &j, &crowd, &e), e);
    OK(partner_end(&lane, &took, &e), e);
    assert_true(took.n >= 5);
    assert_true(took.p50_s >= 0);
    partner_shut(&lane);
    partner_shut(&lane);
    EQ(local_mood.open, 0);
    partner_close(&p);
    loop_close(&l);
    OK(l.ok, l.e);
    STR_HAS(l.line, " done");
    arena_close(a);
}

static void changed_bytes_are_seen(void **state)
{
    (void)state;
    for (int op = RAIL_READ; op <= RAIL_WRITE; op++) {
        struct arena *a = arena_open();
        struct err e = {ERR_NONE, ""};
        struct partner_ask mine;
        struct partner p;
        struct partner_lane lane;
        struct loop l;
        memset(&local_mood, 0, sizeof local_mood);
        local_mood.spoils[op] = true;
        loop_open(&l, &local_ops, NULL);
        OK(call(&l, &p, &mine, a, &e), e);
        assert_false(partner_open(&p, &want, &lane, &e));
        EQ(e.kind, ERR_SYSTEM);
        STR_HAS(e.text, op == RAIL_READ ? "of a READ arrived changed"
                                        : "of a WRITE arrived changed");
        assert_null(lane.rail);
        partner_close(&p);
        loop_close(&l);
        assert_false(l.ok); /* it was told */
        STR_HAS(l.line, "arrived changed");
        EQ(local_mood.open, 0);
        arena_close(a);
    }
}

static void what_the_other_end_cannot_open_is_told(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    struct partner_ask mine;
    struct partner p;
    struct partner_lane lane;
    struct loop l;
    struct partner_want other = want;
    other.its = 1;
    local_mood.refuses = "local1";
    loop_open(&l, &local_ops, NULL);
    OK(call(&l, &p, &mine, a, &e), e);
    assert_false(partner_open(&p, &other, &lane, &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "127.0.0.1:");
    STR_HAS(e.text, "local1: refused");
    partner_close(&p);
    loop_close(&l);
    EQ(local_mood.open, 0);
    arena_close(a);
}

static void a_caller_that_vanishes_leaves_nothing_open(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    struct partner_ask mine;
    struct partner p;
    struct partner_lane lane;
    struct loop l;
    loop_open(&l, &local_ops, NULL);
    OK(call(&l, &p, &mine, a, &e), e);
    OK(partner_open(&p, &want, &lane, &e), e);
    side_close(&p.side); /* no goodbye */
    loop_close(&l);
    assert_false(l.ok);
    EQ(l.e.kind, ERR_ABSENT);
    STR_HAS(l.line, "went away");
    EQ(local_mood.open, 1); /* ours */
    partner_shut(&lane);
    partner_close(&p);
    EQ(local_mood.open, 0);
    arena_close(a);
}

/* Raw frames: what no partner of ours would send. */
static void bad_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum side_kind kind;
        int n;
        uint64_t v[8];
        const char *says;
    } bad[] = {
        {SIDE_OPEN, 4, {0, 9, 4096, 1}, "out of range"},  /* port */
        {SIDE_OPEN, 4, {64, 0, 4096, 1}, "out of range"}, /* lane */
        {SIDE_OPEN, 4, {0, 0, 0, 1}, "out of range"},     /* bytes */
        {SIDE_OPEN, 4, {0, 0, UINT64_MAX, 1}, "out of range"},
        {SIDE_OPEN, 4, {0, 0, 4096, 17}, "out of range"}, /* pairs */
        {SIDE_OPEN, 3, {0, 0, 4096}, "not what this version"},
        {SIDE_JOIN, 1, {0}, "out of range"},
        {SIDE_RUN, 8, {3, 0, 4096, 1, 1, 0, 1, 0}, "out of range"},
        {SIDE_CLOSE, 2, {0, 0}, "out of range"},
        {SIDE_TOOK, 1, {0}, "out of turn"},
        {SIDE_STOP, 0, {0}, "out of turn"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct loop l;
        struct err e = {ERR_NONE, ""};
        struct side s = {.fd = -1};
        struct side_frame f;
        loop_open(&l, &local_ops, NULL);
        OK(side_call(l.peer, 1, &s, &e), e);
        side_begin(&f, bad[i].kind);
        for (int k = 0; k < bad[i].n; k++)
            side_u64(&f, bad[i].v[k]);
        OK(side_put(&s, &f, &e), e);
        assert_false(side_get(&s, &f, &e));
        EQ(e.kind, ERR_INPUT);
        STR_HAS(e.text, bad[i].says);
        side_close(&s);
        loop_close(&l);
        assert_false(l.ok);
        EQ(local_mood.open, 0);
    }
}

static void a_job_must_fit_the_lane(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {ERR_NONE, ""};
    struct partner_ask mine;
    struct partner p;
    struct partner_lane lane;
    struct loop l;
    const struct rail_crowd crowd = {.senders = 1};
    loop_open(&l, &local_ops, NULL);
    OK(call(&l, &p, &mine, a, &e), e);
    OK(partner_open(&p, &want, &lane, &e), e);
    struct feed_job j = {.bytes = 1 << 18, .messages = 1, .qps = 1};
    assert_false(partner_begin(&lane, &j, &crowd, &e));
    STR_HAS(e.text, "asks for a batch that is out of range");
    partner_shut(&lane);
    partner_close(&p);
    loop_close(&l);
    EQ(local_mood.open, 0);
    arena_close(a);
}

#define CALM(test) cmocka_unit_test_setup(test, calm)
T_MAIN(CALM(ports_are_chosen_by_name_or_by_state),
       CALM(bytes_go_over_and_come_back), CALM(changed_bytes_are_seen),
       CALM(what_the_other_end_cannot_open_is_told),
       CALM(a_caller_that_vanishes_leaves_nothing_open),
       CALM(bad_requests_are_refused), CALM(a_job_must_fit_the_lane))
