/* One engine in time: vectors A1, A2, A3, H1, X2 of engine.md, and the states
 * of engine.h's diagram.  Times in us. */
#include "tests/t.h"

#include "tests/unit/serve/rig.h"

static struct load_spec load;

/* An engine alone, all memory it wants. */
static struct plant alone(struct arena *a, struct fix_times t, bool async)
{
    struct plant_pool p = fix_pool(ROLE_AGGREGATED, 1, 1, fix_timed(a, t));
    p.sched.async_scheduling = async;
    return fix_plant(&p, 1);
}

/* Engine 0 prefills and does nothing here, engine 1 decodes. */
static struct plant decoder(struct arena *a, struct fix_times t, bool async)
{
    const struct price *price = fix_timed(a, t);
    struct plant_pool p[2] = {fix_pool(ROLE_PREFILL, 1, 1, price),
                              fix_pool(ROLE_DECODE, 1, 1, price)};
    p[1].sched.async_scheduling = async;
    return fix_plant(p, 2);
}

static const struct fix_times ten_ms = {10000, 0, 0, 0};

static void timed_steps_take_their_time(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const struct price *p = fix_timed(a, (struct fix_times){5000, 1, 2, 4});
    struct price_chunk c[2] = {{8192, 0}, {300, 20000}};
    struct price_shape s = {.tokens = 8592,
                            .reqs = 102,
                            .ones = 100,
                            .ones_ctx = 800000,
                            .ones_win = 800000,
                            .chunk = c,
                            .n_chunk = 2};
    EQ(price_step(p, &s), 5000000000);
    EQ(price_decode(p, 1, 1, 1), 5000000000);
    EQ(price_decode(p, 256, 1000000, 1000000), 5000000000);
    struct price_host h = price_hosts(p, 100, PRICE_FULL);
    EQ(h.schedule, 1000000);
    EQ(h.prepare, 2000000);
    EQ(h.update, 4000000);
    arena_close(a);
}

/* us that a lone request takes. */
static double life(struct fix_times t, bool async, int tp, int32_t osl)
{
    struct arena *a = arena_open();
    struct plant p = alone(a, t, async);
    p.pool[0].tp = tp;
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 100, osl);
    rig_run(r, 1e9);
    double us = rig_us(r->done[0]);
    arena_close(a);
    return us;
}

/* us between its tokens, beginning and end apart. */
static double period(struct fix_times t, bool async, int tp)
{
    return (life(t, async, tp, 201) - life(t, async, tp, 101)) / 100;
}

static void H1_host_time_hides_behind_the_gpu(void **state)
{
    (void)state;
    const struct fix_times slow = {5000, 800, 700, 500};
    const struct fix_times quick = {1000, 800, 700, 500};
    NEAR(period(slow, true, 1), 5000, 1e-6);
    NEAR(period(slow, false, 1), 7000, 1e-6);
    NEAR(period(quick, true, 1), 2000, 1e-6);
    /* workers of their own prepare beside the core's schedule and update;
     * from an output to that of the batch two later is a chain of all four */
    NEAR(period(quick, true, 2), 3000 / 2.0, 1e-6);
    NEAR(period((struct fix_times){1000, 200, 1600, 300}, true, 2), 1600, 1e-6);
    NEAR(period(slow, false, 2), 7000, 1e-6);
}

static double third_first_token(bool async)
{
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms, async);
    p.pool[0].sched.max_num_seqs = 2;
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 16, 3); /* ends with the step of 20..30 ms */
    rig_at(r, 0, 0, 16, 50);
    uint32_t third = rig_at(r, 0, 0, 16, 5);
    rig_run(r, 1e9);
    double us = rig_first(r, third);
    NEAR(rig_us(r->w.req[third].admitted), us - (async ? 20000 : 10000), 0);
    arena_close(a);
    return us;
}

static void A1_a_freed_slot_idles_for_a_step(void **state)
{
    (void)state;
    NEAR(third_first_token(true), 50000, 0);
    NEAR(third_first_token(false), 40000, 0);
}

static void A2_an_idle_server_takes_them_in_three_steps(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, (struct fix_times){10000, 400, 200, 0}, true);
    struct rig *r = rig_open(a, &p, &load);
    for (int i = 0; i < 8; i++)
        rig_at(r, i * 1e6 / 4096, 0, 100, 20);
    rig_run(r, 1e9);
    NEAR(rig_first(r, 0), 10600, 0);
    /* came in the 600 us in which the host scheduled and launched step 1 */
    NEAR(rig_first(r, 1), 20600, 0);
    NEAR(rig_first(r, 2), 20600, 0);
    for (uint32_t i = 3; i < 8; i++)
        NEAR(rig_first(r, i), 30600, 0);
    arena_close(a);
}

/* Mean over arrivals spread evenly over a step of 10 ms of the time from
 * arrival to the start of the prefill's step. */
