/* tandem run: one scenario, one prediction. */
#include "sim/base/must.h"
#include "sim/plan/trial.h"
#include "sim/report/answer.h"
#include "sim/base/json.h"
#include "tools/cmd.h"
#include "tools/words.h"

#include <stdlib.h>

struct run_options {
    struct cmd_common c;
    const char *path;
    bool engine_steps;
};

enum { KEY_STEPS = 0x100 };

static const struct argp_option run_rows[] = {
    {"engine-steps", KEY_STEPS, NULL, 0,
     "take every engine step by itself: same answer, slower", 1},
    {0},
};

static error_t run_parse(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case KEY_STEPS:
        o->engine_steps = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->path)
            argp_error(state, "one scenario, please");
        o->path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which scenario?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool run_space(const struct scenario *s, struct arena *a,
                      struct space *sp, struct err *e)
{
    if (!s->topology.n_pools)
        return err_set(e, ERR_INPUT, "%s: no \"pools\" to run; `tandem sweep` "
                       "tries the topologies of \"sweep\"", s->path);
    return space_build(s, a, sp, e);
}

static bool run_answer(struct cmd_session *ses, const struct run_options *o,
                       struct scenario *s, struct err *e)
{
    struct space sp;
    struct trial t;
    s->sweep.n_names = 0;
    s->sweep.pools = NULL;
    s->sweep.concurrency.n = s->sweep.concurrency_per_gpu.n = 0;
    s->sweep.rate_rps.n = s->sweep.rate_rps_per_gpu.n = 0;
    if (!run_space(s, ses->a, &sp, e))
        return false;
    struct arena *scratch = arena_open();
    trial_run(&sp, 0, o->engine_steps, scratch, &t);
    arena_close(scratch);
    if (!t.ok)
        return err_set(e, ERR_INPUT, "%s: %s", s->path, t.why);
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
    struct argp argp = {.options = run_rows, .parser = run_parse,
                        .args_doc = "SCENARIO",
                        .doc = "Simulates one scenario and prints what users "
                               "and the cluster would see.",
                        .children = child};
    struct run_options o = {0};
    struct cmd_session ses;
    struct scenario s;
    struct err e = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cmd_open(&ses, &o.c, &e))
        return cmd_fail(&e);
    bool ok = cmd_scenario(&ses, o.path, &s, &e) && run_answer(&ses, &o, &s, &e);
    cmd_close(&ses);
    return ok ? 0 : cmd_fail(&e);
}

const struct cmd cmd_run = {"run", "one scenario, one prediction", run_main};
