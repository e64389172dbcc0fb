/* Rows are gathered by (operator, variant), fitted with the operator's form
 * (or the one that is stated for them), judged and saved; what is only stated
 * becomes a law. */
#include "calibrate/fit/study.h"

#include "calibrate/fit/judge.h"
#include "calibrate/fit/rows.h"
#include "sim/base/arena.h"
#include "sim/base/must.h"
#include "sim/base/str.h"

#include <math.h>
#include <string.h>

enum { SOURCES = 3 /* told by name */ };

/* Rows of one (operator, variant), and what is stated of it. */
struct subject {
    const struct study_ask *ask;
    const char *op, *variant;
    int n_box;
    const struct form *form;
    struct fit_point *p;
    size_t n;
    struct str source;
    const struct stated_list *stated;
    const char *coef_source[FORM_COEF];
};

static bool same(const struct subject *s, const char *op, const char *variant)
{
    return strcmp(s->op, op) == 0 && strcmp(s->variant, variant) == 0;
}

static bool choose_form(struct subject *s, const char *name, struct err *e)
{
    for (size_t i = 0; i < s->stated->n; i++)
        if (same(s, s->stated->item[i].op, s->stated->item[i].variant))
            name = s->stated->item[i].form;
    s->form = form_find(name);
    if (s->form)
        return true;
    return err_set(e, ERR_INPUT, "%s/%s: no form %s", s->op, s->variant, name);
}

/* Holds what is stated, and the count of compute units at the card's. */
static bool hold(struct subject *s, struct fit_law *law, struct err *e)
{
    int left = (int)s->stated->n;
    for (int i = 0; i < s->form->n_coef; i++) {
        s->coef_source[i] = "fit";
        if (strcmp(s->form->coef[i], "cus") != 0)
            continue;
        law->coef[i] = s->ask->gpu->cus;
        law->held[i] = true;
        s->coef_source[i] = "GPU card";
    }
    for (const struct stated *t = s->stated->item; left > 0; t++, left--) {
        if (!same(s, t->op, t->variant) || !*t->coef)
            continue;
        int i = 0;
        while (i < s->form->n_coef && strcmp(s->form->coef[i], t->coef) != 0)
            i++;
        if (i == s->form->n_coef)
            return err_set(e, ERR_INPUT, "%s/%s: form %s has no %s", s->op,
                           s->variant, s->form->name, t->coef);
        law->coef[i] = t->value;
        law->held[i] = true;
        s->coef_source[i] = t->source;
    }
    return true;
}

static void describe(const struct subject *s, const struct fit_law *law,
                     struct fit *f)
{
    *f = (struct fit){
        .gpu = s->ask->gpu->name,
        .op = s->op,
        .variant = s->variant,
        .form = s->form->name,
        .basis = s->n ? "measured" : "law",
        .source = s->n ? s->source.s : "coefficients as stated",
        .date = s->ask->date,
        .n_coef = s->form->n_coef,
        .rows = (int64_t)s->n,
        .ape_median = NAN,
        .ape_p95 = NAN,
        .ape_max = NAN,
        .bias = NAN,
        .cv_median = NAN,
        .cv_p95 = NAN,
    };
    for (int i = 0; i < f->n_coef; i++)
        f->coef[i] = (struct fit_coef){
            .name = s->form->coef[i],
            .value = law->coef[i],
            .se = law->held[i] ? NAN : law->se[i],
            .source = law->bound[i] ? "fit, on its bound" : s->coef_source[i],
        };
    f->n_box = s->n ? s->n_box : 0;
    for (int i = 0; i < f->n_box; i++) {
        struct fit_box *b = &f->box[i];
        *b = (struct fit_box){s->form->feature[i], INFINITY, -INFINITY};
        for (size_t k = 0; k < s->n; k++) {
            b->min = fmin(b->min, s->p[k].x[i]);
            b->max = fmax(b->max, s->p[k].x[i]);
        }
    }
}

static bool all_held(const struct fit_law *law)
{
    for (int i = 0; i < law->form->n_coef; i++)
        if (!law->held[i])
            return false;
    return true;
}

static bool judged(const struct subject *s, const struct fit_law *law,
                   struct fit *f, struct err *e)
{
    struct judge unseen, own = judge_rows(law, s->p, s->n);
    if (!judge_unseen(law, s->p, s->n, &unseen, e))
        return false;
    f->ape_median = own.median;
    f->ape_p95 = own.p95;
    f->ape_max = own.max;
    f->bias = own.bias;
    f->cv_median = unseen.median;
    f->cv_p95 = unseen.p95;
    return true;
}

