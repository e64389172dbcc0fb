/* One trial: vectors M1, M2 and L4 of engine.md, warm-up, refusals, outcome.
 * Laws over random worlds are in tests/law/world.c. */
#include "tests/t.h"

#include "tests/unit/serve/plant_fix.h"

static const struct fix_times ten_ms = {10000, 0, 0, 0};

static struct plant alone(struct arena *a, struct fix_times t)
{
    struct plant_pool p = fix_pool(ROLE_AGGREGATED, 1, 1, fix_timed(a, t));
    return fix_plant(&p, 1);
}

static struct outcome run(struct arena *a, const struct plant *p,
                          const struct load_spec *l)
{
    struct outcome o;
    struct err e = {0};
    struct world_ask ask = {.plant = p, .load = l, .seed = 7};
    OK(world_run(&ask, a, &o, &e), e);
    return o;
}

static void refused(struct arena *a, const struct plant *p,
                    const struct load_spec *l, enum err_kind kind,
                    const char *says)
{
    struct outcome o;
    struct err e = {0};
    struct world_ask ask = {.plant = p, .load = l, .seed = 7};
    assert_false(world_run(&ask, a, &o, &e));
    EQ(e.kind, kind);
    STR_HAS(e.text, says);
}

/* ---- what is measured ---------------------------------------------------- */

static struct outcome pair_of(double gpu_us)
{
    struct arena *a = arena_open();
    const struct price *price = fix_timed(a,
                                          (struct fix_times){gpu_us, 0, 0, 0});
    struct plant_pool p[2] = {fix_pool(ROLE_PREFILL, 1, 1, price),
                              fix_pool(ROLE_DECODE, 1, 2, price)};
    struct plant plant = fix_plant(p, 2);
    struct load_spec l = fix_closed(64, 64, 64, 100);
    struct outcome o = run(a, &plant, &l);
    arena_close(a);
    return o;
}

/* The step is chosen so that the run lasts 10 s. */
static void M1_tokens_a_user_and_a_gpu(void **state)
{
    (void)state;
    double x = 97000, y = 99000;
    double dx = pair_of(x).duration_s, dy = pair_of(y).duration_s;
    struct outcome o = pair_of(x + (10 - dx) * (y - x) / (dy - dx));
    NEAR(o.duration_s, 10, 1e-4);
    EQ(o.output_tokens, 6400);
    NEAR(o.concurrency, 64, 0);
    NEAR(o.tpsu, 10, 1e-3);
    NEAR(o.tpsg, 213.3, 0.05);
    NEAR(o.output_tok_s, 640, 0.01);
    NEAR(o.req_s, 6.4, 1e-3);
    NEAR(o.total_tok_s, (6400 + 64 * 64) / o.duration_s, 1e-9);
}

static void M2_the_closed_loop(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 2, 1,
                                      fix_real(a, 1, false));
    struct plant p = fix_plant(&pool, 1);
    enum { C = 32, N = 640, OSL = 50 };
    struct load_spec l = fix_closed(C, N, 700, OSL);
    struct outcome o = run(a, &p, &l);
    double stay = o.ttft.mean + (OSL - 1) * o.tpot.mean; /* ms */
    /* a TPOT is rounded down to a ns */
    assert_true(stay <= o.e2e.mean + 1e-9);
    assert_true(stay >= o.e2e.mean - (OSL - 1) * 1e-6);
    /* C / X, but for slots that are free while the last requests finish */
    double slot = C / o.req_s * 1e3;
    assert_true(o.e2e.mean <= slot && slot <= o.e2e.mean + C * o.e2e.max / N);
    arena_close(a);
}

static void L4_the_wait_for_a_slot_is_not_in_ttft(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms);
    struct load_spec l = fix_closed(4, 8, 16, 3);
    struct outcome o = run(a, &p, &l);
    /* two lockstep waves, the second from the end of the first */
    NEAR(o.duration_s, 0.060, 1e-12);
    NEAR(o.ttft.max, 10, 1e-9);
    NEAR(o.ttft.mean, 10, 1e-9);
    NEAR(o.e2e.max, 30, 1e-9);
    NEAR(o.itl.mean, 10, 1e-9);
    NEAR(o.tpot.p50, 10, 1e-9);
    NEAR(o.interactivity, 100, 1e-6);
    arena_close(a);
}

/* A rate above what is served: the semaphore holds requests back, in order,
 * and the clock of each starts when it is sent. */
