#include "calibrate/gpu/grid.h"

#include "tests/unit/calibrate/null.h"

static const struct grid_model models[] = {
    {"llama", 8192, 64, 8, 128, 0, 28672, 128256, 0, 0, 0, true},
    {"gpt-oss", 2880, 64, 8, 64, 128, 0, 201088, 128, 4, 2880, false},
};

static struct grid_plan whole(struct arena *a)
{
    struct grid_ask ask = {models, 2, (size_t)140 << 30};
    struct grid_plan p = {.a = a};
    for (const struct grid *const *g = grid_table; *g; g++)
        (*g)->lines(&ask, &p);
    return p;
}

static int commas(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += *s == ',';
    return n;
}

static void points_are_in_order(void **state)
{
    struct arena *a = arena_open();
    struct grid_plan p = whole(a);
    (void)state;
    assert_true(p.n > 100);
    for (size_t i = 0; i < p.n; i++) {
        const struct grid_line *l = &p.line[i];
        assert_true(l->n > 0);
        for (size_t j = 0; j < l->n; j++) {
            EQ(commas(l->point[j].id), commas(l->table->columns));
            assert_true(l->point[j].bytes > 0);
            assert_true(j == 0 || l->point[j].x > l->point[j - 1].x);
        }
    }
    arena_close(a);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void no_point_twice(void **state)
{
    struct arena *a = arena_open();
    struct grid_plan p = whole(a);
    size_t n = 0;
    const char *name[20000];
    (void)state;
    for (size_t i = 0; i < p.n; i++)
        for (size_t j = 0; j < p.line[i].n; j++)
            name[n++] = arena_fmt(a, "%s %s", p.line[i].table->name,
                                  p.line[i].point[j].id);
    assert_true(n > 1000 && n < 20000);
    qsort(name, n, sizeof *name, by_text);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(name[i - 1], name[i]);
    arena_close(a);
}

static bool has(const struct grid_plan *p, const char *table, const char *id)
{
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->line[i].n; j++)
            if (strcmp(p->line[i].table->name, table) == 0
                && strcmp(p->line[i].point[j].id, id) == 0)
                return true;
    return false;
}

/* Shards of both models at TP 1, 2, 4, 8. */
static void shards_are_covered(void **state)
{
    static const struct {
        const char *table, *id;
    } want[] = {
        {"gemm", "1,10240,8192,fp8,0"},
        {"gemm", "64,1280,8192,fp8,0"},
        {"gemm", "16384,8192,1024,fp8,0"},
        {"gemm", "512,14336,8192,fp8,0"},
        {"gemm", "8,8192,3584,fp8,0"},
        {"gemm", "1,16032,8192,bf16,0"},
        {"gemm", "1,5120,2880,bf16,0"},
        {"gemm", "128,2880,512,bf16,0"},
        {"gemm", "4,128,2880,bf16,0"},
        {"gemm", "1,25136,2880,bf16,0"},
        {"attention_prefill", "1,8192,0,64,8,128,0,bf16"},
        {"attention_prefill", "1,2048,0,8,1,64,128,bf16"},
        {"attention_past", "1,512,32768,16,2,128,0,bf16"},
        {"attention_decode", "64,8192,8,1,128,0,fp8,16"},
        {"attention_decode", "256,1024,64,8,64,128,bf16,16"},
        {"attention_decode", "16,4096,64,8,128,0,bf16,64"},
        {"moe", "128,2880,2880,4,128,1,1,mxfp4,balanced"},
        {"moe", "128,2880,3072,4,128,8,1,mxfp4,balanced"},
        {"moe_skewed", "4096,2880,2944,4,128,4,1,mxfp4,power_law_1.2"},
        {"quant", "token,1024,28672"},
        {"norm", "65536,1,8192"},
    };
    struct arena *a = arena_open();
    struct grid_plan p = whole(a);
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (!has(&p, want[i].table, want[i].id))
            fail_msg("%s has no %s", want[i].table, want[i].id);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(points_are_in_order), cmocka_unit_test(no_point_twice),
       cmocka_unit_test(shards_are_covered))
