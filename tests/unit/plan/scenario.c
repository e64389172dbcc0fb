/* Scenario files: what is read, what is printed back, what is refused. */
#include "tests/t.h"

#include "sim/base/json.h"
#include "tests/unit/plan/plan_fix.h"

static void refused(const char *text, const char *says)
{
    struct plan_fix *f = plan_open();
    struct scenario s;
    struct err e = {0};
    assert_false(plan_try(f, text, NULL, &s, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "fix.json: ");
    STR_HAS(e.text, says);
    plan_close(f);
}

static void defaults(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario *s = plan_read(f, "{" PLAN_MODEL ", " PLAN_LOAD "}");
    STR_EQ(s->llm.name, "llama-3.1-8b");
    STR_EQ(s->engine.profile, "vllm-0.15");
    STR_EQ(s->router_profile, "llm-d-0.5");
    EQ(s->router.decode, ROUTE_QUEUE);
    NEAR(s->router.scrape_s, 0.05, 1e-12);
    EQ(s->nodes, 1);
    EQ(s->gpus_per_node, 8);
    EQ(s->topology.n_pools, 0);
    EQ(s->seed, 1);
    assert_true(s->engine.async_scheduling && s->engine.prefix_caching);
    EQ(s->engine.max_num_seqs, JSON_NOINT);
    assert_true(isnan(s->slo.itl_ms_p99));
    EQ(s->load.requests, 24);
    assert_false(s->sweep.given || s->phases.given);
    STR_EQ(s->sweep.pools, "all");
    plan_close(f);
}

static void pools_in_any_order(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario *s = plan_read(
        f, "{" PLAN_BASE ", \"pools\": ["
           "{\"role\": \"decode\", \"tp\": 2, \"engine\": "
           "{\"max_num_seqs\": 7}}, "
           "{\"role\": \"prefill\", \"replicas\": 3}]}");
    STR_EQ(s->topology.name, "3p-tp1-1d-tp2");
    EQ(s->topology.gpus, 5);
    EQ(s->topology.pool[0].role, ROLE_PREFILL);
    EQ(s->topology.pool[0].engine.max_num_seqs, 64);
    EQ(s->topology.pool[1].engine.max_num_seqs, 7);
    assert_false(s->topology.pool[1].engine.prefix_caching);
    assert_true(
        strcmp(s->topology.pool[0].engine.id, s->topology.pool[1].engine.id)
        != 0);
    EQ(s->sweep.pools == NULL, true);
    plan_close(f);
}

static void short_names(void **state)
{
    (void)state;
    static const char *const good[] = {"agg-tp1", "agg-tp64", "8x-agg-tp2",
                                       "2p-tp1-1d-tp2", "12p-tp8-30d-tp4"};
    static const char *const bad[] = {
        "",         "agg",         "agg-tp",        "agg-tp0", "agg-tp65",
        "agg-tp1x", "0x-agg-tp1",  "x-agg-tp1",     "2p-tp1",  "2p-tp1-1d",
        "1d-tp1",   "-1x-agg-tp1", "1p-tp1-1d-tp2 "};
    struct plan_fix *f = plan_open();
    struct scenario *s = plan_read(f, "{" PLAN_BASE "}");
    struct scenario_topology t;
    struct err e = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(scenario_topology(s, good[i], f->a, &t, &e), e);
        STR_EQ(t.name, good[i]);
    }
    EQ(t.gpus, 12 * 8 + 30 * 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e = (struct err){0};
        assert_false(scenario_topology(s, bad[i], f->a, &t, &e));
        EQ(e.kind, ERR_INPUT);
    }
    OK(scenario_topology(s, "1x-agg-tp4", f->a, &t, &e), e);
    STR_EQ(t.name, "agg-tp4");
    plan_close(f);
}

static void resolved_reads_back_as_itself(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    struct scenario *s = plan_read(
        f, "{" PLAN_BASE ", \"why\": \"w\", \"seed\": \"18446744073709551615\","
           "\"pools\": \"2p-tp1-1d-tp2\", \"slo\": {\"itl_ms_p99\": 50}, "
           "\"router\": {\"profile\": \"random\", \"hop_ms\": 2}, "
           "\"cluster\": {\"nodes\": 3}, "
           "\"sweep\": {\"pools\": [\"agg-tp2\"], \"concurrency\": [4, 8]}, "
           "\"phases\": {\"requests\": 10}}");
    cJSON *once = scenario_resolved(s);
    const char *text = json_print(once, false, f->a);
    cJSON *twice = scenario_resolved(plan_read(f, text));
    STR_EQ(json_print(twice, false, f->a), text);
    STR_HAS(text, "18446744073709551615");
    STR_HAS(text, "\"scrape_ms\":50,\"hop_ms\":2");
    json_free(once);
    json_free(twice);
    plan_close(f);
}

