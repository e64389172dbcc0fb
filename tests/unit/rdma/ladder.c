#include "tests/unit/rdma/loop.h"
#include "tests/unit/rdma/local.h"

#include "calibrate/rdma/ladder.h"

static const struct ladder_ask small = {
    .least = 4096, .most = 65536, .qps = 4, .batch = 64, .rung_s = 1e-4};

static size_t count(const struct ladder_rung *r, size_t n,
                    enum ladder_kind kind)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += r[i].kind == kind;
    return k;
}

static void rungs_cover_what_is_asked(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct ladder_rung *r;
    struct ladder_ask ask = {
        .least = 4096, .most = 64 << 20, .qps = 16, .batch = 1024};
    size_t n = ladder_rungs(&ask, 3, 8, a, &r);
    EQ(count(r, n, LADDER_LONE), 2 * 8);      /* 4 KiB, 16 KiB ... 64 MiB */
    EQ(count(r, n, LADDER_BATCH), 2 * 4 * 3); /* 8, 64, 512 messages */
    EQ(count(r, n, LADDER_QPS), 2 * 3 * 5);   /* 4 KiB, 64 KiB, 1 MiB */
    EQ(count(r, n, LADDER_BOTH), 2);
    EQ(count(r, n, LADDER_FAN), 2 * 3);
    EQ(count(r, n, LADDER_RAILS), 2 * 4); /* 1, 2, 4, 8 */
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(memcmp(&r[i], &r[k], sizeof *r) != 0);
    ask.skip[LADDER_QPS] = ask.skip[LADDER_RAILS] = true;
    EQ(ladder_rungs(&ask, 3, 8, a, &r), n - 30 - 8);
    n = ladder_rungs(&small, 1, 1, a, &r);
    EQ(count(r, n, LADDER_FAN), 0);
    EQ(count(r, n, LADDER_RAILS), 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(r[i].bytes >= 4096 && r[i].bytes <= 65536);
        assert_true(r[i].qps <= 4 && r[i].messages <= 64);
    }
    STR_EQ(ladder_kind_name(LADDER_FAN), "fan");
    DIES(ladder_kind_name(LADDER_KINDS));
    arena_close(a);
}

struct heard {
    size_t n, of, fail_at;
    bool kills; /* the path, after the first row */
    struct ladder_row row[200];
    char nic[RAIL_NAME];
    FILE *csv;
};

static bool hear(void *to, const struct ladder_row *row, size_t done, size_t of,
                 struct err *e)
{
    struct heard *h = to;
    h->row[h->n++] = *row;
    h->of = of;
    snprintf(h->nic, sizeof h->nic, "%s", row->nic);
    assert_true(done <= of);
    if (h->csv)
        ladder_line(h->csv, row);
    local_mood.dies_after = h->kills;
    return h->n != h->fail_at || err_set(e, ERR_SYSTEM, "the disk is full");
}

/* A ladder against n loops. */
static bool climb(struct loop *l, size_t n, const struct ladder_ask *ask,
                  struct heard *h, struct err *e)
{
    struct arena *a = arena_open();
    struct partner_ask mine = {.rail = l->ask.rail,
                               .gid = -1,
                               .host = true,
                               .law = l->ask.law,
                               .seed = 1};
    struct partner p[4];
    const struct ladder_ear ear = {hear, h};
    for (size_t i = 0; i < n; i++) {
        p[i] = (struct partner){.side.fd = -1};
        OK(partner_call(&p[i], l[i].peer, 1, &mine, a, e), *e);
    }
    bool ok = ladder_run(p, n, ask, &ear, e);
    for (size_t i = 0; i < n; i++)
        partner_close(&p[i]);
    for (size_t i = 0; i < n; i++)
        loop_close(&l[i]);
    arena_close(a);
    return ok;
}

