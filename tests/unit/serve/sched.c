/* The scheduler vectors of the design, by their ids, on small engines.  Whole
 * recorded schedules are golden_schedule's; equality of counting, skipping and
 * stepping is law/sched_quiet's. */
#include "tests/t.h"

#include "sim/serve/sched.h"

enum { DEPTH = 2, MOST = 64 };

struct rig {
    struct arena *a;
    struct sched_opt o;
    struct sched *s;
    struct sched_batch b[DEPTH];
    struct sched_batch *last; /* scheduled by the last call */
    struct sched_output out;
    int head, n_out;
    uint32_t req[MOST], n;
};

static struct sched_opt usual(void)
{
    return (struct sched_opt){
        .max_num_batched_tokens = 8192,
        .max_num_seqs = 1024,
        .max_model_len = 131072,
        .enable_chunked_prefill = true,
        .block_size = 16,
        .num_blocks = 8001,
        .n_groups = 1,
    };
}

/* As 0.21 does, where it matters here. */
static void newer(struct sched_opt *o)
{
    o->skipped_waiting_queue = o->reserve_full_isl = true;
    o->load_keeps_blocks = o->load_tracks_tokens = true;
    o->stop_pins = o->skip_by_computed = o->cap_window_reserve = true;
}

static struct rig rig(struct sched_opt o)
{
    struct rig g = {.a = arena_open(), .o = o};

    g.s = sched_new(&g.o, g.a);
    sched_list(g.s);
    return g;
}

static void done(struct rig *g)
{
    struct err e = {.kind = ERR_NONE};

    if (!sched_check(g->s, &e))
        fail_msg("%s", e.text);
    arena_close(g->a);
}

static uint32_t ask(struct rig *g, struct sched_spec spec)
{
    spec.user = g->n;
    g->req[g->n++] = sched_add(g->s, &spec);
    return g->req[g->n - 1];
}

static uint32_t add(struct rig *g, int32_t prompt, int32_t max_tokens)
{
    return ask(g, (struct sched_spec){.prompt_tokens = prompt,
                                      .max_tokens = max_tokens});
}

static void schedule(struct rig *g)
{
    g->last = &g->b[(g->head + g->n_out++) % DEPTH];
    sched_schedule(g->s, g->last);
}

static void update_with(struct rig *g, const struct sched_input *in)
{
    sched_update(g->s, &g->b[g->head], in, &g->out);
    g->head = (g->head + 1) % DEPTH;
    g->n_out--;
}

static void step(struct rig *g)
{
    schedule(g);
    update_with(g, NULL);
}

/* Tokens of the last batch, item by item. */
static void tokens_are(const struct rig *g, const int32_t *want, uint32_t n)
{
    EQ(g->last->n, n);
    for (uint32_t i = 0; i < n; i++)
        EQ(g->last->item[i].tokens, want[i]);
}

#define TOKENS(g, ...)                                                         \
    do {                                                                       \
        const int32_t want[] = {__VA_ARGS__};                                  \
        tokens_are((g), want, sizeof want / sizeof *want);                     \
    } while (0)

static void s1_budget_in_order_of_admission(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.async_scheduling = true;
    g = rig(o);
    for (int i = 0; i < 3; i++)
        add(&g, 4096, 4);
    schedule(&g);
    TOKENS(&g, 4096, 4096);
    EQ(sched_waiting(g.s), 1);
    schedule(&g);
    TOKENS(&g, 1, 1, 4096);
    update_with(&g, NULL);
    schedule(&g);
    TOKENS(&g, 1, 1, 1);
    EQ(g.last->ones, 3);
    EQ(g.last->ones_ctx, 4098 + 4098 + 4097);
    done(&g);
}

static void s2_a_long_prompt_takes_what_decodes_leave(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    g = rig(o);
    for (int i = 0; i < 50; i++)
        add(&g, 10, 100);
    step(&g);
    add(&g, 20000, 4);
    add(&g, 10, 4);
    schedule(&g);
    EQ(g.last->item[50].tokens, 8142);
    EQ(g.last->n, 51);
    EQ(g.last->n_chunk, 1);
    EQ(g.last->chunk[0], 50);
    update_with(&g, NULL);
    step(&g);
    EQ(g.last->n, 51); /* at most one partial prefill */
    schedule(&g);
    EQ(g.last->item[50].tokens, 20000 - 2 * 8142);
    EQ(g.last->item[51].tokens, 10);
    EQ(g.last->tokens, 50 + 3716 + 10);
    done(&g);
}

