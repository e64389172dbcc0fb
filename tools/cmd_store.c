/* tandem store: what the store holds; text out and in. */
#include "sim/store/costs.h"
#include "tools/cmd.h"

#include <math.h>
#include <string.h>

struct store_options {
    struct cmd_common c;
    const char *verb, *arg, *gpu;
};

static const struct argp_option store_rows[] = {
    {"gpu", 'g', "NAME", 0, "only this GPU", 1},
    {0},
};

static error_t store_parse(int key, char *arg, struct argp_state *state)
{
    struct store_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case 'g':
        o->gpu = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (!o->verb)
            o->verb = arg;
        else if (!o->arg)
            o->arg = arg;
        else
            argp_error(state, "too many arguments");
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "list, export or import?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool store_list_gpu(struct cmd_session *s, const char *gpu,
                           struct err *e)
{
    struct costs c;
    if (!costs_load(&s->db, gpu, s->a, &c, e))
        return false;
    for (size_t i = 0; i < c.n; i++) {
        const struct fit *f = &c.fit[i];
        printf("%-9s %-13s %-16s %-13s %-9s %7lld", f->gpu, f->op, f->variant,
               f->form, f->basis, (long long)f->rows);
        if (isnan(f->ape_median))
            printf(" %8s %8s %8s", "-", "-", "-");
        else
            printf(" %8.1f %8.1f %8.1f", f->ape_median, f->ape_p95,
                   f->cv_median);
        printf("  %s\n", f->source);
    }
    return true;
}

static bool store_list(struct cmd_session *s, const char *only, struct err *e)
{
    const char **names;
    if (!card_list(s->models, "gpu", s->a, &names, e))
        return false;
    printf("store %s\n%-9s %-13s %-16s %-13s %-9s %7s %8s %8s %8s  %s\n",
           s->store_name, "gpu", "operator", "variant", "form", "basis", "rows",
           "median%", "p95%", "cv%", "source");
    for (; *names; names++)
        if ((!only || strcmp(only, *names) == 0)
            && !store_list_gpu(s, *names, e))
            return false;
    return cmd_flush(e);
}

static bool store_export(struct cmd_session *s, const struct store_options *o,
                         struct err *e)
{
    struct file_out out;
    if (!file_out_open(&out, o->arg ? o->arg : "-", e))
        return false;
    if (!costs_export(&s->db, o->gpu, out.f, e)) {
        file_out_drop(&out);
        return false;
    }
    return file_out_done(&out, e);
}

static bool store_do(struct cmd_session *s, const struct store_options *o,
                     struct err *e)
{
    if (strcmp(o->verb, "list") == 0)
        return store_list(s, o->gpu, e);
    if (strcmp(o->verb, "export") == 0)
        return store_export(s, o, e);
    if (strcmp(o->verb, "import") != 0)
        return err_set(e, ERR_USAGE,
                       "store: list, export or import, not "
                       "\"%s\"",
                       o->verb);
    if (!o->arg)
        return err_set(e, ERR_USAGE, "store import: which file?");
    if (!o->c.store)
        return err_set(e, ERR_USAGE,
                       "store import: --store FILE says where "
                       "to; the cached store of the shipped fits stays as "
                       "shipped");
    return costs_import(&s->db, o->arg, e);
}

static int store_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {.options = store_rows,
                        .parser = store_parse,
                        .args_doc = "list | export [FILE] | import FILE",
                        .doc = "Lists the fits of a store, writes them as "
                               "sorted SQL text, or reads such text.",
                        .children = child};
    struct store_options o = {0};
    struct cmd_session ses;
    struct err e = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cmd_open(&ses, &o.c, &e))
        return cmd_fail(&e);
    bool ok = store_do(&ses, &o, &e);
    cmd_close(&ses);
    return ok ? 0 : cmd_fail(&e);
}

const struct cmd cmd_store = {"store", "list, export and import measurements",
                              store_main};
