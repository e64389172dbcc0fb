/* tandem run: one scenario, one prediction. */
#include "sim/base/must.h"
#include "sim/plan/trial.h"
#include "sim/report/answer.h"
#include "sim/report/perfetto.h"
#include "sim/report/steps.h"
#include "sim/base/json.h"
#include "tools/cmd.h"
#include "tools/words.h"

#include <stdlib.h>

struct run_options {
    struct cmd_common c;
    const char *path;
    const char *trace, *steps; /* files, or NULL */
    bool engine_steps;
};

enum { KEY_ENGINE_STEPS = 0x100, KEY_TRACE, KEY_STEPS };

static const struct argp_option run_rows[] = {
    {"engine-steps", KEY_ENGINE_STEPS, NULL, 0,
     "take every engine step by itself: same answer, slower", 1},
    {"trace", KEY_TRACE, "FILE", 0,
     "write steps, transfers and requests as a Chrome JSON trace, for Perfetto "
     "(.json or .json.gz)",
     1},
    {"steps", KEY_STEPS, "FILE", 0,
     "write every engine step as a CSV row (.csv or .csv.gz)", 1},
    {0},
};

static error_t run_parse(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case KEY_ENGINE_STEPS:
        o->engine_steps = true;
        return 0;
    case KEY_TRACE:
        o->trace = arg;
        return 0;
    case KEY_STEPS:
        o->steps = arg;
        return 0;
    default:
        return cmd_path(key, arg, state, &o->path);
    }
}

static bool run_space(const struct scenario *s, struct arena *a,
                      struct space *sp, struct err *e)
{
    if (!s->topology.n_pools)
        return err_set(e, ERR_INPUT,
                       "%s: no \"pools\" to run; `tandem sweep` "
                       "tries the topologies of \"sweep\"",
                       s->path);
    return space_build(s, a, sp, e);
}

/* ---- what is written on the way ---- */

struct run_files {
    const struct plant *plant;
    struct text_out trace, steps;
    struct perfetto *perfetto; /* NULL: no trace */
    bool rows;                 /* steps are written */
};

static void run_step(void *user, const struct watch_step *s)
{
    struct run_files *f = user;
    if (f->rows)
        steps_row(&f->steps, f->plant, s);
    if (f->perfetto)
        perfetto_step(f->perfetto, s);
}

static void run_transfer(void *user, const struct watch_transfer *x)
{
    struct run_files *f = user;
    if (f->perfetto)
        perfetto_transfer(f->perfetto, x);
}

static void run_life(void *user, const struct watch_life *l)
{
    struct run_files *f = user;
    if (f->perfetto)
        perfetto_life(f->perfetto, l);
}

static void run_drop(struct run_files *f)
{
    if (f->perfetto)
        text_out_drop(&f->trace);
    if (f->rows)
        text_out_drop(&f->steps);
}

static bool run_open(const struct run_options *o, const struct plant *p,
                     struct arena *a, struct run_files *f, struct err *e)
{
    *f = (struct run_files){.plant = p};
    if (o->steps) {
        if (!text_out_open(&f->steps, o->steps, e))
            return false;
        f->rows = true;
        steps_begin(&f->steps);
    }
    if (!o->trace)
        return true;
    if (!text_out_open(&f->trace, o->trace, e)) {
        run_drop(f);
        return false;
    }
    f->perfetto = perfetto_new(&f->trace, p, a);
    return true;
}

static bool run_done(struct run_files *f, struct err *e)
{
    if (f->perfetto)
        perfetto_end(f->perfetto);
    bool trace = f->perfetto != NULL;
    f->perfetto = NULL;
    if (trace && !text_out_done(&f->trace, e)) {
        run_drop(f);
        return false;
    }
    return !f->rows || text_out_done(&f->steps, e);
}

/* The trial, watched where files want to know what happens. */
static bool run_trial(const struct run_options *o, const struct space *sp,
                      struct trial *t, struct err *e)
{
    struct arena *a = arena_open(), *scratch = arena_open();
    struct run_files f;
    struct watch w = {.user = &f,
                      .step = run_step,
                      .transfer = run_transfer,
                      .life = run_life};
    bool ok = run_open(o, &sp->plant[0], a, &f, e);
    if (ok && (f.rows || f.perfetto))
        trial_watch(sp, 0, &w, scratch, t);
    else if (ok)
        trial_run(sp, 0, o->engine_steps, scratch, t);
    if (ok && !t->ok) {
        run_drop(&f);
        ok = err_set(e, ERR_INPUT, "%s: %s", sp->s->path, t->why);
    }
    ok = ok && run_done(&f, e);
    arena_close(scratch);
    arena_close(a);
    return ok;
}

static bool run_answer(struct cmd_session *ses, const void *options,
                       struct scenario *s, struct err *e)
{
    const struct run_options *o = options;
    struct space sp;
    struct trial t;
    s->sweep.n_names = 0;
    s->sweep.pools = NULL;
    s->sweep.concurrency.n = s->sweep.concurrency_per_gpu.n = 0;
    s->sweep.rate_rps.n = s->sweep.rate_rps_per_gpu.n = 0;
    if (!run_space(s, ses->a, &sp, e))
        return false;
    if (!run_trial(o, &sp, &t, e))
        return false;
    cJSON *ans = words_answer(&sp, &t);
    words_basis(stdout, s, &sp.plant[0]);
    words_run(stdout, s, ans);
    cJSON_AddStringToObject(ans, "kind", "run");
    cJSON_AddItemToObject(ans, "scenario", scenario_resolved(s));
    bool ok = words_files(&o->c, ans, e) && cmd_flush(e);
    const cJSON *met = cJSON_GetObjectItemCaseSensitive(ans, "slo_met");
    if (ok && cJSON_IsFalse(met))
        ok = err_set(e, ERR_NO, "%s: the SLO is not met", s->path);
    json_free(ans);
    return ok;
}

static int run_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.options = run_rows,
                        .parser = run_parse,
                        .args_doc = "SCENARIO",
                        .doc = "Simulates one scenario and prints what users "
                               "and the cluster would see.",
                        .children = child};
    struct run_options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return cmd_work(&o.c, o.path, run_answer, &o);
}

const struct cmd cmd_run = {"run", "one scenario, one prediction", run_main};
