/* fake_costs - a store for tests of prices: a fit for every operator, at the
 * first guesses of its form but for a few round numbers, so a failure is the
 * price's and not the data's.  The times are in the range of a large GPU and
 * mean nothing else.  A form may gain coefficients without a change here. */
#ifndef TESTS_FAKE_COSTS_H
#define TESTS_FAKE_COSTS_H

#include "sim/cost/form.h"
#include "sim/cost/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline struct fit fake_fit(const char *op, const char *variant,
                                  const char *form)
{
    const struct form *law = form_find(form);
    struct fit f = {.gpu = "fake",
                    .op = op,
                    .variant = variant,
                    .form = form,
                    .basis = "measured",
                    .source = "fake",
                    .date = "",
                    .ape_median = 5,
                    .rows = 1};
    if (!law)
        abort();
    for (int i = 0; i < law->n_coef; i++)
        f.coef[f.n_coef++] = (struct fit_coef){law->coef[i], law->guess[i], NAN,
                                               "fake"};
    return f;
}

static inline struct fit *fake_set(struct fit *f, const char *name,
                                   double value)
{
    for (int i = 0; i < f->n_coef; i++)
        if (strcmp(f->coef[i].name, name) == 0)
            f->coef[i].value = value;
    return f;
}

static inline void fake_host(struct fit *f, const char *variant, double t0_us,
                             double request_us, double launch_us)
{
    *f = fake_fit("host", variant, "host");
    fake_set(f, "t0_us", t0_us);
    fake_set(f, "per_request_us", request_us);
    fake_set(f, "per_launch_us", launch_us);
}

/* Sums over GPUs: 2, 4 and 8 of each algorithm. */
static inline size_t fake_links(struct fit *f)
{
    static const char *const reduce[] = {
        "custom-tp2",  "custom-tp4", "custom-tp8", "qr_int4-tp2", "qr_int4-tp4",
        "qr_int4-tp8", "rccl-tp2",   "rccl-tp4",   "rccl-tp8"};
    size_t n = 0;
    for (size_t i = 0; i < 9; i++, n++) {
        f[n] = fake_fit("allreduce", reduce[i], "link");
        fake_set(&f[n], "t0_us", i < 3 ? 7 : i < 6 ? 18 : 50);
        fake_set(&f[n], "rate_Bps", i < 3 ? 5e10 : i < 6 ? 1.5e11 : 1.2e11);
    }
    for (size_t i = 6; i < 9; i++)
        f[n++] = fake_fit("allgather", reduce[i], "link");
    return n;
}

enum { FAKE_LINKS = 12, FAKE_FITS = 64 };

static inline struct costs fake_costs(struct arena *a)
{
    struct fit *f = ARENA_ARRAY(a, struct fit, FAKE_FITS);
    size_t n = fake_links(f);
    f[n++] = fake_fit("gemm", "bf16", "gemm");
    f[n++] = fake_fit("gemm", "fp8", "gemm");
    f[n++] = fake_fit("gemm", "fp8_block", "gemm");
    f[n++] = fake_fit("moe", "bf16", "moe");
    f[n++] = fake_fit("moe", "mxfp4", "moe");
    f[n++] = fake_fit("moe", "fp8_block", "moe");
    f[n++] = fake_fit("quant", "token", "quant");
    f[n++] = fake_fit("quant", "block", "quant");
    f[n++] = fake_fit("quant", "static", "quant");
    f[n++] = fake_fit("norm", "bf16", "stream");
    f[n++] = fake_fit("attn_prefill", "d64-bf16", "attn_prefill");
    f[n++] = fake_fit("attn_prefill", "d128-bf16", "attn_prefill");
    f[n++] = fake_fit("attn_prefill", "d128-fp8", "attn_prefill");
    f[n++] = fake_fit("attn_prefill", "d64-bf16-window", "attn_prefill");
    f[n++] = fake_fit("attn_prefill", "d64-fp8-window", "attn_prefill");
    f[n++] = fake_fit("attn_decode", "d64-bf16-window", "attn_decode");
    f[n++] = fake_fit("attn_decode", "d64-fp8-window", "attn_decode");
    f[n++] = fake_fit("attn_decode", "d64-bf16", "attn_decode");
    f[n++] = fake_fit("attn_decode", "d128-bf16", "attn_decode");
    f[n++] = fake_fit("attn_decode", "d128-fp8", "attn_decode");
    f[n++] = fake_fit("sample", "greedy", "sample");
    fake_host(&f[n++], "schedule", 100, 3, 0);
    fake_host(&f[n++], "prepare", 400, 8, 0);
    fake_host(&f[n++], "update", 80, 4, 0);
    fake_host(&f[n++], "launch", 0, 0, 12);
    return (struct costs){.gpu = "fake", .store = "fake", .fit = f, .n = n};
}

#endif
