/* Tables of measured runs: as they were run, or refused with the reason. */
#include "tests/t.h"

#include "sim/base/file.h"
#include "sim/plan/measured.h"
#include "tests/unit/plan/plan_fix.h"

#define HEAD                                                                   \
    "run_id,gpu,model,engine,engine_version,topology,agg_tp,n_gpus,node_gpus," \
    "isl,osl,load,concurrency,rate_rps,num_prompts,max_model_len,"             \
    "length_dist,quick_reduce,ep,tpot_ms_median,itl_ms_p99,output_tok_s,"      \
    "output_tok_s_per_gpu,req_s\n"
/* run_id .. osl of a good row, and the rest of one */
#define WHO(id) id ",mi300x,meta-llama/Llama-3.1-8B,vllm,0.15.1,agg,2,2,8,"
#define CLOSED "500,20,closed,4,,24,,fixed,,,"
#define FIGURES "9.5,12,400,200,20\n"

static struct plan_fix *fix;
static char *dir;

static struct measured_row *read_rows(const char *text, size_t want)
{
    char *path = arena_fmt(fix->a, "%s/runs.csv", dir);
    struct err e = {0};
    struct measured_row *rows;
    size_t n;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    struct measured_ask ask = {
        .path = path, .models = "models", .store = &fix->db};
    OK(measured_read(&ask, fix->a, &rows, &n, &e), e);
    EQ(n, want);
    return rows;
}

static double metric(const struct measured_row *r, const char *name,
                     bool predicted)
{
    for (int i = 0; i < MEASURED_METRICS; i++)
        if (strcmp(r->metric[i].name, name) == 0)
            return predicted ? measured_predicted(r, i) : r->metric[i].value;
    fail();
    return 0;
}

static void as_it_was_run(void **state)
{
    (void)state;
    struct measured_row *r = read_rows(HEAD WHO("a") CLOSED FIGURES, 1);
    STR_EQ(r->run_id, "a");
    STR_EQ(r->topology, "agg-tp2");
    EQ(r->status, MEASURED_OK);
    STR_EQ(r->note, "");
    const struct scenario *s = r->s;
    STR_EQ(s->llm.name, "llama-3.1-8b");
    STR_EQ(s->engine.profile, "vllm-0.15");
    assert_true(s->engine.async_scheduling);
    EQ(s->load.concurrency, 4);
    EQ(s->load.requests, 24);
    EQ(s->load.isl.tokens, 500);
    EQ(s->load.osl.tokens, 20);
    NEAR(metric(r, "tpot_ms_median", false), 9.5, 0);
    NEAR(metric(r, "req_s", false), 20, 0);
    assert_true(isnan(metric(r, "ttft_ms_mean", false)));
    struct arena *a = arena_open();
    measured_run(r, a);
    arena_close(a);
    EQ(r->status, MEASURED_OK);
    EQ(r->out.requests, 24);
    NEAR(metric(r, "tpot_ms_median", true), r->out.tpot.p50, 0);
    NEAR(metric(r, "itl_ms_p99", true), r->out.itl.p99, 0);
    NEAR(metric(r, "e2e_ms_p90", true), r->out.e2e.p90, 0);
    NEAR(metric(r, "ttft_ms_mean", true), r->out.ttft.mean, 0);
    NEAR(metric(r, "output_tok_s", true), r->out.output_tok_s, 0);
    NEAR(metric(r, "output_tok_s_per_gpu", true), r->out.output_tok_s / 2,
         1e-9);
    NEAR(metric(r, "total_tok_s_per_gpu", true), r->out.total_tok_s / 2, 1e-9);
}

static void what_a_version_means(void **state)
{
    (void)state;
    static const struct {
        const char *version, *profile;
        bool async;
    } v[] = {
        {"0.10.2", "vllm-0.15", false}, {"0.13.0", "vllm-0.15", false},
        {"0.14.0", "vllm-0.15", true},  {"0.19.0", "vllm-0.15", true},
        {"0.21.0", "vllm-0.21", true},  {"0.22.1", "vllm-0.22", true},
        {"0.40.0", "vllm-0.32", true},  {"0.10.1..0.17.0", "vllm-0.15", false}};
    char *text = arena_str(fix->a, HEAD);
    size_t n = sizeof v / sizeof *v;
    for (size_t i = 0; i < n; i++)
        text = arena_fmt(fix->a,
                         "%sx,mi300x,meta-llama/Llama-3.1-8B,vllm,%s,"
                         "agg,1,1,8," CLOSED FIGURES,
                         text, v[i].version);
    struct measured_row *r = read_rows(text, n);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(r[i].s);
        STR_EQ(r[i].s->engine.profile, v[i].profile);
        EQ(r[i].s->engine.async_scheduling, v[i].async);
    }
}

