#include "sim/base/arena.h"

#include "tests/t.h"

static int is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return 0;
    return 1;
}

/* Pieces of many sizes over several chunks: aligned, zeroed, apart.  Each is
 * filled with its own byte, and all are read back at the end. */
static void fill_and_check(struct arena *a)
{
    enum { N = 600 };
    static unsigned char *p[N];
    static size_t size[N];
    for (size_t i = 0; i < N; i++) {
        size[i] = i % 7 == 0 ? 8191 * (i % 5) : i * 13 % 700;
        p[i] = arena_get(a, size[i], 1);
        assert_non_null(p[i]);
        EQ((uintptr_t)p[i] % _Alignof(max_align_t), 0);
        assert_true(is_zero(p[i], size[i]));
        memset(p[i], (int)(i % 255) + 1, size[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < size[i]; k++)
            EQ(p[i][k], i % 255 + 1);
}

static void zeroed_aligned_apart_also_after_reset(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    arena_reset(a);
    size_t start = arena_bytes(a);
    fill_and_check(a);
    size_t after = arena_bytes(a);
    assert_true(after > start);
    arena_reset(a);
    fill_and_check(a);
    size_t settled = arena_bytes(a);
    for (int i = 0; i < 3; i++) {
        arena_reset(a);
        fill_and_check(a);
        EQ(arena_bytes(a), settled);
    }
    assert_true(settled <= after);
    arena_close(a);
    arena_close(NULL);
}

static void one_large_piece(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    enum { N = 3 << 20 };
    int64_t *v = ARENA_ARRAY(a, int64_t, N);
    v[0] = v[N - 1] = 1;
    char *c = ARENA_NEW(a, char);
    *c = 1;
    EQ(v[N - 1], 1);
    assert_true(arena_bytes(a) >= N * sizeof *v);
    arena_close(a);
}

static void counts_that_overflow_abort(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    DIES(arena_get(a, SIZE_MAX / 2, 4));
    DIES(arena_get(a, SIZE_MAX, 1));
    arena_close(a);
}

static void text(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    char from[] = "abc";
    char *s = arena_str(a, from);
    from[0] = 'x';
    STR_EQ(s, "abc");
    STR_EQ(arena_str(a, ""), "");
    STR_EQ(arena_fmt(a, "%s-%d", "pool", 7), "pool-7");
    char *wide = arena_fmt(a, "%*d", 5000, 1);
    EQ(strlen(wide), 5000);
    arena_close(a);
}

static void grows_past_its_capacity(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    int *v = NULL;
    size_t n = 0, cap = 0;
    int grown = 0;
    for (int i = 0; i < 1000; i++) {
        size_t before = cap;
        ARENA_ROOM(a, v, n, cap);
        grown += cap != before;
        v[n++] = i;
    }
    assert_true(grown >= 4);
    for (int i = 0; i < 1000; i++)
        EQ(v[i], i);
    int *w = arena_grow(a, v, 10, 10, sizeof *w);
    assert_true(w != v);
    assert_memory_equal(w, v, 10 * sizeof *w);
    w = arena_grow(a, v, 3, 6, sizeof *w);
    EQ(w[2], 2);
    EQ(w[3], 0);
    DIES(arena_grow(a, v, 3, 2, sizeof *w));
    arena_close(a);
}

T_MAIN(cmocka_unit_test(zeroed_aligned_apart_also_after_reset),
       cmocka_unit_test(one_large_piece),
       cmocka_unit_test(counts_that_overflow_abort), cmocka_unit_test(text),
       cmocka_unit_test(grows_past_its_capacity))