static void s3_nobody_passes_one_that_gets_no_blocks(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.num_blocks = 11;
    o.reserve_full_isl = true;
    g = rig(o);
    add(&g, 90, 4);
    step(&g);
    add(&g, 100, 4);
    add(&g, 1, 1);
    schedule(&g);
    TOKENS(&g, 1);
    EQ(g.last->n_failed, 1);
    EQ(g.last->failed[0], g.req[1]);
    EQ(sched_waiting(g.s), 2);
    done(&g);
}

static void k1_blocks_of_a_prompt(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.num_blocks = 1001;
    g = rig(o);
    EQ(sched_free_blocks(g.s), 1000);
    add(&g, 4096, 2);
    schedule(&g);
    EQ(sched_free_blocks(g.s), 744);
    EQ(sched_blocks(g.s, g.req[0], 0, NULL), 256);
    done(&g);
}

static void k2_without_a_reserve_a_long_prompt_thrashes(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.num_blocks = 301;
    o.max_num_batched_tokens = 4096;
    g = rig(o);
    add(&g, 20000, 2);
    for (int i = 0; i < 3; i++) {
        step(&g);
        TOKENS(&g, 4096); /* admitted on 256 blocks ... */
        EQ(g.last->item[0].kind, i ? SCHED_RESUMED : SCHED_NEW);
        step(&g);
        EQ(g.last->n, 0); /* ... and evicts itself */
        EQ(g.last->n_preempted, 1);
    }
    EQ(sched_view(g.s, g.req[0]).preemptions, 3);
    done(&g);
    o.reserve_full_isl = true;
    g = rig(o);
    add(&g, 20000, 2);
    step(&g);
    EQ(g.last->n, 0);
    EQ(g.last->n_failed, 1);
    EQ(sched_free_blocks(g.s), 300);
    done(&g);
}

static void p1_the_last_of_running_goes_first(void **state)
{
    struct sched_opt o = usual();
    struct rig g;
    uint32_t r;

    (void)state;
    o.num_blocks = 7; /* a, b, c, d hold 1, 2, 1, 2 */
    g = rig(o);
    add(&g, 8, 20);
    add(&g, 32, 20);
    add(&g, 8, 20);
    add(&g, 20, 20);
    add(&g, 1, 1);
    schedule(&g);
    EQ(g.last->n, 4);
    EQ(sched_free_blocks(g.s), 0);
    update_with(&g, NULL);
    schedule(&g); /* b's 33rd token needs a block */
    EQ(g.last->n_preempted, 1);
    EQ(g.last->preempted[0], g.req[3]);
    EQ(g.last->n, 3);
    EQ(sched_waiting(g.s), 2); /* nobody is admitted */
    assert_true(sched_peek(g.s, false, 0, &r));
    EQ(r, g.req[3]);
    EQ(sched_free_blocks(g.s), 1);
    done(&g);
}

static void p1b_a_chunk_evicts_several(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.long_prefill_token_threshold = 64;
    o.num_blocks = 1 + 1 + 20 + 2 + 2 + 1;
    g = rig(o);
    add(&g, 16, 30);
    add(&g, 450, 5);
    for (int i = 0; i < 4; i++)
        step(&g);
    add(&g, 32, 5);
    add(&g, 32, 5);
    step(&g);
    EQ(sched_view(g.s, g.req[1]).computed, 320);
    EQ(sched_free_blocks(g.s), 0);
    step(&g);
    EQ(g.last->n_preempted, 2);
    EQ(g.last->preempted[0], g.req[3]);
    EQ(g.last->preempted[1], g.req[2]);
    TOKENS(&g, 1, 64);
    done(&g);
}

static void a1_a_slot_rests_one_step(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.async_scheduling = true;
    o.max_num_seqs = 2;
    g = rig(o);
    add(&g, 10, 1);
    add(&g, 10, 10);
    add(&g, 10, 10);
    schedule(&g);
    TOKENS(&g, 10, 10);
    schedule(&g);
    TOKENS(&g, 1); /* the first is spared a step it would not use */
    update_with(&g, NULL);
    EQ(g.out.n_fin, 1);
    EQ(g.out.fin[0].user, 0);
    schedule(&g);
    TOKENS(&g, 1, 10);
    done(&g);
}

static void a_stop_id_wastes_one_step(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.async_scheduling = true;
    g = rig(o);
    ask(&g, (struct sched_spec){
                .prompt_tokens = 10, .max_tokens = 50, .stop_at = 1});
    schedule(&g);
    schedule(&g);
    update_with(&g, NULL);
    EQ(g.out.n_fin, 1);
    EQ(g.out.fin[0].end, SCHED_END_STOP);
    EQ(g.out.fin[0].output, 1);
    EQ(g.last->n, 1); /* already in the next batch */
    update_with(&g, NULL);
    EQ(g.out.tokens, 0);
    EQ(sched_free_blocks(g.s), 8000);
    done(&g);
}

