/* MoRI-IO WRITE: vector X9 of engine.md, and who waits for whom. */
#include "tests/t.h"

#include "tests/unit/serve/rig.h"

#define MiB 1048576.0

static struct load_spec load;

/* 80 layers and 2.5 MiB a block on one rank; prefill takes 200 ms; the wire is
 * fix_wire: 40 GB/s and 10 us. */
static struct plant writing(struct arena *a, bool parallel)
{
    struct plant_pool p[2] = {
        fix_pool(ROLE_PREFILL, 1, 1,
                 fix_timed(a, (struct fix_times){200000, 0, 0, 0})),
        fix_pool(ROLE_DECODE, 1, 1,
                 fix_timed(a, (struct fix_times){10000, 0, 0, 0}))};
    for (int i = 0; i < 2; i++) {
        p[i].sched.async_scheduling = false;
        p[i].kv_block_bytes[0] = 2.5 * MiB;
    }
    struct plant plant = fix_plant(p, 2);
    plant.kv_write = true;
    plant.kv_parallel = parallel;
    return plant;
}

/* Both sides get request i, as the router sends them. */
static uint32_t both(struct rig *r, double at_us, int32_t isl, int32_t osl)
{
    uint32_t i = rig_at(r, at_us, 0, isl, osl);
    rig_run(r, at_us);
    if (r->w.plant->kv_parallel)
        engine_push(&r->w, &r->w.engine[1], i, (ns_t)(at_us * 1e3));
    return i;
}

static double exposed_us(bool write)
{
    struct arena *a = arena_open();
    struct plant p = writing(a, write);
    p.kv_write = write;
    struct rig *r = rig_open(a, &p, &load);
    both(r, 0, 4096, 2);
    rig_run(r, 1e8);
    assert_true(r->done[0] > 0);
    EQ(r->w.req[0].bytes, 640 * 1048576);
    /* prefill ends at 200 ms */
    double us = rig_us(r->w.req[0].received) - 200000;
    arena_close(a);
    return us;
}

static void X9_a_layer_is_exposed(void **state)
{
    (void)state;
    double all = 640 * MiB / 40e9 * 1e6; /* 16.8 ms */
    NEAR(exposed_us(false), all + 10, 0.01);
    NEAR(exposed_us(true), all / 80 + 10, 0.01);
}

/* Decode's blocks are taken at dispatch and held through the prefill. */
static void decode_holds_its_blocks(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = writing(a, true);
    struct rig *r = rig_open(a, &p, &load);
    const struct engine *pre = &r->w.engine[0], *dec = &r->w.engine[1];
    both(r, 0, 4096, 2);
    rig_run(r, 5000);
    EQ(sched_remote(dec->sched), 1);
    EQ(100000 - sched_free_blocks(dec->sched), 256);
    EQ(100000 - sched_free_blocks(pre->sched), 256);
    rig_run(r, 1e8);
    EQ(sched_free_blocks(dec->sched), 100000);
    EQ(sched_pinned(pre->sched), 1); /* an idle engine does not step */
    both(r, 1e9, 16, 1);
    rig_run(r, 2e9);
    EQ(sched_pinned(pre->sched), 1);
    EQ(100000 - sched_free_blocks(pre->sched), 1);
    arena_close(a);
}

/* Chunks before the last are sent with it. */
static void chunks_are_sent_with_the_last(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = writing(a, true);
    p.pool[0].sched.max_num_batched_tokens = 2048;
    struct rig *r = rig_open(a, &p, &load);
    both(r, 0, 4096, 2);
    rig_run(r, 1e8);
    NEAR(rig_us(r->w.req[0].layer), 200000 + 2500, 0.001);
    NEAR(rig_us(r->w.req[0].received), 400000 + 210 + 10, 0.5);
    arena_close(a);
}

/* A wire that does not keep up exposes what is left. */
static void a_slow_wire(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = writing(a, true);
    struct wire_card slow = fix_wire;
    slow.nic_Bps = 1e9;
    p.wire = &slow;
    struct rig *r = rig_open(a, &p, &load);
    both(r, 0, 4096, 2);
    rig_run(r, 1e8);
    /* begins with the first layer at 2.5 ms, two latencies */
    NEAR(rig_us(r->w.req[0].received), 2500 + 640 * MiB / 1e3 + 20, 0.01);
    arena_close(a);
}

/* A full decode pool: prefill is over before there are blocks to write to. */
static void a_full_pool_delays_the_write(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = writing(a, true);
    p.pool[1].sched.num_blocks = 300;
    struct rig *r = rig_open(a, &p, &load);
    both(r, 0, 4096, 40);
    both(r, 0, 4096, 2);
    rig_run(r, 1e8);
    const struct world_req *q = r->w.req;
    assert_true(q[1].alloc >= r->done[0] && r->done[1] > 0);
    assert_true(q[1].alloc > q[1].computed);
    NEAR(rig_us(q[1].received - q[1].alloc), 640 * MiB / 40e3 + 20, 0.01);
    EQ(q[1].posted, q[1].alloc);
    arena_close(a);
}

/* The sidecar's default: nothing overlaps, pins hold until all is written. */
static void one_after_the_other(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = writing(a, false);
    struct rig *r = rig_open(a, &p, &load);
    both(r, 0, 4096, 2);
    rig_run(r, 1e8);
    NEAR(rig_us(r->w.req[0].received) - 200000, 640 * MiB / 40e3 + 20, 0.01);
    assert_true(r->done[0] > 0);
    arena_close(a);
}

/* An answer of decode that would come before prefill's is held. */
static void decode_waits_for_prefills_reply(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = writing(a, true);
    struct rig *r = rig_open(a, &p, &load);
    struct world_req *q = r->w.req;
    both(r, 0, 160, 1);
    assert_true(push_holds(&r->w, 0));
    assert_true(q[0].answered);
    q[0].answered = false;
    rig_run(r, 1e8);
    assert_true(q[0].replied && r->done[0] > 0);
    assert_false(push_holds(&r->w, 0));
    arena_close(a);
}

T_MAIN(cmocka_unit_test(X9_a_layer_is_exposed),
       cmocka_unit_test(decode_holds_its_blocks),
       cmocka_unit_test(chunks_are_sent_with_the_last),
       cmocka_unit_test(a_slow_wire),
       cmocka_unit_test(a_full_pool_delays_the_write),
       cmocka_unit_test(one_after_the_other),
       cmocka_unit_test(decode_waits_for_prefills_reply))
