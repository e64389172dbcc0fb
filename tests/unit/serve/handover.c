/* The P/D path: vectors X1 and X3 to X8 of engine.md (X2: engine.c).
 * On the test's wire a byte takes a nanosecond and a descriptor is posted in a
 * microsecond, so times are sizes. */
#include "tests/t.h"

#include "tests/unit/serve/rig.h"

#define KiB 1024.0
#define MiB 1048576.0

static struct load_spec load;

static const struct wire_card slow = {.name = "slow",
                                      .nics_per_node = 8,
                                      .nic_Bps = 50e9,
                                      .read_Bps = 1e9,
                                      .write_Bps = 1e9,
                                      .post_s = 1e-6,
                                      .intra_Bps = 1e9,
                                      .incast = 1};

struct pair {
    int p_tp, d_tp;
    int layers;         /* of each KV group */
    double block_bytes; /* of each group, on a decode rank */
    int window;         /* of a second group, 0 = no such group */
};

static struct plant pair_plant(struct arena *a, struct pair q)
{
    const struct price *price = fix_timed(a,
                                          (struct fix_times){10000, 0, 0, 0});
    struct plant_pool p[2] = {fix_pool(ROLE_PREFILL, 1, q.p_tp, price),
                              fix_pool(ROLE_DECODE, 1, q.d_tp, price)};
    for (int i = 0; i < 2; i++) {
        p[i].sched.async_scheduling = false;
        p[i].sched.n_groups = q.window ? 2 : 1;
        p[i].sched.window[1] = q.window;
        for (int g = 0; g < 2; g++) {
            p[i].kv_layers[g] = q.layers;
            p[i].kv_block_bytes[g] = q.block_bytes;
        }
    }
    struct plant plant = fix_plant(p, 2);
    plant.wire = &slow;
    return plant;
}

struct moved {
    double descriptors; /* posted by a decode rank */
    double rank_bytes;  /* of the longest flow */
};

static struct moved moved_by(const struct rig *r, uint32_t i)
{
    const struct world_req *q = &r->w.req[i];
    /* the whole prefill is one step, so is what decode adds */
    double before = rig_us(q->prefilled);
    return (struct moved){rig_us(q->posted) - before,
                          (double)(q->received - q->posted)};
}

static struct moved move(struct pair q, int32_t prompt)
{
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, q);
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, prompt, 2);
    rig_run(r, 1e8);
    assert_true(r->done[0] > 0);
    struct moved m = moved_by(r, 0);
    arena_close(a);
    return m;
}

static void X1_blocks_and_the_one_token_step(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, (struct pair){1, 1, 1, 1000, 0});
    struct rig *r = rig_open(a, &p, &load);
    const struct engine *d = &r->w.engine[1];
    int64_t all = sched_free_blocks(d->sched);
    rig_at(r, 0, 0, 4096, 3);
    /* prefill 10 ms, posting 512 us, transfer 256 us */
    rig_run(r, 10600);
    EQ(sched_remote(d->sched), 1);
    EQ(all - sched_free_blocks(d->sched), 256);
    rig_run(r, 15000);
    EQ(sched_running(d->sched), 1);
    EQ(d->flight[d->head].b.n, 1);
    EQ(d->flight[d->head].b.tokens, 1);
    EQ(d->flight[d->head].b.item[0].computed, 4095);
    EQ(all - sched_free_blocks(d->sched), 256);
    rig_run(r, 25000);
    EQ(all - sched_free_blocks(d->sched), 257);
    rig_run(r, 1e6);
    EQ(sched_free_blocks(d->sched), all);
    arena_close(a);
}