static void first_tokens_and_returns_are_irregular(void **state)
{
    struct rig g = rig(usual());

    (void)state;
    add(&g, 10, 5);
    step(&g);
    EQ(g.out.n_irregular, 1);
    EQ(g.out.irregular_prev[0], UINT64_MAX);
    step(&g);
    EQ(g.out.tokens, 1);
    EQ(g.out.n_irregular, 0);
    add(&g, 10, 5);
    step(&g);
    EQ(g.out.tokens, 2);
    EQ(g.out.n_irregular, 1);
    EQ(g.out.irregular[0], g.req[1]);
    done(&g);
}

/* ---- queues and hand-over ---- */

static struct sched_spec load(int32_t prompt)
{
    return (struct sched_spec){
        .prompt_tokens = prompt, .max_tokens = 5, .remote_prefill = true};
}

static void head_is(const struct rig *g, bool second, uint32_t want)
{
    uint32_t r;

    assert_true(sched_peek(g->s, second, 0, &r));
    EQ(r, want);
}

static void q1_set_aside_in_front(void **state)
{
    struct sched_opt o = usual();
    struct sched_input in = {.n_rx = 1};
    struct rig g;

    (void)state;
    o.connector = SCHED_NIXL;
    g = rig(o);
    add(&g, 10, 5);
    ask(&g, load(40));
    add(&g, 10, 5);
    step(&g);
    TOKENS(&g, 10, 10);
    EQ(g.last->n_remote, 1);
    EQ(g.last->hit[0].external, 40);
    head_is(&g, false, g.req[1]);
    EQ(sched_remote(g.s), 1);
    in.rx = &g.req[1];
    schedule(&g);
    update_with(&g, &in);
    add(&g, 10, 5);
    schedule(&g); /* promoted before the newcomer, for its last prompt token */
    TOKENS(&g, 1, 1, 1, 10);
    EQ(g.last->item[2].req, g.req[1]);
    EQ(g.last->item[2].computed, 39);
    done(&g);
}

static void q2_the_second_queue_is_drained_first(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.connector = SCHED_NIXL;
    o.num_blocks = 1 + 3 + 2 + 1;
    newer(&o);
    g = rig(o);
    add(&g, 10, 40);
    ask(&g, load(40));
    add(&g, 16, 30);
    step(&g);
    EQ(sched_skipped(g.s), 1);
    EQ(sched_free_blocks(g.s), 1);
    step(&g); /* the second local one grows into the last block */
    for (int i = 0; i < 6; i++)
        step(&g); /* the first needs one: the second is evicted */
    EQ(g.last->n_preempted, 1);
    head_is(&g, true, g.req[1]);
    head_is(&g, false, g.req[2]);
    EQ(sched_waiting(g.s), 2);
    done(&g);
}

static void x1_a_pull_of_4096_tokens(void **state)
{
    struct sched_opt o = usual();
    struct sched_input in = {.n_rx = 1};
    struct rig g;

    (void)state;
    o.connector = SCHED_NIXL;
    newer(&o);
    g = rig(o);
    ask(&g, load(4096));
    step(&g);
    EQ(sched_blocks(g.s, g.req[0], 0, NULL), 256);
    EQ(g.last->n, 0);
    in.rx = &g.req[0];
    schedule(&g);
    update_with(&g, &in);
    step(&g);
    TOKENS(&g, 1);
    EQ(g.last->item[0].computed, 4095);
    EQ(sched_blocks(g.s, g.req[0], 0, NULL), 256);
    step(&g);
    EQ(sched_blocks(g.s, g.req[0], 0, NULL), 257);
    done(&g);
}

static void x6_pinned_blocks_stall_prefill(void **state)
{
    struct sched_opt o = usual();
    struct sched_input in = {.n_tx = 1};
    struct rig g;

    (void)state;
    o.connector = SCHED_NIXL;
    o.num_blocks = 601;
    newer(&o);
    g = rig(o);
    for (int i = 0; i < 3; i++)
        ask(&g, (struct sched_spec){.prompt_tokens = 4096,
                                    .max_tokens = 1,
                                    .remote_decode = true});
    step(&g);
    EQ(g.out.n_fin, 2);
    assert_true(g.out.fin[0].pinned);
    EQ(g.out.fin[0].blocks[0], 256);
    EQ(sched_pinned(g.s), 2);
    step(&g);
    EQ(g.last->n_failed, 1);
    EQ(sched_free_blocks(g.s), 88);
    in.tx = &g.req[0];
    schedule(&g);
    update_with(&g, &in);
    EQ(sched_free_blocks(g.s), 344);
    step(&g);
    TOKENS(&g, 4096);
    EQ(sched_pinned(g.s), 2);
    assert_false(sched_unfinished(g.s));
    assert_true(sched_wanted(g.s)); /* once, to tell the workers */
    step(&g);
    assert_false(sched_wanted(g.s));
    done(&g);
}

