#include "sim/des/evq.h"

#include "sim/des/rng.h"
#include "tests/t.h"

/* The queue told a second time, slowly: scan all slots for the least. */
enum { MOST = 200 };

struct naive {
    ns_t at[MOST];
    uint8_t rank[MOST];
    uint64_t seq[MOST];
    uint64_t pushes;
    uint32_t n;
};

static void naive_set(struct naive *v, uint32_t slot, ns_t at)
{
    if (v->at[slot] == at)
        return;
    v->at[slot] = at;
    v->seq[slot] = ++v->pushes;
}

static int naive_before(const struct naive *v, uint32_t x, uint32_t y)
{
    if (v->at[x] != v->at[y])
        return v->at[x] < v->at[y];
    if (v->rank[x] != v->rank[y])
        return v->rank[x] < v->rank[y];
    return v->seq[x] < v->seq[y];
}

static uint32_t naive_first(const struct naive *v)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < v->n; i++)
        if (naive_before(v, i, best))
            best = i;
    return best;
}

static ns_t check_pop(struct evq *q, struct naive *v)
{
    uint32_t want = naive_first(v);
    ns_t at = -1;
    uint32_t slot = MOST;
    EQ(evq_next(q), v->at[want]);
    bool got = evq_pop(q, &at, &slot);
    EQ(got, v->at[want] != NS_NEVER);
    if (!got)
        return NS_NEVER;
    EQ(slot, want);
    EQ(at, v->at[want]);
    v->at[want] = NS_NEVER;
    return at;
}

static void check_all(const struct evq *q, const struct naive *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        EQ(evq_at(q, i), v->at[i]);
}

/* One script over n slots: sets, re-times, clears and pops at random, then
 * filled to the last slot and drained, several times. */
static void script(uint32_t n, uint64_t seed)
{
    struct arena *a = arena_open();
    struct evq *q = evq_new(a, n);
    struct naive *v = ARENA_NEW(a, struct naive);
    struct rng r = rng_stream(seed, RNG_TEST, n);
    v->n = n;
    for (uint32_t i = 0; i < n; i++) {
        v->at[i] = NS_NEVER;
        v->rank[i] = (uint8_t)rng_below(&r, 3);
        evq_rank(q, i, v->rank[i]);
    }
    ns_t now = 0;
    for (int round = 0; round < 4; round++) {
        for (int op = 0; op < 1500; op++) {
            uint32_t what = rng_below(&r, 8);
            uint32_t slot = rng_below(&r, n);
            if (what < 3) {
                ns_t at = check_pop(q, v);
                now = at == NS_NEVER ? now : at;
                continue;
            }
            ns_t at = what == 3 ? NS_NEVER : now + rng_below(&r, 2 * n);
            evq_set(q, slot, at);
            naive_set(v, slot, at);
            if (op % 100 == 0)
                check_all(q, v);
        }
        for (uint32_t i = 0; i < n; i++) {
            ns_t at = now + rng_below(&r, n);
            evq_set(q, i, at);
            naive_set(v, i, at);
        }
        check_all(q, v);
        for (ns_t at; (at = check_pop(q, v)) != NS_NEVER;)
            now = at;
        EQ(evq_next(q), NS_NEVER);
    }
    arena_close(a);
}

static void matches_the_naive_queue(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 33, MOST};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        script(sizes[i], 7);
}

static void ties_go_by_rank_then_push(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct evq *q = evq_new(a, 4);
    evq_rank(q, 3, 0);
    for (uint32_t i = 0; i < 3; i++)
        evq_rank(q, i, 5);
    evq_set(q, 2, 10);
    evq_set(q, 0, 10);
    evq_set(q, 1, 10);
    evq_set(q, 3, 10);
    evq_set(q, 2, 10); /* its time already: keeps its place */
    evq_set(q, 0, 11);
    evq_set(q, 0, 10); /* moved away and back: a new push */
    static const uint32_t order[] = {3, 2, 1, 0};
    for (int i = 0; i < 4; i++) {
        ns_t at;
        uint32_t slot;
        assert_true(evq_pop(q, &at, &slot));
        EQ(at, 10);
        EQ(slot, order[i]);
    }
    arena_close(a);
}

static void our_mistakes_stop(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct evq *q = evq_new(a, 2);
    ns_t at;
    uint32_t slot;
    evq_set(q, 0, 100);
    assert_true(evq_pop(q, &at, &slot));
    evq_set(q, 0, 100);
    DIES(evq_set(q, 1, 99));
    DIES(evq_set(q, 2, 100));
    DIES(evq_rank(q, 1, 1));
    arena_close(a);
}

static void no_slots_is_an_empty_queue(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct evq *q = evq_new(a, 0);
    ns_t at;
    uint32_t slot;
    assert_false(evq_pop(q, &at, &slot));
    EQ(evq_next(q), NS_NEVER);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(matches_the_naive_queue),
       cmocka_unit_test(ties_go_by_rank_then_push),
       cmocka_unit_test(our_mistakes_stop),
       cmocka_unit_test(no_slots_is_an_empty_queue))
