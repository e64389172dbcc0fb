#include "sim/report/answer.h"

#include "sim/base/json.h"
#include "tests/t.h"

#include <math.h>

struct box {
    struct scenario s;
    struct scenario_topology t;
    struct load_spec load;
    struct outcome o;
    struct price_basis b[2];
    const struct price_basis *basis[2];
};

static const struct arrive closed = {.name = "closed"};
static const struct arrive poisson = {.name = "poisson"};
static const char *const extrapolated[] = {"gemm", NULL};
static const char *const laws[] = {"allreduce", "host", NULL};
static const char *const laws_too[] = {"host", "sample", NULL};

static struct world_dist dist(double mean)
{
    return (struct world_dist){mean,       mean * 0.9, mean * 1.1, mean * 1.2,
                               mean * 1.3, mean * 1.4, mean * 1.5};
}

static void fill_outcome(struct outcome *o)
{
    *o = (struct outcome){.requests = 1234567,
                          .input_tokens = 5056786432,
                          .output_tokens = 316049152,
                          .duration_s = 100,
                          .concurrency = 64,
                          .req_s = 10.1,
                          .output_tok_s = 2585.6,
                          .total_tok_s = 43955.2,
                          .tpsu = 40.4,
                          .tpsg = 646.4,
                          .interactivity = 55.5555555,
                          .ttft = dist(1000),
                          .tpot = dist(18),
                          .itl = dist(17.5),
                          .e2e = dist(5600),
                          .kv_transfer = dist(4),
                          .ttft_route = 0.1,
                          .ttft_queue = 700,
                          .ttft_prefill = 280,
                          .ttft_stage = 10,
                          .ttft_transfer = 4,
                          .ttft_first = 5.9,
                          .ci_tpsu = 0.1 + 0.2,
                          .ci_tpsg = NAN,
                          .ci_ttft_p99 = 12,
                          .ci_itl_p99 = 0.5,
                          .ci_e2e_p99 = 30,
                          .bottleneck = WORLD_COMPUTE_PREFILL,
                          .preemptions = 2};
    o->pool[0] = (struct world_pool){0.95, 0.1, 0.2, NAN, 3};
    o->pool[1] = (struct world_pool){0.5, 0.25, 0.375, 0.05, 0};
}

/* 2p-tp1-1d-tp2 in a closed loop of 64. */
static void fill(struct box *b)
{
    *b = (struct box){0};
    fill_outcome(&b->o);
    b->s.gpu.name = "mi300x";
    b->s.gpu.usd_per_hour = NAN;
    b->s.llm.name = "gpt-oss-120b";
    b->s.wire.name = "oci-8x400g-roce";
    b->s.engine.profile = "vllm-0.15";
    b->s.router_profile = "llm-d-0.5";
    b->s.own.store = "costs.db";
    b->s.seed = UINT64_MAX;
    b->s.slo = (struct scenario_slo){NAN, NAN, NAN, NAN, NAN};
    b->t = (struct scenario_topology){
        .name = "2p-tp1-1d-tp2", .n_pools = 2, .gpus = 4};
    b->t.pool[0] = (struct scenario_pool){.role = ROLE_PREFILL, .tp = 1};
    b->t.pool[1] = (struct scenario_pool){.role = ROLE_DECODE, .tp = 2};
    b->load = (struct load_spec){.arrive = &closed, .concurrency = 64};
    b->load.isl = (struct length_spec){LENGTH_FIXED, .tokens = 4096};
    b->load.osl = (struct length_spec){LENGTH_FIXED, .tokens = 256};
    b->b[0] = (struct price_basis){
        .ops = 11, .laws = 2, .law_ops = laws, .ape_median = 4.25};
    b->b[1] = (struct price_basis){
        .ops = 12, .laws = 2, .law_ops = laws_too, .ape_median = NAN};
    b->b[1].extrapolated = 1;
    b->b[1].extrapolated_ops = extrapolated;
    b->basis[0] = &b->b[0];
    b->basis[1] = &b->b[1];
}

static cJSON *made(const struct box *b)
{
    return answer_json(&b->s, &b->t, &b->load, &b->o, b->basis);
}

/* What f writes for the answers, as text; the caller frees it. */
static char *written(void (*write)(FILE *f, cJSON *const *a, size_t n),
                     cJSON *const *a, size_t n)
{
    enum { ROOM = 1 << 16 };
    char *text = calloc(1, ROOM);
    FILE *f = tmpfile();
    assert_non_null(text);
    assert_non_null(f);
    write(f, a, n);
    rewind(f);
    assert_true(fread(text, 1, ROOM - 1, f) > 0);
    fclose(f);
    return text;
}

