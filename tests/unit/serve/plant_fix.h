/* plant_fix - plants made by hand, for tests of the serving floor.
 * A timed price takes exactly the times asked for, whatever is in the step: its
 * engine runs without graphs, and the launches of a step (PART_LAUNCH is a
 * floor under its GPU time) take as long as is asked, above all that the tiny
 * model costs.  plant_fix.c's own test is timed_steps_take_their_time in
 * tests/unit/serve/engine.c.  Everything lives in the caller's arena. */
#ifndef TESTS_PLANT_FIX_H
#define TESTS_PLANT_FIX_H

#include "sim/load/arrive.h"
#include "sim/serve/world.h"
#include "tests/unit/cost/fake_costs.h"

#include <stdio.h>

enum { FIX_TOKENS = 32768, FIX_SEQS = 1024, FIX_LEN = 65536, FIX_BS = 16 };
enum { FIX_WINDOW = 128 };

/* us of one step; host times do not depend on the batch. */
struct fix_times {
    double gpu, schedule, prepare, update;
};

static inline struct llm_card *fix_model(struct arena *a, bool window)
{
    struct llm_card *m = ARENA_NEW(a, struct llm_card);
    *m = (struct llm_card){.name = "tiny",
                           .hf_id = "tiny",
                           .layers = 2,
                           .hidden = 512,
                           .inter = 512,
                           .heads = 8,
                           .kv_heads = 8,
                           .head_dim = 64,
                           .vocab = 512,
                           .max_len = FIX_LEN,
                           .window = window ? FIX_WINDOW : 0,
                           .window_layers = window ? 1 : 0,
                           .linear = DT_BF16,
                           .expert = DT_BF16,
                           .head = DT_BF16};
    return m;
}

static inline struct op_costs *fix_costs(struct arena *a)
{
    struct gpu_card *g = ARENA_NEW(a, struct gpu_card);
    struct costs *own = ARENA_NEW(a, struct costs);
    struct op_costs *c = ARENA_NEW(a, struct op_costs);
    *g = (struct gpu_card){.name = "fake",
                           .vendor = "none",
                           .product = "fake",
                           .hbm_bytes = 1e11,
                           .hbm_Bps = 3e12,
                           .llc_bytes = 1e8,
                           .bf16_flops = 9e14,
                           .fp8_flops = 18e14,
                           .cus = 132,
                           .link_Bps = 5e10,
                           .fabric_Bps = 4e11,
                           .pcie_Bps = 5e10,
                           .rocm = true};
    *own = fake_costs(a);
    *c = (struct op_costs){.gpu = g, .own = own};
    return c;
}

static inline void fix_host(struct op_costs *c, const char *piece, double t0)
{
    struct fit *f = (struct fit *)(uintptr_t)costs_find(c->own, "host", piece);
    fake_host(f, piece, t0, 0, 0);
}

static inline const struct price *fix_price_of(struct arena *a,
                                               const struct op_costs *c,
                                               const struct llm_card *m, int tp,
                                               int graph_max)
{
    struct err e = {0};
    struct price_ask ask = {.llm = m,
                            .costs = c,
                            .tp = tp,
                            .kv = DT_BF16,
                            .max_num_batched_tokens = FIX_TOKENS,
                            .max_num_seqs = FIX_SEQS,
                            .max_model_len = FIX_LEN,
                            .block_size = FIX_BS,
                            .graph_max = graph_max};
    const struct price *p = price_new(&ask, a, &e);
    if (!p) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    return p;
}

/* gpu should be well above what the tiny model's kernels take (tens of us for
 * decodes, a few ms for the longest prompts). */
static inline const struct price *fix_timed(struct arena *a, struct fix_times t)
{
    struct op_costs *c = fix_costs(a);
    fix_host(c, "schedule", t.schedule);
    fix_host(c, "prepare", t.prepare);
    fix_host(c, "update", t.update);
    fix_host(c, "launch", t.gpu);
    return fix_price_of(a, c, fix_model(a, false), 1, 0);
}

/* A price that depends on everything a price may depend on. */
static inline const struct price *fix_real(struct arena *a, int tp, bool window)
{
    return fix_price_of(a, fix_costs(a), fix_model(a, window), tp, 64);
}