static void set_and_seed(void **state)
{
    (void)state;
    struct plan_fix *f = plan_open();
    static const char *const set[] = {"engine.max_num_seqs=5",
                                      "load.requests=7", "pools=agg-tp4", NULL};
    static const char *const wrong[] = {"engine.max_num_sequences=5", NULL};
    struct scenario s;
    struct err e = {0};
    struct scenario_ask ask = {.path = "fix.json",
                               .text = "{" PLAN_BASE "}",
                               .models = "models",
                               .store = &f->db,
                               .set = set,
                               .seed = "99"};
    OK(scenario_load(&ask, f->a, &s, &e), e);
    EQ(s.engine.max_num_seqs, 5);
    EQ(s.load.requests, 7);
    EQ(s.topology.pool[0].engine.max_num_seqs, 5);
    EQ(s.seed, 99);
    ask.set = wrong;
    assert_false(scenario_load(&ask, f->a, &s, &e));
    STR_HAS(e.text, "max_num_seqs");
    ask.set = NULL;
    ask.seed = "-1";
    assert_false(scenario_load(&ask, f->a, &s, &e));
    STR_HAS(e.text, "--seed");
    ask.text = NULL;
    ask.path = "/no/such/file.json";
    assert_false(scenario_load(&ask, f->a, &s, &e));
    STR_HAS(e.text, "/no/such/file.json");
    plan_close(f);
}

static void refusals(void **state)
{
    (void)state;
    refused("{" PLAN_BASE ", \"pool\": 1}", "pools");
    refused("{\"model\": \"llama-3.1-8\", \"gpu\": \"mi300x\", " PLAN_LOAD "}",
            "llama-3.1-8b");
    refused("{\"model\": \"llama-3.1-8b\", \"gpu\": \"mi300\", " PLAN_LOAD "}",
            "mi300x");
    refused("{" PLAN_BASE ", \"wire\": \"plain\"}", "wire: ");
    refused("{" PLAN_MODEL "}", "load");
    refused("{" PLAN_BASE ", \"pools\": []}", "got 0 pools");
    refused("{" PLAN_BASE ", \"pools\": 3}", "a list of pools or a short name");
    refused("{" PLAN_BASE ", \"pools\": [{\"role\": \"prefill\"}]}",
            "a single pool must be \"aggregated\"");
    refused("{" PLAN_BASE ", \"pools\": [{\"role\": \"prefill\"}, "
            "{\"role\": \"prefill\"}]}",
            "one prefill and one decode");
    refused("{" PLAN_BASE ", \"pools\": [{\"role\": \"aggregated\"}, "
            "{\"role\": \"decode\"}]}",
            "one prefill and one decode");
    refused("{" PLAN_BASE ", \"sweep\": {\"pools\": [\"agg-tp1\", \"x\"]}}",
            "sweep.pools.1");
    refused("{" PLAN_BASE ", \"sweep\": {\"pools\": \"every\"}}",
            "\"disaggregated\"");
    refused("{" PLAN_BASE ", \"sweep\": {\"concurrency\": [0]}}",
            "must be in (0, 1e6]");
    refused("{" PLAN_BASE ", \"sweep\": {\"rate_rps\": [1]}}", "no rate");
    refused("{" PLAN_BASE ", \"slo\": {\"itl_ms_p99\": 0}}", "slo.itl_ms_p99");
    refused("{" PLAN_BASE ", \"engine2\": {}}", "engine");
    refused("{" PLAN_MODEL ", " PLAN_LOAD ", \"engine\": "
            "{\"max_num_partial_prefills\": 2}}",
            "max_num_partial_prefills");
    refused("{\"model\": ", "");
}

T_MAIN(cmocka_unit_test(defaults), cmocka_unit_test(pools_in_any_order),
       cmocka_unit_test(short_names),
       cmocka_unit_test(resolved_reads_back_as_itself),
       cmocka_unit_test(set_and_seed), cmocka_unit_test(refusals))
