/* Where there is a GPU its memory is written and read back; elsewhere the
 * absence is said. */
#include "tests/t.h"

#include "calibrate/rdma/gpumem.h"

/* The vendors' runtimes keep what they allocate when they find no GPU. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libamdhip64\nleak:libhsa-runtime64\nleak:libcuda\n";
}

static void absence_is_said(void **state)
{
    (void)state;
    struct gpumem m;
    struct err e = {ERR_NONE, ""};
    int n = gpumem_count();
    assert_false(gpumem_open(&m, n, 4096, &e)); /* one beyond the last */
    EQ(e.kind, ERR_ABSENT);
    if (n == 0)
        STR_HAS(e.text, "looked for libcuda.so.1 and libamdhip64.so");
    gpumem_close(&m);
}

static void what_is_put_is_got(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    struct gpumem m;
    struct err e = {ERR_NONE, ""};
    if (gpumem_count() == 0) {
        print_message("skip: no GPU\n");
        skip();
    }
    uint8_t *a = malloc(N), *b = calloc(1, N);
    for (int i = 0; i < N; i++)
        a[i] = (uint8_t)(i * 31 >> 3);
    OK(gpumem_open(&m, 0, N, &e), e);
    assert_true(m.at != 0);
    print_message("dma-buf %s\n", m.fd >= 0 ? "given" : "refused");
    assert_true(gpumem_put(&m, a, N));
    assert_true(gpumem_get(&m, b, N));
    assert_memory_equal(a, b, N);
    assert_false(gpumem_put(&m, a, N + 1));
    gpumem_close(&m);
    gpumem_close(&m);
    free(a);
    free(b);
}

T_MAIN(cmocka_unit_test(absence_is_said), cmocka_unit_test(what_is_put_is_got))
