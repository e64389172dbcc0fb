/* Reading scenarios: one table of rows for each object of the file, which is
 * also its documentation (scenario_resolved prints every default). */
#include "sim/plan/scenario.h"

#include "sim/base/file.h"
#include "sim/base/json.h"
#include "sim/base/str.h"
#include "sim/plan/scenario_router.h"
#include "sim/plan/scenario_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool scenario_at(struct err *e, const struct scenario_ask *ask)
{
    return err_in(e, "%s", ask->path);
}

/* ---- pools --------------------------------------------------------------- */

static bool scenario_engine_read(const cJSON *obj, const char *where,
                                 struct arena *a, struct scenario_engine *g,
                                 struct err *e)
{
    if (!json_read(obj, scenario_rows_engine, g, where, a, e))
        return false;
    cJSON *all = json_write(scenario_rows_engine, g);
    g->id = json_print(all, false, a);
    json_free(all);
    return true;
}

/* A pool's engine block: the scenario's with the pool's own keys on top. */
static bool scenario_pool_engine(const cJSON *base, const cJSON *own,
                                 const char *where, struct arena *a,
                                 struct scenario_engine *g, struct err *e)
{
    cJSON *both = base ? cJSON_Duplicate(base, true) : cJSON_CreateObject();
    for (const cJSON *i = own ? own->child : NULL; i; i = i->next) {
        cJSON_DeleteItemFromObjectCaseSensitive(both, i->string);
        cJSON_AddItemToObject(both, i->string, cJSON_Duplicate(i, true));
    }
    bool ok = scenario_engine_read(both, where, a, g, e);
    cJSON_Delete(both);
    return ok;
}

struct pool_file {
    int role;
    int64_t replicas, tp;
    const cJSON *engine;
};

static const char *const role_names[] = {"aggregated", "prefill", "decode",
                                         NULL};

static const struct json_row pool_rows[] = {
    {"role", JSON_CHOICE, offsetof(struct pool_file, role), 0, 0, NULL,
     "what its engines do", role_names},
    {"replicas", JSON_INT, offsetof(struct pool_file, replicas), 1, 4096, "1",
     "engines", NULL},
    {"tp", JSON_INT, offsetof(struct pool_file, tp), 1, 64, "1",
     "tensor-parallel size: GPUs an engine", NULL},
    {"engine", JSON_OBJ, offsetof(struct pool_file, engine), 0, 0, JSON_ABSENT,
     "engine keys that differ from the scenario's", NULL},
    {0},
};

static bool scenario_pools(const cJSON *list, const cJSON *engine,
                           struct arena *a, struct scenario_topology *t,
                           struct err *e)
{
    int n = cJSON_GetArraySize(list);
    if (n < 1 || n > PLANT_POOLS)
        return err_set(e, ERR_INPUT,
                       "pools: one aggregated pool, or one "
                       "prefill and one decode pool; got %d pools",
                       n);
    for (int i = 0; i < n; i++) {
        char where[64];
        struct pool_file f;
        snprintf(where, sizeof where, "pools.%d", i);
        if (!json_read(cJSON_GetArrayItem(list, i), pool_rows, &f, where, a, e))
            return false;
        struct scenario_pool p = {.role = (enum pool_role)f.role,
                                  .replicas = (int)f.replicas,
                                  .tp = (int)f.tp};
        snprintf(where, sizeof where, "pools.%d.engine", i);
        if (!scenario_pool_engine(engine, f.engine, where, a, &p.engine, e))
            return false;
        /* prefill first, whatever the file's order */
        uint32_t at = n == 2 && p.role == ROLE_DECODE ? 1 : 0;
        if (n == 2 && (p.role == ROLE_AGGREGATED || t->pool[at].tp))
            return err_set(e, ERR_INPUT,
                           "pools: two pools must be one prefill "
                           "and one decode pool");
        if (n == 1 && p.role != ROLE_AGGREGATED)
            return err_set(e, ERR_INPUT,
                           "pools.0.role: a single pool must be "
                           "\"aggregated\", got \"%s\"",
                           role_names[p.role]);
        t->pool[at] = p;
        t->gpus += (uint32_t)(p.replicas * p.tp);
    }
    t->n_pools = (uint32_t)n;
    t->name = scenario_topology_name(t, a);
    return true;
}

