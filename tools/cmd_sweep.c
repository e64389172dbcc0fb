/* tandem sweep: every topology and load of a scenario, one JSON line each, and
 * the best of them by TPSU band and under the SLO. */
#include "sim/base/json.h"
#include "sim/plan/crew.h"
#include "sim/plan/journal.h"
#include "sim/plan/rank.h"
#include "sim/report/answer.h"
#include "tools/cmd.h"
#include "tools/words.h"

#include <string.h>

struct sweep_options {
    struct cmd_common c;
    const char *path, *summary;
    bool engine_steps, resume;
};

enum { KEY_SUMMARY = 0x100, KEY_STEPS, KEY_RESUME };
/* Answers of a sweep this small go whole into the summary. */
enum { SWEEP_WHOLE = 2000 };

static const struct argp_option sweep_rows[] = {
    {"summary", KEY_SUMMARY, "FILE", 0,
     "write ranking (and all answers of a small sweep) for `tandem report`", 1},
    {"engine-steps", KEY_STEPS, NULL, 0,
     "take every engine step by itself: same answers, slower", 1},
    {"resume", KEY_RESUME, NULL, 0,
     "go on where an interrupted sweep to the same file was: finished trials "
     "are kept in FILE.part until all are done",
     1},
    {0},
};

static error_t sweep_parse(int key, char *arg, struct argp_state *state)
{
    struct sweep_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case KEY_SUMMARY:
        o->summary = arg;
        return 0;
    case KEY_STEPS:
        o->engine_steps = true;
        return 0;
    case KEY_RESUME:
        o->resume = true;
        return 0;
    default:
        return cmd_path(key, arg, state, &o->path);
    }
}

struct sweep {
    const struct sweep_options *o;
    struct space sp;
    struct rank rank;
    struct cmd_progress progress;
    struct file_out json, csv;
    struct journal journal;
    cJSON *answers; /* of a small sweep */
    size_t n;
};

static void sweep_work(void *ctx, size_t i, struct arena *a, void *result)
{
    struct sweep *w = ctx;
    if (journal_find(&w->journal, i, result))
        return;
    trial_run(&w->sp, i, w->o->engine_steps, a, result);
    journal_add(&w->journal, i, result);
}

/* A refused trial is a line too: what was asked and why not. */
static cJSON *sweep_refusal(const struct sweep *w, const struct trial *t)
{
    cJSON *o = cJSON_CreateObject();
    const struct scenario_topology *top = &w->sp.topology[t->topology];
    cJSON_AddStringToObject(o, "topology", top->name);
    cJSON_AddNumberToObject(o, "gpus", top->gpus);
    cJSON_AddStringToObject(o, "arrival", t->load.arrive->name);
    if (t->load.concurrency)
        cJSON_AddNumberToObject(o, "concurrency", (double)t->load.concurrency);
    if (strcmp(t->load.arrive->name, "closed") != 0)
        answer_put(o, "rate_rps", t->load.rate_rps);
    cJSON_AddStringToObject(o, "refused", t->why);
    return o;
}

static bool sweep_emit(void *ctx, size_t i, const void *result, struct err *e)
{
    struct sweep *w = ctx;
    const struct trial *t = result;
    char more[160];
    rank_add(&w->rank, t);
    bool wanted = w->json.f || w->csv.f || w->answers;
    cJSON *a = !wanted ? NULL
             : t->ok   ? words_answer(&w->sp, t)
                       : sweep_refusal(w, t);
    if (w->json.f)
        answer_line(w->json.f, a);
    if (w->csv.f && t->ok)
        answer_csv_row(w->csv.f, a);
    bool ok = (!w->json.f || !ferror(w->json.f))
           && (!w->csv.f || !ferror(w->csv.f));
    if (w->answers && t->ok)
        cJSON_AddItemToArray(w->answers, a);
    else
        json_free(a);
    snprintf(more, sizeof more, "%s", w->sp.topology[t->topology].name);
    cmd_progress_at(&w->progress, (double)(i + 1), more);
    return (ok
            || err_set(e, ERR_SYSTEM, "%s: cannot write",
                       w->o->c.json ? w->o->c.json : w->o->c.csv))
        && journal_ok(&w->journal, e);
}

static bool sweep_summary(struct sweep *w, struct err *e)
{
    const struct scenario *s = w->sp.s;
    if (!w->o->summary)
        return true;
    cJSON *o = words_rank_json(&w->rank);
    const char *kind = s->sweep.rate_rps.n ? "scaleout"
                     : s->sweep.pools      ? "plan"
                                           : "sweep";
    cJSON_AddStringToObject(o, "kind", kind);
    cJSON_AddItemToObject(o, "scenario", scenario_resolved(s));
    if (w->answers) {
        cJSON_AddItemToObject(o, "answers", w->answers);
        w->answers = NULL;
    }
    struct cmd_common to = {.json = w->o->summary};
    bool ok = cmd_json(&to, o, e);
    json_free(o);
    return ok;
}

