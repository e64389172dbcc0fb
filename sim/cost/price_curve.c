#include "sim/cost/price_curve.h"

#include <math.h>

#include "sim/base/must.h"

#define PS_PER_S 1e12

int64_t price_curve_ps(double seconds)
{
    must(seconds >= 0 && seconds < 1e6);
    return (int64_t)(seconds * PS_PER_S + 0.5);
}

struct knot {
    int32_t x;
    double v[PRICE_CURVE_PARTS];
};

struct build {
    const struct price_curve_ask *ask;
    struct arena *a;
    struct err *e;
    struct knot *knot;
    size_t n, cap;
};

static bool eval(struct build *b, int32_t x, struct knot *k)
{
    k->x = x;
    return b->ask->point(b->ask->of, x, k->v, b->e);
}

static void keep(struct build *b, const struct knot *k)
{
    ARENA_ROOM(b->a, b->knot, b->n, b->cap);
    b->knot[b->n++] = *k;
}

/* How far the line from l to r misses m, relative to m. */
static double miss(const struct build *b, const struct knot *l,
                   const struct knot *m, const struct knot *r)
{
    double f = (double)(m->x - l->x) / (double)(r->x - l->x);
    double line = 0, sum = 0;
    for (int i = 0; i < b->ask->k; i++) {
        line += l->v[i] + f * (r->v[i] - l->v[i]);
        sum += m->v[i];
    }
    return sum > 0 ? fabs(line - sum) / sum : 0;
}

/* Keeps the knots strictly between l and r, in order. */
static bool fill(struct build *b, const struct knot *l, const struct knot *r)
{
    if (r->x - l->x < 2)
        return true;
    struct knot m;
    if (!eval(b, l->x + (r->x - l->x) / 2, &m))
        return false;
    /* A line over more than an octave can hide a bump. */
    bool rough = r->x > 2 * l->x || miss(b, l, &m, r) > PRICE_CURVE_TOL;
    if (rough && !fill(b, l, &m))
        return false;
    keep(b, &m);
    return !rough || fill(b, &m, r);
}

bool price_curve_new(struct price_curve *c, const struct price_curve_ask *ask,
                     struct arena *a, struct err *e)
{
    must(ask->lo <= ask->hi && ask->k <= PRICE_CURVE_PARTS);
    struct build b = {.ask = ask, .a = a, .e = e};
    struct knot l, r;
    if (!eval(&b, ask->lo, &l) || !eval(&b, ask->hi, &r))
        return false;
    keep(&b, &l);
    if (ask->hi > ask->lo) {
        if (!fill(&b, &l, &r))
            return false;
        keep(&b, &r);
    }
    size_t k = (size_t)ask->k;
    *c = (struct price_curve){.k = ask->k,
                              .n = (int)b.n,
                              .x = ARENA_ARRAY(a, int32_t, b.n),
                              .v = ARENA_ARRAY(a, int64_t, b.n * k)};
    for (size_t i = 0; i < b.n; i++) {
        c->x[i] = b.knot[i].x;
        for (size_t j = 0; j < k; j++)
            c->v[i * k + j] = price_curve_ps(b.knot[i].v[j]);
    }
    return true;
}

void price_curve_at(const struct price_curve *c, int32_t x, int64_t *v)
{
    must(x >= c->x[0] && x <= c->x[c->n - 1]);
    int lo = 0, hi = c->n - 1;
    while (hi - lo > 1) {
        int mid = (lo + hi) / 2;
        if (c->x[mid] <= x)
            lo = mid;
        else
            hi = mid;
    }
    const int64_t *l = &c->v[lo * c->k], *r = &c->v[hi * c->k];
    if (hi == lo || x == c->x[lo]) {
        for (int i = 0; i < c->k; i++)
            v[i] = l[i];
        return;
    }
    double f = (double)(x - c->x[lo]) / (double)(c->x[hi] - c->x[lo]);
    for (int i = 0; i < c->k; i++)
        v[i] = l[i] + (int64_t)(f * (double)(r[i] - l[i]));
}