static void X3_a_full_pool_makes_a_hand_off_wait(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, (struct pair){1, 1, 1, 1000, 0});
    p.pool[1].sched.num_blocks = 1001;
    struct rig *r = rig_open(a, &p, &load);
    const struct engine *pre = &r->w.engine[0], *dec = &r->w.engine[1];
    for (int i = 0; i < 10; i++)
        rig_at(r, 0, 0, 1425, 15); /* 90 blocks each */
    uint32_t late = rig_at(r, 1000, 0, 4096, 2);
    rig_run(r, 150000);
    EQ(1000 - sched_free_blocks(dec->sched), 900);
    EQ(sched_waiting(dec->sched), 1);
    EQ(sched_remote(dec->sched), 0);
    EQ(sched_pinned(pre->sched), 1);
    EQ(100000 - sched_free_blocks(pre->sched), 256);
    EQ(r->w.req[late].posted, 0);
    rig_run(r, 1e6);
    for (uint32_t i = 0; i < 11; i++)
        assert_true(r->done[i] > 0);
    EQ(dec->preemptions, 0);
    arena_close(a);
}

static void X4_llama(void **state)
{
    (void)state;
    /* 16 tokens x 8 heads x 128 x (K, V) x 2 B x 80 layers */
    struct moved m = move((struct pair){1, 1, 80, 5 * MiB, 0}, 4096);
    NEAR(m.descriptors, 40960, 0);
    NEAR(m.rank_bytes, 1280 * MiB, 0);
    m = move((struct pair){1, 1, 80, 2.5 * MiB, 0}, 4096);
    NEAR(m.descriptors, 40960, 0);
    NEAR(m.rank_bytes, 640 * MiB, 0);
    /* a partial last block moves in full */
    m = move((struct pair){1, 1, 80, 5 * MiB, 0}, 4081);
    NEAR(m.rank_bytes, 1280 * MiB, 0);
}

static void X5_a_local_prefix_is_not_read(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct load_spec l = {.shared_prefix = 1024};
    struct plant p = pair_plant(a, (struct pair){1, 1, 80, 5 * MiB, 0});
    p.pool[1].sched.enable_prefix_caching = true;
    struct rig *r = rig_open(a, &p, &l);
    rig_at(r, 0, 0, 4096, 2);
    rig_at(r, 5e6, 0, 4096, 2);
    rig_run(r, 1e8);
    NEAR(moved_by(r, 0).descriptors, 256 * 80 * 2, 0);
    NEAR(moved_by(r, 1).descriptors, 192 * 80 * 2, 0);
    NEAR(moved_by(r, 1).rank_bytes, 192 * 5 * MiB, 0);
    arena_close(a);
}

static void X6_pinned_blocks_hold_prefills_up(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, (struct pair){1, 1, 1, 1000, 0});
    p.pool[0].sched.num_blocks = 601;
    struct rig *r = rig_open(a, &p, &load);
    const struct engine *pre = &r->w.engine[0];
    r->keep[MAIL_HANDOVER] = true; /* decode is stalled */
    for (int i = 0; i < 3; i++)
        rig_at(r, 0, 0, 4096, 2);
    rig_run(r, 1e6);
    EQ(r->n_kept, 2);
    EQ(sched_pinned(pre->sched), 2);
    EQ(sched_waiting(pre->sched), 1);
    EQ(600 - sched_free_blocks(pre->sched), 512);
    EQ(pre->state, ENGINE_POLL);
    handover_arrive(&r->w, r->kept[0].req, 1000000000);
    rig_run(r, 1.1e6);
    /* notice at a poll, freed at its update, met by the next schedule */
    EQ(r->n_kept, 3);
    const struct world_req *third = &r->w.req[2];
    double wait = rig_us(third->admitted - r->w.req[0].received);
    assert_true(wait >= 1000 && wait <= 2000);
    arena_close(a);
}

static void X7_unequal_tp(void **state)
{
    (void)state;
    /* without the hybrid manager: 36 layers of 16 KiB on each of two ranks */
    struct moved m = move((struct pair){1, 2, 36, 36 * 16 * KiB, 0}, 4096);
    NEAR(m.descriptors, 18432, 0);
    NEAR(m.rank_bytes, 144 * MiB, 0);
    /* with it: two groups of 18 layers, one slides */
    m = move((struct pair){1, 2, 18, 18 * 16 * KiB, 128}, 4096);
    NEAR(m.descriptors, 9540, 0);
    NEAR(2 * m.rank_bytes, 265 * 2 * 18 * 16 * KiB, 0);
    NEAR(2 * m.rank_bytes / MiB, 149, 0.1);
}

