#include "sim/report/curve.h"

#include "sim/report/answer.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Loads closer than this are the same rung of a ladder. */
#define SAME_LOAD 1e-6

struct item {
    const char *topology;
    size_t order, first; /* place in the list; that of the topology's first */
    struct curve_point p;
};

static int by_name(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int c = strcmp(a->topology, b->topology);
    return c ? c : (a->order > b->order) - (a->order < b->order);
}

static int by_place(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->p.load != b->p.load)
        return a->p.load < b->p.load ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Topology names are the short names "agg-tp4", "8x-agg-tp2",
 * "2p-tp1-1d-tp2". */
bool curve_is_pd(const char *topology)
{
    return !strstr(topology, "agg-");
}

static size_t items(const cJSON *answers, struct item *out)
{
    size_t n = 0, order = 0;
    for (const cJSON *i = answers->child; i; i = i->next) {
        double rate = answer_num(i, "rate_rps");
        struct item t = {
            .topology = answer_text(i, "topology"),
            .order = order++,
            .p = {.load = isnan(rate) ? answer_num(i, "concurrency") : rate,
                  .tpsu = answer_num(i, "tpsu"),
                  .tpsg = answer_num(i, "tpsg"),
                  .answer = i},
        };
        if (t.topology && !isnan(t.p.load) && !isnan(t.p.tpsu)
            && !isnan(t.p.tpsg))
            out[n++] = t;
    }
    return n;
}

static void ends(struct curve_set *s)
{
    s->lo = s->hi = NAN;
    for (size_t i = 0; i < s->n; i++) {
        for (size_t j = 0; j < s->curve[i].n; j++) {
            s->lo = fmin(s->lo, s->curve[i].point[j].tpsu);
            s->hi = fmax(s->hi, s->curve[i].point[j].tpsu);
        }
    }
}

struct curve_set curve_gather(const cJSON *answers, struct arena *a)
{
    struct curve_set s = {.lo = NAN, .hi = NAN};
    if (!cJSON_IsArray(answers))
        return s;
    size_t all = 0;
    for (const cJSON *i = answers->child; i; i = i->next)
        all++;
    struct item *t = ARENA_ARRAY(a, struct item, all);
    size_t n = items(answers, t);
    qsort(t, n, sizeof *t, by_name);
    for (size_t i = 0; i < n; i++)
        t[i].first = i && strcmp(t[i].topology, t[i - 1].topology) == 0
                       ? t[i - 1].first
                       : t[i].order;
    qsort(t, n, sizeof *t, by_place);
    s.curve = ARENA_ARRAY(a, struct curve, n);
    struct curve_point *p = ARENA_ARRAY(a, struct curve_point, n);
    for (size_t i = 0; i < n; i++) {
        p[i] = t[i].p;
        if (i == 0 || t[i].first != t[i - 1].first)
            s.curve[s.n++] = (struct curve){.topology = t[i].topology,
                                            .pd = curve_is_pd(t[i].topology),
                                            .point = &p[i]};
        s.curve[s.n - 1].n++;
    }
    ends(&s);
    return s;
}

static bool matches(const char *topology, const cJSON *patterns)
{
    if (cJSON_IsString(patterns))
        return fnmatch(patterns->valuestring, topology, 0) == 0;
    for (const cJSON *i = patterns ? patterns->child : NULL; i; i = i->next)
        if (cJSON_IsString(i) && fnmatch(i->valuestring, topology, 0) == 0)
            return true;
    return false;
}

struct curve_set curve_pick(const struct curve_set *all, const cJSON *patterns,
                            struct arena *a)
{
    struct curve_set s = {.curve = ARENA_ARRAY(a, struct curve, all->n)};
    for (size_t i = 0; i < all->n; i++)
        if (matches(all->curve[i].topology, patterns))
            s.curve[s.n++] = all->curve[i];
    ends(&s);
    return s;
}

struct curve_set curve_family(const struct curve_set *all, bool pd,
                              struct arena *a)
{
    struct curve_set s = {.curve = ARENA_ARRAY(a, struct curve, all->n)};
    for (size_t i = 0; i < all->n; i++)
        if (all->curve[i].pd == pd)
            s.curve[s.n++] = all->curve[i];
    ends(&s);
    return s;
}

/* TPSG where the segment crosses x; NAN when it does not. */
static double crossing(const struct curve_point *p, const struct curve_point *q,
                       double x)
{
    double span = q->tpsu - p->tpsu;
    double share = (x - p->tpsu) / span;
    if (span == 0 || share < 0 || share > 1)
        return NAN;
    return p->tpsg + share * (q->tpsg - p->tpsg);
}

double curve_level(const struct curve_set *s, double tpsu, const char **which)
{
    double best = NAN;
    for (size_t i = 0; i < s->n; i++) {
        const struct curve *c = &s->curve[i];
        double here = NAN;
        for (size_t j = 0; j < c->n; j++) {
            if (c->point[j].tpsu >= tpsu)
                here = fmax(here, c->point[j].tpsg);
            if (j > 0)
                here = fmax(here,
                            crossing(&c->point[j - 1], &c->point[j], tpsu));
        }
        if (isnan(here) || here <= best)
            continue;
        best = here;
        if (which)
            *which = c->topology;
    }
    return best;
}

static int by_tpsu(const void *x, const void *y)
{
    const struct curve_point *a = x, *b = y;
    if (a->tpsu != b->tpsu)
        return a->tpsu > b->tpsu ? -1 : 1;
    return (a->tpsg < b->tpsg) - (a->tpsg > b->tpsg);
}

size_t curve_front(const struct curve_set *s, struct curve_point **out,
                   struct arena *a)
{
    size_t all = 0, n = 0, kept = 0;
    for (size_t i = 0; i < s->n; i++)
        all += s->curve[i].n;
    struct curve_point *p = ARENA_ARRAY(a, struct curve_point, all);
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->curve[i].n; j++)
            p[n++] = s->curve[i].point[j];
    qsort(p, n, sizeof *p, by_tpsu);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || p[i].tpsg > p[kept - 1].tpsg)
            p[kept++] = p[i];
    *out = p;
    return kept;
}

const struct curve_point *curve_at(const struct curve *c, double load)
{
    for (size_t i = 0; i < c->n; i++)
        if (fabs(c->point[i].load - load) <= SAME_LOAD * (1 + fabs(load)))
            return &c->point[i];
    return NULL;
}