static void lines(FILE *f, cJSON *const *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        answer_line(f, a[i]);
}

/* ---- the object ---- */

static void whole_line(void **state)
{
    struct box b;
    (void)state;
    fill(&b);
    cJSON *a = made(&b);
    char *text = written(lines, &a, 1);
    STR_EQ(text,
           "{\"topology\":\"2p-tp1-1d-tp2\",\"gpus\":4,\"arrival\":\"closed\","
           "\"concurrency\":64,\"isl\":4096,\"osl\":256,\"requests\":1234567,"
           "\"req_s\":10.1,\"output_tok_s\":2585.6,"
           "\"total_tok_s_per_gpu\":10988.8,\"tpsu\":40.4,\"tpsg\":646.4,"
           "\"interactivity\":55.5556,"
           "\"ttft_ms\":{\"mean\":1000,\"p50\":900,\"p90\":1100,\"p95\":1200,"
           "\"p99\":1300,\"p999\":1400,\"max\":1500},"
           "\"tpot_ms\":{\"mean\":18,\"p50\":16.2,\"p90\":19.8,\"p95\":21.6,"
           "\"p99\":23.4,\"p999\":25.2,\"max\":27},"
           "\"itl_ms\":{\"mean\":17.5,\"p50\":15.75,\"p90\":19.25,\"p95\":21,"
           "\"p99\":22.75,\"p999\":24.5,\"max\":26.25},"
           "\"e2e_ms\":{\"mean\":5600,\"p50\":5040,\"p90\":6160,\"p95\":6720,"
           "\"p99\":7280,\"p999\":7840,\"max\":8400},"
           "\"ttft_parts_ms\":{\"route\":0.1,\"queue\":700,\"prefill\":280,"
           "\"stage\":10,\"transfer\":4,\"first\":5.9},"
           "\"ci95\":{\"tpsu\":0.3,\"ttft_ms_p99\":12,\"itl_ms_p99\":0.5,"
           "\"e2e_ms_p99\":30},"
           "\"util\":{\"prefill\":{\"engines\":0.95,\"kv\":0.1,\"kv_max\":0.2,"
           "\"waiting\":3},\"decode\":{\"engines\":0.5,\"kv\":0.25,"
           "\"kv_max\":0.375,\"nic\":0.05,\"waiting\":0}},"
           "\"bottleneck\":\"prefill compute\",\"preemptions\":2,"
           "\"kv_transfer_ms\":4,"
           "\"kv_transfer_dist_ms\":{\"mean\":4,\"p50\":3.6,\"p90\":4.4,"
           "\"p95\":4.8,\"p99\":5.2,\"p999\":5.6,\"max\":6},"
           "\"basis\":{\"store\":\"costs.db\",\"gpu\":\"mi300x\","
           "\"model\":\"gpt-oss-120b\",\"wire\":\"oci-8x400g-roce\","
           "\"engine\":\"vllm-0.15\",\"router\":\"llm-d-0.5\","
           "\"seed\":\"18446744073709551615\","
           "\"fits\":{\"ops\":12,\"laws\":2,\"uncalibrated\":0,\"ape_median_"
           "pct\":4.25},"
           "\"extrapolated\":[\"gemm\"],"
           "\"laws\":[\"allreduce\",\"host\",\"sample\",\"wire\"],"
           "\"calibrated\":true}}\n");
    free(text);
    json_free(a);
}

/* No key ever holds null, and an aggregated pool has no transfer. */
static bool has_null(const cJSON *item)
{
    bool found = cJSON_IsNull(item);
    for (const cJSON *i = item->child; i; i = i->next)
        found = found || has_null(i);
    return found;
}