/* Each decode rank reads its heads from two prefill ranks: the bytes of each
 * are half of its own, and each read is posted. */
static void more_prefill_than_decode_ranks(void **state)
{
    (void)state;
    struct moved m = move((struct pair){2, 1, 36, 36 * 32 * KiB, 0}, 4096);
    NEAR(m.descriptors, 2 * 18432, 0);
    NEAR(m.rank_bytes, 144 * MiB, 0);
}

static void X8_a_clipped_window(void **state)
{
    (void)state;
    struct moved m = move((struct pair){1, 1, 36, 36 * 32 * KiB, 0}, 8192);
    NEAR(m.rank_bytes, 576 * MiB, 0);
    m = move((struct pair){1, 1, 18, 18 * 32 * KiB, 128}, 8192);
    NEAR(m.rank_bytes / MiB, 293.0625, 1e-9);
}

/* Posting is on the worker's only thread: it delays the step it comes before.
 */
static void posting_delays_the_next_step(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, (struct pair){1, 1, 10, 1000, 0});
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 16, 100);
    rig_at(r, 105000, 0, 4096, 1);
    rig_run(r, 1e8);
    /* one gap of the first is longer, by 256 x 10 x 2 us */
    EQ(r->w.itl.min, 10000000);
    EQ(r->w.itl.max, 15120000);
    arena_close(a);
}

/* A request that decode has no slot for until 1.2 s. */
static struct rig *late(struct arena *a, bool heartbeat, bool fails)
{
    struct plant *p = ARENA_NEW(a, struct plant);
    *p = pair_plant(a, (struct pair){1, 1, 1, 1000, 0});
    p->pool[0].pin_expiry_s = 1;
    p->pool[0].pin_heartbeat = heartbeat;
    p->pool[1].sched.max_num_seqs = 1;
    p->pool[1].sched.load_failure_fails = fails;
    p->pool[1].sched.load_keeps_blocks = fails;
    struct rig *r = rig_open(a, p, &load);
    rig_at(r, 0, 0, 16, 120);
    rig_at(r, 50000, 0, 160, 3);
    rig_run(r, 1000000);
    EQ(100000 - sched_free_blocks(r->w.engine[0].sched), 10);
    return r;
}

/* Heartbeats renew a lease as long as decode has the request. */
static void a_lease_is_renewed(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = late(a, true, true);
    rig_run(r, 1e8);
    assert_true(r->done[1] > 0 && r->w.req[1].received > 0);
    assert_false(r->w.req[1].expired);
    arena_close(a);
}

/* Prefill frees an expired pin at its next step; decode's READ fails. */
static void an_expired_pin_is_recomputed(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = late(a, false, false);
    const struct engine *d = &r->w.engine[1];
    rig_run(r, 1e8);
    assert_true(r->w.req[1].expired);
    EQ(r->w.req[1].received, 0);
    EQ(r->failed[1], 0);
    assert_true(r->done[1] > 0);
    /* the prompt of 160 and two tokens more, after 1 + 119 of the first, and
     * the empty batch that waited for the load */
    EQ(d->steps, 120 + 3);
    assert_true(!r->w.failed);
    arena_close(a);
}

static void an_expired_pin_fails_the_request(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = late(a, false, true);
    struct engine *d = &r->w.engine[1];
    rig_run(r, 1e8);
    assert_true(r->failed[1] > 0);
    EQ(r->done[1], 0);
    EQ(d->steps, 120);
    EQ(sched_free_blocks(d->sched), 100000);
    EQ(sched_unfinished(d->sched), 0);
    assert_true(!r->w.failed);
    arena_close(a);
}

/* An idle prefill engine does not step: an expired pin's blocks come back with
 * its next work. */
