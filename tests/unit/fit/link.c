#include "tests/t.h"

#include "calibrate/fit/link.h"

static const char *write_rows(const char *dir, const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/rows.csv", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

#define HEAD "op,messages_per_batch,message_bytes,time_us_per_batch"

static void rows_without_extras_are_read(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    struct link_rows r;
    struct err e = {ERR_NONE, ""};
    OK(link_load(write_rows(dir, HEAD ",queue_pairs,post_us,memory\n"
                                      "READ,1,4096,7.5,,,\n"
                                      "WRITE,8,65536,20,4,1.25,gpu\n"),
                 NULL, a, &r, &e),
       e);
    EQ(r.n, 2);
    EQ(r.row[0].op, LINK_READ);
    NEAR(r.row[0].time_s, 7.5e-6, 1e-15);
    NEAR(r.row[0].qps, 1, 0);
    NEAR(r.row[0].senders, 1, 0);
    assert_true(isnan(r.row[0].post_s));
    assert_false(r.row[0].gpu);
    NEAR(r.row[1].qps, 4, 0);
    NEAR(r.row[1].post_s, 1.25e-6, 1e-15);
    assert_true(r.row[1].gpu);
    arena_close(a);
    t_undir(dir);
}

static void bad_rows_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"op,messages_per_batch,message_bytes\nREAD,1,1\n",
         "no column time_us_per_batch"},
        {HEAD "\n", "no row"},
        {HEAD "\nREAD,1,4096,x\n", "rows.csv:2"},
        {HEAD "\nREAD,1,4096,-2\n", "rows.csv:2: -2 is below"},
        {HEAD "\nREAD,1,4096,0\n", "is below"},
        {HEAD "\nREAD,0,4096,1\n", "is below"},
        {HEAD "\nREAD,1,,1\n", "a field is empty"},
        {HEAD ",queue_pairs\nREAD,1,1,1,0.5\n", "is below"},
        {HEAD "\nREAD,1,4096,1\nSEND,1,4096,1\n", "of no one direction"},
        {"nic," HEAD "\na,READ,1,1,1\nb,READ,1,1,1\n", "say which NIC"},
    };
    char *dir = t_dir();
    struct arena *a = arena_open();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct link_rows r;
        struct err e = {ERR_NONE, ""};
        assert_false(link_load(write_rows(dir, bad[i].text), NULL, a, &r, &e));
        EQ(e.kind, ERR_INPUT);
        STR_HAS(e.text, bad[i].says);
    }
    struct link_rows r;
    struct err e = {ERR_NONE, ""};
    const char *two = write_rows(dir, "nic," HEAD "\na,READ,1,1,1\n"
                                      "b,READ,1,2,1\n");
    OK(link_load(two, "b", a, &r, &e), e);
    EQ(r.n, 1);
    NEAR(r.row[0].bytes, 2, 0);
    assert_false(link_load(two, "c", a, &r, &e));
    STR_HAS(e.text, "no row of NIC c");
    assert_false(link_load("no/such/file.csv", NULL, a, &r, &e));
    arena_close(a);
    t_undir(dir);
}

static struct link_row lone(enum link_op op, double bytes, double time_s)
{
    return (struct link_row){.op = op,
                             .bytes = bytes,
                             .messages = 1,
                             .qps = 1,
                             .senders = 1,
                             .rails = 1,
                             .time_s = time_s,
                             .post_s = NAN};
}

/* 6 us + bytes / 40 GB/s, one message at a time, one direction. */
static void what_rows_do_not_tell_is_held(void **state)
{
    (void)state;
    struct link_row row[10];
    for (int i = 0; i < 10; i++) {
        double s = 1024 << 2 * i % 20;
        row[i] = lone(LINK_READ, s, 6e-6 + s / 40e9);
    }
    const struct link_rows rows = {row, 10, "x", 0};
    struct link_fit f;
    struct err e = {ERR_NONE, ""};
    OK(link_fit(&rows, &f, &e), e);
    const struct link_law *l = &f.op[LINK_READ];
    NEAR(l->latency_s.is, 6e-6, 1e-10);
    NEAR(l->rail_Bps.is, 40e9, 1e6);
    assert_false(l->rail_Bps.held);
    assert_true(l->gap_s.held && l->incast.held && l->both.held);
    NEAR(l->gap_s.is, 0, 0);
    NEAR(l->incast.is, 1, 0);
    assert_true(isinf(l->flow_Bps.is) && l->flow_Bps.held);
    EQ(f.op[LINK_WRITE].n, 0);
    assert_true(isnan(f.post_s.is));
    EQ(f.rails, 1);
    assert_true(isnan(f.rails_share));
    NEAR(link_time(l, &row[3]), row[3].time_s, 1e-9);
    DIES(link_time(&f.op[LINK_WRITE], &row[0]));

    /* batches all of one length: the gap cannot be told from the latency */
    for (int i = 0; i < 10; i++)
        row[i].messages = 128;
    OK(link_fit(&rows, &f, &e), e);
    assert_true(f.op[LINK_READ].gap_s.held);

    const struct link_rows few = {row, 2, "x", 0};
    assert_false(link_fit(&few, &f, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "READ: ");
}

static void rails_that_share_a_way_out(void **state)
{
    (void)state;
    struct link_row row[12];
    for (int i = 0; i < 10; i++) {
        double s = 1024 << 2 * i % 20;
        row[i] = lone(LINK_WRITE, s, 5e-6 + s / 40e9);
    }
    row[10] = lone(LINK_WRITE, 1e6, 25e-6);
    row[11] = lone(LINK_WRITE, 1e6, 50e-6);
    row[11].rails = 4; /* 80 GB/s, where four alone make 160 */
    const struct link_rows rows = {row, 12, "x", 0};
    struct link_fit f;
    struct err e = {ERR_NONE, ""};
    OK(link_fit(&rows, &f, &e), e);
    EQ(f.op[LINK_WRITE].n, 11);
    EQ(f.rails, 4);
    NEAR(f.rails_share, 0.5, 1e-12);
    NEAR(f.rails_Bps, 80e9, 1);

    cJSON *base = cJSON_Parse("{\"nics_per_node\": 8, \"post_s\": 2e-6,"
                              "\"incast\": 0.9, \"intra_Bps\": 1e11}");
    const struct link_card_ask ask = {base, "b", "2001-02-03", 4, 1};
    cJSON *card = link_card(&f, &ask);
    NEAR(cJSON_GetObjectItem(card, "uplink_Bps")->valuedouble, 80e9, 1);
    NEAR(cJSON_GetObjectItem(card, "incast")->valuedouble, 0.9, 0);
    NEAR(cJSON_GetObjectItem(card, "nics_per_node")->valuedouble, 4, 0);
    /* READ was not measured: the same figures */
    NEAR(cJSON_GetObjectItem(card, "read_s")->valuedouble,
         cJSON_GetObjectItem(card, "write_s")->valuedouble, 0);
    cJSON_Delete(card);
    cJSON_Delete(base);
}

T_MAIN(cmocka_unit_test(rows_without_extras_are_read),
       cmocka_unit_test(bad_rows_are_refused),
       cmocka_unit_test(what_rows_do_not_tell_is_held),
       cmocka_unit_test(rails_that_share_a_way_out))
