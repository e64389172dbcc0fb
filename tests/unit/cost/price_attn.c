#include "tests/t.h"

#include "sim/cost/price_attn.h"
#include "tests/unit/cost/fake_costs.h"

static struct arena *arena;
static struct llm_card oss;
static struct gpu_card mi300x;
static struct costs store;
static struct op_costs costs;
static struct shape_ask cut;

static const int32_t capture[] = {1, 2, 4, 8, 16, 24, 32};

static struct price_attn_ask ask(int32_t max_seqs)
{
    return (struct price_attn_ask){.costs = &costs,
                                   .shape = &cut,
                                   .capture = capture,
                                   .n_capture = 7,
                                   .max_seqs = max_seqs,
                                   .max_len = 131072,
                                   .max_chunk = 8192};
}

static void knots_stand_four_an_octave(void **state)
{
    (void)state;
    EQ(price_attn_x(0), 4);
    EQ(price_attn_x(3), 7);
    EQ(price_attn_x(4), 8);
    EQ(price_attn_x(5), 10);
    for (uint32_t k = 0; k < 160; k++) {
        EQ(price_attn_knot((uint64_t)price_attn_x(k)), k);
        EQ(price_attn_knot((uint64_t)price_attn_x(k + 1) - 1), k);
    }
}

static void rows_join_without_a_step(void **state)
{
    (void)state;
    struct price_rows r;
    struct err e = {0};
    struct price_attn_ask q = ask(300);
    OK(price_attn_rows(&q, false, &r, arena, &e), e);
    for (uint32_t n = 1; n <= 300; n++)
        for (uint32_t k = 0; k + 1 < r.knots; k++) {
            const struct price_seg *s = &r.seg[r.of[n] * r.knots + k];
            int64_t w = price_attn_x(k + 1) - price_attn_x(k);
            EQ(s[1].at, s[0].at + s[0].slope * w);
            assert_true(s->slope >= 0);
        }
}

static void captured_sizes_share_a_row(void **state)
{
    (void)state;
    struct price_rows r;
    struct err e = {0};
    struct price_attn_ask q = ask(40);
    OK(price_attn_rows(&q, false, &r, arena, &e), e);
    EQ(r.of[3], r.of[4]);
    EQ(r.of[17], r.of[24]);
    EQ(r.of[33], r.of[32] + 1); /* above the graphs each size has its own */
    EQ(r.of[34], r.of[33] + 1);
    q = ask(5); /* rows up to the first captured size that holds 5 */
    OK(price_attn_rows(&q, false, &r, arena, &e), e);
    EQ(r.of[5], 3);
}

/* Picoseconds of one kind of layers, by op_time. */
static double direct(const struct shape_ops *o, int kind)
{
    struct op_basis b;
    struct err e = {0};
    double t;
    OK(op_time(&costs, &o->op[kind].call, &t, &b, &e), e);
    return t * o->op[kind].count * 1e12;
}

static void rows_follow_the_fit(void **state)
{
    (void)state;
    struct price_rows r[2];
    struct err e = {0};
    struct price_attn_ask q = ask(300);
    for (int kind = 0; kind < 2; kind++) {
        OK(price_attn_rows(&q, kind, &r[kind], arena, &e), e);
        for (uint32_t n = 1; n <= 300; n += 7)
            for (int64_t c = 1; c <= (kind ? 128 : 131072); c = c * 3 + 1) {
                uint32_t pad = n;
                for (int i = 6; i >= 0; i--)
                    pad = (uint32_t)capture[i] >= n ? (uint32_t)capture[i]
                                                    : pad;
                struct shape_ops o = {.n = 0};
                double sum = (double)(c * n);
                shape_decode(&cut, pad, sum, sum, &o);
                double want = direct(&o, kind);
                NEAR((double)price_attn_decode(&r[kind], n, c * n), want,
                     want * 2e-3);
            }
    }
}

static void beyond_the_grid_the_last_slope_goes_on(void **state)
{
    (void)state;
    struct price_rows r;
    struct err e = {0};
    struct price_attn_ask q = ask(8);
    OK(price_attn_rows(&q, false, &r, arena, &e), e);
    int64_t far = 8 * 131072 * 16;
    int64_t a = price_attn_decode(&r, 8, far);
    int64_t b = price_attn_decode(&r, 8, far + 1000);
    int64_t c = price_attn_decode(&r, 8, far + 2000);
    assert_true(b > a);
    EQ(c - b, b - a);
}

static void a_chunk_of_one_token_is_the_floor(void **state)
{
    (void)state;
    struct price_surface s;
    struct err e = {0};
    struct price_attn_ask q = ask(8);
    OK(price_attn_surface(&q, false, &s, arena, &e), e);
    struct shape_ops o = {.n = 0};
    shape_chunk(&cut, 1, 0, &o);
    NEAR((double)s.floor, direct(&o, 0), 1);
    assert_true(price_attn_chunk(&s, 1, 0) < s.floor / 1000);
    NEAR(s.window, 0, 0);
    OK(price_attn_surface(&q, true, &s, arena, &e), e);
    NEAR(s.window, 128, 0);
    /* a window bounds what the past can cost */
    EQ(price_attn_chunk(&s, 512, 8192) > 0, true);
    NEAR((double)price_attn_chunk(&s, 512, 100000),
         (double)price_attn_chunk(&s, 512, 1000),
         0.02 * (double)price_attn_chunk(&s, 512, 1000));
}

int main(void)
{
    arena = arena_open();
    struct err e = {0};
    OK(card_llm("models", "gpt-oss-120b", arena, &oss, &e), e);
    OK(card_gpu("models", "mi300x", arena, &mi300x, &e), e);
    store = fake_costs(arena);
    costs = (struct op_costs){.gpu = &mi300x, .own = &store};
    cut = (struct shape_ask){
        .llm = &oss, .gpu = &mi300x, .tp = 1, .kv = DT_BF16};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knots_stand_four_an_octave),
        cmocka_unit_test(rows_join_without_a_step),
        cmocka_unit_test(captured_sizes_share_a_row),
        cmocka_unit_test(rows_follow_the_fit),
        cmocka_unit_test(beyond_the_grid_the_last_slope_goes_on),
        cmocka_unit_test(a_chunk_of_one_token_is_the_floor),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return bad != 0;
}
