/* fake - made-up files of answers for tests of the report.
 * Nothing here predicts anything: a decode instance of TP t serves c requests
 * at t0 + slope * c / t ms a token, a prefill GPU or an aggregated one loses
 * PREFILL_MS of time to each prompt, and that is all.  The numbers are only
 * smooth, ordered as one would expect, and the same everywhere. */
#ifndef TESTS_UNIT_REPORT_FAKE_H
#define TESTS_UNIT_REPORT_FAKE_H

#include "sim/base/json.h"
#include "sim/report/answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FAKE_ISL = 4096, FAKE_OSL = 256 };

struct fake_plan { /* p replicas of TP1 prefill; 0: aggregated */
    int p, replicas, tp;
};

struct fake_model {
    const char *name;
    double t0_ms, slope_ms, prefill_ms;
};

static const struct fake_model fake_llama = {"llama-3.3-70b-fp8-dynamic", 13,
                                             0.55, 590};
static const struct fake_model fake_gpt = {"gpt-oss-120b", 4.6, 0.21, 110};

static inline const char *fake_name(struct fake_plan f, char text[64])
{
    if (f.p > 0)
        snprintf(text, 64, "%dp-tp1-%dd-tp%d", f.p, f.replicas, f.tp);
    else if (f.replicas > 1)
        snprintf(text, 64, "%dx-agg-tp%d", f.replicas, f.tp);
    else
        snprintf(text, 64, "agg-tp%d", f.tp);
    return text;
}

static inline void fake_dist(cJSON *o, const char *key, double ms, double tail)
{
    cJSON *d = cJSON_AddObjectToObject(o, key);
    answer_put(d, "mean", ms * 1.05);
    answer_put(d, "p50", ms);
    answer_put(d, "p90", ms * (1 + tail * 0.5));
    answer_put(d, "p95", ms * (1 + tail * 0.7));
    answer_put(d, "p99", ms * (1 + tail));
    answer_put(d, "p999", ms * (1 + tail * 1.3));
    answer_put(d, "max", ms * (1 + tail * 1.5));
}

static inline void fake_basis(cJSON *o, const struct fake_model *m, bool pd)
{
    cJSON *b = cJSON_AddObjectToObject(o, "basis");
    cJSON_AddStringToObject(b, "store", "fake.db");
    cJSON_AddStringToObject(b, "gpu", "mi300x");
    cJSON_AddStringToObject(b, "model", m->name);
    if (pd)
        cJSON_AddStringToObject(b, "wire", "fake-wire");
    cJSON_AddStringToObject(b, "engine", "vllm-0.15");
    cJSON_AddStringToObject(b, "router", "llm-d-0.5");
    cJSON_AddStringToObject(b, "seed", "1");
    cJSON *f = cJSON_AddObjectToObject(b, "fits");
    answer_put(f, "ops", 11);
    answer_put(f, "laws", 2);
    answer_put(f, "uncalibrated", 0);
    answer_put(f, "ape_median_pct", 4.5);
    cJSON *x = cJSON_AddArrayToObject(b, "extrapolated");
    cJSON_AddItemToArray(x, cJSON_CreateString("gemm"));
    cJSON *l = cJSON_AddArrayToObject(b, "laws");
    cJSON_AddItemToArray(l, cJSON_CreateString("allreduce"));
    if (pd)
        cJSON_AddItemToArray(l, cJSON_CreateString("wire"));
    cJSON_AddBoolToObject(b, "calibrated", true);
}

/* Mean time of a token, and of a request, with c requests at once. */
static inline double fake_tpot(const struct fake_model *m, struct fake_plan f,
                               double c)
{
    double each = c / f.replicas;
    double ms = m->t0_ms / pow(f.tp, 0.55) + m->slope_ms * each / f.tp;
    if (f.p == 0) /* prompts of the others stand in the way */
        ms += m->prefill_ms / pow(f.tp, 0.7) * each / FAKE_OSL;
    return ms;
}

static inline double fake_e2e(const struct fake_model *m, struct fake_plan f,
                              double c)
{
    double servers = f.p ? f.p : f.replicas;
    double alone = m->prefill_ms / (f.p ? 1 : pow(f.tp, 0.7));
    double e2e = alone * 1.2 + FAKE_OSL * fake_tpot(m, f, c);
    return fmax(e2e, c * alone / servers); /* prefill is the bottleneck */
}

