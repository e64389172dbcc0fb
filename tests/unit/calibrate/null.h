/* A null device with its bed and timer, for tests of what stands on them. */
#ifndef TESTS_UNIT_CALIBRATE_NULL_H
#define TESTS_UNIT_CALIBRATE_NULL_H

#include "calibrate/gpu/campaign.h"
#include "tests/t.h"

struct null {
    struct gpu g;
    struct arena *a;
    struct timer t;
};

static inline void null_open(struct null *n, struct gpu_null_ask ask)
{
    struct err e = {ERR_NONE, ""};
    gpu_null_open(&n->g, &ask);
    n->a = arena_open();
    n->t = (struct timer){
        .g = &n->g,
        .bed = bed_open(&n->g, 0, 3, n->a),
        .meter = meter_open(n->g.info.pci, n->g.info.arch, n->a),
        .vendor = vendor_of(&n->g),
        .rule = &bench_usual,
        .seed = 3,
    };
    assert_true(n->t.vendor->open(&n->g, n->a, &n->t.handle, &e));
}

static inline void null_close(struct null *n)
{
    n->t.vendor->close(n->t.handle);
    bed_close(n->t.bed);
    meter_close(n->t.meter);
    arena_close(n->a);
    gpu_null_close(&n->g);
}

static const struct gpu_null_ask null_plain = {
    .seed = 1,
    .noise = 0.01,
    .wrong = CALL_N,
};

/* Small enough for references of every result to cost nothing. */
static const struct grid_model null_model = {
    .name = "small",
    .hidden = 256,
    .heads = 8,
    .kv_heads = 8,
    .head_dim = 64,
    .inter = 512,
    .vocab = 2048,
};

static inline struct call null_gemm(int m, int n, int k)
{
    return (struct call){.op = CALL_GEMM, .gemm = {.m = m, .n = n, .k = k}};
}

#endif