static void absent_is_left_out(void **state)
{
    struct box b;
    (void)state;
    fill(&b);
    b.t = (struct scenario_topology){
        .name = "agg-tp1",
        .n_pools = 1,
        .gpus = 1,
        .pool = {{.role = ROLE_AGGREGATED, .replicas = 1, .tp = 1}}};
    b.o.itl = dist(NAN);
    b.o.interactivity = INFINITY;
    b.o.kv_transfer = dist(NAN);
    b.basis[0] = NULL;
    b.s.own.store = NULL;
    cJSON *a = made(&b);
    EQ(has_null(a), false);
    static const char *const gone[] = {"itl_ms",
                                       "interactivity",
                                       "kv_transfer_ms",
                                       "kv_transfer_dist_ms",
                                       "rate_rps",
                                       "slo_met",
                                       "usd_per_mtok_output",
                                       "basis.store",
                                       "basis.wire",
                                       "util.prefill",
                                       "ci95.tpsg",
                                       "basis.fits.ape_median_pct"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (answer_at(a, gone[i]))
            fail_msg("%s is there", gone[i]);
    NEAR(answer_num(a, "util.aggregated.engines"), 0.95, 0);
    EQ(cJSON_IsFalse(answer_at(a, "basis.calibrated")), true);
    json_free(a);
}

static void rate_and_lengths(void **state)
{
    struct box b;
    (void)state;
    fill(&b);
    b.load.arrive = &poisson;
    b.load.rate_rps = 12.5;
    b.load.osl = (struct length_spec){
        .kind = LENGTH_UNIFORM, .min = 1, .max = 512};
    b.o.requests = 1000;
    b.o.output_tokens = 256500;
    cJSON *a = made(&b);
    STR_EQ(answer_text(a, "arrival"), "poisson");
    NEAR(answer_num(a, "rate_rps"), 12.5, 0);
    NEAR(answer_num(a, "isl"), 4096, 0);
    NEAR(answer_num(a, "osl"), 256.5, 0); /* the mean of the run */
    json_free(a);
}

static void promise_and_price(void **state)
{
    struct box b;
    (void)state;
    fill(&b);
    b.s.slo.ttft_ms_p99 = 1300;
    b.s.gpu.usd_per_hour = 1.5;
    cJSON *a = made(&b);
    EQ(cJSON_IsTrue(answer_at(a, "slo_met")), true);
    /* 4 GPUs x 1.5 USD an hour over 2585.6 x 3600 tokens */
    NEAR(answer_num(a, "usd_per_mtok_output"), 6e6 / (2585.6 * 3600), 1e-6);
    json_free(a);
    b.s.slo.itl_ms_p99 = 22;
    a = made(&b);
    EQ(cJSON_IsFalse(answer_at(a, "slo_met")), true);
    json_free(a);
}

static void calibrated_or_not(void **state)
{
    struct box b;
    (void)state;
    fill(&b);
    b.s.donor_gpu.name = "mi300x";
    b.b[1].uncalibrated = 3;
    cJSON *a = made(&b);
    EQ(cJSON_IsFalse(answer_at(a, "basis.calibrated")), true);
    STR_EQ(answer_text(a, "basis.donor"), "mi300x");
    NEAR(answer_num(a, "basis.fits.uncalibrated"), 3, 0);
    json_free(a);
    fill(&b);
    b.b[0].laws = 11; /* nothing but laws */
    a = made(&b);
    EQ(cJSON_IsFalse(answer_at(a, "basis.calibrated")), true);
    json_free(a);
}

/* ---- numbers and paths ---- */

static void numbers(void **state)
{
    static const struct {
        double v;
        const char *text;
    } want[] = {{0.1, "0.1"},          {0.1 + 0.2, "0.3"},
                {2.0 / 3, "0.666667"}, {12500, "12500"},
                {123456.7, "123457"},  {1.23456789e9, "1234570000"},
                {1.5e-7, "1.5e-07"},   {-0.25, "-0.25"}};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        cJSON *n = answer_number(want[i].v);
        char *text = cJSON_PrintUnformatted(n);
        STR_EQ(text, want[i].text);
        cJSON_free(text);
        json_free(n);
    }
    assert_null(answer_number(NAN));
    assert_null(answer_number(INFINITY));
}

static void paths(void **state)
{
    struct err e = {0};
    cJSON *o = NULL;
    (void)state;
    OK(json_parse("{\"a\":{\"b\":1,\"bc\":2},\"t\":\"x\",\"l\":[1]}", &o, &e),
       e);
    NEAR(answer_num(o, "a.b"), 1, 0);
    NEAR(answer_num(o, "a.bc"), 2, 0);
    EQ(isnan(answer_num(o, "a.c")), 1);
    EQ(isnan(answer_num(o, "a")), 1);
    EQ(isnan(answer_num(o, "t")), 1);
    EQ(isnan(answer_num(o, "l.0")), 1);
    EQ(isnan(answer_num(NULL, "a")), 1);
    STR_EQ(answer_text(o, "t"), "x");
    assert_null(answer_text(o, "a.b"));
    json_free(o);
}

