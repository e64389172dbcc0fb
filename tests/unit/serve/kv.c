#include "tests/t.h"

#include "sim/serve/kv.h"
#include "sim/serve/kv_prefix.h"

enum { REQUESTS = 40, OPS = 4000 };

static struct sched_opt usual(int64_t blocks, int32_t window)
{
    struct sched_opt o = {.max_num_batched_tokens = 64,
                          .max_num_seqs = 8,
                          .max_model_len = 4096,
                          .block_size = 4,
                          .num_blocks = blocks,
                          .n_groups = window ? 2 : 1};

    o.window[1] = window;
    return o;
}

static void sound(const struct kv *kv)
{
    struct err e = {.kind = ERR_NONE};

    OK(kv_check(kv, &e), e);
}

/* The prompt is the first n tokens of a text. */
static void name(struct kv *kv, struct kv_req *r, uint64_t text, int32_t n,
                 uint64_t user)
{
    struct sched_seg seg = {text, n};
    struct sched_spec spec = {.user = user,
                              .seg = &seg,
                              .n_seg = 1,
                              .prompt_tokens = n,
                              .max_tokens = 1};

    kv_name(kv, r, &spec, user);
}

static bool take(struct kv *kv, struct kv_req *r, int32_t computed,
                 int32_t fresh)
{
    struct kv_ask q = {
        .known = computed + fresh, .computed = computed, .fresh = fresh};

    return kv_alloc(kv, r, &q);
}

/* As the waiting loop does: hit, then the rest of n tokens; the hit. */
static int32_t enter(struct kv *kv, struct kv_req *r, int32_t n)
{
    struct kv_ask q = {.known = n};

    q.local = kv_prefix_find(kv, r, n);
    q.fresh = n - q.local;
    assert_true(kv_alloc(kv, r, &q));
    return q.local;
}

static void ids_are(const struct kv_req *r, int g, const uint32_t *want,
                    int32_t n)
{
    EQ(r->len, n);
    for (int32_t i = 0; i < n; i++)
        EQ(r->ids[g][i], want[i]);
}

#define IDS(r, g, ...)                                                         \
    do {                                                                       \
        const uint32_t want[] = {__VA_ARGS__};                                 \
        ids_are((r), (g), want, (int32_t)(sizeof want / sizeof *want));        \
    } while (0)

static void k3_freed_backwards_to_the_end(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(6, 0);
    struct kv *kv = kv_new(&o, a);
    struct kv_req r = {0}, s = {0};

    (void)state;
    kv_keep_ids(kv);
    assert_true(take(kv, &r, 0, 12));
    IDS(&r, 0, 1, 2, 3);
    kv_drop(kv, &r);
    assert_true(take(kv, &s, 0, 20));
    IDS(&s, 0, 4, 5, 3, 2, 1);
    assert_false(take(kv, &r, 0, 1));
    EQ(kv_free_blocks(kv), 0);
    sound(kv);
    arena_close(a);
}

static void unhashed_blocks_may_go_to_the_front(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(9, 0);
    struct kv *kv;
    struct kv_req r = {0}, s = {0};

    (void)state;
    o.enable_prefix_caching = o.unhashed_first = true;
    kv = kv_new(&o, a);
    name(kv, &r, 1, 10, 0);
    EQ(enter(kv, &r, 10), 0); /* two full blocks hashed, one is not */
    kv_drop(kv, &r);
    name(kv, &s, 2, 24, 1);
    EQ(enter(kv, &s, 24), 0);
    IDS(&s, 0, 3, 4, 5, 6, 7, 8);
    sound(kv);
    arena_close(a);
}