/* rate NAN: closed loop of c. */
static inline cJSON *fake_answer(const struct fake_model *m, struct fake_plan f,
                                 double c, double rate)
{
    char name[64];
    cJSON *o = cJSON_CreateObject();
    double gpus = f.p + f.replicas * f.tp, e2e = fake_e2e(m, f, c);
    double tpot = fake_tpot(m, f, c), req_s = c / e2e * 1e3;
    double tok_s = req_s * FAKE_OSL;
    cJSON_AddStringToObject(o, "topology", fake_name(f, name));
    answer_put(o, "gpus", gpus);
    cJSON_AddStringToObject(o, "arrival", isnan(rate) ? "closed" : "poisson");
    answer_put(o, "concurrency", c);
    answer_put(o, "rate_rps", rate);
    answer_put(o, "isl", FAKE_ISL);
    answer_put(o, "osl", FAKE_OSL);
    answer_put(o, "requests", 2000);
    answer_put(o, "req_s", req_s);
    answer_put(o, "output_tok_s", tok_s);
    answer_put(o, "tpsu", tok_s / c);
    answer_put(o, "tpsg", tok_s / gpus);
    answer_put(o, "interactivity", 1000 / tpot);
    fake_dist(o, "ttft_ms", e2e - FAKE_OSL * tpot, 1.8);
    fake_dist(o, "tpot_ms", tpot, 0.2);
    fake_dist(o, "itl_ms", tpot * 0.95, f.p ? 0.25 : 0.4 + 0.06 * sqrt(c));
    fake_dist(o, "e2e_ms", e2e, 0.4);
    cJSON *parts = cJSON_AddObjectToObject(o, "ttft_parts_ms");
    answer_put(parts, "route", 1.2);
    answer_put(parts, "queue", fmax(0, e2e - FAKE_OSL * tpot - 700));
    answer_put(parts, "prefill", m->prefill_ms);
    cJSON *ci = cJSON_AddObjectToObject(o, "ci95");
    answer_put(ci, "tpsu", tok_s / c * 0.01);
    answer_put(ci, "tpsg", tok_s / gpus * 0.01);
    bool starved = e2e > 1.01 * (m->prefill_ms * 1.2 + FAKE_OSL * tpot);
    cJSON_AddStringToObject(o, "bottleneck",
                            f.p == 0  ? "compute"
                            : starved ? "compute of prefill"
                                      : "compute of decode");
    cJSON_AddBoolToObject(o, "slo_met", e2e - FAKE_OSL * tpot < 1000);
    fake_basis(o, m, f.p > 0);
    return o;
}

static inline cJSON *fake_file(const char *kind, const struct fake_model *m,
                               const char *why)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "kind", kind);
    cJSON *s = cJSON_AddObjectToObject(root, "scenario");
    cJSON_AddStringToObject(s, "why", why);
    cJSON_AddStringToObject(s, "model", m->name);
    cJSON_AddStringToObject(s, "gpu", "mi300x");
    return root;
}

static const double fake_loads[] = {4,   8,   12,  16,  20,  24, 28,
                                    32,  40,  48,  56,  64,  80, 96,
                                    112, 128, 192, 256, 384, 512};
enum { FAKE_LOADS = sizeof fake_loads / sizeof fake_loads[0] };

static inline void fake_curve(cJSON *list, const struct fake_model *m,
                              struct fake_plan f)
{
    for (int i = 0; i < FAKE_LOADS; i++)
        cJSON_AddItemToArray(list, fake_answer(m, f, fake_loads[i], NAN));
}

static inline cJSON *fake_sweep(const struct fake_model *m)
{
    cJSON *root = fake_file("sweep", m, "FAKE NUMBERS: a test of the report");
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    for (int tp = 1; tp <= 8; tp *= 2)
        fake_curve(list, m, (struct fake_plan){0, 1, tp});
    for (int p = 1; p <= 3; p++)
        fake_curve(list, m, (struct fake_plan){p, 1, 2});
    return root;
}