static void expired_blocks_come_back(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rig *r = late(a, false, false);
    const struct engine *p = &r->w.engine[0];
    rig_run(r, 1200000);
    EQ(sched_pinned(p->sched), 1);
    rig_at(r, 1300000, 0, 16, 1);
    rig_run(r, 1e8);
    EQ(sched_pinned(p->sched), 1); /* the newest's */
    EQ(100000 - sched_free_blocks(p->sched), 1);
    arena_close(a);
}

/* The first READ of a pair waits for its handshake, a second behind it; after
 * that there is none. */
static void a_handshake_once(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, (struct pair){1, 1, 1, 1000, 0});
    p.handshake_s = 2;
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 160, 2);
    rig_at(r, 15000, 0, 160, 2);
    rig_at(r, 5e6, 0, 160, 2);
    rig_run(r, 1e8);
    const struct world_req *q = r->w.req;
    double post = 10 * 2; /* us */
    NEAR(rig_us(q[0].posted - q[0].prefilled), 2e6 + post, 0);
    NEAR(rig_us(q[1].posted - q[0].posted), 0, 0);
    NEAR(rig_us(q[2].posted - q[2].prefilled), post, 0);
    arena_close(a);
}

/* With identities on both sides neighbours are one entry: a fresh pool gives
 * ascending ids, a used one gives them back in reverse. */
static void neighbours_are_one_descriptor(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, (struct pair){1, 1, 80, 5 * MiB, 0});
    p.pool[0].sched.enable_prefix_caching = true;
    p.pool[1].sched.enable_prefix_caching = true;
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 4096, 2);
    rig_run(r, 1e8);
    NEAR(moved_by(r, 0).descriptors, 80 * 2, 0);
    NEAR(moved_by(r, 0).rank_bytes, 1280 * MiB, 0);
    /* a decode pool that has just given 257 blocks back */
    struct plant q = p;
    q.pool[1].sched.num_blocks = 258;
    struct rig *s = rig_open(a, &q, &load);
    rig_at(s, 0, 0, 4096, 2);
    rig_at(s, 5e6, 0, 4096, 2);
    rig_run(s, 1e8);
    NEAR(moved_by(s, 0).descriptors, 80 * 2, 0);
    NEAR(moved_by(s, 1).descriptors, 256 * 80 * 2, 0);
    arena_close(a);
}

/* An asynchronous prefill engine preempts a prompt whose token is under way:
 * nothing is left to hand over, decode prefills it again. */
static void a_prefill_that_lost_its_blocks(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = pair_plant(a, (struct pair){1, 1, 1, 1000, 0});
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 160, 3);
    rig_run(r, 5000);
    handover_prefilled(&r->w, 0, WORLD_NOBODY, 5000000);
    rig_run(r, 9000);
    const struct engine *d = &r->w.engine[1];
    EQ(sched_remote(d->sched), 0);
    EQ(d->flight[d->head].b.tokens, 160);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(X1_blocks_and_the_one_token_step),
       cmocka_unit_test(X3_a_full_pool_makes_a_hand_off_wait),
       cmocka_unit_test(X4_llama),
       cmocka_unit_test(X5_a_local_prefix_is_not_read),
       cmocka_unit_test(X6_pinned_blocks_hold_prefills_up),
       cmocka_unit_test(X7_unequal_tp),
       cmocka_unit_test(more_prefill_than_decode_ranks),
       cmocka_unit_test(X8_a_clipped_window),
       cmocka_unit_test(posting_delays_the_next_step),
       cmocka_unit_test(a_lease_is_renewed),
       cmocka_unit_test(an_expired_pin_is_recomputed),
       cmocka_unit_test(an_expired_pin_fails_the_request),
       cmocka_unit_test(expired_blocks_come_back),
       cmocka_unit_test(a_handshake_once),
       cmocka_unit_test(neighbours_are_one_descriptor),
       cmocka_unit_test(a_prefill_that_lost_its_blocks))