static double mean_wait(bool async)
{
    enum { N = 100 };
    struct arena *a = arena_open();
    struct plant p = alone(a, ten_ms, async);
    struct rig *r = rig_open(a, &p, &load);
    double sum = 0;
    rig_at(r, 0, 0, 16, 100 * N);
    for (int i = 0; i < N; i++)
        rig_at(r, 1e5 * (i + 1) + 1e4 * (i + 0.5) / N, 0, 16, 1);
    rig_run(r, 1e5 * (N + 2));
    for (uint32_t i = 1; i <= N; i++)
        sum += rig_first(r, i) - 1e4 - rig_us(r->send[i].at);
    arena_close(a);
    return sum / N;
}

static void A3_arrivals_wait_a_step_and_a_half(void **state)
{
    (void)state;
    NEAR(mean_wait(true), 15000, 1);
    NEAR(mean_wait(false), 5000, 1);
}

/* ---- receives ------------------------------------------------------------ */

/* Mean time from the end of a transfer to the first token, transfers ending
 * evenly over a step of 10 ms of an engine that has another request. */
static double mean_notice(bool async)
{
    enum { N = 50 };
    struct arena *a = arena_open();
    struct plant p = decoder(a, ten_ms, async);
    struct rig *r = rig_open(a, &p, &load);
    double sum = 0, at[N];
    r->keep[MAIL_POST] = true;
    rig_at(r, 0, 1, 16, 30 * N);
    r->w.req[0].pinned = 0;
    rig_run(r, 100);
    engine_received(&r->w, &r->w.engine[1], r->w.req[0].loading, 100000);
    for (int i = 0; i < N; i++) {
        rig_at(r, 2e5 * (i + 1), 1, 16, 1);
        at[i] = 2e5 * (i + 1) + 1e5 + 1e4 * (i + 0.5) / N;
    }
    for (uint32_t i = 0; i < N; i++) {
        rig_run(r, at[i]);
        engine_received(&r->w, &r->w.engine[1], r->w.req[i + 1].loading,
                        (ns_t)(at[i] * 1e3));
    }
    rig_run(r, 2e5 * (N + 2));
    for (uint32_t i = 0; i < N; i++)
        sum += rig_first(r, i + 1) - at[i];
    arena_close(a);
    return sum / N;
}

static void X2_a_busy_engine_notices_late(void **state)
{
    (void)state;
    NEAR(mean_notice(true), 45000, 1);
    NEAR(mean_notice(false), 25000, 1);
}

/* us from the end of a transfer to the first token on an idle engine. */
static double idle_notice(double at_us, bool async)
{
    struct arena *a = arena_open();
    struct plant p = decoder(a, ten_ms, async);
    struct rig *r = rig_open(a, &p, &load);
    r->keep[MAIL_POST] = true;
    rig_at(r, 0, 1, 4096, 1);
    rig_run(r, at_us);
    EQ(r->w.engine[1].state, ENGINE_POLL);
    engine_received(&r->w, &r->w.engine[1], r->w.req[0].loading,
                    (ns_t)(at_us * 1e3));
    rig_run(r, 1e9);
    double us = rig_first(r, 0) - at_us;
    arena_close(a);
    return us;
}

static void X2_an_idle_engine_polls(void **state)
{
    (void)state;
    for (int async = 0; async < 2; async++) {
        NEAR(idle_notice(5001, async), 999 + 1000 + 10000, 0);
        NEAR(idle_notice(5999, async), 1 + 1000 + 10000, 0);
        NEAR(idle_notice(6000, async), 1000 + 10000, 0);
        NEAR(idle_notice(0.5, async), 999.5 + 1000 + 10000, 0);
    }
}

/* Left waiting for KV alone when its last request ended, an asynchronous engine
 * has an empty batch in its queue and stays one batch behind: three polls. */
static void an_empty_batch_stays_in_the_queue(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = decoder(a, ten_ms, true);
    struct rig *r = rig_open(a, &p, &load);
    r->keep[MAIL_POST] = true;
    rig_at(r, 0, 1, 16, 3);
    rig_at(r, 0, 1, 16, 1);
    rig_run(r, 100);
    engine_received(&r->w, &r->w.engine[1], r->w.req[0].loading, 100000);
    rig_run(r, 500000);
    EQ(r->w.engine[1].state, ENGINE_POLL);
    EQ(r->w.engine[1].n_out, 1);
    double tick = rig_us(r->w.engine[1].poll_at);
    double at = tick + 100500;
    engine_received(&r->w, &r->w.engine[1], r->w.req[1].loading,
                    (ns_t)(at * 1e3));
    rig_run(r, 1e9);
    NEAR(rig_first(r, 1) - at, 500 + 2000 + 10000, 0);
    arena_close(a);
}

/* An arrival finds a sleeping engine asleep up to a millisecond. */
static void a_sleep_is_not_cut_short(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = decoder(a, ten_ms, true);
    struct rig *r = rig_open(a, &p, &load);
    r->keep[MAIL_POST] = true;
    rig_at(r, 0, 1, 16, 1);
    rig_at(r, 7300, 1, 16, 1);
    rig_run(r, 7500);
    EQ(r->w.req[1].posted, 0);
    rig_run(r, 8500);
    NEAR(rig_us(r->w.req[1].posted), 8000, 0);
    EQ(r->n_kept, 2);
    arena_close(a);
}

