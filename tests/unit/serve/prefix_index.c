#include "sim/serve/prefix_index.h"

#include "tests/t.h"

#include "sim/des/rng.h"

static void leading_prefixes(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct prefix_index *x = prefix_index_new(100, a);
    const uint64_t p[4] = {11, 12, 13, 14}, q[4] = {11, 12, 99, 14};
    EQ(prefix_index_match(x, p, 4), 0);
    prefix_index_add(x, p, 3);
    EQ(prefix_index_match(x, p, 4), 3);
    EQ(prefix_index_match(x, q, 4), 2);
    EQ(prefix_index_size(x), 3);
    arena_close(a);
}

static void the_least_recent_goes(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct prefix_index *x = prefix_index_new(3, a);
    const uint64_t p[5] = {1, 2, 3, 4, 5};
    prefix_index_add(x, p, 3);
    EQ(prefix_index_match(x, &p[0], 1), 1); /* looking does not touch */
    prefix_index_add(x, &p[3], 1);          /* 1 goes */
    EQ(prefix_index_match(x, &p[0], 1), 0);
    prefix_index_add(x, &p[1], 1); /* 2 is the latest */
    prefix_index_add(x, &p[4], 1); /* 3 goes */
    EQ(prefix_index_match(x, &p[1], 1), 1);
    EQ(prefix_index_match(x, &p[2], 1), 0);
    EQ(prefix_index_size(x), 3);
    arena_close(a);
}

/* Against a list in the order of use. */
static void as_a_list(void **state)
{
    (void)state;
    enum { CAP = 150, KEYS = 300, TURNS = 20000 };
    struct arena *a = arena_open();
    struct prefix_index *x = prefix_index_new(CAP, a);
    struct rng r = rng_stream(5, RNG_TEST, 0);
    uint64_t list[CAP];
    int n = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        uint64_t key = rng_below(&r, KEYS) * 0x9e3779b97f4a7c15ULL;
        int at = 0;
        while (at < n && list[at] != key)
            at++;
        EQ(prefix_index_match(x, &key, 1), at < n);
        prefix_index_add(x, &key, 1);
        if (at == CAP)
            at--;
        else if (at == n)
            n++;
        memmove(list + 1, list, (size_t)at * sizeof *list);
        list[0] = key;
        EQ(prefix_index_size(x), n);
    }
    for (int i = 0; i < n; i++)
        EQ(prefix_index_match(x, &list[i], 1), 1);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(leading_prefixes),
       cmocka_unit_test(the_least_recent_goes), cmocka_unit_test(as_a_list))