const char *scenario_topology_name(const struct scenario_topology *t,
                                   struct arena *a)
{
    const struct scenario_pool *p = t->pool;
    if (t->n_pools == 2)
        return arena_fmt(a, "%dp-tp%d-%dd-tp%d", p[0].replicas, p[0].tp,
                         p[1].replicas, p[1].tp);
    if (p[0].replicas == 1)
        return arena_fmt(a, "agg-tp%d", p[0].tp);
    return arena_fmt(a, "%dx-agg-tp%d", p[0].replicas, p[0].tp);
}

bool scenario_topology(const struct scenario *s, const char *name,
                       struct arena *a, struct scenario_topology *t,
                       struct err *e)
{
    struct scenario_topology n = {0};
    int pr, pt, dr, dt, end = -1;
    if (sscanf(name, "%dp-tp%d-%dd-tp%d%n", &pr, &pt, &dr, &dt, &end) == 4
        && end > 0 && !name[end]) {
        n.n_pools = 2;
        n.pool[0] = (struct scenario_pool){ROLE_PREFILL, pr, pt, s->engine};
        n.pool[1] = (struct scenario_pool){ROLE_DECODE, dr, dt, s->engine};
    } else {
        pr = 1;
        end = -1;
        const char *x = strchr(name, 'x');
        if (x && sscanf(name, "%dx-agg-tp%d%n", &pr, &pt, &end) != 2)
            end = -1;
        if (!x && sscanf(name, "agg-tp%d%n", &pt, &end) != 1)
            end = -1;
        if (end < 0 || name[end])
            return err_set(e, ERR_INPUT,
                           "\"%s\" is no topology; names are "
                           "\"agg-tp4\", \"8x-agg-tp2\", \"2p-tp1-1d-tp2\"",
                           name);
        n.n_pools = 1;
        n.pool[0] = (struct scenario_pool){ROLE_AGGREGATED, pr, pt, s->engine};
    }
    for (uint32_t i = 0; i < n.n_pools; i++) {
        int tp = n.pool[i].tp, replicas = n.pool[i].replicas;
        if (tp < 1 || tp > 64 || replicas < 1 || replicas > 4096)
            return err_set(e, ERR_INPUT,
                           "topology \"%s\": tp must be in "
                           "[1, 64] and replicas in [1, 4096]",
                           name);
        n.gpus += (uint32_t)(tp * replicas);
    }
    n.name = scenario_topology_name(&n, a);
    *t = n;
    return true;
}

static bool scenario_topology_read(const cJSON *pools, const cJSON *engine,
                                   struct arena *a, struct scenario *s,
                                   struct err *e)
{
    if (!pools)
        return true;
    if (cJSON_IsString(pools)) {
        if (!scenario_topology(s, pools->valuestring, a, &s->topology, e))
            return err_in(e, "pools");
        return true;
    }
    if (!cJSON_IsArray(pools))
        return err_set(e, ERR_INPUT,
                       "pools: must be a list of pools or a "
                       "short name");
    return scenario_pools(pools, engine, a, &s->topology, e);
}

/* ---- sweep --------------------------------------------------------------- */

static const char *const sweep_sets[] = {"all", "aggregated", "disaggregated",
                                         NULL};

static bool scenario_sweep_pools(const cJSON *pools, struct arena *a,
                                 struct scenario *s, struct err *e)
{
    struct scenario_topology t;
    if (!pools) {
        s->sweep.pools = s->topology.n_pools ? NULL : "all";
        return true;
    }
    if (cJSON_IsString(pools)) {
        for (size_t i = 0; sweep_sets[i]; i++)
            if (strcmp(sweep_sets[i], pools->valuestring) == 0)
                s->sweep.pools = sweep_sets[i];
        if (s->sweep.pools)
            return true;
    }
    if (!cJSON_IsArray(pools))
        return err_set(e, ERR_INPUT,
                       "sweep.pools: must be \"all\", "
                       "\"aggregated\", \"disaggregated\" or a list of short "
                       "names");
    size_t n = (size_t)cJSON_GetArraySize(pools);
    s->sweep.names = ARENA_ARRAY(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const cJSON *k = cJSON_GetArrayItem(pools, (int)i);
        if (!cJSON_IsString(k))
            return err_set(e, ERR_INPUT,
                           "sweep.pools.%zu: must be a short "
                           "name",
                           i);
        if (!scenario_topology(s, k->valuestring, a, &t, e))
            return err_in(e, "sweep.pools.%zu", i);
        s->sweep.names[i] = t.name;
    }
    s->sweep.n_names = n;
    return true;
}