static bool sweep_files(struct sweep *w, struct err *e)
{
    const struct cmd_common *c = &w->o->c;
    if (c->json && !file_out_open(&w->json, c->json, e))
        return false;
    if (c->csv && !file_out_open(&w->csv, c->csv, e))
        return false;
    if (w->csv.f)
        answer_csv_row(w->csv.f, NULL);
    if (w->o->summary && w->n <= SWEEP_WHOLE)
        w->answers = cJSON_CreateArray();
    return true;
}

/* The file beside which the journal lies; NULL: nothing is to be kept. */
static const char *sweep_file(const struct sweep_options *o)
{
    const char *to = o->c.json ? o->c.json : o->c.csv ? o->c.csv : o->summary;
    return to && strcmp(to, "-") != 0 ? to : NULL;
}

/* A sweep's answers depend on its scenario, resolved, and on the store. */
static bool sweep_journal(struct sweep *w, struct cmd_session *ses,
                          struct err *e)
{
    const char *to = sweep_file(w->o);
    if (!to)
        return !w->o->resume
            || err_set(e, ERR_INPUT,
                       "--resume: give --json, --csv or "
                       "--summary a file");
    cJSON *s = scenario_resolved(w->sp.s);
    char *text = cJSON_PrintUnformatted(s);
    const char *all = arena_fmt(ses->a, "%s\n%s", ses->store_name, text);
    cJSON_free(text);
    json_free(s);
    struct journal_ask ask = {.path = arena_fmt(ses->a, "%s.part", to),
                              .mark = journal_mark(all),
                              .sp = &w->sp,
                              .resume = w->o->resume};
    return journal_open(&w->journal, &ask, ses->a, e);
}

/* What was computed is kept, also after an interruption. */
static bool sweep_done(struct sweep *w, bool ok, struct err *e)
{
    struct err late = {0};
    bool kept = (!w->json.f || file_out_done(&w->json, &late))
             && (!w->csv.f || file_out_done(&w->csv, &late))
             && sweep_summary(w, &late);
    if (ok && !kept)
        *e = late;
    return ok && kept;
}

static void sweep_print(const struct sweep *w)
{
    const struct rank *r = &w->rank;
    printf("%zu topologies, %lld trials, %lld requests", w->sp.n,
           (long long)r->trials, (long long)r->requests);
    if (r->refused)
        printf(", %lld trials refused", (long long)r->refused);
    printf("\n");
    for (size_t i = 0; i < w->sp.n_refused; i++)
        printf("left out: %lld topologies:%s\n",
               (long long)w->sp.refused[i].count, w->sp.refused[i].reason);
    for (size_t i = 0; i < r->n_refusal; i++)
        printf("refused: %lld trials: %s\n", (long long)r->refusal[i].count,
               r->refusal[i].reason);
    words_rank(stdout, r);
}

static bool sweep_all(struct cmd_session *ses, const void *options,
                      struct scenario *s, struct err *e)
{
    const struct sweep_options *o = options;
    struct sweep w = {.o = o, .journal.fd = -1};
    if (!space_build(s, ses->a, &w.sp, e))
        return false;
    rank_init(&w.rank, &w.sp, ses->a);
    w.n = w.sp.n * w.sp.points;
    bool ok = sweep_journal(&w, ses, e) && sweep_files(&w, e);
    struct crew_job job = {.n = w.n,
                           .workers = cmd_jobs(&o->c),
                           .size = sizeof(struct trial),
                           .ctx = &w,
                           .work = sweep_work,
                           .emit = sweep_emit,
                           .stop = cmd_stop()};
    cmd_progress_begin(&w.progress, &o->c, "sweep", (double)w.n);
    ok = ok && crew_run(&job, e);
    cmd_progress_end(&w.progress);
    ok = sweep_done(&w, ok, e);
    journal_close(&w.journal, ok);
    json_free(w.answers);
    if (ok && !(o->c.json && strcmp(o->c.json, "-") == 0)) {
        words_basis(stdout, s, &w.sp.plant[0]);
        sweep_print(&w);
    }
    return ok && cmd_flush(e);
}

static int sweep_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.options = sweep_rows,
                        .parser = sweep_parse,
                        .args_doc = "SCENARIO",
                        .doc = "Tries every topology and load of a scenario. "
                               "--json writes one answer a line, in a fixed "
                               "order whatever --jobs.  Beside it FILE.part "
                               "keeps what is finished, for --resume.",
                        .children = child};
    struct sweep_options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return cmd_work(&o.c, o.path, sweep_all, &o);
}

const struct cmd cmd_sweep = {"sweep", "many topologies and loads, ranked",
                              sweep_main};
