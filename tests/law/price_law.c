/* Laws of prices, over random steps:
 *   sum       parts sum to the step, to the picosecond
 *   decode    price_decode is price_step of a decode-only step
 *   monotone  a longer context is never cheaper, nor a longer past
 *   run       price_decode_run continues exactly as stepping would
 *   order     the order of chunks does not matter
 * Models with and without sliding windows, with and without graphs. */
#include "tests/t.h"

#include "sim/cost/price.h"
#include "tests/unit/cost/fake_costs.h"

enum { TRIALS = 4000, CHUNKS = 6, PLANTS = 6 };

struct plant_under_test {
    const struct price *p;
    int32_t window, max_tokens, max_seqs, max_len;
};

static struct arena *arena;
static struct plant_under_test under[PLANTS];
static uint64_t state_of_draws = 88172645463325252ULL;

/* xorshift64: draws of a test need no streams */
static int64_t draw(int64_t lo, int64_t hi)
{
    state_of_draws ^= state_of_draws << 13;
    state_of_draws ^= state_of_draws >> 7;
    state_of_draws ^= state_of_draws << 17;
    return lo + (int64_t)(state_of_draws % (uint64_t)(hi - lo + 1));
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A batch of n one-token requests: contexts and their capped sum. */
static void draw_ones(const struct plant_under_test *u, struct price_shape *s,
                      uint32_t n)
{
    s->ones = n;
    s->ones_ctx = s->ones_win = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t c = draw(1, u->max_len);
        s->ones_ctx += c;
        s->ones_win += u->window ? smaller(c, u->window) : c;
    }
    s->tokens = (int32_t)n;
    s->reqs = n;
}

static struct price_shape draw_step(const struct plant_under_test *u,
                                    struct price_chunk *chunk)
{
    struct price_shape s = {.chunk = chunk};
    draw_ones(u, &s, (uint32_t)draw(0, smaller(u->max_seqs - CHUNKS, 90)));
    s.n_chunk = (uint32_t)draw(s.ones ? 0 : 1, CHUNKS);
    for (uint32_t i = 0; i < s.n_chunk; i++) {
        int64_t room = u->max_tokens - s.tokens - 2 * CHUNKS;
        room = room < 2 ? 2 : smaller(room, u->max_len);
        int64_t n = draw(2, draw(2, room));
        chunk[i].tokens = (int32_t)n;
        chunk[i].past = (int32_t)draw(0, u->max_len - n);
        s.tokens += (int32_t)n;
        s.reqs++;
    }
    return s;
}

static const struct plant_under_test *any(void)
{
    return &under[draw(0, PLANTS - 1)];
}

static void law_sum(void **state)
{
    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        const struct plant_under_test *u = any();
        struct price_chunk chunk[CHUNKS];
        struct price_shape s = draw_step(u, chunk);
        int64_t part[PART_N], sum = 0;
        int64_t whole = price_parts(u->p, &s, part);
        for (int j = 0; j < PART_N; j++) {
            assert_true(part[j] >= 0);
            sum += part[j];
        }
        EQ(sum, whole);
        EQ(price_step(u->p, &s), whole);
    }
}

static void law_decode(void **state)
{
    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        const struct plant_under_test *u = any();
        struct price_shape s = {.tokens = 0};
        draw_ones(u, &s, (uint32_t)draw(1, u->max_seqs));
        int64_t part[PART_N];
        int64_t t = price_decode(u->p, s.ones, s.ones_ctx, s.ones_win);
        EQ(price_step(u->p, &s), t);
        EQ(price_parts(u->p, &s, part), t);
    }
}

