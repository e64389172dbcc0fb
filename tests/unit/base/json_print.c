#include "sim/base/json.h"

#include "sim/des/rng.h"
#include "tests/t.h"

static void doubles_read_back(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rng r = rng_stream(1, RNG_TEST, 0);
    cJSON *list = cJSON_CreateArray(), *again = NULL;
    for (int i = 0; i < 2000; i++) {
        uint64_t bits = rng_u64(&r);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (i % 2)
            v = (double)rng_range(&r, -1000, 1000) / 1000 + 1e-16;
        if (isfinite(v))
            cJSON_AddItemToArray(list, cJSON_CreateNumber(v));
    }
    struct err e = {0};
    OK(json_parse(json_print(list, false, a), &again, &e), e);
    const cJSON *y = again->child;
    for (const cJSON *x = list->child; x; x = x->next, y = y->next)
        NEAR(x->valuedouble, y->valuedouble, 0);
    assert_null(y);
    json_free(list);
    json_free(again);
    arena_close(a);
}

static void shortest_and_plain(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":0.1,\"b\":0.30000000000000004,\"c\":-3,\"d\":9007199254740992,"
        "\"e\":[1e+300,true,null,\"q\\\"\\n\"],\"f\":{}}";
    struct arena *a = arena_open();
    struct err e = {0};
    cJSON *root = NULL;
    OK(json_parse(text, &root, &e), e);
    STR_EQ(json_print(root, false, a), text);
    STR_HAS(json_print(root, true, a), "{\n\t\"a\":\t0.1,\n");
    assert_true(cJSON_IsNumber(root->child)); /* the tree is as it was */
    json_free(root);
    root = cJSON_CreateNumber(NAN);
    STR_EQ(json_print(root, false, a), "null");
    json_free(root);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(doubles_read_back),
       cmocka_unit_test(shortest_and_plain))
