#include "sim/plan/rank.h"

#include <math.h>
#include <string.h>

void rank_init(struct rank *r, const struct space *sp, struct arena *a)
{
    const struct json_nums *b = &sp->s->sweep.bands;
    memset(r, 0, sizeof *r);
    r->sp = sp;
    r->a = a;
    r->n_bands = b->n;
    r->band = ARENA_ARRAY(a, struct rank_list, b->n);
    for (size_t i = 0; i < b->n; i++) {
        r->band[i].lo = b->v[i];
        r->band[i].hi = i + 1 < b->n ? b->v[i + 1] : INFINITY;
    }
    r->slo.hi = INFINITY;
    r->slo_given = trial_slo_given(&sp->s->slo);
}

static bool rank_better(const struct rank *r, const struct trial *a,
                        const struct trial *b)
{
    if (a->out.tpsg != b->out.tpsg)
        return a->out.tpsg > b->out.tpsg;
    uint32_t ga = r->sp->topology[a->topology].gpus;
    uint32_t gb = r->sp->topology[b->topology].gpus;
    if (ga != gb)
        return ga < gb;
    return a->topology != b->topology ? a->topology < b->topology
                                      : a->point < b->point;
}

static void rank_into(const struct rank *r, struct rank_list *l,
                      const struct trial *t)
{
    size_t at = 0, end = l->n;
    while (at < l->n && rank_better(r, &l->top[at], t))
        at++;
    for (size_t i = 0; i < l->n; i++)
        if (l->top[i].topology == t->topology) {
            if (i < at)
                return; /* it is there with a better load */
            end = i;
        }
    if (end == l->n) {
        if (at == RANK_KEEP)
            return;
        if (l->n < RANK_KEEP)
            l->n++;
        else
            end = RANK_KEEP - 1;
    }
    memmove(&l->top[at + 1], &l->top[at], (end - at) * sizeof *t);
    l->top[at] = *t;
}

static void rank_refuse(struct rank *r, const char *why)
{
    r->refused++;
    for (size_t i = 0; i < r->n_refusal; i++)
        if (strcmp(r->refusal[i].reason, why) == 0) {
            r->refusal[i].count++;
            return;
        }
    ARENA_ROOM(r->a, r->refusal, r->n_refusal, r->cap_refusal);
    r->refusal[r->n_refusal++] = (struct space_refusal){arena_str(r->a, why),
                                                        1};
}

void rank_add(struct rank *r, const struct trial *t)
{
    r->trials++;
    if (!t->ok) {
        rank_refuse(r, t->why);
        return;
    }
    r->requests += t->out.requests;
    for (size_t i = 0; i < r->n_bands; i++)
        if (t->out.tpsu >= r->band[i].lo && t->out.tpsu < r->band[i].hi)
            rank_into(r, &r->band[i], t);
    if (r->slo_given && trial_slo_met(&r->sp->s->slo, &t->out)) {
        r->slo_met++;
        rank_into(r, &r->slo, t);
    }
}
