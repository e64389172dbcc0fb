/* tandem phases: prefill and decode each alone, and the pairing from them. */
#include "sim/plan/phases.h"

#include "sim/base/json.h"
#include "sim/plan/space.h"
#include "sim/report/answer.h"
#include "tools/cmd.h"
#include "tools/words.h"

struct phases_options {
    struct cmd_common c;
    const char *path;
};

static error_t phases_parse(int key, char *arg, struct argp_state *state)
{
    struct phases_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    default:
        return cmd_path(key, arg, state, &o->path);
    }
}

static void phases_table(const struct phases *p)
{
    printf("%-8s %3s %12s %12s %14s %10s %10s\n", "phase", "tp", "concurrency",
           "tok/s", "tok/s/GPU", "req/s", "TPSU");
    for (size_t i = 0; i < p->n; i++) {
        const struct phases_point *k = &p->point[i];
        printf("%-8s %3d %12lld ", k->decode ? "decode" : "prefill", k->tp,
               (long long)k->concurrency);
        if (!k->ok)
            printf("refused: %s\n", k->why);
        else if (k->decode)
            printf("%12.1f %14.1f %10.3f %10.2f\n", k->tok_s, k->tok_s / k->tp,
                   k->req_s, k->tpsu);
        else
            printf("%12.1f %14.1f %10.3f %10s\n", k->tok_s, k->tok_s / k->tp,
                   k->req_s, "-");
    }
}

static void phases_pair_table(const struct phases *p)
{
    if (!p->n_pair)
        return;
    printf("\n%-14s %12s %6s %6s %10s %10s\n", "pair", "concurrency", "P",
           "GPUs", "TPSU", "TPSG");
    for (size_t i = 0; i < p->n_pair; i++) {
        const struct phases_pair *k = &p->pair[i];
        char name[32];
        snprintf(name, sizeof name, "%lldp-tp%d-1d-tp%d",
                 (long long)k->p_engines, k->prefill_tp, k->decode_tp);
        printf("%-14s %12lld %6lld %6lld %10.2f %10.1f\n", name,
               (long long)k->concurrency, (long long)k->p_engines,
               (long long)k->gpus, k->tpsu, k->tpsg);
    }
}

static cJSON *phases_point_json(const struct phases_point *k)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "tp", k->tp);
    cJSON_AddNumberToObject(o, "concurrency", (double)k->concurrency);
    if (!k->ok) {
        cJSON_AddStringToObject(o, "refused", k->why);
        return o;
    }
    answer_put(o, "tok_s", k->tok_s);
    answer_put(o, "tok_s_per_gpu", k->tok_s / k->tp);
    answer_put(o, "req_s", k->req_s);
    if (k->decode) {
        answer_put(o, "tpsu", k->tpsu);
        answer_put(o, "tpot_ms", k->out.tpot.p50);
        answer_put(o, "itl_ms_p99", k->out.itl.p99);
    } else {
        answer_put(o, "ttft_ms_p50", k->out.ttft.p50);
    }
    return o;
}

static cJSON *phases_json(const struct scenario *s, const struct phases *p)
{
    cJSON *o = cJSON_CreateObject();
    bool pair = s->phases.pair_prefill_tp > 0;
    cJSON_AddStringToObject(o, "kind", pair ? "pair" : "phases");
    cJSON_AddItemToObject(o, "scenario", scenario_resolved(s));
    cJSON *pre = cJSON_AddArrayToObject(o, "prefill");
    cJSON *dec = cJSON_AddArrayToObject(o, "decode");
    for (size_t i = 0; i < p->n; i++)
        cJSON_AddItemToArray(i < p->n_prefill ? pre : dec,
                             phases_point_json(&p->point[i]));
    cJSON *pairs = pair ? cJSON_AddArrayToObject(o, "pairs") : NULL;
    for (size_t i = 0; i < p->n_pair; i++) {
        const struct phases_pair *k = &p->pair[i];
        cJSON *q = cJSON_CreateObject();
        cJSON_AddNumberToObject(q, "prefill_tp", k->prefill_tp);
        cJSON_AddNumberToObject(q, "decode_tp", k->decode_tp);
        cJSON_AddNumberToObject(q, "concurrency", (double)k->concurrency);
        cJSON_AddNumberToObject(q, "p_gpus",
                                (double)(k->p_engines * k->prefill_tp));
        cJSON_AddNumberToObject(q, "total_gpus", (double)k->gpus);
        answer_put(q, "tpsu", k->tpsu);
        answer_put(q, "tpsg", k->tpsg);
        cJSON_AddItemToArray(pairs, q);
    }
    return o;
}

static void phases_csv(FILE *f, const struct phases *p)
{
    fprintf(f, "phase,tp,concurrency,tok_s,tok_s_per_gpu,req_s,tpsu,refused\n");
    for (size_t i = 0; i < p->n; i++) {
        const struct phases_point *k = &p->point[i];
        fprintf(f, "%s,%d,%lld,", k->decode ? "decode" : "prefill", k->tp,
                (long long)k->concurrency);
        if (!k->ok)
            fprintf(f, ",,,,refused\n");
        else if (k->decode)
            fprintf(f, "%.6g,%.6g,%.6g,%.6g,\n", k->tok_s, k->tok_s / k->tp,
                    k->req_s, k->tpsu);
        else
            fprintf(f, "%.6g,%.6g,%.6g,,\n", k->tok_s, k->tok_s / k->tp,
                    k->req_s);
    }
}

static bool phases_files(const struct phases_options *o,
                         const struct scenario *s, const struct phases *p,
                         struct err *e)
{
    struct file_out csv;
    if (o->c.csv) {
        if (!file_out_open(&csv, o->c.csv, e))
            return false;
        phases_csv(csv.f, p);
        if (!file_out_done(&csv, e))
            return false;
    }
    cJSON *root = phases_json(s, p);
    bool ok = cmd_json(&o->c, root, e);
    json_free(root);
    return ok;
}

static bool phases_all(struct cmd_session *ses, const void *options,
                       struct scenario *s, struct err *e)
{
    const struct phases_options *o = options;
    struct cmd_progress progress;
    struct phases p;
    size_t n = s->phases.tp.n
             * (s->phases.prefill_concurrency.n
                + s->phases.decode_concurrency.n);
    cmd_progress_begin(&progress, &o->c, "phases", (double)n);
    struct phases_ask ask = {.s = s,
                             .workers = cmd_jobs(&o->c),
                             .stop = cmd_stop(),
                             .progress = cmd_progress_step,
                             .to = &progress};
    bool ok = phases_run(&ask, ses->a, &p, e);
    cmd_progress_end(&progress);
    if (!ok || !phases_files(o, s, &p, e))
        return false;
    if (!(o->c.json && o->c.json[0] == '-' && !o->c.json[1])) {
        phases_table(&p);
        phases_pair_table(&p);
    }
    return cmd_flush(e);
}

static int phases_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.parser = phases_parse,
                        .args_doc = "SCENARIO",
                        .doc = "Runs prefill alone (one output token) and "
                               "decode alone (cache filled without prefill) "
                               "against TP and concurrency, and pairs them.",
                        .children = child};
    struct phases_options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return cmd_work(&o.c, o.path, phases_all, &o);
}

const struct cmd cmd_phases = {
    "phases", "prefill and decode each alone, paired", phases_main};