static void what_is_assumed_is_said(void **state)
{
    (void)state;
    struct measured_row *r = read_rows(
        HEAD WHO("a") "500,20,closed,4,,,,fixed,,," FIGURES WHO(
            "b") "500,20,single,,,,,,,," FIGURES
            WHO("c") "500,20,poisson,,3,,,,,," FIGURES WHO(
                "d") "500,20,closed,4,,24,,\"uniform_int[0.8L,L]\",,," FIGURES,
        4);
    EQ(r[0].s->load.requests, 40);
    STR_HAS(r[0].note, "num_prompts assumed 10 x concurrency");
    EQ(r[1].s->load.requests, 1);
    EQ(r[1].s->load.concurrency, 1);
    STR_HAS(r[1].note, "one wave");
    EQ(r[2].s->load.requests, 1000);
    NEAR(r[2].s->load.rate_rps, 3, 0);
    STR_HAS(r[2].note, "num_prompts assumed 1000");
    EQ(r[3].s->load.isl.kind, LENGTH_INFERENCEX);
    NEAR(r[3].s->load.isl.ratio, 0.8, 0);
    STR_EQ(r[3].note, "");
}

static void what_is_not_known_is_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"x,mi999,meta-llama/Llama-3.1-8B,vllm,0.15.1,agg,1,1,8," CLOSED,
         "no card for this GPU"},
        {"x,mi300x,nobody/nothing,vllm,0.15.1,agg,1,1,8," CLOSED,
         "no card for this model"},
        {"x,mi300x,meta-llama/Llama-3.1-8B,sglang,0.5.1,agg,1,1,8," CLOSED,
         "only vLLM is modelled"},
        {"x,mi300x,meta-llama/Llama-3.1-8B,vllm,,agg,1,1,8," CLOSED,
         "no engine version"},
        {"x,mi300x,meta-llama/Llama-3.1-8B,vllm,0.15.1,mesh,1,1,8," CLOSED,
         "neither agg nor pd"},
        {WHO("x") "500,20,closed,,,24,,fixed,,,", "concurrency"},
        {WHO("x") "500,20,poisson,,,24,,fixed,,,", "rate_rps"},
        {WHO("x") "500,20,burst,4,,24,,fixed,,,", "load \"burst\""},
        {WHO("x") ",20,closed,4,,24,,fixed,,,", "isl and osl"},
        {WHO("x") "500,20,closed,4,,24,,zipf,,,", "lengths \"zipf\""},
        {WHO("x") "500,20,closed,4,,24,,fixed,INT6,,", "quick-reduce"},
        {WHO("x") "500,20,closed,4,,24,,fixed,,8,", "expert"},
        {"x,mi300x,meta-llama/Llama-3.1-8B,vllm,0.15.1,agg,16,16,8," CLOSED,
         "agg-tp16"}};
    size_t n = sizeof bad / sizeof *bad;
    char *text = arena_str(fix->a, HEAD);
    for (size_t i = 0; i < n; i++)
        text = arena_fmt(fix->a, "%s%s" FIGURES, text, bad[i][0]);
    struct measured_row *r = read_rows(text, n);
    for (size_t i = 0; i < n; i++) {
        EQ(r[i].status, MEASURED_UNSUPPORTED);
        assert_null(r[i].s);
        STR_HAS(r[i].note, bad[i][1]);
    }
    STR_EQ(measured_status_name(r->status), "unsupported");
}

/* What only shows when it runs. */
static void a_refused_run(void **state)
{
    (void)state;
    struct measured_row *r = read_rows(
        HEAD WHO("a") "500,20,closed,4,,24,519,fixed,,," FIGURES, 1);
    EQ(r->status, MEASURED_OK);
    struct arena *a = arena_open();
    measured_run(r, a);
    arena_close(a);
    EQ(r->status, MEASURED_UNSUPPORTED);
    STR_HAS(r->note, "does not fit max_model_len 519");
}

static void another_gpus_fits(void **state)
{
    (void)state;
    struct measured_row *r = read_rows(
        HEAD
        "x,mi325x,meta-llama/Llama-3.1-8B,vllm,0.15.1,agg,1,1,8," CLOSED FIGURES
        "y,h100_sxm,meta-llama/Llama-3.1-8B,vllm,0.15.1,agg,1,1,8," CLOSED
            FIGURES,
        2);
    EQ(r[0].status, MEASURED_UNCALIBRATED);
    EQ(r[1].status, MEASURED_UNSUPPORTED);
    STR_HAS(r[1].note, "no fit for");
}

static void no_table_of_runs(void **state)
{
    (void)state;
    struct measured_row *rows;
    size_t n;
    struct err e = {0};
    char *path = arena_fmt(fix->a, "%s/runs.csv", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("run_id,gpu\na,b\n", f);
    fclose(f);
    struct measured_ask ask = {
        .path = path, .models = "models", .store = &fix->db};
    assert_false(measured_read(&ask, fix->a, &rows, &n, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "run_id, gpu and model");
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("run_id,gpu,model\na,b,c\nd,e\n", f);
    fclose(f);
    assert_false(measured_read(&ask, fix->a, &rows, &n, &e));
    STR_HAS(e.text, "runs.csv:3");
}

static int open_fix(void **state)
{
    (void)state;
    fix = plan_open();
    dir = t_dir();
    return 0;
}

static int close_fix(void **state)
{
    (void)state;
    plan_close(fix);
    t_undir(dir);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_fix, close_fix)

T_MAIN(TEST(as_it_was_run), TEST(what_a_version_means),
       TEST(what_is_assumed_is_said), TEST(what_is_not_known_is_refused),
       TEST(a_refused_run), TEST(another_gpus_fits), TEST(no_table_of_runs))
