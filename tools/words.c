#include "tools/words.h"

#include "sim/base/json.h"
#include "sim/base/str.h"
#include "sim/report/answer.h"

#include <math.h>
#include <stdlib.h>

cJSON *words_answer(const struct space *sp, const struct trial *t)
{
    const struct plant *p = &sp->plant[t->topology];
    const struct price_basis *basis[PLANT_POOLS] = {0};
    for (uint32_t i = 0; i < p->n_pools; i++)
        basis[i] = price_basis(p->pool[i].price);
    return answer_json(sp->s, &sp->topology[t->topology], &t->load, &t->out,
                       basis);
}

static void words_list(FILE *f, const char *head, const char *const *names)
{
    if (!names || !names[0])
        return;
    fprintf(f, "%s", head);
    for (; *names; names++)
        fprintf(f, " %s%s", *names, names[1] ? "," : "");
    fprintf(f, "\n");
}

void words_basis(FILE *f, const struct scenario *s, const struct plant *p)
{
    const struct price_basis *b = price_basis(p->pool[p->n_pools - 1].price);
    fprintf(f, "%s on %s, %s, %s, seed %llu\n", s->llm.name, s->gpu.name,
            p->pool[0].memory.measured ? "measured KV blocks"
                                       : "KV blocks by memory model",
            s->engine.profile, (unsigned long long)s->seed);
    fprintf(f, "store %s: %u operators, %u by law, %u uncalibrated",
            s->own.store ? s->own.store : "none", b->ops, b->laws,
            b->uncalibrated);
    if (!isnan(b->ape_median))
        fprintf(f, "; fits of a decode step are %.1f %% off in the median",
                b->ape_median);
    fprintf(f, "\n");
    words_list(f, "by physical law, not measured here:", b->law_ops);
    words_list(f, "outside the measured sizes:", b->extrapolated_ops);
    fprintf(f, "\n");
}

static void words_dist(FILE *f, const char *name, const cJSON *a,
                       const char *key)
{
    static const char *const at[] = {"mean", "p50",  "p90", "p95",
                                     "p99",  "p999", "max"};
    char path[64];
    fprintf(f, "%-12s", name);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        snprintf(path, sizeof path, "%s.%s", key, at[i]);
        double v = answer_num(a, path);
        if (isnan(v))
            fprintf(f, " %9s", "-");
        else
            fprintf(f, " %9.*f", v < 100 ? 2 : v < 10000 ? 1 : 0, v);
    }
    fprintf(f, "\n");
}

void words_run(FILE *f, const struct scenario *s, const cJSON *a)
{
    (void)s;
    fprintf(f, "%s on %.0f GPUs: %.4g requests/s, %.5g output tok/s\n",
            answer_text(a, "topology"), answer_num(a, "gpus"),
            answer_num(a, "req_s"), answer_num(a, "output_tok_s"));
    fprintf(f,
            "TPSU %.4g +- %.2g tok/s/user, TPSG %.4g +- %.2g tok/s/GPU, "
            "limited by %s\n\n",
            answer_num(a, "tpsu"), answer_num(a, "ci95.tpsu"),
            answer_num(a, "tpsg"), answer_num(a, "ci95.tpsg"),
            answer_text(a, "bottleneck"));
    fprintf(f, "%-12s %9s %9s %9s %9s %9s %9s %9s\n", "ms", "mean", "p50",
            "p90", "p95", "p99", "p99.9", "max");
    words_dist(f, "TTFT", a, "ttft_ms");
    words_dist(f, "TPOT", a, "tpot_ms");
    words_dist(f, "ITL", a, "itl_ms");
    words_dist(f, "E2E", a, "e2e_ms");
    if (answer_at(a, "kv_transfer_ms"))
        words_dist(f, "KV transfer", a, "kv_transfer_dist_ms");
    if (answer_at(a, "failed"))
        fprintf(f, "\n%.0f requests failed: their KV could not be loaded\n",
                answer_num(a, "failed"));
    const cJSON *met = answer_at(a, "slo_met");
    if (met)
        fprintf(f, "\nSLO %s\n", cJSON_IsTrue(met) ? "met" : "not met");
}

bool words_files(const struct cmd_common *c, cJSON *answer, struct err *e)
{
    struct file_out o;
    if (c->csv) {
        if (!file_out_open(&o, c->csv, e))
            return false;
        answer_csv(o.f, &answer, 1);
        if (!file_out_done(&o, e))
            return false;
    }
    return cmd_json(c, answer, e);
}

static void words_ranked(FILE *f, const struct rank *r,
                         const struct rank_list *l)
{
    cJSON *top[RANK_KEEP];
    for (size_t i = 0; i < l->n; i++)
        top[i] = words_answer(r->sp, &l->top[i]);
    answer_table(f, top, l->n);
    for (size_t i = 0; i < l->n; i++)
        json_free(top[i]);
}

void words_rank(FILE *f, const struct rank *r)
{
    for (size_t i = 0; i < r->n_bands; i++) {
        const struct rank_list *l = &r->band[i];
        if (!l->n)
            continue;
        if (isinf(l->hi))
            fprintf(f, "\nTPSU from %g: best tokens/s/GPU\n", l->lo);
        else
            fprintf(f, "\nTPSU %g to %g: best tokens/s/GPU\n", l->lo, l->hi);
        words_ranked(f, r, l);
    }
    if (!r->slo_given)
        return;
    fprintf(f, "\nUnder the SLO: %lld of %lld trials keep it\n",
            (long long)r->slo_met, (long long)r->trials);
    words_ranked(f, r, &r->slo);
}

static cJSON *words_ranked_json(const struct rank *r, const struct rank_list *l)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < l->n; i++)
        cJSON_AddItemToArray(list, words_answer(r->sp, &l->top[i]));
    return list;
}

static void words_count(cJSON *o, const struct space_refusal *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cJSON_AddNumberToObject(o, v[i].reason, (double)v[i].count);
}

cJSON *words_rank_json(const struct rank *r)
{
    cJSON *o = cJSON_CreateObject();
    cJSON *bands = cJSON_AddArrayToObject(o, "bands");
    for (size_t i = 0; i < r->n_bands; i++) {
        cJSON *b = cJSON_CreateObject();
        cJSON_AddNumberToObject(b, "lo", r->band[i].lo);
        if (!isinf(r->band[i].hi))
            cJSON_AddNumberToObject(b, "hi", r->band[i].hi);
        cJSON_AddItemToObject(b, "ranked", words_ranked_json(r, &r->band[i]));
        cJSON_AddItemToArray(bands, b);
    }
    if (r->slo_given)
        cJSON_AddItemToObject(o, "slo_ranked", words_ranked_json(r, &r->slo));
    cJSON_AddNumberToObject(o, "topologies", (double)r->sp->n);
    cJSON_AddNumberToObject(o, "trials", (double)r->trials);
    cJSON_AddNumberToObject(o, "requests", (double)r->requests);
    cJSON *inf = cJSON_AddObjectToObject(o, "infeasible");
    words_count(inf, r->sp->refused, r->sp->n_refused);
    words_count(inf, r->refusal, r->n_refusal);
    return o;
}