static void an_abort_while_loading(void **state)
{
    struct sched_opt o = usual();
    struct sched_input in = {.n_rx = 1};

    (void)state;
    o.connector = SCHED_NIXL;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct rig g;

        if (keeps)
            newer(&o);
        g = rig(o);
        ask(&g, load(64));
        step(&g);
        sched_abort(g.s, g.req[0], &g.out);
        EQ(g.out.n_fin, 1);
        EQ(g.out.fin[0].pinned, keeps);
        EQ(sched_free_blocks(g.s), keeps ? 7996 : 8000);
        in.rx = &g.req[0];
        schedule(&g);
        update_with(&g, keeps ? &in : NULL);
        EQ(sched_free_blocks(g.s), 8000);
        done(&g);
    }
}

static void b2_a_window_holds_nine_blocks(void **state)
{
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.n_groups = 2;
    o.window[1] = 128;
    newer(&o);
    g = rig(o);
    add(&g, 8192, 20);
    step(&g);
    EQ(sched_free_blocks(g.s), 8000 - 512 - 512);
    step(&g);
    EQ(sched_free_blocks(g.s), 8000 - 513 - 9);
    done(&g);
}

/* ---- prefix cache ---- */

static void c1_a_cached_prompt_computes_a_block(void **state)
{
    static const struct sched_seg whole = {7, 4096},
                                  longer[] = {{7, 4096}, {8, 1}};
    struct sched_opt o = usual();
    struct rig g;

    (void)state;
    o.enable_prefix_caching = true;
    g = rig(o);
    for (int i = 0; i < 2; i++)
        ask(&g, (struct sched_spec){.seg = &whole,
                                    .n_seg = 1,
                                    .prompt_tokens = 4096,
                                    .max_tokens = 1});
    ask(&g,
        (struct sched_spec){
            .seg = longer, .n_seg = 2, .prompt_tokens = 4097, .max_tokens = 1});
    schedule(&g); /* a block is hit as soon as it is scheduled */
    TOKENS(&g, 4096, 16, 1);
    EQ(g.last->hit[0].local, 4080);
    EQ(g.last->hit[1].local, 4096);
    update_with(&g, NULL);
    EQ(sched_free_blocks(g.s), 8000);
    done(&g);
}

static void handles_are_used_again(void **state)
{
    struct rig g = rig(usual());
    uint32_t first;

    (void)state;
    first = add(&g, 10, 1);
    step(&g);
    EQ(add(&g, 10, 1), first);
    for (int i = 0; i < 40; i++) /* beyond the pool's first capacities */
        add(&g, 10, 2);
    step(&g);
    EQ(g.last->n, 41);
    step(&g);
    EQ(g.out.n_fin, 40);
    EQ(sched_running(g.s), 0);
    done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s1_budget_in_order_of_admission),
        cmocka_unit_test(s2_a_long_prompt_takes_what_decodes_leave),
        cmocka_unit_test(s3_nobody_passes_one_that_gets_no_blocks),
        cmocka_unit_test(k1_blocks_of_a_prompt),
        cmocka_unit_test(k2_without_a_reserve_a_long_prompt_thrashes),
        cmocka_unit_test(p1_the_last_of_running_goes_first),
        cmocka_unit_test(p1b_a_chunk_evicts_several),
        cmocka_unit_test(a1_a_slot_rests_one_step),
        cmocka_unit_test(a_stop_id_wastes_one_step),
        cmocka_unit_test(first_tokens_and_returns_are_irregular),
        cmocka_unit_test(q1_set_aside_in_front),
        cmocka_unit_test(q2_the_second_queue_is_drained_first),
        cmocka_unit_test(x1_a_pull_of_4096_tokens),
        cmocka_unit_test(x6_pinned_blocks_stall_prefill),
        cmocka_unit_test(an_abort_while_loading),
        cmocka_unit_test(b2_a_window_holds_nine_blocks),
        cmocka_unit_test(c1_a_cached_prompt_computes_a_block),
        cmocka_unit_test(handles_are_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