/* ---- the whole ----------------------------------------------------------- */

static bool scenario_cards(const struct scenario_file *f, struct db *store,
                           struct arena *a, struct scenario *s, struct err *e)
{
    if (!card_llm(s->models, f->model, a, &s->llm, e))
        return err_in(e, "model");
    if (!card_gpu(s->models, f->gpu, a, &s->gpu, e))
        return err_in(e, "gpu");
    if (!card_wire(s->models, f->wire, a, &s->wire, e))
        return err_in(e, "wire");
    if (!costs_load(store, s->gpu.name, a, &s->own, e))
        return err_in(e, "store");
    s->costs = (struct op_costs){.gpu = &s->gpu, .own = &s->own};
    if (!s->gpu.donor)
        return true;
    if (!card_gpu(s->models, s->gpu.donor, a, &s->donor_gpu, e))
        return err_in(e, "gpu.donor");
    if (!costs_load(store, s->gpu.donor, a, &s->donor, e))
        return err_in(e, "store");
    s->costs.donor_gpu = &s->donor_gpu;
    s->costs.donor = &s->donor;
    return true;
}

/* Lists that say what a trial is: each value positive. */
static bool scenario_points(const struct scenario *s, struct err *e)
{
    const struct json_nums *list[] = {&s->sweep.concurrency,
                                      &s->sweep.concurrency_per_gpu,
                                      &s->sweep.rate_rps,
                                      &s->sweep.rate_rps_per_gpu,
                                      &s->phases.prefill_concurrency,
                                      &s->phases.decode_concurrency};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        for (size_t k = 0; k < list[i]->n; k++)
            if (!(list[i]->v[k] > 0 && list[i]->v[k] <= 1e6))
                return err_set(e, ERR_INPUT,
                               "sweep: concurrency and rate_rps "
                               "must be in (0, 1e6], got %g",
                               list[i]->v[k]);
    bool closed = strcmp(s->load.arrive->name, "closed") == 0;
    bool slots = s->sweep.concurrency.n + s->sweep.concurrency_per_gpu.n > 0;
    bool rates = s->sweep.rate_rps.n + s->sweep.rate_rps_per_gpu.n > 0;
    if (closed ? rates : slots)
        return err_set(e, ERR_INPUT,
                       "sweep.%s: load.arrival is \"%s\", which "
                       "has no %s",
                       closed ? "rate_rps" : "concurrency",
                       s->load.arrive->name, closed ? "rate" : "fixed clients");
    if (rates && !(s->load.rate_rps > 0))
        return err_set(e, ERR_INPUT,
                       "sweep.rate_rps: arrivals of kind \"%s\" "
                       "have no rate",
                       s->load.arrive->name);
    return true;
}

static bool scenario_parts(const struct scenario_file *f, struct arena *a,
                           struct scenario *s, struct err *e)
{
    const cJSON *sweep_pools = f->sweep ? cJSON_GetObjectItemCaseSensitive(
                                   f->sweep, "pools")
                                        : NULL;
    s->sweep.given = f->sweep != NULL;
    s->phases.given = f->phases != NULL;
    return scenario_engine_read(f->engine, "engine", a, &s->engine, e)
        && scenario_router_read(f->router, a, s, e)
        && scenario_topology_read(f->pools, f->engine, a, s, e)
        && load_read(f->load, &s->load, a, e)
        && json_read(f->slo, scenario_rows_slo, &s->slo, "slo", a, e)
        && json_read(f->sweep, scenario_rows_sweep, &s->sweep, "sweep", a, e)
        && scenario_sweep_pools(sweep_pools, a, s, e)
        && json_read(f->phases, scenario_rows_phases, &s->phases, "phases", a,
                     e)
        && scenario_points(s, e);
}