static void a_hit_shares_and_the_first_of_twins_is_hit(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(30, 0);
    struct kv *kv;
    struct kv_req r[4] = {{0}};

    (void)state;
    o.enable_prefix_caching = true;
    kv = kv_new(&o, a);
    for (uint64_t i = 0; i < 4; i++)
        name(kv, &r[i], 5, 9 + (int32_t)i % 2, i);
    EQ(enter(kv, &r[0], 9), 0);
    /* twins: computed before the first was hashed in vLLM's eyes */
    assert_true(take(kv, &r[1], 0, 9));
    EQ(enter(kv, &r[2], 9), 8);
    IDS(&r[2], 0, 1, 2, 7);
    kv_drop(kv, &r[0]);
    EQ(enter(kv, &r[3], 9), 8);
    EQ(r[3].ids[0][0], 1); /* still the first, held by the third */
    for (int i = 1; i < 4; i++)
        kv_drop(kv, &r[i]);
    EQ(kv_free_blocks(kv), 29);
    sound(kv);
    arena_close(a);
}

static void taking_a_block_forgets_what_it_held(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(5, 0);
    struct kv *kv;
    struct kv_req r = {0}, s = {0};

    (void)state;
    o.enable_prefix_caching = true;
    kv = kv_new(&o, a);
    name(kv, &r, 1, 16, 0);
    EQ(enter(kv, &r, 16), 0);
    kv_drop(kv, &r); /* the tail is first to go */
    name(kv, &s, 2, 6, 1);
    EQ(enter(kv, &s, 6), 0);
    kv_drop(kv, &s);
    name(kv, &r, 1, 16, 2);
    EQ(kv_prefix_find(kv, &r, 16), 8);
    kv_prefix_miss(kv);
    sound(kv);
    arena_close(a);
}

static void outputs_are_named_by_their_request(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(40, 0);
    struct kv *kv;
    struct kv_req r = {0}, s = {0};
    const struct sched_seg turn[] = {
        {1, 6}, {SCHED_TEXT_OUTPUT | 3, 10}, {9, 4}};
    struct sched_spec spec = {.user = 4,
                              .seg = turn,
                              .n_seg = 3,
                              .prompt_tokens = 20,
                              .max_tokens = 1};

    (void)state;
    o.enable_prefix_caching = true;
    kv = kv_new(&o, a);
    name(kv, &r, 1, 6, 3);
    EQ(enter(kv, &r, 6), 0);
    assert_true(take(kv, &r, 6, 10)); /* ten outputs */
    kv_name(kv, &s, &spec, 4);
    EQ(enter(kv, &s, 20), 16);
    sound(kv);
    arena_close(a);
}

static void a_window_group_is_hit_by_its_end(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(60, 9);
    struct kv *kv;
    struct kv_req r = {0}, s = {0};

    (void)state;
    o.enable_prefix_caching = true;
    kv = kv_new(&o, a);
    name(kv, &r, 1, 41, 0);
    EQ(enter(kv, &r, 41), 0);
    kv_skip(kv, &r, 41); /* (41 - 9 + 1) / 4 = 8 blocks have left the window */
    EQ(kv_held(kv, &r, 0), 11);
    EQ(kv_held(kv, &r, 1), 3);
    name(kv, &s, 1, 41, 1);
    EQ(enter(kv, &s, 41), 40);
    EQ(s.nulls[1], 8); /* ceil((9 - 1) / 4) = 2 of 10 are needed */
    EQ(s.ids[1][8], r.ids[1][8]);
    EQ(s.ids[0][0], r.ids[0][0]);
    sound(kv);
    arena_close(a);
}

static void sparse_windows_keep_what_a_repetition_hits(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(200, 9);
    struct kv *kv;
    struct kv_req r = {0}, s = {0};

    (void)state;
    o.enable_prefix_caching = o.sparse_windows = true;
    kv = kv_new(&o, a);
    name(kv, &r, 1, 41, 0);
    EQ(enter(kv, &r, 41), 0);
    name(kv, &s, 1, 30, 1);
    EQ(enter(kv, &s, 30), 0); /* no window is kept in the middle ... */
    name(kv, &r, 1, 30, 2);
    kv_drop(kv, &r);
    name(kv, &r, 1, 30, 2);
    EQ(enter(kv, &r, 30), 28); /* ... until somebody ended there */
    arena_close(a);
}

