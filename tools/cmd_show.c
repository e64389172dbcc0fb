/* tandem show: cards, rooms and scenarios as the program understands them. */
#include "sim/base/json.h"
#include "sim/cost/form.h"
#include "sim/plan/scenario_rows.h"
#include "sim/plan/space.h"
#include "tools/cmd.h"
#include "tools/show_wire.h"

#include <math.h>
#include <string.h>

struct show_options {
    struct cmd_common c;
    const char *what, *arg;
};

static error_t show_parse(int key, char *arg, struct argp_state *state)
{
    struct show_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case ARGP_KEY_ARG:
        if (!o->what)
            o->what = arg;
        else if (!o->arg)
            o->arg = arg;
        else
            argp_error(state, "too many arguments");
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "show what?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool show_gpus(struct cmd_session *s, struct err *e)
{
    const char **n;
    struct gpu_card c;
    struct costs f;
    if (!card_list(s->models, "gpu", s->a, &n, e))
        return false;
    printf("%-10s %-24s %8s %8s %10s %10s %6s %s\n", "gpu", "product", "HBM GB",
           "TB/s", "BF16 TF/s", "FP8 TF/s", "fits", "donor");
    for (; *n; n++) {
        if (!card_gpu(s->models, *n, s->a, &c, e)
            || !costs_load(&s->db, *n, s->a, &f, e))
            return false;
        printf("%-10s %-24s %8.1f %8.2f %10.0f %10.0f %6zu %s\n", c.name,
               c.product, c.hbm_bytes / 1e9, c.hbm_Bps / 1e12,
               c.bf16_flops / 1e12, c.fp8_flops / 1e12, f.n,
               c.donor ? c.donor : "-");
    }
    return true;
}

static bool show_models(struct cmd_session *s, struct err *e)
{
    const char **n;
    struct llm_card c;
    if (!card_list(s->models, "llm", s->a, &n, e))
        return false;
    printf("%-28s %6s %6s %8s %8s %7s %8s %10s\n", "model", "layers", "hidden",
           "heads", "kv heads", "experts", "max len", "weights GB");
    for (; *n; n++) {
        if (!card_llm(s->models, *n, s->a, &c, e))
            return false;
        printf("%-28s %6d %6d %8d %8d %7d %8d %10.1f\n", c.name, c.layers,
               c.hidden, c.heads, c.kv_heads, c.experts, c.max_len,
               c.weight_bytes / 1e9);
    }
    return true;
}

static bool show_wires(struct cmd_session *s, struct err *e)
{
    const char **n;
    struct wire_card c;
    if (!card_list(s->models, "wire", s->a, &n, e))
        return false;
    printf("%-26s %5s %9s %9s %9s %9s %s\n", "wire", "NICs", "GB/s", "READ us",
           "WRITE us", "intra", "measured");
    for (; *n; n++) {
        if (!card_wire(s->models, *n, s->a, &c, e))
            return false;
        printf("%-26s %5d %9.1f %9.2f %9.2f %9.1f %s\n", c.name,
               c.nics_per_node, c.nic_Bps / 1e9, c.read_s * 1e6,
               c.write_s * 1e6, c.intra_Bps / 1e9, c.calibrated ? "yes" : "no");
    }
    return true;
}

static bool show_engines(struct cmd_session *s, struct err *e)
{
    const char **n;
    if (!card_list(s->models, "engine", s->a, &n, e))
        return false;
    for (; *n; n++)
        printf("%s\n", *n);
    return true;
}

static bool show_routers(struct cmd_session *s, struct err *e)
{
    (void)s;
    (void)e;
    for (const char *const *n = scenario_rows_routers; *n; n++)
        printf("%s\n", *n);
    return true;
}

static bool show_arrivals(struct cmd_session *s, struct err *e)
{
    (void)s;
    (void)e;
    for (const struct arrive *const *k = arrive_table; *k; k++)
        printf("%-10s %s\n", (*k)->name, (*k)->what);
    return true;
}

static bool show_forms(struct cmd_session *s, struct err *e)
{
    (void)s;
    (void)e;
    for (const struct form *const *k = form_table; *k; k++)
        printf("%-14s %s\n", (*k)->name, (*k)->what);
    return true;
}

static void show_rows(const char *head, const struct json_row *r)
{
    printf("%s\n", head);
    for (; r->key; r++) {
        bool absent = r->dflt && strcmp(r->dflt, JSON_ABSENT) == 0;
        printf("  %-28s %s (%s)\n", r->key, r->help,
               !r->dflt ? "required"
               : absent ? "optional"
                        : r->dflt);
        for (size_t i = 0; r->choices && r->choices[i]; i++)
            printf("%s%s%s", i ? ", " : "  = ", r->choices[i],
                   r->choices[i + 1] ? "" : "\n");
    }
}

static bool show_keys(struct cmd_session *s, struct err *e)
{
    (void)s;
    (void)e;
    show_rows("scenario", scenario_rows_top);
    show_rows("engine", scenario_rows_engine);
    show_rows("router", scenario_rows_router);
    show_rows("router.prefill_weights, router.decode_weights",
              scenario_rows_weights);
    show_rows("cluster", scenario_rows_cluster);
    show_rows("slo", scenario_rows_slo);
    show_rows("sweep", scenario_rows_sweep);
    show_rows("phases", scenario_rows_phases);
    for (const struct arrive *const *k = arrive_table; *k; k++) {
        char head[64];
        snprintf(head, sizeof head, "load.arrival, kind %s", (*k)->name);
        show_rows(head, (*k)->rows);
    }
    return true;
}

static void show_pool(cJSON *list, const struct plant_pool *p)
{
    cJSON *o = cJSON_CreateObject();
    const double gib = 1024.0 * 1024 * 1024;
    cJSON_AddNumberToObject(o, "tp", p->tp);
    cJSON_AddNumberToObject(o, "max_num_batched_tokens",
                            p->sched.max_num_batched_tokens);
    cJSON_AddNumberToObject(o, "max_num_seqs", p->sched.max_num_seqs);
    cJSON_AddNumberToObject(o, "max_model_len", p->sched.max_model_len);
    cJSON_AddNumberToObject(o, "block_size", p->sched.block_size);
    cJSON_AddNumberToObject(o, "kv_groups", p->sched.n_groups);
    cJSON_AddNumberToObject(o, "num_blocks", (double)p->sched.num_blocks);
    cJSON_AddStringToObject(o, "num_blocks_from",
                            p->memory.measured ? "scenario" : "memory model");
    cJSON_AddNumberToObject(o, "weights_gib",
                            round(p->memory.weights / gib * 100) / 100);
    cJSON_AddNumberToObject(o, "kv_cache_gib",
                            round(p->memory.kv / gib * 100) / 100);
    cJSON_AddItemToArray(list, o);
}

/* The resolved file, and what the pools come to. */
static bool show_scenario(struct cmd_session *s, const char *path,
                          struct err *e)
{
    struct scenario sc;
    struct plant p;
    if (!cmd_scenario(s, path, &sc, e))
        return false;
    cJSON *o = scenario_resolved(&sc);
    bool ok = true;
    if (sc.topology.n_pools) {
        ok = scenario_plant(&sc, &sc.topology, scenario_plant_cache(&sc, s->a),
                            &p, e);
        cJSON *list = cJSON_AddArrayToObject(o, "resolved_pools");
        for (uint32_t i = 0; ok && i < p.n_pools; i++)
            show_pool(list, &p.pool[i]);
    }
    const char *text = json_print(o, true, s->a);
    if (ok && !s->c->json)
        printf("%s\n", text);
    ok = ok && cmd_json(s->c, o, e);
    json_free(o);
    return ok;
}

static const struct {
    const char *name;
    bool (*show)(struct cmd_session *, struct err *);
} show_table[] = {
    {"gpus", show_gpus},       {"models", show_models},
    {"wires", show_wires},     {"engines", show_engines},
    {"routers", show_routers}, {"arrivals", show_arrivals},
    {"forms", show_forms},     {"keys", show_keys},
};

static bool show_any(struct cmd_session *s, const struct show_options *o,
                     struct err *e)
{
    if (strcmp(o->what, "scenario") == 0) {
        if (!o->arg)
            return err_set(e, ERR_USAGE, "show scenario: which file?");
        return show_scenario(s, o->arg, e);
    }
    if (strcmp(o->what, "wire") == 0) {
        if (!o->arg)
            return err_set(e, ERR_USAGE, "show wire: which scenario file?");
        return show_wire(s, o->arg, e);
    }
    for (size_t i = 0; i < sizeof show_table / sizeof *show_table; i++)
        if (strcmp(show_table[i].name, o->what) == 0)
            return show_table[i].show(s, e);
    return err_set(
        e, ERR_USAGE,
        "show: gpus, models, wires, engines, routers, "
        "arrivals, forms, keys, scenario FILE or wire FILE, not \"%s\"",
        o->what);
}

static int show_main(int argc, char **argv)
{
    struct argp_child child[] = {{&cmd_argp, 0, NULL, 0}, {0}};
    struct argp argp = {
        .parser = show_parse,
        .args_doc = "gpus | models | wires | engines | routers | arrivals | "
                    "forms | keys | scenario FILE | wire FILE",
        .doc = "Prints cards, rooms, the keys of a scenario file, a scenario "
               "with every default filled in, or where its KV transfers wait.",
        .children = child};
    struct show_options o = {0};
    struct cmd_session ses;
    struct err e = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!cmd_open(&ses, &o.c, &e))
        return cmd_fail(&e);
    bool ok = show_any(&ses, &o, &e) && cmd_flush(&e);
    cmd_close(&ses);
    return ok ? 0 : cmd_fail(&e);
}

const struct cmd cmd_show = {"show", "cards, keys, a scenario resolved",
                             show_main};
