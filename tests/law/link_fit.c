/* The whole way from a wire to its card on rails that obey a stated law: both
 * ends over TCP, the ladder, its CSV, the fit.  The fit finds the law again,
 * within a few of its own standard errors and within a few per cent. */
#include "tests/unit/rdma/loop.h"

#include "calibrate/fit/link.h"
#include "calibrate/rdma/ladder.h"
#include "sim/base/json.h"
#include "sim/base/units.h"
#include "sim/cost/card.h"
#include "sim/des/rng.h"

static bool write_row(void *to, const struct ladder_row *row, size_t done,
                      size_t of, struct err *e)
{
    (void)done, (void)of, (void)e;
    ladder_line(to, row);
    return true;
}

/* Two partners, two rails; rows to a file. */
static void measure(const struct rail_law *law, uint64_t seed, const char *path)
{
    struct arena *a = arena_open();
    struct loop l[2];
    struct partner p[2];
    struct err e = {ERR_NONE, ""};
    const struct partner_ask mine = {
        .rail = rail_find("null"), .law = law, .seed = seed};
    const struct ladder_ask ask = {.least = 4096,
                                   .most = 16 << 20,
                                   .qps = 16,
                                   .batch = 512,
                                   .rung_s = 2e-3};
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    const struct ladder_ear ear = {write_row, f};
    for (int i = 0; i < 2; i++) {
        loop_open(&l[i], rail_find("null"), law);
        p[i] = (struct partner){.side.fd = -1};
        OK(partner_call(&p[i], l[i].peer, 1, &mine, a, &e), e);
    }
    ladder_head(f);
    OK(ladder_run(p, 2, &ask, &ear, &e), e);
    for (int i = 0; i < 2; i++) {
        partner_close(&p[i]);
        loop_close(&l[i]);
        OK(l[i].ok, l[i].e);
    }
    EQ(fclose(f), 0);
    arena_close(a);
}

static struct rail_law random_law(struct rng *r)
{
    struct rail_law law = {
        .gap_s = 1e-7 * (1 + rng_below(r, 6)), /* posting is quicker */
        .incast = 0.6 + 0.4 * rng_unit(r),
        .both = 0.6 + 0.4 * rng_unit(r),
        .post_s = 1e-8 * (1 + rng_below(r, 3)),
        .post_base_s = 1e-8 * (1 + rng_below(r, 10)),
        .noise = 0.02,
    };
    for (int op = RAIL_READ; op <= RAIL_WRITE; op++) {
        law.latency_s[op] = 1e-6 * (2 + rng_below(r, 20));
        law.rail_Bps[op] = 1e9 * (10 + rng_below(r, 60));
        law.flow_Bps[op] = law.rail_Bps[op] * (0.3 + 0.4 * rng_unit(r));
    }
    return law;
}

/* Within four standard errors, or within `share` where those are tighter than
 * what the law leaves out: the posting before a batch begins. */
static void found(const struct link_value *v, double truth, double share)
{
    assert_false(v->held);
    assert_true(isfinite(v->se) && v->se > 0);
    NEAR(v->is, truth, fmax(4 * v->se, share * truth));
    NEAR(v->is, truth, 0.08 * truth); /* and the errors are not idle */
}

static void a_law_is_found_again(void **state)
{
    (void)state;
    struct rng r = rng_stream(11, RNG_TEST, 0);
    char *dir = t_dir(), path[256];
    snprintf(path, sizeof path, "%s/rows.csv", dir);
    for (uint64_t i = 0; i < 8; i++) {
        struct arena *a = arena_open();
        struct rail_law law = random_law(&r);
        struct link_rows rows;
        struct link_fit f;
        struct err e = {ERR_NONE, ""};
        measure(&law, 100 + i, path);
        OK(link_load(path, NULL, a, &rows, &e), e);
        OK(link_fit(&rows, &f, &e), e);
        for (int op = LINK_READ; op <= LINK_WRITE; op++) {
            const struct link_law *l = &f.op[op];
            double first_s = law.post_base_s + law.post_s;
            found(&l->latency_s, law.latency_s[op] + first_s, 0.04);
            found(&l->rail_Bps, law.rail_Bps[op], 0.02);
            found(&l->flow_Bps, law.flow_Bps[op], 0.02);
            found(&l->gap_s, law.gap_s, 0.08);
            found(&l->incast, law.incast, 0.02);
            found(&l->both, law.both, 0.02);
            assert_true(l->ape_median < 2);
        }
        /* chains of up to 32: the base is paid n / 32 times */
        NEAR(f.post_s.is, law.post_s + law.post_base_s / RAIL_CHAIN,
             0.1 * law.post_s + law.post_base_s / RAIL_CHAIN);
        EQ(f.rails, 2);
        NEAR(f.rails_share, 1, 0.03);
        arena_close(a);
    }
    t_undir(dir);
}

