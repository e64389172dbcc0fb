/* From topologies to plants: vectors D1, X4, X7 and X8 of engine.md by the
 * shipped cards, and what is refused. */
#include "tests/t.h"

#include "sim/base/json.h"
#include "tests/unit/plan/plan_fix.h"

#define MiB 1048576.0

static struct plan_fix *fix;

static bool plant_of(const char *text, const char *name, struct plant *p,
                     struct err *e)
{
    struct scenario *s = plan_read(fix, text);
    struct scenario_topology t = s->topology;
    if (name)
        OK(scenario_topology(s, name, fix->a, &t, *&e), *e);
    return scenario_plant(s, &t, scenario_plant_cache(s, fix->a), p, e);
}

static struct plant made(const char *text, const char *name)
{
    struct plant p;
    struct err e = {0};
    OK(plant_of(text, name, &p, &e), e);
    return p;
}

static void refused(const char *text, const char *name, const char *says)
{
    struct plant p;
    struct err e = {0};
    assert_false(plant_of(text, name, &p, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, says);
}

#define ENGINE(options)                                                        \
    "{" PLAN_MODEL ", " PLAN_LOAD ", \"engine\": {" options "}}"
#define OSS(options)                                                           \
    "{\"model\": \"gpt-oss-120b\", \"gpu\": \"mi300x\", " PLAN_LOAD            \
    ", \"engine\": {" options "}}"

static void D1_defaults_by_device(void **state)
{
    (void)state;
    struct plant p = made(ENGINE(""), "agg-tp1");
    EQ(p.pool[0].sched.max_num_batched_tokens, 8192);
    EQ(p.pool[0].sched.max_num_seqs, 1024);
    EQ(p.pool[0].sched.block_size, 16);
    EQ(p.pool[0].sched.connector, SCHED_NO_CONNECTOR);
    p = made(ENGINE("\"max_num_seqs\": 64, \"max_model_len\": 100"), "agg-tp1");
    EQ(p.pool[0].sched.max_num_batched_tokens, 6400);
    p = made(ENGINE("\"max_num_batched_tokens\": 100"), "agg-tp1");
    EQ(p.pool[0].sched.max_num_seqs, 100);
}

static void what_is_asked_is_there(void **state)
{
    (void)state;
    struct plant p = made(
        ENGINE("\"async_scheduling\": false, \"scheduling_policy\": "
               "\"priority\", \"long_prefill_token_threshold\": 77, "
               "\"num_gpu_blocks_override\": 9000, \"max_model_len\": 2000, "
               "\"profile\": \"vllm-0.22\""),
        "3p-tp1-2d-tp2");
    STR_EQ(p.name, "3p-tp1-2d-tp2");
    EQ(p.gpus, 7);
    EQ(p.n_pools, 2);
    EQ(p.pool[0].replicas, 3);
    EQ(p.pool[1].tp, 2);
    for (int i = 0; i < 2; i++) {
        const struct sched_opt *o = &p.pool[i].sched;
        assert_false(o->async_scheduling);
        EQ(o->policy, SCHED_PRIORITY);
        EQ(o->long_prefill_token_threshold, 77);
        EQ(o->num_blocks, 9000);
        EQ(o->max_model_len, 2000);
        EQ(o->connector, SCHED_NIXL);
        assert_true(o->skipped_waiting_queue && o->reserve_full_isl);
    }
    assert_true(p.pool[0].memory.measured);
    assert_true(p.pool[0].pin_heartbeat);
}

/* Bytes and descriptors of one decode rank for a prompt, as handover.c counts
 * them. */
static void rank_of(const struct plant *p, int prompt, double *bytes,
                    double *descriptors)
{
    const struct plant_pool *d = &p->pool[1];
    *bytes = *descriptors = 0;
    for (int g = 0; g < d->sched.n_groups; g++) {
        int bs = d->sched.block_size, w = d->sched.window[g];
        int n = (prompt + bs - 1) / bs, cap = (w + bs - 1) / bs + 1;
        n = w && cap < n ? cap : n;
        *bytes += n * d->kv_block_bytes[g];
        *descriptors += n * d->kv_layers[g] * 2.0;
    }
}

static void X4_X7_X8_bytes_from_cards(void **state)
{
    (void)state;
    double bytes, desc;
    static const char llama[] = "{\"model\": \"llama-3.3-70b-fp8-dynamic\", "
                                "\"gpu\": \"mi300x\", " PLAN_LOAD
                                ", \"engine\": {\"max_model_len\": 8192%s}}";
    struct plant p = made(arena_fmt(fix->a, llama, ""), "1p-tp1-1d-tp1");
    rank_of(&p, 4096, &bytes, &desc);
    NEAR(bytes, 1280 * MiB, 0);
    NEAR(desc, 40960, 0);
    p = made(arena_fmt(fix->a, llama, ", \"kv_cache_dtype\": \"fp8\""),
             "1p-tp1-1d-tp1");
    rank_of(&p, 4096, &bytes, &desc);
    NEAR(bytes, 640 * MiB, 0);
    p = made(OSS(""), "1p-tp1-1d-tp2");
    EQ(p.pool[1].sched.n_groups, 1);
    rank_of(&p, 4096, &bytes, &desc);
    NEAR(bytes, 144 * MiB, 0);
    NEAR(desc, 18432, 0);
    p = made(OSS("\"profile\": \"vllm-0.22\""), "1p-tp1-1d-tp2");
    EQ(p.pool[1].sched.n_groups, 2);
    rank_of(&p, 4096, &bytes, &desc);
    NEAR(2 * bytes / MiB, 149.06, 0.01);
    NEAR(desc, 9540, 0);
    p = made(OSS(""), "1p-tp1-1d-tp1");
    rank_of(&p, 8192, &bytes, &desc);
    NEAR(bytes, 576 * MiB, 0);
    p = made(OSS("\"profile\": \"vllm-0.22\""), "1p-tp1-1d-tp1");
    rank_of(&p, 8192, &bytes, &desc);
    NEAR(bytes / MiB, 293.06, 0.01);
}

static void hybrid_by_connector(void **state)
{
    (void)state;
    struct plant p = made(OSS(""), "agg-tp1");
    EQ(p.pool[0].sched.n_groups, 2);
    EQ(p.pool[0].sched.attn_window, 128);
    /* any connector turns it off in 0.15 */
    p = made(OSS("\"kv_connector\": \"decode-bench\""), "agg-tp1");
    EQ(p.pool[0].sched.connector, SCHED_DECODE_BENCH);
    EQ(p.pool[0].sched.n_groups, 1);
    EQ(p.pool[0].sched.attn_window, 128);
    p = made(OSS("\"attention_backend\": \"aiter-unified\""), "agg-tp1");
    EQ(p.pool[0].sched.block_size, 64);
}

/* A chunk takes blocks for all its tokens in a sliding group too. */
static void blocks_of_a_request(void **state)
{
    (void)state;
    struct sched_opt o = {
        .block_size = 16, .n_groups = 1, .max_num_batched_tokens = 8192};
    EQ(plant_blocks(&o, 4096), 256);
    EQ(plant_blocks(&o, 4097), 257);
    o.n_groups = 2;
    o.window[1] = 128;
    EQ(plant_blocks(&o, 4096), 512);
    o.max_num_batched_tokens = 1024; /* ceil((127 + 1024) / 16) + 1 */
    EQ(plant_blocks(&o, 4096), 256 + 73);
    o.window_cap_in_flight = true; /* 0.32 counts two batches */
    EQ(plant_blocks(&o, 4096), 256 + 73);
    o.async_scheduling = true;
    EQ(plant_blocks(&o, 4096), 256 + 137);
}

static void a_length_that_fits_the_pool(void **state)
{
    (void)state;
    struct plant p = made(ENGINE("\"num_gpu_blocks_override\": 101"),
                          "agg-tp1");
    EQ(p.pool[0].sched.max_model_len, 1600);
    refused(ENGINE("\"num_gpu_blocks_override\": 101, "
                   "\"max_model_len\": 1601"),
            "agg-tp1", "max_model_len 1601 needs 101 KV blocks");
}

static void without_chunked_prefill(void **state)
{
    (void)state;
    struct plant p = made(ENGINE("\"enable_chunked_prefill\": false, "
                                 "\"max_model_len\": 20000"),
                          "agg-tp1");
    EQ(p.pool[0].sched.max_num_batched_tokens, 20000);
    refused(ENGINE("\"enable_chunked_prefill\": false, "
                   "\"max_num_batched_tokens\": 1999, "
                   "\"max_model_len\": 2000"),
            "agg-tp1", "at least max_model_len 2000, got 1999");
}

static void equal_pools_are_compiled_once(void **state)
{
    (void)state;
    struct scenario *s = plan_read(fix, "{" PLAN_BASE "}");
    struct scenario_cache *c = scenario_plant_cache(s, fix->a);
    struct plant p, q;
    struct scenario_topology t;
    struct err e = {0};
    OK(scenario_topology(s, "2x-agg-tp2", fix->a, &t, &e), e);
    OK(scenario_plant(s, &t, c, &p, &e), e);
    OK(scenario_topology(s, "4x-agg-tp2", fix->a, &t, &e), e);
    OK(scenario_plant(s, &t, c, &q, &e), e);
    assert_ptr_equal(p.pool[0].price, q.pool[0].price);
    EQ(p.pool[0].replicas, 2);
    EQ(q.pool[0].replicas, 4);
}

static void refusals(void **state)
{
    (void)state;
    refused(ENGINE(""), "9x-agg-tp1", "needs 9 GPUs, the cluster has 8");
    refused("{" PLAN_BASE ", \"cluster\": {\"nodes\": 2, "
            "\"gpus_per_node\": 4}}",
            "agg-tp8", "does not fit a node of 4");
    refused(ENGINE("\"kv_connector\": \"nixl\""), "agg-tp1",
            "needs a prefill and a decode pool");
    refused(ENGINE("\"kv_connector\": \"decode-bench\""), "1p-tp1-1d-tp1",
            "one KV connector");
    refused(ENGINE("\"profile\": \"vllm-0.1\""), "agg-tp1", "vllm-0.15");
    refused("{\"model\": \"llama-3.3-70b\", \"gpu\": \"mi300x\", " PLAN_LOAD
            ", \"engine\": {\"gpu_memory_utilization\": 0.5}}",
            "agg-tp1", "tp 1: ");
    refused("{" PLAN_BASE ", \"pools\": [{\"role\": \"prefill\", \"engine\": "
            "{\"block_size\": 32}}, {\"role\": \"decode\"}]}",
            NULL, "block size");
    refused("{" PLAN_BASE ", \"pools\": [{\"role\": \"prefill\", \"engine\": "
            "{\"kv_cache_dtype\": \"fp8\"}}, {\"role\": \"decode\"}]}",
            NULL, "cache dtype");
    refused("{\"model\": \"qwen3-235b-a22b\", \"gpu\": \"mi300x\", " PLAN_LOAD
            ", \"cluster\": {\"nodes\": 2}}",
            "1p-tp8-1d-tp4", "replicates KV heads");
}

static int open_fix(void **state)
{
    (void)state;
    fix = plan_open();
    return 0;
}

static int close_fix(void **state)
{
    (void)state;
    plan_close(fix);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_fix, close_fix)

static void kv_connectors(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    static const char *const keys[] = {
        "\"kv_connector\": \"moriio-write\"",
        "\"kv_connector\": \"moriio-write\", "
        "\"kv_parallel_dispatch\": false",
        "\"kv_connector\": \"moriio-read\", \"kv_handshake_ms\": 250, "
        "\"kv_expiry_s\": 7, \"kv_load_failure_policy\": \"fail\""};
    for (int i = 0; i < 3; i++) {
        struct scenario s;
        struct plant p;
        struct err e = {0};
        const char *text = arena_fmt(f->a,
                                     "{" PLAN_MODEL
                                     ", \"pools\": \"1p-tp1-1d-tp1\", "
                                     "\"engine\": {%s}, " PLAN_LOAD "}",
                                     keys[i]);
        OK(plan_try(f, text, NULL, &s, &e), e);
        OK(scenario_plant(&s, &s.topology, scenario_plant_cache(&s, f->a), &p,
                          &e),
           e);
        EQ(p.kv_write, i < 2);
        EQ(p.kv_parallel, i < 1);
        NEAR(p.handshake_s, i < 2 ? 0 : 0.25, 1e-12);
        NEAR(p.pool[0].pin_expiry_s, i < 2 ? 480 : 7, 0);
        EQ(p.pool[1].sched.load_failure_fails, i == 2);
    }
    plan_close(f);
}

T_MAIN(cmocka_unit_test(kv_connectors), TEST(D1_defaults_by_device),
       TEST(what_is_asked_is_there), TEST(X4_X7_X8_bytes_from_cards),
       TEST(hybrid_by_connector), TEST(blocks_of_a_request),
       TEST(a_length_that_fits_the_pool), TEST(without_chunked_prefill),
       TEST(equal_pools_are_compiled_once), TEST(refusals))
