#include "calibrate/fit/judge.h"

#include "sim/base/arena.h"
#include "sim/base/must.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS_MIN = 3 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics of a sorted list. */
static double quantile(const double *v, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    double part = at - (double)i;
    return i + 1 < n ? v[i] * (1 - part) + v[i + 1] * part : v[i];
}

static double error_of(const struct fit_law *law, const struct fit_point *p)
{
    return 100 * (law->form->value(law->coef, p->x) / p->time_s - 1);
}

/* err: signed errors; sorted by size on return. */
static struct judge summary(double *err, size_t n)
{
    struct judge j = {0};
    for (size_t i = 0; i < n; i++) {
        j.bias += err[i] / (double)n;
        err[i] = fabs(err[i]);
    }
    qsort(err, n, sizeof *err, by_value);
    j.median = quantile(err, n, 0.5);
    j.p95 = quantile(err, n, 0.95);
    j.max = err[n - 1];
    return j;
}

struct judge judge_rows(const struct fit_law *law, const struct fit_point *p,
                        size_t n)
{
    must(n > 0);
    struct arena *a = arena_open();
    double *err = ARENA_ARRAY(a, double, n);
    for (size_t i = 0; i < n; i++)
        err[i] = error_of(law, &p[i]);
    struct judge j = summary(err, n);
    arena_close(a);
    return j;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Distinct groups, sorted. */
static size_t groups_of(const struct fit_point *p, size_t n, uint32_t *id)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        id[i] = p[i].group;
    qsort(id, n, sizeof *id, by_id);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || id[i] != id[i - 1])
            id[k++] = id[i];
    return k;
}

struct split {
    const struct fit_point *p;
    size_t n;
    const uint32_t *id;
    size_t n_id, folds;
    struct fit_point *seen, *unseen;
};

static size_t fold_of(const struct split *s, uint32_t group)
{
    const uint32_t *at = bsearch(&group, s->id, s->n_id, sizeof *s->id, by_id);
    must(at);
    return (size_t)(at - s->id) % s->folds;
}

/* Appends the errors on one fold's rows. */
static bool judge_fold(const struct split *s, size_t fold,
                       const struct fit_law *law, double *err, size_t *n_err,
                       struct err *e)
{
    size_t seen = 0, unseen = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (fold_of(s, s->p[i].group) == fold)
            s->unseen[unseen++] = s->p[i];
        else
            s->seen[seen++] = s->p[i];
    }
    struct fit_law other = *law; /* begins where the whole fit ended */
    if (!fit_run(&other, s->seen, seen, e))
        return false;
    for (size_t i = 0; i < unseen; i++)
        err[(*n_err)++] = error_of(&other, &s->unseen[i]);
    return true;
}

bool judge_unseen(const struct fit_law *law, const struct fit_point *p,
                  size_t n, struct judge *j, struct err *e)
{
    struct arena *a = arena_open();
    uint32_t *id = ARENA_ARRAY(a, uint32_t, n);
    double *err = ARENA_ARRAY(a, double, n);
    struct split s = {
        .p = p,
        .n = n,
        .id = id,
        .n_id = groups_of(p, n, id),
        .seen = ARENA_ARRAY(a, struct fit_point, n),
        .unseen = ARENA_ARRAY(a, struct fit_point, n),
    };
    s.folds = s.n_id < JUDGE_FOLDS ? s.n_id : JUDGE_FOLDS;
    *j = (struct judge){NAN, NAN, NAN, NAN};
    bool ok = true;
    size_t n_err = 0;
    for (size_t f = 0; ok && s.n_id >= GROUPS_MIN && f < s.folds; f++)
        ok = judge_fold(&s, f, law, err, &n_err, e);
    if (ok && n_err > 0)
        *j = summary(err, n_err);
    arena_close(a);
    return ok;
}