static void law_monotone(void **state)
{
    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        const struct plant_under_test *u = any();
        struct price_shape s = {.tokens = 0};
        draw_ones(u, &s, (uint32_t)draw(1, u->max_seqs));
        int64_t a = price_decode(u->p, s.ones, s.ones_ctx, s.ones_win);
        int64_t b = price_decode(u->p, s.ones, s.ones_ctx + draw(0, 5000),
                                 s.ones_win + draw(0, s.ones));
        assert_true(a <= b);
        struct price_chunk c = {(int32_t)draw(2, 4000), 0};
        c.past = (int32_t)draw(0, u->max_len - c.tokens - 2000);
        struct price_shape one = {
            .tokens = c.tokens, .reqs = 1, .chunk = &c, .n_chunk = 1};
        a = price_step(u->p, &one);
        c.past += (int32_t)draw(1, 2000);
        b = price_step(u->p, &one);
        /* the surface of sliding layers is flat up to its own error */
        assert_true((double)a <= (double)b * (u->window ? 1.005 : 1));
    }
}

static void law_run(void **state)
{
    (void)state;
    int64_t longest = 0;
    for (int i = 0; i < TRIALS / 4; i++) {
        const struct plant_under_test *u = any();
        uint32_t n = (uint32_t)draw(1, draw(1, u->max_seqs));
        int64_t ctx = n * draw(1, draw(1, u->max_len));
        int64_t dwin = u->window ? draw(0, n) : n;
        int64_t win = u->window ? smaller(ctx, (int64_t)n * u->window / 2)
                                : ctx;
        struct price_run r = price_decode_run(u->p, n, ctx, win, dwin);
        assert_true(r.last >= 0);
        for (int64_t k = 0; k <= smaller(r.last, 3000); k++)
            EQ(price_decode(u->p, n, ctx + k * n, win + k * dwin),
               r.first + k * r.grow);
        if (r.last < 1 << 20)
            EQ(price_decode(u->p, n, ctx + r.last * n, win + r.last * dwin),
               r.first + r.last * r.grow);
        longest = r.last > longest ? r.last : longest;
    }
    assert_true(longest > 100);
}

static void law_order(void **state)
{
    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        const struct plant_under_test *u = any();
        struct price_chunk chunk[CHUNKS];
        struct price_shape s = draw_step(u, chunk);
        int64_t t = price_step(u->p, &s);
        for (uint32_t j = 1; j < s.n_chunk; j++) {
            struct price_chunk c = chunk[0];
            chunk[0] = chunk[j];
            chunk[j] = c;
        }
        EQ(price_step(u->p, &s), t);
    }
}

static void build(int i, const struct price_ask *q)
{
    struct err e = {0};
    under[i] = (struct plant_under_test){
        .p = price_new(q, arena, &e),
        .window = q->llm->window,
        .max_tokens = q->max_num_batched_tokens,
        .max_seqs = q->max_num_seqs,
        .max_len = q->max_model_len};
    OK(under[i].p != NULL, e);
}

int main(void)
{
    arena = arena_open();
    static const char *const model[] = {"llama-3.3-70b-fp8-dynamic",
                                        "gpt-oss-120b", "llama-3.1-8b"};
    struct gpu_card gpu;
    struct costs store = fake_costs(arena);
    struct op_costs costs = {.gpu = &gpu, .own = &store};
    struct err e = {0};
    OK(card_gpu("models", "mi300x", arena, &gpu, &e), e);
    for (int i = 0; i < PLANTS; i++) {
        struct llm_card *m = ARENA_NEW(arena, struct llm_card);
        OK(card_llm("models", model[i % 3], arena, m, &e), e);
        build(i, &(struct price_ask){.llm = m,
                                     .costs = &costs,
                                     .tp = 1 << (i % 4),
                                     .kv = DT_BF16,
                                     .max_num_batched_tokens = 16384,
                                     .max_num_seqs = i < 3 ? 1024 : 200,
                                     .max_model_len = 30000,
                                     .block_size = 16,
                                     .graph_max = i == 4 ? 0
                                                : i < 3  ? 512
                                                         : 64,
                                     .quick_reduce_int4 = i & 1});
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(law_sum),      cmocka_unit_test(law_decode),
        cmocka_unit_test(law_monotone), cmocka_unit_test(law_run),
        cmocka_unit_test(law_order),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return bad != 0;
}