static inline cJSON *fake_scaleout(void)
{
    static const struct fake_plan plans[] = {{8, 4, 2}, {0, 8, 2}, {0, 12, 2}};
    cJSON *root = fake_file("scaleout", &fake_gpt, "FAKE NUMBERS: a ladder");
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    for (size_t k = 0; k < sizeof plans / sizeof plans[0]; k++) {
        for (int rate = 5; rate <= 55; rate += 5) {
            double c = 1; /* Little's law, to a fixed point or overload */
            for (int i = 0; i < 60; i++)
                c = fmin(4000, rate * fake_e2e(&fake_gpt, plans[k], c) / 1e3);
            cJSON_AddItemToArray(list,
                                 fake_answer(&fake_gpt, plans[k], c, rate));
        }
    }
    return root;
}

static inline cJSON *fake_phases(const struct fake_model *m)
{
    cJSON *root = fake_file("phases", m, "FAKE NUMBERS: each phase alone");
    cJSON *pre = cJSON_AddArrayToObject(root, "prefill");
    cJSON *dec = cJSON_AddArrayToObject(root, "decode");
    for (int tp = 1; tp <= 8; tp *= 2) {
        for (int c = 1; c <= 16; c *= c == 1 ? 4 : 2) {
            double req_s = pow(tp, 0.7) / m->prefill_ms * 1e3 * c / (c + 0.3);
            cJSON *o = cJSON_CreateObject();
            answer_put(o, "tp", tp);
            answer_put(o, "concurrency", c);
            answer_put(o, "tok_s", req_s * FAKE_ISL);
            answer_put(o, "tok_s_per_gpu", req_s * FAKE_ISL / tp);
            answer_put(o, "req_s", req_s);
            cJSON_AddItemToArray(pre, o);
        }
        for (int i = 0; i < FAKE_LOADS - 4; i++) {
            double c = fake_loads[i];
            double ms = fake_tpot(m, (struct fake_plan){1, 1, tp}, c);
            cJSON *o = cJSON_CreateObject();
            answer_put(o, "tp", tp);
            answer_put(o, "concurrency", c);
            answer_put(o, "tok_s", c / ms * 1e3);
            answer_put(o, "tok_s_per_gpu", c / ms * 1e3 / tp);
            answer_put(o, "tpsu", 1e3 / ms);
            answer_put(o, "tpot_ms", ms);
            cJSON_AddItemToArray(dec, o);
        }
    }
    return root;
}

static inline cJSON *fake_pairs(const struct fake_model *m)
{
    cJSON *root = fake_file("pair", m, "FAKE NUMBERS: pairs from phases");
    cJSON *list = cJSON_AddArrayToObject(root, "pairs");
    for (int tp = 1; tp <= 4; tp *= 2) {
        for (int i = 0; i < FAKE_LOADS - 4; i++) {
            double c = fake_loads[i];
            double ms = fake_tpot(m, (struct fake_plan){1, 1, tp}, c);
            double p = ceil(c / (FAKE_OSL * ms) * m->prefill_ms);
            cJSON *o = cJSON_CreateObject();
            answer_put(o, "decode_tp", tp);
            answer_put(o, "concurrency", c);
            answer_put(o, "p_gpus", p);
            answer_put(o, "total_gpus", p + tp);
            answer_put(o, "tpsu", 1e3 / ms);
            answer_put(o, "tpsg", c / ms * 1e3 / (p + tp));
            cJSON_AddItemToArray(list, o);
        }
    }
    return root;
}

/* The best of a few plans in each band, at most ten. */
static inline cJSON *fake_best(const struct fake_model *m, double lo, double hi)
{
    cJSON *list = cJSON_CreateArray();
    for (int k = 0; k < 10; k++) {
        cJSON *best = NULL;
        double top = -1;
        for (int j = 0; j < 24 * FAKE_LOADS; j++) {
            int n = j / FAKE_LOADS;
            struct fake_plan f = {n % 6, 1 + n % 2, 1 << n % 4};
            char name[64];
            double c = fake_loads[j % FAKE_LOADS];
            double req_s = c / fake_e2e(m, f, c) * 1e3;
            double tpsu = req_s * FAKE_OSL / c;
            double tpsg = req_s * FAKE_OSL / (f.p + f.replicas * f.tp);
            bool have = false;
            fake_name(f, name);
            for (cJSON *i = list->child; i; i = i->next)
                have = have || strcmp(answer_text(i, "topology"), name) == 0;
            if (have || tpsu < lo || tpsu >= hi || tpsg <= top)
                continue;
            top = tpsg;
            json_free(best);
            best = fake_answer(m, f, c, NAN);
        }
        if (best)
            cJSON_AddItemToArray(list, best);
    }
    return list;
}

