#include "tests/t.h"

#include "sim/cost/form.h"
#include "sim/cost/op.h"

static void finds_by_name(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct form *const *f = form_table; *f; f++, n++) {
        EQ(form_find((*f)->name) == *f, true);
        for (const struct form *const *g = form_table; g != f; g++)
            EQ(strcmp((*g)->name, (*f)->name) != 0, true);
    }
    EQ(n >= 8, true);
    EQ(form_find("no such form") == NULL, true);
}

/* What a fit relies on: names, an ordered box, a guess inside it. */
static void is_well_formed(void **state)
{
    (void)state;
    for (const struct form *const *p = form_table; *p; p++) {
        const struct form *f = *p;
        EQ(f->n_coef > 0 && f->n_coef <= FORM_COEF, true);
        EQ(f->n_feature > 0 && f->n_feature <= FORM_FEATURE, true);
        EQ(f->what[0] != 0, true);
        for (int i = 0; i < f->n_coef; i++) {
            EQ(f->coef[i] != NULL && f->coef[i][0] != 0, true);
            EQ(f->lo[i] < f->hi[i], true);
            EQ(f->guess[i] > f->lo[i] && f->guess[i] < f->hi[i], true);
        }
        for (int i = 0; i < f->n_feature; i++)
            EQ(f->feature[i] != NULL && f->feature[i][0] != 0, true);
    }
}

/* Some operator has the features a form is written for, in that order. */
static bool has_an_operator(const struct form *f)
{
    for (int k = 0; k < OP_N; k++) {
        const struct op *o = op_of((enum op_kind)k);
        int i = 0;
        while (i < f->n_feature && o->feature[i]
               && strcmp(o->feature[i], f->feature[i]) == 0)
            i++;
        if (i == f->n_feature)
            return true;
    }
    return false;
}

static void belongs_to_an_operator(void **state)
{
    (void)state;
    for (const struct form *const *f = form_table; *f; f++)
        EQ(has_an_operator(*f), true);
    for (int k = 0; k < OP_N; k++)
        EQ(form_find(op_of((enum op_kind)k)->form) != NULL, true);
}

static double gemm_at(double m, double n, double k)
{
    const struct form *f = form_find("gemm");
    /* t0, mem, peak, walk, sharp, overlap, store, fill, cus */
    double c[] = {5, 1e12, 1e15, 1e-9, 1, 1, 1e12, 0, 100};
    double x[] = {m, n, k, 2, 2};
    return f->value(c, x);
}

static void gemm_is_its_three_parts(void **state)
{
    (void)state;
    /* 5 us + (2 GB + 4 MB) / 1 TB/s + 4e12 / 1e15 + 4 MB / 1 TB/s */
    double m = 2000, n = 1000, k = 1e6;
    double bytes = 2 * (n * k + m * k), flop = 2 * m * n * k;
    double want = 5e-6 + bytes / 1e12 + flop / 1e15 + 2 * m * n / 1e12;
    NEAR(gemm_at(m, n, k), want, 2e-6 * want);
}

static void cutlass_counts_waves(void **state)
{
    (void)state;
    const struct form *f = form_find("gemm_cutlass");
    double c[16];
    for (int i = 0; i < f->n_coef; i++)
        c[i] = f->guess[i];
    c[1] = 1e13; /* memory out of the way */
    c[6] = 1e-2; /* and ragged blocks */
    c[7] = 20;
    c[f->n_coef - 1] = 100;
    double full[] = {256, 6400, 8192, 1, 1, 0}; /* 2 x 50 tiles: one wave */
    double more[] = {256, 6528, 8192, 1, 1, 0}; /* 2 x 51: two */
    double two[] = {512, 6400, 8192, 1, 1, 0};  /* 4 x 50: two */
    double one = f->value(c, full);
    EQ(f->value(c, more) > 1.7 * one, true);
    NEAR(f->value(c, more) / f->value(c, two), 1, 0.02);
    double with[] = {256, 6400, 8192, 1, 1, 1};
    EQ(f->value(c, with) > one, true);
}

static void decode_reads_the_cache_at_full_rate(void **state)
{
    (void)state;
    const struct form *f = form_find("attn_decode");
    double c[] = {10, 1e12, 20, 8, 100}; /* t0 mem unit splits cus */
    /* 200 pairs on 100 units: 100 more; bytes 2 * 1e6 * 2 * 64 * 2 */
    double busy[] = {100, 1e6, 8, 2, 64, 2};
    NEAR(f->value(c, busy), 10e-6 + 100 * 20e-9 + 512e6 / 1e12, 1e-9);
    /* 2 pairs in 8 parts keep 16 of 100 units busy */
    double idle[] = {1, 1e6, 8, 2, 64, 2};
    NEAR(f->value(c, idle), 10e-6 + 512e6 / (0.16e12), 1e-9);
}

static double moe_at(double tokens, double active, bool even)
{
    const struct form *f = form_find("moe");
    double c[] = {1, 1e13, 1e13, 1e-2, 20, 1e14};
    double x[] = {tokens, 100, 100, 1, active, active, 1, even};
    return (f->value(c, x) - 1e-6) * 1e13 / (2 * 3 * 100 * 100);
}

static void moe_fills_tiles(void **state)
{
    (void)state;
    NEAR(moe_at(16, 1, true), 16, 0.3);
    NEAR(moe_at(17, 1, true), 32, 0.3); /* the next tile */
    NEAR(moe_at(64, 1, true), 64, 0.5);
    NEAR(moe_at(300, 1, true), 384, 2);  /* three of 128 */
    NEAR(moe_at(300, 1, false), 364, 2); /* half a tile more than needed */
    NEAR(moe_at(4, 4, false), 64, 0.3);  /* at least one each */
}

static void link_takes_the_cheaper_way(void **state)
{
    (void)state;
    const struct form *f = form_find("link");
    double c[] = {5, 1e10, 20, 1e11};
    double small[] = {1e4, 8}, large[] = {1e9, 8};
    NEAR(f->value(c, small), 5e-6 + 1e-6, 1e-8);
    NEAR(f->value(c, large), 5e-6 + 20e-6 + 1e-2, 1e-5);
}

T_MAIN(cmocka_unit_test(finds_by_name), cmocka_unit_test(is_well_formed),
       cmocka_unit_test(belongs_to_an_operator),
       cmocka_unit_test(gemm_is_its_three_parts),
       cmocka_unit_test(cutlass_counts_waves),
       cmocka_unit_test(decode_reads_the_cache_at_full_rate),
       cmocka_unit_test(moe_fills_tiles),
       cmocka_unit_test(link_takes_the_cheaper_way))