static void arrivals_wait_behind_the_semaphore(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const double at[] = {0, 0.001, 0.002, 1};
    const int32_t isl[] = {16, 16, 16, 16}, osl[] = {2, 3, 1, 1};
    struct plant p = alone(a, ten_ms);
    struct load_spec l = fix_trace(a, at, isl, osl, 4);
    l.concurrency = 1;
    struct outcome o = run(a, &p, &l);
    /* 20, 30, 10 ms one after the other, then one at 1 s */
    NEAR(o.duration_s, 1.010, 1e-9);
    NEAR(o.ttft.max, 10, 1e-9);
    NEAR(o.e2e.mean, (20 + 30 + 10 + 10) / 4.0, 1e-9);
    NEAR(o.concurrency, 0.070 / 1.010, 1e-9);
    arena_close(a);
}

static void pieces_of_a_ttft(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const struct price *price = fix_timed(a,
                                          (struct fix_times){10000, 0, 0, 0});
    struct plant_pool pool[2] = {fix_pool(ROLE_PREFILL, 1, 1, price),
                                 fix_pool(ROLE_DECODE, 1, 1, price)};
    struct plant p = fix_plant(pool, 2);
    struct wire_card wire = fix_wire;
    p.router.hop_s = 0.003;
    p.router.sidecar_s = 0.002;
    wire.post_base_s = 0.0005;
    wire.intra_s = 0; /* both are on one node */
    wire.intra_Bps = 1e9;
    p.wire = &wire;
    p.pool[1].kv_block_bytes[0] = 1e6;
    struct load_spec l = fix_closed(1, 3, 160, 2);
    struct outcome o = run(a, &p, &l);
    NEAR(o.ttft_route, 3, 1e-9);
    NEAR(o.ttft_queue, 0, 1e-9);
    NEAR(o.ttft_prefill, 10, 1e-9);
    NEAR(o.ttft_stage, 2.5, 1e-9);   /* sidecar, posting */
    NEAR(o.ttft_transfer, 10, 1e-9); /* 10 blocks of 1 MB */
    NEAR(o.kv_transfer.mean, 10, 1e-9);
    /* to the tick in which it is noticed, one more, and the step */
    assert_true(o.ttft_first >= 11 && o.ttft_first <= 12);
    NEAR(o.ttft.mean, 25.5 + o.ttft_first, 1e-9);
    arena_close(a);
}

/* ---- warm-up and prefixes ------------------------------------------------ */

static struct outcome warmed(int64_t warmup, int64_t requests, bool caching,
                             int64_t shared)
{
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms);
    p.pool[0].sched.max_num_batched_tokens = 1024;
    p.pool[0].sched.enable_prefix_caching = caching;
    struct load_spec l = fix_closed(1, requests, 4096, 2);
    l.warmup_requests = warmup;
    l.shared_prefix = shared;
    struct outcome o = run(a, &p, &l);
    arena_close(a);
    return o;
}

static void a_warm_up_repeats_request_0(void **state)
{
    (void)state;
    /* a prompt is four chunks; all but its last block is cached */
    NEAR(warmed(0, 1, true, 0).ttft.mean, 40, 1e-9);
    NEAR(warmed(3, 1, true, 0).ttft.mean, 10, 1e-9);
    NEAR(warmed(3, 1, true, 0).duration_s, 0.020, 1e-9);
    EQ(warmed(3, 1, true, 0).requests, 1);
    EQ(warmed(3, 1, true, 0).output_tokens, 2);
    EQ(warmed(3, 1, true, 0).input_tokens, 4096);
    /* nobody else's prompt is */
    NEAR(warmed(3, 2, true, 0).ttft.mean, (10 + 40) / 2.0, 1e-9);
    NEAR(warmed(3, 2, false, 0).ttft.mean, 40, 1e-9);
}

static void shared_prefixes_are_hit_and_the_rest_is_not(void **state)
{
    (void)state;
    /* 2048 shared: two chunks less, from the second request on */
    NEAR(warmed(0, 1, true, 2048).ttft.mean, 40, 1e-9);
    NEAR(warmed(0, 5, true, 2048).ttft.mean, (40 + 4 * 20) / 5.0, 1e-9);
    NEAR(warmed(0, 5, false, 2048).ttft.mean, 40, 1e-9);
    /* a prefix longer than the prompt is the prompt */
    NEAR(warmed(0, 5, true, 9000).ttft.mean, (40 + 4 * 10) / 5.0, 1e-9);
    NEAR(warmed(2, 2, true, 2048).ttft.mean, (10 + 20) / 2.0, 1e-9);
}