/* vllm-0.15 with small steps where it matters to a test. */
static inline struct sched_opt fix_sched(void)
{
    return (struct sched_opt){.async_scheduling = true,
                              .max_num_batched_tokens = 8192,
                              .max_num_seqs = 256,
                              .max_model_len = FIX_LEN,
                              .enable_chunked_prefill = true,
                              .block_size = FIX_BS,
                              .num_blocks = 100001,
                              .n_groups = 1};
}

static inline struct plant_pool fix_pool(enum pool_role role, uint32_t replicas,
                                         int tp, const struct price *price)
{
    struct plant_pool p = {.role = role,
                           .replicas = replicas,
                           .tp = tp,
                           .sched = fix_sched(),
                           .price = price,
                           .pin_expiry_s = 480,
                           .kv_block_bytes = {1048576.0 / tp, 1048576.0 / tp},
                           .kv_layers = {80, 80}};
    if (role != ROLE_AGGREGATED)
        p.sched.connector = SCHED_NIXL;
    return p;
}

static const struct wire_card fix_wire = {.name = "fix",
                                          .nics_per_node = 8,
                                          .nic_Bps = 50e9,
                                          .read_s = 1e-5,
                                          .write_s = 1e-5,
                                          .read_Bps = 40e9,
                                          .write_Bps = 40e9,
                                          .post_s = 0,
                                          .post_base_s = 0,
                                          .intra_Bps = 40e9,
                                          .intra_s = 1e-5,
                                          .incast = 1};

static inline struct plant fix_plant(const struct plant_pool *pool,
                                     uint32_t n_pools)
{
    struct plant p = {
        .name = "fix",
        .n_pools = n_pools,
        .router = {.scrape_s = 0.05, .index_tokens = 16, .index_most = 256},
        .wire = &fix_wire,
        .nodes = 16,
        .gpus_per_node = 8};
    for (uint32_t i = 0; i < n_pools; i++) {
        p.pool[i] = pool[i];
        p.gpus += pool[i].replicas * (uint32_t)pool[i].tp;
    }
    return p;
}

static inline struct length_spec fix_length(int64_t tokens)
{
    return (struct length_spec){.kind = LENGTH_FIXED, .tokens = tokens};
}

static inline const struct arrive *fix_arrive(const char *name)
{
    for (int i = 0; arrive_table[i]; i++)
        if (strcmp(arrive_table[i]->name, name) == 0)
            return arrive_table[i];
    abort();
}

static inline struct load_spec fix_closed(int64_t slots, int64_t requests,
                                          int64_t isl, int64_t osl)
{
    return (struct load_spec){.arrive = fix_arrive("closed"),
                              .concurrency = slots,
                              .requests = requests,
                              .isl = fix_length(isl),
                              .osl = fix_length(osl)};
}

static inline struct load_spec fix_poisson(double rate_rps, int64_t requests,
                                           int64_t isl, int64_t osl)
{
    return (struct load_spec){.arrive = fix_arrive("poisson"),
                              .rate_rps = rate_rps,
                              .burstiness = 1,
                              .requests = requests,
                              .isl = fix_length(isl),
                              .osl = fix_length(osl)};
}

/* A trace of n rows from arrays that outlive the load. */
static inline struct load_spec fix_trace(struct arena *a, const double *at_s,
                                         const int32_t *isl, const int32_t *osl,
                                         int64_t n)
{
    struct trace *t = ARENA_NEW(a, struct trace);
    int32_t *in = ARENA_ARRAY(a, int32_t, (size_t)n);
    int32_t *out = ARENA_ARRAY(a, int32_t, (size_t)n);
    ns_t *at = ARENA_ARRAY(a, ns_t, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        in[i] = isl[i];
        out[i] = osl[i];
        at[i] = units_ns(at_s[i]);
    }
    *t = (struct trace){.path = "fix", .n = n, .at = at, .isl = in, .osl = out};
    return (struct load_spec){
        .arrive = &arrive_trace, .trace = "fix", .data = t, .speedup = 1};
}

#endif
