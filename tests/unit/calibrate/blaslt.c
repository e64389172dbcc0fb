#include "calibrate/gpu/blaslt.h"

#include "tests/unit/calibrate/null.h"

static const char *const nowhere[] = {"libnothing.so.1", "/no/lib.so", NULL};
static const struct blaslt_kind kind = {
    .name = "test BLAS",
    .prefix = "testLt",
    .env = "TEST_BLASLT_PATH",
    .sonames = nowhere,
};

static void absent_names_what_was_tried(void **state)
{
    struct null n;
    struct vendor_handle *h;
    struct err e = {ERR_NONE, ""};
    (void)state;
    null_open(&n, null_plain);
    unsetenv("TEST_BLASLT_PATH");
    assert_false(blaslt_open(&kind, &n.g, n.a, &h, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "libnothing.so.1");
    STR_HAS(e.text, "/no/lib.so");
    STR_HAS(e.text, "TEST_BLASLT_PATH");
    null_close(&n);
}

static void another_library_is_found_out(void **state)
{
    struct null n;
    struct vendor_handle *h;
    struct err e = {ERR_NONE, ""};
    (void)state;
    null_open(&n, null_plain);
    setenv("TEST_BLASLT_PATH", "libm.so.6", 1);
    assert_false(blaslt_open(&kind, &n.g, n.a, &h, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "no testLtCreate");
    null_close(&n);
}

static void vendor_goes_by_architecture(void **state)
{
    struct gpu g = {.library = &g, .info = {.arch = "sm_90"}};
    (void)state;
    STR_EQ(vendor_of(&g)->name, "cublaslt");
    strcpy(g.info.arch, "gfx942");
    STR_EQ(vendor_of(&g)->name, "hipblaslt");
    g.library = NULL;
    STR_EQ(vendor_of(&g)->name, "null");
}

T_MAIN(cmocka_unit_test(absent_names_what_was_tried),
       cmocka_unit_test(another_library_is_found_out),
       cmocka_unit_test(vendor_goes_by_architecture))
