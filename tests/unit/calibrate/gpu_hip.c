#include "calibrate/gpu/gpu.h"

#include "tests/t.h"

static void no_plug_in(void **state)
{
    static const char *const folders[] = {"/nonexistent", "/nowhere", NULL};
    struct gpu g;
    struct err e = {ERR_NONE, ""};
    (void)state;
    assert_false(gpu_hip_open(&g, NULL, folders, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "no /nonexistent/hip-*.so");
    STR_HAS(e.text, "no /nowhere/hip-*.so");
    STR_HAS(e.text, "make kernels");
}

static void not_a_plug_in(void **state)
{
    struct gpu g;
    struct err e = {ERR_NONE, ""};
    (void)state;
    assert_false(gpu_hip_open(&g, "libm.so.6", NULL, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "not a plug-in of this version");
    assert_false(gpu_hip_open(&g, "/nonexistent.so", NULL, &e));
    STR_HAS(e.text, "/nonexistent.so");
}

T_MAIN(cmocka_unit_test(no_plug_in), cmocka_unit_test(not_a_plug_in))
