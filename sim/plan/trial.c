#include "sim/plan/trial.h"

#include "sim/base/must.h"
#include "sim/des/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void trial_plan(const struct space *sp, size_t i, struct trial *t)
{
    memset(t, 0, sizeof *t);
    t->topology = i / sp->points;
    t->point = i % sp->points;
    t->load = space_load(sp, t->topology, t->point);
    t->seed = rng_seed(sp->s->seed, t->point);
}

static void trial(const struct space *sp, size_t i, struct world_ask ask,
                  struct arena *a, struct trial *t)
{
    char context[128];
    struct err e = {0};
    trial_plan(sp, i, t);
    ask.plant = &sp->plant[t->topology];
    ask.load = &t->load;
    ask.seed = t->seed;
    snprintf(context, sizeof context, "%s, trial %zu, seed %llu",
             ask.plant->name, i, (unsigned long long)t->seed);
    must_context = context;
    t->ok = world_run(&ask, a, &t->out, &e);
    must_context = NULL;
    if (!t->ok)
        snprintf(t->why, sizeof t->why, "%.255s", e.text);
}

void trial_run(const struct space *sp, size_t i, bool engine_steps,
               struct arena *a, struct trial *t)
{
    trial(sp, i, (struct world_ask){.engine_steps = engine_steps}, a, t);
}

void trial_watch(const struct space *sp, size_t i, const struct watch *watch,
                 struct arena *a, struct trial *t)
{
    trial(sp, i, (struct world_ask){.watch = watch}, a, t);
}

bool trial_slo_given(const struct scenario_slo *slo)
{
    return !isnan(slo->ttft_ms_p99) || !isnan(slo->itl_ms_p99)
        || !isnan(slo->tpot_ms_p99) || !isnan(slo->e2e_ms_p99)
        || !isnan(slo->tpsu_min);
}

/* NAN bounds compare false, so an absent promise is kept. */
bool trial_slo_met(const struct scenario_slo *slo, const struct outcome *o)
{
    return !(o->ttft.p99 > slo->ttft_ms_p99) && !(o->itl.p99 > slo->itl_ms_p99)
        && !(o->tpot.p99 > slo->tpot_ms_p99) && !(o->e2e.p99 > slo->e2e_ms_p99)
        && !(o->tpsu < slo->tpsu_min);
}