static void texts_of_a_trace_are_hit(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const double at[] = {0, 1, 2};
    const int32_t isl[] = {2048, 2048, 2048}, osl[] = {1, 1, 1};
    const uint64_t text[] = {5, 6, 7, 5, 6, 8, 9};
    const uint32_t first[] = {0, 3, 6, 7}; /* 512 tokens each, the rest own */
    struct plant p = alone(a, ten_ms);
    p.pool[0].sched.max_num_batched_tokens = 512;
    p.pool[0].sched.enable_prefix_caching = true;
    struct load_spec l = fix_trace(a, at, isl, osl, 3);
    struct trace t = *l.data;
    t.text = text;
    t.first = first;
    l.data = &t;
    struct outcome o = run(a, &p, &l);
    NEAR(o.ttft.mean, (40 + 20 + 40) / 3.0, 1e-9);
    arena_close(a);
}

/* ---- refusals ------------------------------------------------------------ */

static void what_can_never_be_served_is_refused(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms);
    struct sched_opt *o = &p.pool[0].sched;
    struct load_spec l = fix_closed(1, 2, 1000, 24);
    o->max_model_len = 1023;
    refused(a, &p, &l, ERR_INPUT,
            "1000 + 24 tokens does not fit "
            "max_model_len 1023");
    o->max_model_len = 1024;
    o->num_blocks = 64; /* 63 usable; 1023 tokens have KV: 64 blocks */
    refused(a, &p, &l, ERR_INPUT, "needs 64 KV blocks, the pool has 63");
    o->num_blocks = 65;
    EQ(run(a, &p, &l).requests, 2);
    o->max_model_len = 1025; /* the last token takes no slot */
    l.isl = fix_length(1001);
    EQ(run(a, &p, &l).requests, 2);
    l.isl = fix_length(1000);
    o->enable_chunked_prefill = false;
    o->max_num_batched_tokens = 1022;
    refused(a, &p, &l, ERR_INPUT, "without chunked prefill");
    o->max_num_batched_tokens = 1023;
    EQ(run(a, &p, &l).requests, 2);
    l.requests = 0;
    refused(a, &p, &l, ERR_INPUT, "load.requests");
    arena_close(a);
}

static void a_plant_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 3, 4,
                                      fix_timed(a, ten_ms));
    struct plant p = fix_plant(&pool, 1);
    struct load_spec l = fix_closed(1, 3, 16, 2);
    p.nodes = 2;
    EQ(run(a, &p, &l).requests, 3);
    p.nodes = 1;
    refused(a, &p, &l, ERR_INPUT, "topology fix does not fit 1 nodes of 8");
    /* engines do not span nodes: three halves of 6 GPUs leave 2 each */
    p.gpus_per_node = 6;
    p.nodes = 2;
    refused(a, &p, &l, ERR_INPUT, "does not fit 2 nodes of 6");
    arena_close(a);
}

/* Ranks of an engine are aligned to its TP. */
static void places_are_aligned(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const struct price *price = fix_timed(a, ten_ms);
    struct plant_pool pool[2] = {fix_pool(ROLE_PREFILL, 1, 1, price),
                                 fix_pool(ROLE_DECODE, 1, 4, price)};
    struct plant p = fix_plant(pool, 2);
    struct load_spec l = fix_closed(1, 3, 16, 2);
    p.nodes = 1;
    EQ(run(a, &p, &l).requests, 3);
    p.gpus_per_node = 7;
    refused(a, &p, &l, ERR_INPUT, "does not fit 1 nodes of 7");
    arena_close(a);
}

/* vLLM 0.15: a preempted decode at the head of the queue needs more blocks than
 * there are while a received hand-off behind it holds the rest. */
static void a_hang_of_vllm_is_reported(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const struct price *price = fix_timed(a, ten_ms);
    struct plant_pool pool[2] = {fix_pool(ROLE_PREFILL, 1, 1, price),
                                 fix_pool(ROLE_DECODE, 1, 1, price)};
    pool[1].sched.num_blocks = 1 + 20;
    pool[1].sched.max_num_seqs = 1;
    struct plant p = fix_plant(pool, 2);
    struct load_spec l = fix_closed(2, 2, 160, 150);
    refused(a, &p, &l, ERR_NO, "engine 1 of fix hangs: 2 requests wait");
    p.pool[1].sched.skipped_waiting_queue = true;
    EQ(run(a, &p, &l).requests, 2);
    arena_close(a);
}