/* ---- sends --------------------------------------------------------------- */

static int64_t freed_while_idle(bool steps_while_pinned)
{
    struct arena *a = arena_open();
    struct plant p = decoder(a, ten_ms, true);
    p.pool[0].sched.steps_while_pinned = steps_while_pinned;
    struct rig *r = rig_open(a, &p, &load);
    struct engine *g = &r->w.engine[0];
    r->keep[MAIL_HANDOVER] = true;
    rig_at(r, 0, 0, 160, 1);
    rig_run(r, 1e6);
    EQ(g->state, ENGINE_IDLE);
    EQ(r->n_kept, 1);
    EQ(r->kept[0].at, 10000000);
    EQ(sched_pinned(g->sched), 1);
    int64_t held = sched_free_blocks(g->sched);
    engine_sent(&r->w, g, r->w.req[0].pinned, 1000000000);
    rig_run(r, 2e6);
    EQ(g->state, ENGINE_IDLE);
    int64_t freed = sched_free_blocks(g->sched) - held;
    arena_close(a);
    return freed;
}

static void an_idle_engine_keeps_pins(void **state)
{
    (void)state;
    EQ(freed_while_idle(false), 0);
    EQ(freed_while_idle(true), 10); /* vLLM 0.22 */
}

/* ---- tokens -------------------------------------------------------------- */

/* Tokens leave at the end of the update; what answers them misses the schedule
 * that follows at once. */
static void tokens_leave_after_the_update(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, (struct fix_times){10000, 300, 200, 500}, false);
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 16, 3);
    uint32_t second = rig_at(r, 33000, 0, 16, 1);
    rig_run(r, 1e9);
    NEAR(rig_first(r, 0), 11000, 0);
    NEAR(rig_us(r->done[0]), 33000, 0);
    EQ(r->w.req[second].admitted, 33000000);
    EQ(r->w.itl.n, 2);
    EQ(r->w.itl.min, 11000000);
    EQ(r->w.itl.max, 11000000);
    arena_close(a);
}

/* Two requests that fill the cache: the later one is preempted, and its gap
 * spans its absence, though it be longer than the ring remembers. */
static void a_preempted_request_has_one_long_gap(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = alone(a, (struct fix_times){10000, 100, 200, 300}, true);
    p.pool[0].sched.num_blocks = 1 + 155;
    struct rig *r = rig_open(a, &p, &load);
    rig_at(r, 0, 0, 64, 2400); /* 154 blocks at the end */
    rig_at(r, 0, 0, 64, 2400);
    rig_run(r, 1e9);
    EQ(r->w.engine[0].preemptions, 1);
    EQ(r->w.itl.n, 2 * 2399);
    /* every gap of the second adds up to its life */
    double life = rig_us(r->done[0]) - rig_first(r, 0) + rig_us(r->done[1])
                - rig_first(r, 1);
    NEAR(r->w.itl.sum / 1e3, life, 1e-6);
    assert_true(r->w.itl.max > ENGINE_RING * INT64_C(10000000));
    EQ(r->w.itl.min, 10000000);
    arena_close(a);
}

/* Everybody's tokens are the asked ones, whatever the depth. */
static void all_end_with_their_last_token(void **state)
{
    (void)state;
    for (int async = 0; async < 2; async++) {
        struct arena *a = arena_open();
        struct plant p = alone(a, ten_ms, async);
        struct rig *r = rig_open(a, &p, &load);
        for (int i = 0; i < 40; i++)
            rig_at(r, 3000 * i, 0, 16 + i, 1 + i);
        rig_run(r, 1e9);
        EQ(r->w.output_tokens, 40 * 41 / 2);
        for (uint32_t i = 0; i < 40; i++)
            assert_true(r->done[i] >= r->w.req[i].first && r->done[i] > 0);
        EQ(r->w.engine[0].state, ENGINE_IDLE);
        EQ(r->w.engine[0].n_out, 0);
        arena_close(a);
    }
}

T_MAIN(cmocka_unit_test(timed_steps_take_their_time),
       cmocka_unit_test(H1_host_time_hides_behind_the_gpu),
       cmocka_unit_test(A1_a_freed_slot_idles_for_a_step),
       cmocka_unit_test(A2_an_idle_server_takes_them_in_three_steps),
       cmocka_unit_test(A3_arrivals_wait_a_step_and_a_half),
       cmocka_unit_test(X2_a_busy_engine_notices_late),
       cmocka_unit_test(X2_an_idle_engine_polls),
       cmocka_unit_test(an_empty_batch_stays_in_the_queue),
       cmocka_unit_test(a_sleep_is_not_cut_short),
       cmocka_unit_test(an_idle_engine_keeps_pins),
       cmocka_unit_test(tokens_leave_after_the_update),
       cmocka_unit_test(a_preempted_request_has_one_long_gap),
       cmocka_unit_test(all_end_with_their_last_token))
