/* GPU and wire cards, and what is refused. */
#include "tests/t.h"

#include "sim/cost/card.h"

#include <sys/stat.h>

static struct arena *arena;
static const char *tmp;

/* Writes tmp/kind/x.json. */
static void put(const char *kind, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s/x.json", tmp, kind);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void every_card_loads(void **state)
{
    (void)state;
    struct err e = {0};
    const char **name;
    struct gpu_card g;
    struct wire_card w;
    OK(card_list("models", "gpu", arena, &name, &e), e);
    for (; *name; name++) {
        OK(card_gpu("models", *name, arena, &g, &e), e);
        STR_EQ(g.name, *name);
        if (g.donor)
            OK(card_gpu("models", g.donor, arena, &g, &e), e);
    }
    OK(card_list("models", "wire", arena, &name, &e), e);
    for (; *name; name++) {
        OK(card_wire("models", *name, arena, &w, &e), e);
        assert_true(w.read_Bps <= w.nic_Bps * 1.001);
        assert_true(w.post_s > 0 && w.post_base_s > 0);
    }
}

static void mi300x_and_its_sibling(void **state)
{
    (void)state;
    struct err e = {0};
    struct gpu_card g;
    OK(card_gpu("models", "mi300x", arena, &g, &e), e);
    EQ(g.rocm, true);
    STR_EQ(g.vendor, "amd");
    EQ(g.cus, 304);
    NEAR(g.hbm_Bps, 5.3e12, 0);
    assert_null(g.donor);
    assert_true(isnan(g.usd_per_hour));
    OK(card_gpu("models", "mi325x", arena, &g, &e), e);
    STR_EQ(g.donor, "mi300x");
    NEAR(g.hbm_Bps, 6e12, 0);
    OK(card_gpu("models", "h200_sxm", arena, &g, &e), e);
    EQ(g.rocm, false);
    STR_EQ(g.donor, "h100_sxm");
}

static void names_are_sorted(void **state)
{
    (void)state;
    struct err e = {0};
    const char **name;
    OK(card_list("models", "gpu", arena, &name, &e), e);
    for (; name[0] && name[1]; name++)
        assert_true(strcmp(name[0], name[1]) < 0);
    EQ(card_list("models", "planet", arena, &name, &e), false);
    EQ(e.kind, ERR_INPUT);
}

static void unknown_name_points_at_the_nearest(void **state)
{
    (void)state;
    struct err e = {0};
    struct gpu_card g;
    EQ(card_gpu("models", "mi300", arena, &g, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "did you mean \"mi300x\"");
}

#define GPU_HEAD                                                               \
    "{\"vendor\": \"amd\", \"product\": \"X\", \"hbm_bytes\": 2e11, "          \
    "\"hbm_Bps\": 5e12, \"llc_bytes\": 2e8, \"bf16_flops\": 1e15, "            \
    "\"fp8_flops\": 2e15, \"cus\": 300, \"link_Bps\": 6e10, "                  \
    "\"fabric_Bps\": 4e11, \"pcie_Bps\": 6e10, "
#define GPU_SOURCES                                                            \
    "\"hbm_bytes\": \"s\", \"hbm_Bps\": \"s\", \"llc_bytes\": \"s\", "         \
    "\"bf16_flops\": \"s\", \"fp8_flops\": \"s\", \"cus\": \"s\", "            \
    "\"link_Bps\": \"s\", \"fabric_Bps\": \"s\", \"pcie_Bps\": \"s\""

static void a_number_without_a_source_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct gpu_card g;
    put("gpu", GPU_HEAD "\"sources\": {" GPU_SOURCES "}}");
    OK(card_gpu(tmp, "x", arena, &g, &e), e);
    put("gpu", GPU_HEAD "\"usd_per_hour\": 2, \"sources\": {" GPU_SOURCES "}}");
    EQ(card_gpu(tmp, "x", arena, &g, &e), false);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "usd_per_hour: no source");
    STR_HAS(e.text, "gpu/x.json");
}

static void a_card_may_not_be_its_own_donor(void **state)
{
    (void)state;
    struct err e = {0};
    struct gpu_card g;
    put("gpu", GPU_HEAD "\"donor\": \"x\", \"sources\": {" GPU_SOURCES "}}");
    EQ(card_gpu(tmp, "x", arena, &g, &e), false);
    STR_HAS(e.text, "names itself");
}

static void misspelt_and_missing_keys_are_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct gpu_card g;
    struct wire_card w;
    put("gpu", GPU_HEAD "\"cuz\": 3, \"sources\": {" GPU_SOURCES "}}");
    EQ(card_gpu(tmp, "x", arena, &g, &e), false);
    STR_HAS(e.text, "cuz");
    put("wire", "{\"nics_per_node\": 8, \"sources\": {}}");
    EQ(card_wire(tmp, "x", arena, &w, &e), false);
    EQ(e.kind, ERR_INPUT);
    put("wire", "{\"nics_per_node\": ");
    EQ(card_wire(tmp, "x", arena, &w, &e), false);
    STR_HAS(e.text, "wire/x.json");
}

static void dtypes(void **state)
{
    (void)state;
    NEAR(card_dtype_bytes(DT_BF16), 2, 0);
    NEAR(card_dtype_bytes(DT_FP8), 1, 0);
    NEAR(card_dtype_bytes(DT_MXFP4), 4.25 / 8, 0);
    NEAR(card_dtype_bytes(DT_FP8_BLOCK), 1.000244140625, 0);
    STR_EQ(card_dtype_name(DT_MXFP4), "mxfp4");
    DIES(card_dtype_bytes(DT_N));
}

int main(void)
{
    arena = arena_open();
    char *dir = t_dir();
    tmp = dir;
    char sub[2][256];
    snprintf(sub[0], sizeof sub[0], "%s/gpu", dir);
    snprintf(sub[1], sizeof sub[1], "%s/wire", dir);
    if (mkdir(sub[0], 0700) != 0 || mkdir(sub[1], 0700) != 0)
        abort();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_card_loads),
        cmocka_unit_test(mi300x_and_its_sibling),
        cmocka_unit_test(names_are_sorted),
        cmocka_unit_test(unknown_name_points_at_the_nearest),
        cmocka_unit_test(a_number_without_a_source_is_refused),
        cmocka_unit_test(a_card_may_not_be_its_own_donor),
        cmocka_unit_test(misspelt_and_missing_keys_are_refused),
        cmocka_unit_test(dtypes),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        t_files(sub[i], 1);
        rmdir(sub[i]);
    }
    t_undir(dir);
    arena_close(arena);
    return bad != 0;
}