static inline cJSON *fake_planned(const struct fake_model *m)
{
    static const double edge[] = {0, 20, 40, 60, 100, INFINITY};
    cJSON *root = fake_file("plan", m, "FAKE NUMBERS: plans on 72 GPUs");
    cJSON *slo = cJSON_AddObjectToObject(
        answer_at(root, "scenario") ? root->child->next : root, "slo");
    answer_put(slo, "ttft_ms_p99", 2000);
    answer_put(slo, "itl_ms_p99", 50);
    cJSON *bands = cJSON_AddArrayToObject(root, "bands");
    for (int i = 0; i < 5; i++) {
        cJSON *b = cJSON_CreateObject();
        answer_put(b, "lo", edge[i]);
        answer_put(b, "hi", edge[i + 1]);
        cJSON_AddItemToObject(b, "ranked", fake_best(m, edge[i], edge[i + 1]));
        cJSON_AddItemToArray(bands, b);
    }
    cJSON_AddItemToObject(root, "slo_ranked", fake_best(m, 20, INFINITY));
    answer_put(root, "topologies", 5120);
    answer_put(root, "trials", 51200);
    answer_put(root, "requests", 1.02e8);
    cJSON *inf = cJSON_AddObjectToObject(root, "infeasible");
    answer_put(inf, "tp 1: weights need 131 GB, a GPU holds 192 GB x 0.4", 12);
    answer_put(inf, "more than 72 GPUs", 310);
    return root;
}

static inline cJSON *fake_score(void)
{
    static const char *const metric[] = {"tpot_ms_median",
                                         "output_tok_s_per_gpu",
                                         "ttft_ms_median", "itl_ms_p99"};
    cJSON *root = fake_file("score", &fake_gpt, "FAKE NUMBERS: a score");
    cJSON *rows = cJSON_AddArrayToObject(root, "rows");
    cJSON *sum = cJSON_AddArrayToObject(root, "summary");
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 40; i++) {
            double m = (k == 1 ? 80 : k == 2 ? 200 : 8) * pow(1.11, i);
            double q = m * (1 + 0.12 * sin(i * 1.7 + k) - 0.02 * k);
            cJSON *o = cJSON_CreateObject();
            char id[32];
            snprintf(id, sizeof id, "fake-%d", i);
            cJSON_AddStringToObject(o, "run_id", id);
            cJSON_AddStringToObject(o, "gpu", "mi300x");
            cJSON_AddStringToObject(o, "model", "gpt-oss-120b");
            cJSON_AddStringToObject(o, "metric", metric[k]);
            answer_put(o, "measured", m);
            answer_put(o, "predicted", i == 7 ? NAN : q);
            cJSON_AddStringToObject(o, "status", i == 7 ? "unsupported" : "ok");
            cJSON_AddStringToObject(o, "note", i == 7 ? "no such wire" : "");
            cJSON_AddItemToArray(rows, o);
        }
        cJSON *s = cJSON_CreateObject();
        cJSON_AddStringToObject(s, "gpu", "mi300x");
        cJSON_AddStringToObject(s, "model", "gpt-oss-120b");
        cJSON_AddStringToObject(s, "metric", metric[k]);
        answer_put(s, "n", 39);
        answer_put(s, "mape_pct", 7.5 + k);
        answer_put(s, "median_pct", 6.1 + k);
        answer_put(s, "bias_pct", -2.0 * k);
        answer_put(s, "worst_pct", 14.0 + 3 * k);
        cJSON_AddItemToArray(sum, s);
    }
    return root;
}

static inline cJSON *fake_run(void)
{
    struct fake_plan f = {2, 1, 2};
    cJSON *root = fake_answer(&fake_gpt, f, 64, NAN);
    cJSON *file = fake_file("run", &fake_gpt, "FAKE NUMBERS: one run");
    cJSON_AddItemToObject(root, "kind",
                          cJSON_DetachItemFromObject(file, "kind"));
    cJSON_AddItemToObject(root, "scenario",
                          cJSON_DetachItemFromObject(file, "scenario"));
    json_free(file);
    return root;
}

#endif
