#include "tests/unit/rdma/loop.h"

#include "calibrate/rdma/contend.h"

static const char *write_plan(const char *dir, const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/plan.csv", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

#define HEAD "transfer,op,start_ms,bytes,message_bytes\n"

static void a_plan_is_read(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    struct contend_plan p;
    struct err e = {ERR_NONE, ""};
    OK(contend_load(write_plan(dir, HEAD "a,READ,0,65536,4096\n"
                                         "b,WRITE,12.5,8192,8192\n"),
                    a, &p, &e),
       e);
    EQ(p.n, 2);
    STR_EQ(p.move[0].name, "a");
    EQ(p.move[1].op, RAIL_WRITE);
    NEAR(p.move[1].start_s, 0.0125, 1e-12);
    assert_true(isnan(p.move[1].ended_s));
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"transfer,op,start_ms,bytes\na,READ,0,1\n", "must have the columns"},
        {HEAD, "no row"},
        {HEAD "a,COPY,0,8,8\n", "op must be READ or WRITE, got \"COPY\""},
        {HEAD "a,READ,-1,8,8\n", "negative"},
        {HEAD "a,READ,0,9,8\n", "no multiple"},
        {HEAD "a,READ,0,0,8\n", "no number of bytes"},
        {HEAD "a,READ,0,8,0.5\n", "no number of bytes"},
        {HEAD "a,READ,x,8,8\n", "start_ms"},
        {HEAD "a,READ,0,8\n", "plan.csv"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(contend_load(write_plan(dir, bad[i].text), a, &p, &e));
        EQ(e.kind, ERR_INPUT);
        STR_HAS(e.text, bad[i].says);
        STR_HAS(e.text, "plan.csv");
    }
    arena_close(a);
    t_undir(dir);
}

/* The null rail's port serves in order of posting, so two READs that begin
 * together take turns, and a later one finds the port free. */
static void a_plan_is_played(void **state)
{
    (void)state;
    enum { MIB = 1 << 20, RUNS = 2, MOVES = 3 };
    const struct rail_law law = {.latency_s = {1e-6, 1e-6},
                                 .flow_Bps = {1e12, 1e12},
                                 .rail_Bps = {1e9, 1e9},
                                 .incast = 1,
                                 .both = 1};
    struct arena *a = arena_open();
    struct contend_move move[MOVES] = {
        {.name = "1", .bytes = 4 * MIB, .message_bytes = MIB / 4},
        {.name = "2", .bytes = 4 * MIB, .message_bytes = MIB / 4},
        {.name = "3", .bytes = MIB, .message_bytes = MIB / 4, .start_s = 1}};
    const struct contend_plan plan = {move, MOVES};
    const struct contend_ask ask = {RUNS, 4};
    struct contend_move out[RUNS * MOVES];
    struct partner_ask mine = {.rail = rail_find("null"), .law = &law};
    struct partner p = {.side.fd = -1};
    struct err e = {ERR_NONE, ""};
    struct loop l;
    loop_open(&l, rail_find("null"), &law);
    OK(partner_call(&p, l.peer, 1, &mine, a, &e), e);
    OK(contend_play(&p, &plan, &ask, out, &e), e);
    for (int k = 0; k < RUNS; k++) {
        struct contend_move *m = &out[k * MOVES];
        EQ(m[0].run, k);
        NEAR(m[0].ended_s, 8 * MIB / 1e9, 0.3e-3);
        NEAR(m[1].ended_s, 8 * MIB / 1e9, 0.3e-3);
        NEAR(m[2].begun_s, 1, 1e-6);
        NEAR(m[2].ended_s, 1 + MIB / 1e9, 1e-5);
    }
    partner_close(&p);
    loop_close(&l);
    OK(l.ok, l.e);
    arena_close(a);
}

static void too_many_at_once(void **state)
{
    (void)state;
    struct contend_move move[RAIL_QPS + 1];
    const struct contend_plan plan = {move, RAIL_QPS + 1};
    const struct contend_ask ask = {1, 4};
    struct partner p = {.side.fd = -1};
    struct err e = {ERR_NONE, ""};
    assert_false(contend_play(&p, &plan, &ask, NULL, &e));
    STR_HAS(e.text, "17 transfers: 16 at most");
}

static void runs_are_read_again(void **state)
{
    (void)state;
    char *dir = t_dir(), path[256];
    struct arena *a = arena_open();
    struct contend_plan p;
    struct err e = {ERR_NONE, ""};
    const struct contend_move m = {.name = "a,b",
                                   .op = RAIL_WRITE,
                                   .start_s = 0.001,
                                   .bytes = 4096,
                                   .message_bytes = 2048,
                                   .run = 2,
                                   .begun_s = 0.0011,
                                   .ended_s = 0.25};
    snprintf(path, sizeof path, "%s/runs.csv", dir);
    FILE *f = fopen(path, "w");
    contend_head(f);
    contend_line(f, &m);
    fclose(f);
    OK(contend_load(path, a, &p, &e), e);
    EQ(p.n, 1);
    STR_EQ(p.move[0].name, "a,b");
    EQ(p.move[0].run, 2);
    NEAR(p.move[0].begun_s, 0.0011, 1e-9);
    NEAR(p.move[0].ended_s, 0.25, 1e-9);
    arena_close(a);
    t_undir(dir);
}

T_MAIN(cmocka_unit_test(a_plan_is_read), cmocka_unit_test(a_plan_is_played),
       cmocka_unit_test(too_many_at_once),
       cmocka_unit_test(runs_are_read_again))
