/* tandem search: the best plan under a promise. */
#include "sim/plan/search.h"

#include "sim/base/json.h"
#include "sim/report/answer.h"
#include "tools/cmd.h"
#include "tools/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEARCH_SHOW = 20 };

struct search_options {
    struct cmd_common c;
    const char *path;
};

/* "ttft_p99=500ms" -> "slo.ttft_ms_p99=500" */
static const char *search_slo(const char *text, struct argp_state *state)
{
    static const char *const names[][2] = {{"ttft_p99", "ttft_ms_p99"},
                                           {"itl_p99", "itl_ms_p99"},
                                           {"tpot_p99", "tpot_ms_p99"},
                                           {"e2e_p99", "e2e_ms_p99"}};
    enum { ROOM_FOR = 64 };
    char *out = NULL;
    for (size_t i = 0; i < 4; i++) {
        size_t n = strlen(names[i][0]);
        double v;
        char unit[4] = "";
        if (strncmp(text, names[i][0], n) == 0 && text[n] == '='
            && sscanf(text + n + 1, "%lf%3s", &v, unit) >= 1) {
            double ms = strcmp(unit, "s") == 0 ? v * 1e3 : v;
            out = malloc(ROOM_FOR);
            if (out)
                snprintf(out, ROOM_FOR, "slo.%s=%.9g", names[i][1], ms);
        }
    }
    if (!out)
        argp_error(state,
                   "--slo: e.g. ttft_p99=500ms, itl_p99=50ms, "
                   "tpot_p99=, e2e_p99=2s; got \"%s\"",
                   text);
    return out;
}

enum { KEY_SLO = 0x100 };

static const struct argp_option search_rows[] = {
    {"slo", KEY_SLO, "NAME=TIME", 0,
     "a promise: ttft_p99, itl_p99, tpot_p99 or e2e_p99; repeatable", 1},
    {0},
};

static error_t search_parse(int key, char *arg, struct argp_state *state)
{
    struct search_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case KEY_SLO:
        cmd_set(&o->c, search_slo(arg, state));
        return 0;
    default:
        return cmd_path(key, arg, state, &o->path);
    }
}

static bool search_tell(const struct search_options *o, const struct space *sp,
                        const struct search_result *r, struct err *e)
{
    cJSON *top[SEARCH_SHOW], *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "answers");
    size_t found = 0, trials = 0, n = 0;
    for (size_t i = 0; i < sp->n; i++) {
        found += r[i].found;
        trials += (size_t)r[i].trials;
        if (!r[i].found)
            continue;
        cJSON *a = words_answer(sp, &r[i].best);
        cJSON_AddItemToArray(list, a);
        if (n < SEARCH_SHOW)
            top[n++] = a;
    }
    cJSON_AddStringToObject(root, "kind", "search");
    cJSON_AddNumberToObject(root, "topologies", (double)sp->n);
    cJSON_AddNumberToObject(root, "trials", (double)trials);
    cJSON_AddItemToObject(root, "scenario", scenario_resolved(sp->s));
    bool ok = cmd_json(&o->c, root, e);
    if (ok && !(o->c.json && strcmp(o->c.json, "-") == 0)) {
        words_basis(stdout, sp->s, &sp->plant[0]);
        printf("%zu of %zu topologies keep the SLO at some load, %zu trials; "
               "each at its largest load:\n",
               found, sp->n, trials);
        answer_table(stdout, top, n);
    }
    json_free(root);
    if (ok && !found)
        ok = err_set(e, ERR_NO, "%s: no topology keeps the SLO: %s",
                     sp->s->path, r[0].why);
    return ok;
}

static bool search_all(struct cmd_session *ses, const void *options,
                       struct scenario *s, struct err *e)
{
    const struct search_options *o = options;
    struct space sp;
    struct cmd_progress progress;
    if (!space_build(s, ses->a, &sp, e))
        return false;
    struct search_result *r = ARENA_ARRAY(ses->a, struct search_result, sp.n);
    cmd_progress_begin(&progress, &o->c, "search", (double)sp.n);
    struct search_ask ask = {.sp = &sp,
                             .workers = cmd_jobs(&o->c),
                             .stop = cmd_stop(),
                             .progress = cmd_progress_step,
                             .to = &progress};
    bool ok = search_run(&ask, r, e);
    cmd_progress_end(&progress);
    return ok && search_tell(o, &sp, r, e) && cmd_flush(e);
}

static int search_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.options = search_rows,
                        .parser = search_parse,
                        .args_doc = "SCENARIO",
                        .doc = "Finds, for every topology of the scenario, "
                               "the largest load that keeps the SLO, and ranks "
                               "them by tokens per second and GPU.",
                        .children = child};
    struct search_options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return cmd_work(&o.c, o.path, search_all, &o);
}

const struct cmd cmd_search = {"search", "the best plan under a promise",
                               search_main};