static void loads_take_only_what_a_window_sees(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(100, 9);
    struct kv *kv = kv_new(&o, a);
    struct kv_req r = {0};
    struct kv_ask q = {.known = 40, .external = 40, .delay = true};

    (void)state;
    assert_true(kv_alloc(kv, &r, &q));
    EQ(r.len, 10);
    EQ(kv_held(kv, &r, 1), 2);
    EQ(kv_free_blocks(kv), 99 - 12);
    arena_close(a);
}

static void deferred_blocks_wait_for_their_step(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(100, 0);
    struct kv *kv = kv_new(&o, a);
    struct kv_req r = {0};

    (void)state;
    for (uint64_t i = 1; i <= 40; i++) { /* beyond the ring's first size */
        assert_true(take(kv, &r, 0, 8));
        kv_defer(kv, &r, i);
    }
    EQ(kv_free_blocks(kv), 19);
    EQ(kv_deferred(kv), 80);
    kv_drain(kv, 10);
    EQ(kv_free_blocks(kv), 39);
    kv_drain(kv, 40);
    EQ(kv_free_blocks(kv), 99);
    EQ(kv_deferred(kv), 0);
    arena_close(a);
}

static uint32_t upto(uint64_t *rng, uint32_t n)
{
    *rng = *rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*rng >> 33) % n;
}

/* Counting, keeping identities and caching prefixes nobody shares agree on
 * every number, whatever is asked. */
static void counts_are_identities_counted(void **state)
{
    struct arena *a = arena_open();
    struct sched_opt o = usual(120, 21);
    struct kv *kv[3];
    struct kv_req r[3][REQUESTS] = {{{0}}};
    int32_t tokens[REQUESTS] = {0};
    uint64_t rng = 1, serial = 0;
    int refused = 0;

    (void)state;
    kv[0] = kv_new(&o, a);
    kv[1] = kv_new(&o, a);
    kv_keep_ids(kv[1]);
    o.enable_prefix_caching = true;
    kv[2] = kv_new(&o, a);
    for (int i = 0; i < OPS; i++) {
        uint32_t who = upto(&rng, REQUESTS);
        int32_t n = 1 + (int32_t)upto(&rng, upto(&rng, 2) ? 3 : 50);
        bool ok[3], drop = tokens[who] && !upto(&rng, 4);

        for (int k = 0; k < 3; k++) {
            if (drop)
                kv_drop(kv[k], &r[k][who]);
            if (k == 2 && !tokens[who] && ++serial)
                name(kv[k], &r[k][who], 1000 + serial, 4000, serial);
            ok[k] = !drop && take(kv[k], &r[k][who], tokens[who], n);
            EQ(ok[k], ok[0]);
            EQ(kv_free_blocks(kv[k]), kv_free_blocks(kv[0]));
            EQ(kv_held(kv[k], &r[k][who], -1), kv_held(kv[0], &r[0][who], -1));
        }
        refused += !ok[0] && !drop;
        tokens[who] = drop ? 0 : tokens[who] + (ok[0] ? n : 0);
    }
    assert_true(refused > 100);
    sound(kv[1]);
    sound(kv[2]);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k3_freed_backwards_to_the_end),
        cmocka_unit_test(unhashed_blocks_may_go_to_the_front),
        cmocka_unit_test(a_hit_shares_and_the_first_of_twins_is_hit),
        cmocka_unit_test(taking_a_block_forgets_what_it_held),
        cmocka_unit_test(outputs_are_named_by_their_request),
        cmocka_unit_test(a_window_group_is_hit_by_its_end),
        cmocka_unit_test(sparse_windows_keep_what_a_repetition_hits),
        cmocka_unit_test(loads_take_only_what_a_window_sees),
        cmocka_unit_test(deferred_blocks_wait_for_their_step),
        cmocka_unit_test(counts_are_identities_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