/* The same, but what the head needs first fits, and it goes round for ever. */
static void an_endless_thrash_is_reported(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const struct price *price = fix_timed(a, ten_ms);
    struct plant_pool pool[2] = {fix_pool(ROLE_PREFILL, 1, 1, price),
                                 fix_pool(ROLE_DECODE, 1, 1, price)};
    pool[1].sched.num_blocks = 1 + 20;
    pool[1].sched.max_num_seqs = 1;
    pool[1].sched.max_num_batched_tokens = 100;
    struct plant p = fix_plant(pool, 2);
    struct load_spec l = fix_closed(2, 2, 160, 150);
    refused(a, &p, &l, ERR_NO, "preempts and resumes requests for ever");
    arena_close(a);
}

/* ---- outcome ------------------------------------------------------------- */

static void what_binds(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms);
    struct load_spec l = fix_closed(8, 80, 100, 20);
    struct outcome o = run(a, &p, &l);
    EQ(o.bottleneck, WORLD_COMPUTE_AGG);
    assert_true(o.pool[0].busy > 0.9);
    STR_EQ(world_bottleneck_name(o.bottleneck), "compute");
    l = fix_poisson(2, 40, 100, 5);
    o = run(a, &p, &l);
    EQ(o.bottleneck, WORLD_NONE);
    STR_EQ(world_bottleneck_name(o.bottleneck), "load");
    arena_close(a);
}

/* 100 blocks, 16 clients of 25 blocks each: four at a time fill the cache. */
static void kv_use_over_time(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms);
    p.pool[0].sched.num_blocks = 101;
    p.pool[0].sched.reserve_full_isl = true;
    p.pool[0].sched.async_scheduling = false;
    struct load_spec l = fix_closed(16, 64, 390, 11);
    struct outcome o = run(a, &p, &l);
    EQ(o.preemptions, 0);
    NEAR(o.pool[0].kv_max, 1, 0);
    /* four at a time for 11 steps and 16 waves, 12 waiting but for the tail */
    NEAR(o.pool[0].kv, 1, 0.01);
    NEAR(o.duration_s, 16 * 0.110, 1e-9);
    assert_true(o.pool[0].waiting > 9 && o.pool[0].waiting < 12);
    EQ(o.bottleneck, WORLD_COMPUTE_AGG);
    arena_close(a);
}

static void intervals_cover_a_steady_run(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms);
    struct load_spec l = fix_poisson(20, 400, 100, 20);
    struct outcome o = run(a, &p, &l);
    assert_true(o.ci_tpsg > 0 && o.ci_tpsg < o.tpsg);
    assert_true(o.ci_tpsu > 0 && o.ci_ttft_p99 > 0 && o.ci_e2e_p99 > 0);
    l.requests = 1;
    o = run(a, &p, &l);
    assert_true(isnan(o.ci_tpsg));
    EQ(o.requests, 1);
    /* an answer of one token has no gaps */
    l = fix_closed(4, 40, 100, 1);
    o = run(a, &p, &l);
    assert_true(isnan(o.itl.mean) && isnan(o.tpot.p50));
    EQ(o.output_tokens, 40);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(M1_tokens_a_user_and_a_gpu),
       cmocka_unit_test(M2_the_closed_loop),
       cmocka_unit_test(L4_the_wait_for_a_slot_is_not_in_ttft),
       cmocka_unit_test(arrivals_wait_behind_the_semaphore),
       cmocka_unit_test(pieces_of_a_ttft),
       cmocka_unit_test(a_warm_up_repeats_request_0),
       cmocka_unit_test(shared_prefixes_are_hit_and_the_rest_is_not),
       cmocka_unit_test(texts_of_a_trace_are_hit),
       cmocka_unit_test(what_can_never_be_served_is_refused),
       cmocka_unit_test(a_plant_that_does_not_fit_is_refused),
       cmocka_unit_test(places_are_aligned),
       cmocka_unit_test(a_hang_of_vllm_is_reported),
       cmocka_unit_test(an_endless_thrash_is_reported),
       cmocka_unit_test(what_binds), cmocka_unit_test(kv_use_over_time),
       cmocka_unit_test(intervals_cover_a_steady_run))