static bool study(struct subject *s, const char *form, struct db *d,
                  struct err *e)
{
    struct fit f;
    if (!choose_form(s, form, e))
        return false;
    struct fit_law law = fit_guess(s->form);
    if (!hold(s, &law, e))
        return false;
    if (s->n == 0 && !all_held(&law))
        return err_set(e, ERR_INPUT,
                       "%s/%s: no rows, and not every "
                       "coefficient of form %s is stated",
                       s->op, s->variant, s->form->name);
    bool ok = s->n == 0 || fit_run(&law, s->p, s->n, e);
    if (ok)
        describe(s, &law, &f);
    ok = ok && (s->n == 0 || judged(s, &law, &f, e)) && costs_save(d, &f, e);
    if (ok && s->ask->told)
        s->ask->told(s->ask->to, &f);
    return ok || err_in(e, "%s/%s", s->op, s->variant);
}

static void add_source(struct subject *s, const char *source, int *told)
{
    if (s->source.s && strstr(s->source.s, source))
        return;
    if (++*told <= SOURCES)
        str_fmt(&s->source, "%s%s", s->source.s ? "; " : "", source);
    else if (*told == SOURCES + 1)
        str_add(&s->source, "; and others");
}

/* Collects the rows like row i and marks them done. */
static void gather(const struct rows *r, size_t i, bool *done,
                   struct subject *s)
{
    int told = 0;
    s->n = 0;
    for (size_t k = i; k < r->n; k++) {
        const struct row *row = &r->row[k];
        if (done[k] || row->call.kind != r->row[i].call.kind
            || strcmp(op_variant(&row->call), s->variant) != 0)
            continue;
        struct fit_point *p = &s->p[s->n++];
        op_features(&row->call, p->x);
        p->time_s = row->time_s;
        p->group = row->group;
        add_source(s, row->source, &told);
        done[k] = true;
    }
}

static bool study_rows(const struct study_ask *ask, const struct rows *r,
                       const struct stated_list *l, struct db *d, struct err *e)
{
    struct arena *a = arena_open();
    bool *done = ARENA_ARRAY(a, bool, r->n);
    struct fit_point *p = ARENA_ARRAY(a, struct fit_point, r->n);
    bool ok = true;
    for (size_t i = 0; ok && i < r->n; i++) {
        if (done[i])
            continue;
        const struct op_call *c = &r->row[i].call;
        struct subject s = {
            .ask = ask,
            .op = op_name(c->kind),
            .variant = op_variant(c),
            .n_box = op_of(c->kind)->n_box,
            .p = p,
            .stated = l,
        };
        gather(r, i, done, &s);
        ok = study(&s, op_of(c->kind)->form, d, e);
        str_free(&s.source);
    }
    arena_close(a);
    return ok;
}

static bool has_rows(const struct rows *r, const struct stated *t)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct op_call *c = &r->row[i].call;
        if (strcmp(op_name(c->kind), t->op) == 0
            && strcmp(op_variant(c), t->variant) == 0)
            return true;
    }
    return false;
}

static bool study_laws(const struct study_ask *ask, const struct rows *r,
                       const struct stated_list *l, struct db *d, struct err *e)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct stated *t = &l->item[i];
        struct subject s = {
            .ask = ask,
            .op = t->op,
            .variant = t->variant,
            .stated = l,
        };
        bool first = i == 0 || !same(&s, t[-1].op, t[-1].variant);
        if (first && !has_rows(r, t) && !study(&s, t->form, d, e))
            return false;
    }
    return true;
}

bool study_all(const struct study_ask *ask, struct db *d, struct err *e)
{
    struct arena *a = arena_open();
    struct rows r;
    struct stated_list l;
    bool ok = rows_load(ask->dir, a, &r, e) && rows_stated(ask->dir, a, &l, e);
    if (ok && r.n == 0 && l.n == 0)
        ok = err_set(e, ERR_INPUT, "%s: no tables", ask->dir);
    ok = ok && study_rows(ask, &r, &l, d, e) && study_laws(ask, &r, &l, d, e);
    arena_close(a);
    return ok;
}