/* ---- table and CSV ---- */

static void table(void **state)
{
    struct box b;
    (void)state;
    fill(&b);
    cJSON *a[2];
    a[0] = made(&b);
    b.t.name = "agg-tp8";
    b.t.gpus = 8;
    b.o.concurrency = 512;
    b.o.itl = dist(NAN);
    b.o.bottleneck = WORLD_NONE;
    a[1] = made(&b);
    char *text = written(answer_table, a, 2);
    STR_EQ(text, "topology       gpus  conc   TPSU   TPSG  TTFT p50  p99 ms  "
                 "ITL p50  p99 ms  E2E p99 ms  bottleneck\n"
                 "2p-tp1-1d-tp2     4    64  40.40  646.4       900    1300  "
                 "  15.75   22.75        7280  prefill compute\n"
                 "agg-tp8           8   512  40.40  646.4       900    1300  "
                 "      -       -        7280  load\n");
    free(text);
    json_free(a[0]);
    json_free(a[1]);
}

/* The field of a column in a line of unquoted CSV. */
static const char *field(const char *text, int line, const char *column,
                         char out[64])
{
    int col = 0;
    for (const char *h = text; *h != '\n'; col++) {
        size_t n = strcspn(h, ",\n");
        if (strlen(column) == n && strncmp(h, column, n) == 0)
            break;
        h += n + (h[n] == ',');
        if (*h == '\n')
            return NULL;
    }
    for (; line > 0; line--)
        text = strchr(text, '\n') + 1;
    for (; col > 0; col--)
        text = strchr(text, ',') + 1;
    snprintf(out, 64, "%.*s", (int)strcspn(text, ",\n"), text);
    return out;
}

static size_t commas(const char *line)
{
    size_t n = 0;
    for (; *line != '\n'; line++)
        n += *line == ',';
    return n;
}

static void csv(void **state)
{
    struct box b;
    char f[64];
    (void)state;
    fill(&b);
    cJSON *a = made(&b);
    char *text = written(answer_csv, &a, 1);
    EQ(commas(text), commas(strchr(text, '\n') + 1));
    STR_EQ(field(text, 1, "topology", f), "2p-tp1-1d-tp2");
    STR_EQ(field(text, 1, "rate_rps", f), "");
    STR_EQ(field(text, 1, "ttft_ms_p99", f), "1300");
    STR_EQ(field(text, 1, "ci95_tpsu", f), "0.3");
    STR_EQ(field(text, 1, "util_prefill_engines", f), "0.95");
    STR_EQ(field(text, 1, "util_aggregated_kv", f), "");
    STR_EQ(field(text, 1, "util_decode_nic", f), "0.05");
    STR_EQ(field(text, 1, "kv_transfer_ms", f), "4");
    STR_EQ(field(text, 1, "basis_laws", f), "allreduce;host;sample;wire");
    STR_EQ(field(text, 1, "basis_seed", f), "18446744073709551615");
    STR_EQ(field(text, 1, "basis_calibrated", f), "true");
    free(text);
    json_free(a);
}

/* Every number of an answer has its column. */
static size_t leaves(const cJSON *item)
{
    size_t n = 0;
    if (!cJSON_IsObject(item))
        return 1;
    for (const cJSON *i = item->child; i; i = i->next)
        n += leaves(i);
    return n;
}

static void csv_is_complete(void **state)
{
    struct box b;
    (void)state;
    fill(&b);
    b.s.slo.ttft_ms_p99 = 1;
    b.s.gpu.usd_per_hour = 1;
    b.load.rate_rps = 1;
    cJSON *a = made(&b);
    char *text = written(answer_csv, &a, 1);
    size_t full = 0;
    const char *row = strchr(text, '\n') + 1;
    for (const char *c = row; *c; c++)
        full += *c != ',' && *c != '\n' && (c == row || c[-1] == ',');
    /* of the transfer's distribution the table has the mean and P99 only: the
     * mean is kv_transfer_ms already */
    EQ(full, leaves(a) - 6);
    free(text);
    json_free(a);
}

T_MAIN(cmocka_unit_test(whole_line), cmocka_unit_test(absent_is_left_out),
       cmocka_unit_test(rate_and_lengths), cmocka_unit_test(promise_and_price),
       cmocka_unit_test(calibrated_or_not), cmocka_unit_test(numbers),
       cmocka_unit_test(paths), cmocka_unit_test(table), cmocka_unit_test(csv),
       cmocka_unit_test(csv_is_complete))
