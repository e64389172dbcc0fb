/* The rows of scenario files: defaults pass their own rows, and choices stand
 * in the order of what they choose. */
#include "tests/t.h"

#include "sim/plan/scenario.h"
#include "sim/plan/scenario_rows.h"

static const struct json_row *const tables[] = {
    scenario_rows_top,    scenario_rows_cluster, scenario_rows_router,
    scenario_rows_engine, scenario_rows_slo,     scenario_rows_sweep,
    scenario_rows_phases};

static void every_row_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct json_row *r = tables[i]; r->key; r++) {
            assert_true(r->help && strlen(r->help) > 4);
            EQ(r->type == JSON_CHOICE, r->choices != NULL);
            for (const struct json_row *q = tables[i]; q != r; q++)
                assert_true(strcmp(q->key, r->key) != 0 && q->at != r->at);
        }
}

/* An empty object gets every default through its own row. */
static void defaults_are_in_range(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    union {
        struct scenario_cluster_file cluster;
        struct scenario_router_file router;
        struct scenario_engine engine;
        struct scenario_slo slo;
        struct scenario_sweep sweep;
        struct scenario_phases phases;
    } u;
    for (size_t i = 1; i < sizeof tables / sizeof *tables; i++)
        OK(json_read(NULL, tables[i], &u, "x", a, &e), e);
    OK(json_read(NULL, scenario_rows_sweep, &u, "x", a, &e), e);
    EQ(u.sweep.tp.n, 4);
    EQ(u.sweep.waves, 1);
    EQ(u.sweep.concurrency.n, 0);
    EQ(u.sweep.max_gpus, JSON_NOINT);
    assert_true(u.sweep.decode_tp_at_least_prefill);
    arena_close(a);
}

static void engine_choice(const char *text, struct scenario_engine *g)
{
    struct arena *a = arena_open();
    struct err e = {0};
    cJSON *o;
    OK(json_parse(text, &o, &e), e);
    OK(json_read(o, scenario_rows_engine, g, "engine", a, &e), e);
    json_free(o);
    arena_close(a);
}

static void choices_are_in_order(void **state)
{
    (void)state;
    struct scenario_engine g;
    engine_choice("{\"scheduling_policy\": \"priority\", "
                  "\"kv_cache_dtype\": \"fp8\", \"quick_reduce\": \"int4\", "
                  "\"kv_connector\": \"decode-bench\", "
                  "\"attention_backend\": \"aiter-unified\"}",
                  &g);
    EQ(g.scheduling_policy, SCHED_PRIORITY);
    /* the numbers of scenario.h */
    EQ(g.kv_cache_dtype, 1);
    EQ(g.quick_reduce, 1);
    EQ(g.kv_connector, 2);
    EQ(g.attention_backend, 2);
    EQ(g.max_num_seqs, JSON_NOINT);
    assert_true(isnan(g.gpu_memory_utilization));
}

/* engine.md 3.2: options that V1 never reads are no keys. */
static void dead_options_are_unknown(void **state)
{
    (void)state;
    for (const struct json_row *r = scenario_rows_engine; r->key; r++)
        assert_true(strcmp(r->key, "max_num_partial_prefills") != 0
                    && strcmp(r->key, "max_long_partial_prefills") != 0);
}

T_MAIN(cmocka_unit_test(every_row_says_what_it_is),
       cmocka_unit_test(defaults_are_in_range),
       cmocka_unit_test(choices_are_in_order),
       cmocka_unit_test(dead_options_are_unknown))