static bool scenario_read(cJSON *root, const struct scenario_ask *ask,
                          struct arena *a, struct scenario *s, struct err *e)
{
    struct scenario_file f;
    struct scenario_cluster_file c;
    memset(s, 0, sizeof *s);
    for (const char *const *set = ask->set; set && *set; set++)
        if (!json_set(root, *set, e))
            return err_in(e, "--set");
    if (!json_read(root, scenario_rows_top, &f, "", a, e)
        || !json_read(f.cluster, scenario_rows_cluster, &c, "cluster", a, e))
        return false;
    const cJSON *why = cJSON_GetObjectItemCaseSensitive(root, "why");
    s->why = cJSON_IsString(why) ? arena_str(a, why->valuestring) : "";
    s->path = arena_str(a, ask->path);
    s->models = arena_str(a, ask->models);
    s->nodes = (int)c.nodes;
    s->gpus_per_node = (int)c.gpus_per_node;
    s->seed = f.seed;
    if (ask->seed && !str_uint64(ask->seed, &s->seed))
        return err_set(e, ERR_INPUT,
                       "--seed: must be an integer in [0, 2^64), "
                       "got \"%s\"",
                       ask->seed);
    return scenario_cards(&f, ask->store, a, s, e)
        && scenario_parts(&f, a, s, e);
}

bool scenario_load(const struct scenario_ask *ask, struct arena *a,
                   struct scenario *s, struct err *e)
{
    cJSON *root = NULL;
    if (!ask->text && !json_load(ask->path, &root, e))
        return false; /* names the file itself */
    if (ask->text && !json_parse(ask->text, &root, e))
        return scenario_at(e, ask);
    bool ok = scenario_read(root, ask, a, s, e);
    json_free(root);
    return ok || scenario_at(e, ask);
}

/* ---- printing ------------------------------------------------------------ */

static cJSON *scenario_pool_json(const struct scenario_pool *p)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "role", role_names[p->role]);
    cJSON_AddNumberToObject(o, "replicas", p->replicas);
    cJSON_AddNumberToObject(o, "tp", p->tp);
    cJSON_AddItemToObject(o, "engine",
                          json_write(scenario_rows_engine, &p->engine));
    return o;
}

static cJSON *scenario_sweep_json(const struct scenario *s)
{
    cJSON *o = json_write(scenario_rows_sweep, &s->sweep);
    cJSON_DeleteItemFromObjectCaseSensitive(o, "pools");
    if (s->sweep.pools)
        cJSON_AddStringToObject(o, "pools", s->sweep.pools);
    cJSON *names = s->sweep.n_names ? cJSON_AddArrayToObject(o, "pools") : NULL;
    for (size_t i = 0; i < s->sweep.n_names; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(s->sweep.names[i]));
    return o;
}

cJSON *scenario_resolved(const struct scenario *s)
{
    char seed[32];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "why", s->why);
    cJSON_AddStringToObject(o, "model", s->llm.name);
    cJSON_AddStringToObject(o, "gpu", s->gpu.name);
    cJSON_AddStringToObject(o, "wire", s->wire.name);
    cJSON_AddItemToObject(o, "engine",
                          json_write(scenario_rows_engine, &s->engine));
    cJSON_AddItemToObject(o, "router", scenario_router_json(s));
    cJSON *c = cJSON_AddObjectToObject(o, "cluster");
    cJSON_AddNumberToObject(c, "nodes", s->nodes);
    cJSON_AddNumberToObject(c, "gpus_per_node", s->gpus_per_node);
    cJSON *p = s->topology.n_pools ? cJSON_AddArrayToObject(o, "pools") : NULL;
    for (uint32_t i = 0; i < s->topology.n_pools; i++)
        cJSON_AddItemToArray(p, scenario_pool_json(&s->topology.pool[i]));
    cJSON_AddItemToObject(o, "load", load_write(&s->load));
    cJSON_AddItemToObject(o, "slo", json_write(scenario_rows_slo, &s->slo));
    if (s->sweep.given)
        cJSON_AddItemToObject(o, "sweep", scenario_sweep_json(s));
    if (s->phases.given)
        cJSON_AddItemToObject(o, "phases",
                              json_write(scenario_rows_phases, &s->phases));
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->seed);
    cJSON_AddStringToObject(o, "seed", seed);
    return o;
}
