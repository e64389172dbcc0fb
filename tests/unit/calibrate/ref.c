/* Number formats by their definitions, and the reference on cases small enough
 * to work out by other means. */
#include "kernels/ref.h"

#include "tests/t.h"

/* e4m3 by the book: sign, four bits of exponent, three of fraction. */
static double by_book(int bits, bool fnuz)
{
    int e = bits >> 3 & 15, m = bits & 7, bias = fnuz ? 8 : 7;
    double v = e ? ldexp(1 + m / 8.0, e - bias) : ldexp(m / 8.0, 1 - bias);
    return bits & 0x80 ? -v : v;
}

static void fp8_is_e4m3(void **state)
{
    (void)state;
    for (int fnuz = 0; fnuz < 2; fnuz++)
        for (int b = 0; b < 256; b++) {
            bool nan = fnuz ? b == 0x80 : (b & 0x7f) == 0x7f;
            if (nan)
                continue;
            NEAR((double)fill_of_fp8((uint8_t)b, fnuz), by_book(b, fnuz), 0);
            EQ(fill_to_fp8((float)by_book(b, fnuz), fnuz), b);
        }
}

/* Any number goes to the nearest, the even one of two. */
static void fp8_rounds(void **state)
{
    (void)state;
    for (int b = 0; b < 0x7e; b++) {
        double low = by_book(b, false), high = by_book(b + 1, false);
        double mid = (low + high) / 2, step = high - low;
        EQ(fill_to_fp8((float)(mid - step / 8), false), b);
        EQ(fill_to_fp8((float)(mid + step / 8), false), b + 1);
        EQ(fill_to_fp8((float)mid, false), b & 1 ? b + 1 : b);
        EQ(fill_to_fp8((float)-mid, false), 0x80 | (b & 1 ? b + 1 : b));
    }
    EQ(fill_to_fp8(1e9f, false), 0x7e);
    EQ(fill_to_fp8(-1e9f, true), 0xff);
}

static void fp4_is_e2m1(void **state)
{
    static const double values[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    (void)state;
    for (int i = 0; i < 16; i++)
        NEAR((double)fill_of_fp4((uint8_t)i),
             i & 8 ? -values[i & 7] : values[i & 7], 0);
}

static void bf16_rounds(void **state)
{
    (void)state;
    EQ(fill_to_bf16(1.0f), 0x3f80);
    EQ(fill_to_bf16(1.00390625f), 0x3f80); /* half a step: to even */
    EQ(fill_to_bf16(1.01171875f), 0x3f82);
    NEAR((double)fill_of_bf16(0xc040), -3, 0);
}

/* Mean 0, deviation 148 / 128 times the scale; neighbours have nothing to do
 * with each other. */
static void fill_is_a_bell(void **state)
{
    enum { N = 100000 };
    struct fill f = {FILL_BF16, 3, 42, 1000};
    double sum = 0, squares = 0, along = 0, last = 0;
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        double v = (double)fill_value(&f, i, false);
        sum += v;
        squares += v * v;
        along += v * last;
        last = v;
    }
    double sd = sqrt(squares / N), want = 8 * 147.8 / 128;
    NEAR(sum / N, 0, 4 * want / sqrt(N));
    NEAR(sd, want, 0.02 * want);
    NEAR(along / N / (want * want), 0, 4 / sqrt(N));
    struct fill later = f;
    later.first += 7;
    EQ(fill_bits(&f, 9, false), fill_bits(&later, 2, false));
}

static struct call_in ones(void)
{
    return (struct call_in){NULL, {FILL_BF16, 0, 5, 0}};
}

/* One key: its value, whatever the score. */
static void attention_of_one_key(void **state)
{
    enum { D = 64 };
    static const int32_t table[] = {3};
    struct call c = {.op = CALL_DECODE};
    struct ref r[D];
    double scratch[16];
    (void)state;
    c.attn = (struct call_attn){.batch = 1,
                                .q_len = 1,
                                .kv_len = 1,
                                .heads = 2,
                                .kv_heads = 1,
                                .head_dim = D,
                                .block = 16,
                                .table_stride = 1,
                                .q = ones(),
                                .k = ones(),
                                .v = ones(),
                                .table_host = table};
    EQ(ref_scratch(&c), 1);
    ref_span(&c, false, 0, D, scratch, r);
    for (uint64_t i = 0; i < D; i++)
        NEAR(r[i].value,
             (double)fill_value(&c.attn.v.fill, 3 * 16 * D + i, false), 1e-12);
}

/* A window of one key is the newest key alone. */
static void window_hides(void **state)
{
    enum { D = 64 };
    static const int32_t table[] = {0, 1};
    struct call c = {.op = CALL_PREFILL};
    struct ref r[D];
    double scratch[64];
    (void)state;
    c.attn = (struct call_attn){.batch = 1,
                                .q_len = 5,
                                .kv_len = 20,
                                .heads = 1,
                                .kv_heads = 1,
                                .head_dim = D,
                                .window = 1,
                                .block = 16,
                                .table_stride = 2,
                                .q = ones(),
                                .k = ones(),
                                .v = ones(),
                                .table_host = table};
    ref_span(&c, false, 0, 2 * D, scratch, r);
    for (uint64_t i = 0; i < D; i++)
        NEAR(r[i].value, (double)fill_value(&c.attn.v.fill, 17 * D + i, false),
             1e-12);
}

static void gemm_by_hand(void **state)
{
    struct call c = {.op = CALL_GEMM};
    struct ref r;
    double want = 0;
    (void)state;
    c.gemm = (struct call_gemm){.m = 3,
                                .n = 16,
                                .k = 32,
                                .x = ones(),
                                .w = {NULL, {FILL_BF16, -6, 9, 64}}};
    for (uint64_t j = 0; j < 32; j++)
        want += (double)fill_value(&c.gemm.x.fill, 2 * 32 + j, false)
              * (double)fill_value(&c.gemm.w.fill, 5 * 32 + j, false);
    ref_span(&c, false, 0, 2 * 16 + 5, NULL, &r);
    NEAR(r.value, want, 1e-12);
    assert_true(r.slack > 0 && r.slack < 0.05 * fabs(want) + 0.05);
}

T_MAIN(cmocka_unit_test(fp8_is_e4m3), cmocka_unit_test(fp8_rounds),
       cmocka_unit_test(fp4_is_e2m1), cmocka_unit_test(bf16_rounds),
       cmocka_unit_test(fill_is_a_bell), cmocka_unit_test(attention_of_one_key),
       cmocka_unit_test(window_hides), cmocka_unit_test(gemm_by_hand))
