/* Results in index order, whatever the number of workers. */
#include "tests/t.h"

#include "sim/plan/crew.h"

#include <stdatomic.h>

struct tally {
    size_t next; /* index that emit waits for */
    size_t fail_at;
    uint64_t hash;
    atomic_size_t worked;
    volatile sig_atomic_t stop;
    size_t stop_at;
};

struct answer {
    size_t i;
    uint64_t x;
};

/* Uneven work, on an arena that must come empty. */
static void work(void *ctx, size_t i, struct arena *a, void *result)
{
    struct tally *t = ctx;
    struct answer *r = result;
    uint64_t *scratch = ARENA_ARRAY(a, uint64_t, 1000);
    if (scratch[i % 1000])
        abort();
    r->x = i;
    for (size_t k = 0; k < (i * 7919) % 5000; k++) {
        r->x = r->x * 6364136223846793005u + 1442695040888963407u;
        scratch[k % 1000] = r->x | 1;
    }
    r->i = i;
    atomic_fetch_add(&t->worked, 1);
}

static bool emit(void *ctx, size_t i, const void *result, struct err *e)
{
    struct tally *t = ctx;
    const struct answer *r = result;
    EQ(i, t->next++);
    EQ(r->i, i);
    t->hash = t->hash * 31 + r->x;
    if (t->stop_at && i + 1 == t->stop_at)
        t->stop = 1;
    if (t->fail_at && i == t->fail_at)
        return err_set(e, ERR_SYSTEM, "no more");
    return true;
}

static bool go(struct tally *t, size_t n, int workers, struct err *e)
{
    struct crew_job job = {.n = n,
                           .workers = workers,
                           .size = sizeof(struct answer),
                           .ctx = t,
                           .work = work,
                           .emit = emit,
                           .stop = &t->stop};
    return crew_run(&job, e);
}

static void any_number_of_workers(void **state)
{
    (void)state;
    struct err e = {0};
    uint64_t first = 0;
    for (int workers = 1; workers <= 9; workers += 4)
        for (int again = 0; again < 3; again++) {
            struct tally t = {0};
            OK(go(&t, 2000, workers, &e), e);
            EQ(t.next, 2000);
            EQ(t.worked, 2000);
            first = first ? first : t.hash;
            assert_true(t.hash == first);
        }
}

static void none_and_one(void **state)
{
    (void)state;
    struct err e = {0};
    struct tally t = {0};
    OK(go(&t, 0, 4, &e), e);
    EQ(t.worked, 0);
    OK(go(&t, 1, 4, &e), e);
    EQ(t.next, 1);
}

/* More indices than results may wait: the ring goes round. */
static void more_than_the_ring(void **state)
{
    (void)state;
    struct err e = {0};
    struct tally t = {0};
    OK(go(&t, 9000, 3, &e), e);
    EQ(t.next, 9000);
}

static void a_refusal_stops_the_crew(void **state)
{
    (void)state;
    struct err e = {0};
    struct tally t = {.fail_at = 10};
    assert_false(go(&t, 9000, 2, &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_EQ(e.text, "no more");
    EQ(t.next, 11);
    assert_true(t.worked < 9000);
}

static void a_signal_stops_the_crew(void **state)
{
    (void)state;
    struct err e = {0};
    struct tally t = {.stop_at = 50};
    assert_false(go(&t, 9000, 2, &e));
    EQ(e.kind, ERR_SYSTEM);
    STR_HAS(e.text, "interrupted after ");
    STR_HAS(e.text, " of 9000 trials");
    /* what was begun is finished and handed out */
    EQ(t.next, t.worked);
    assert_true(t.next >= 50 && t.next < 9000);
    struct tally before = {.stop = 1};
    assert_false(go(&before, 5, 2, &e));
    EQ(before.next, 0);
    STR_HAS(e.text, "interrupted after 0 of 5");
}

/* All done when the signal came: nothing is missing. */
static void a_late_signal(void **state)
{
    (void)state;
    struct err e = {0};
    struct tally t = {.stop_at = 100};
    OK(go(&t, 100, 2, &e), e);
    EQ(t.next, 100);
}

T_MAIN(cmocka_unit_test(any_number_of_workers), cmocka_unit_test(none_and_one),
       cmocka_unit_test(more_than_the_ring),
       cmocka_unit_test(a_refusal_stops_the_crew),
       cmocka_unit_test(a_signal_stops_the_crew),
       cmocka_unit_test(a_late_signal))