static void a_null_path_is_climbed(void **state)
{
    (void)state;
    struct loop l[2];
    struct heard h = {.n = 0};
    struct err e = {ERR_NONE, ""};
    loop_open(&l[0], rail_find("null"), NULL);
    loop_open(&l[1], rail_find("null"), NULL);
    OK(climb(l, 2, &small, &h, &e), e);
    EQ(h.n, h.of);
    STR_EQ(h.nic, "null0");
    OK(l[0].ok, l[0].e);
    OK(l[1].ok, l[1].e);
    double lone[2] = {0}, fan[2] = {0}, both = 0, one_way = 0;
    for (size_t i = 0; i < h.n; i++) {
        const struct ladder_row *r = &h.row[i];
        const struct ladder_rung *g = &r->rung;
        assert_true(r->n >= 2 && r->min_s > 0);
        assert_true(r->p50_s >= r->min_s && r->p99_s >= r->p50_s);
        if (g->kind == LADDER_LONE && g->bytes == 4096)
            lone[g->op] = r->p50_s;
        if (g->kind == LADDER_FAN && g->op == RAIL_READ)
            fan[g->senders - 1] = r->p50_s;
        if (g->kind == LADDER_BOTH && g->op == RAIL_READ)
            both = r->p50_s;
        if (g->kind == LADDER_RAILS && g->op == RAIL_READ && g->rails == 1)
            one_way = r->p50_s;
        assert_true(isnan(r->post_s)
                    == (g->kind == LADDER_FAN && g->op == RAIL_WRITE));
    }
    assert_true(lone[RAIL_READ] > 6e-6 && lone[RAIL_READ] < 8e-6);
    assert_true(lone[RAIL_WRITE] < lone[RAIL_READ]);
    assert_true(fan[1] > 1.8 * fan[0]); /* two share one port */
    assert_true(both > one_way);
}

static void rows_that_were_told_stay(void **state)
{
    (void)state;
    struct loop l;
    struct heard h = {.fail_at = 3};
    struct err e = {ERR_NONE, ""};
    loop_open(&l, rail_find("null"), NULL);
    assert_false(climb(&l, 1, &small, &h, &e));
    EQ(h.n, 3);
    STR_HAS(e.text, "the disk is full");
    OK(l.ok, l.e); /* the other end heard a goodbye */
}

static void a_path_that_dies_names_the_rung(void **state)
{
    (void)state;
    struct loop l;
    struct heard h = {.kills = true};
    struct err e = {ERR_NONE, ""};
    memset(&local_mood, 0, sizeof local_mood);
    loop_open(&l, &local_ops, NULL);
    struct ladder_ask ample = small;
    ample.least = ample.most = 4096;
    ample.rung_s = 1e-2;
    assert_false(climb(&l, 1, &ample, &h, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "rung 2 of ");
    STR_HAS(e.text, "the path died");
    EQ(h.n, 1);
    EQ(local_mood.open, 0);
}

static void an_interrupt_ends_it(void **state)
{
    (void)state;
    struct loop l;
    volatile sig_atomic_t stop = 1;
    struct heard h = {.n = 0};
    struct err e = {ERR_NONE, ""};
    struct ladder_ask ask = small;
    ask.stop = &stop;
    loop_open(&l, rail_find("null"), NULL);
    assert_false(climb(&l, 1, &ask, &h, &e));
    EQ(e.kind, ERR_NO);
    EQ(h.n, 0);
}

static void a_row_as_text(void **state)
{
    (void)state;
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    struct ladder_row r = {.rung = {LADDER_FAN, RAIL_WRITE, 4096, 10, 2, 3, 1},
                           .nic = "mlx5_0",
                           .n = 7,
                           .min_s = 1e-6,
                           .p50_s = 2e-6,
                           .mad_s = 1e-7,
                           .p90_s = 3e-6,
                           .p99_s = 4e-6,
                           .post_s = NAN};
    ladder_head(f);
    ladder_line(f, &r);
    fclose(f);
    STR_EQ(text,
           "nic,op,kind,devices_per_side,senders,both,queue_pairs,"
           "messages_per_batch,message_bytes,time_us_per_batch,time_us_mad,"
           "time_us_min,time_us_p90,time_us_p99,n,bandwidth_GBps_per_device,"
           "post_us,memory\n"
           "mlx5_0,WRITE,fan,1,3,0,2,10,4096,2.0000,0.1000,1.0000,3.0000,"
           "4.0000,7,61.44,,host\n");
    free(text);
}

T_MAIN(cmocka_unit_test(rungs_cover_what_is_asked),
       cmocka_unit_test(a_null_path_is_climbed),
       cmocka_unit_test(rows_that_were_told_stay),
       cmocka_unit_test(a_path_that_dies_names_the_rung),
       cmocka_unit_test(an_interrupt_ends_it), cmocka_unit_test(a_row_as_text))