struct made { /* a law, its rows and what was fitted to them */
    struct rail_law law;
    struct link_rows rows;
    struct link_fit f;
    struct rng r;
};

static void make(struct made *m, const char *dir, struct arena *a)
{
    char path[256];
    struct err e = {ERR_NONE, ""};
    m->r = rng_stream(12, RNG_TEST, 0);
    m->law = random_law(&m->r);
    snprintf(path, sizeof path, "%s/rows.csv", dir);
    measure(&m->law, 7, path);
    OK(link_load(path, NULL, a, &m->rows, &e), e);
    OK(link_fit(&m->rows, &m->f, &e), e);
}

/* Batches that no rung had. */
static void the_law_holds_elsewhere(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    struct made m;
    make(&m, dir, a);
    for (int op = LINK_READ; op <= LINK_WRITE; op++)
        for (int k = 0; k < 20; k++) {
            struct link_row row = {.op = (enum link_op)op,
                                   .bytes = 3000 + rng_below(&m.r, 3000000),
                                   .messages = 1 + rng_below(&m.r, 300),
                                   .qps = 1 + rng_below(&m.r, 16),
                                   .senders = 1,
                                   .rails = 1};
            double n = row.messages, s = row.bytes;
            double port = n * (m.law.gap_s + s / m.law.rail_Bps[op]);
            double pair = n / row.qps * s / m.law.flow_Bps[op];
            double t = m.law.latency_s[op] + fmax(port, pair);
            NEAR(link_time(&m.f.op[op], &row), t, 0.05 * t);
        }
    arena_close(a);
    t_undir(dir);
}

static cJSON *card_of(const struct link_fit *f, const char *path,
                      struct arena *a)
{
    struct err e = {ERR_NONE, ""};
    cJSON *base = NULL;
    OK(json_parse("{\"nics_per_node\": 4, \"intra_Bps\": 1e11, \"intra_s\": "
                  "1e-6, \"post_s\": 2e-6, \"post_base_s\": 1e-12, "
                  "\"sources\": {\"intra_Bps\": \"a sheet\"}}",
                  &base, &e),
       e);
    const struct link_card_ask ask = {base, "base", "2001-02-03", 0, 1};
    cJSON *tree = link_card(f, &ask);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(json_print(tree, true, a), file);
    fclose(file);
    json_free(base);
    return tree;
}

static void the_card_is_read(void **state)
{
    (void)state;
    char *dir = t_dir(), path[256];
    struct arena *a = arena_open();
    struct made m;
    struct wire_card c;
    struct err e = {ERR_NONE, ""};
    make(&m, dir, a);
    snprintf(path, sizeof path, "%s/card.json", dir);
    cJSON *tree = card_of(&m.f, path, a);
    const struct link_law *read = &m.f.op[LINK_READ];
    OK(card_wire("", path, a, &c, &e), e);
    assert_true(c.calibrated);
    EQ(c.nics_per_node, 4);
    NEAR(c.read_s, read->latency_s.is, 1e-12);
    NEAR(c.read_Bps, read->flow_Bps.is, 1); /* one queue pair */
    NEAR(c.write_gap_s, m.f.op[LINK_WRITE].gap_s.is, 1e-15);
    NEAR(c.nic_Bps, fmax(m.f.op[0].rail_Bps.is, m.f.op[1].rail_Bps.is), 1);
    NEAR(c.incast, fmin(1, read->incast.is), 1e-12);
    NEAR(c.post_s, 2e-6, 1e-12);                    /* dearer than verbs */
    NEAR(c.post_base_s, m.f.post_base_s.is, 1e-15); /* ... and cheaper */
    NEAR(c.uplink_Bps, 0, 0);
    const cJSON *src = cJSON_GetObjectItem(tree, "sources");
    STR_HAS(cJSON_GetObjectItem(src, "intra_Bps")->valuestring,
            "not measured here; card base: a sheet");
    STR_HAS(cJSON_GetObjectItem(src, "read_s")->valuestring, " +- ");
    STR_HAS(cJSON_GetObjectItem(src, "read_s")->valuestring, "2001-02-03");
    json_free(tree);
    arena_close(a);
    t_undir(dir);
}

T_MAIN(cmocka_unit_test(a_law_is_found_again),
       cmocka_unit_test(the_law_holds_elsewhere),
       cmocka_unit_test(the_card_is_read))
