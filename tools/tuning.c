#include "tools/tuning.h"

#include "calibrate/fit/tune.h"
#include "sim/base/csv.h"
#include "sim/base/file.h"
#include "sim/base/must.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tuning {
    const struct tuning_ask *ask;
    struct arena *a;
    struct objective *o;
    const struct objective_item *item;
    size_t n;
    double all[TUNED_N]; /* what is not fitted */
    struct tune_par par[TUNED_N];
    int which[TUNED_N];
    size_t n_par;
    const char **group; /* distinct */
    size_t n_group;
    double *cv; /* residuals out of sample */
};

static void spread(const struct tuning *t, const double *x, double *v)
{
    memcpy(v, t->all, sizeof t->all);
    for (size_t j = 0; j < t->n_par; j++)
        v[t->which[j]] = x[j];
}

static bool model(void *of, size_t n_vec, const double *x, double *r,
                  struct err *e)
{
    struct tuning *t = of;
    double *v = malloc(n_vec * TUNED_N * sizeof *v);
    must(v);
    for (size_t i = 0; i < n_vec; i++)
        spread(t, &x[i * t->n_par], &v[i * TUNED_N]);
    bool ok = objective_eval(t->o, n_vec, v, NULL, r, e);
    free(v);
    return ok;
}

static void told(void *to, int round, double cost)
{
    const struct tuning *t = to;
    if (!t->ask->quiet)
        fprintf(stderr, "fit: round %d, cost %.1f\n", round + 1, cost);
}

/* ---- parameters ---------------------------------------------------------- */

static bool held(const struct tuning *t, int p, double *v)
{
    const char *name = tuned_info((enum tuned_param)p)->name;
    size_t n = strlen(name);
    for (const char *const *h = t->ask->hold; h && *h; h++)
        if (strncmp(*h, name, n) == 0 && (*h)[n] == '=') {
            *v = atof(*h + n + 1);
            return true;
        }
    return false;
}

/* The store's last value, else the prior's. */
static double start_of(const struct tuning *t, enum tuned_param p)
{
    const struct tuned_info *i = tuned_info(p);
    struct tuned was = tuned_of(&objective_row(t->o, 0)->s->costs);
    double v = was.fit && !was.donor && was.v[p] != i->neutral ? was.v[p]
                                                               : i->prior;
    return fmin(fmax(v, i->lo), i->hi);
}

/* A parameter no residual moves with is left neutral. */
static bool choose(struct tuning *t, struct err *e)
{
    double *v = ARENA_ARRAY(t->a, double, (TUNED_N + 1) * TUNED_N);
    double *r = ARENA_ARRAY(t->a, double, (TUNED_N + 1) * t->n);
    for (int p = 0; p < TUNED_N; p++) {
        t->all[p] = start_of(t, (enum tuned_param)p);
        held(t, p, &t->all[p]);
    }
    for (int k = 0; k <= TUNED_N; k++) {
        memcpy(&v[k * TUNED_N], t->all, sizeof t->all);
        if (k < TUNED_N) {
            const struct tuned_info *i = tuned_info((enum tuned_param)k);
            v[k * TUNED_N + k] += i->relative ? -0.1 * t->all[k] : i->sigma;
        }
    }
    if (!objective_eval(t->o, TUNED_N + 1, v, NULL, r, e))
        return false;
    for (int p = 0; p < TUNED_N; p++) {
        const struct tuned_info *i = tuned_info((enum tuned_param)p);
        double most = 0, at;
        for (size_t k = 0; k < t->n; k++)
            most = fmax(most,
                        fabs(r[(size_t)p * t->n + k] - r[TUNED_N * t->n + k]));
        if (held(t, p, &at))
            continue;
        if (most < 1e-3) {
            t->all[p] = i->neutral;
            continue;
        }
        t->which[t->n_par] = p;
        t->par[t->n_par++] = (struct tune_par){.name = i->name,
                                               .prior = i->prior,
                                               .sigma = i->sigma,
                                               .lo = i->lo,
                                               .hi = i->hi,
                                               .relative = i->relative,
                                               .value = t->all[p]};
    }
    return true;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- tables -------------------------------------------------------------- */

struct sum {
    double n, abs, bias, worst;
    const char *run;
};

static void add(struct sum *s, const struct objective_item *it, double r)
{
    double err = 100 * (exp(r * it->sigma) - 1);
    s->n += 1;
    s->abs += fabs(err);
    s->bias += err;
    if (fabs(err) > s->worst) {
        s->worst = fabs(err);
        s->run = it->run_id;
    }
}

static const char *kind_of(const struct objective_item *it, char *room,
                           size_t n)
{
    if (it->metric_at >= 0)
        snprintf(room, n, "%s", it->metric);
    else
        snprintf(room, n, "%.*s", (int)strcspn(it->metric + 5, " ") + 5,
                 it->metric);
    return room;
}

/* By model and metric: prior, posterior, unseen. */
static void print_errors(const struct tuning *t, const double *before,
                         const double *after)
{
    bool *done = ARENA_ARRAY(t->a, bool, t->n);
    printf("\n%-34s %-21s %4s %8s %8s %7s %7s %7s  %s\n", "model", "metric",
           "n", "laws%", "tuned%", "bias%", "unseen%", "worst%", "worst run");
    for (size_t i = 0; i < t->n; i++) {
        if (done[i])
            continue;
        char k1[64], k2[64];
        struct sum a = {0}, b = {0}, c = {0};
        const char *model = objective_row(t->o, t->item[i].row)->model;
        kind_of(&t->item[i], k1, sizeof k1);
        for (size_t j = i; j < t->n; j++) {
            const struct objective_item *it = &t->item[j];
            if (strcmp(kind_of(it, k2, sizeof k2), k1) != 0
                || strcmp(objective_row(t->o, it->row)->model, model) != 0)
                continue;
            done[j] = true;
            add(&a, it, before[j]);
            add(&b, it, after[j]);
            if (t->cv)
                add(&c, it, t->cv[j]);
        }
        printf("%-34s %-21s %4.0f %8.1f %8.1f %7.1f ", model, k1, b.n,
               a.abs / a.n, b.abs / b.n, b.bias / b.n);
        if (t->cv)
            printf("%7.1f %7.1f  %s\n", c.abs / c.n, c.worst, c.run);
        else
            printf("%7s %7.1f  %s\n", "-", b.worst, b.run);
    }
}

static void print_params(const struct tuning *t)
{
    printf("%-18s %10s %8s %10s %8s  %s\n", "parameter", "prior", "+-",
           "posterior", "+-", "");
    for (size_t j = 0; j < t->n_par; j++) {
        const struct tune_par *p = &t->par[j];
        double s = p->relative ? p->prior * p->sigma : p->sigma;
        double se = p->relative ? p->value * p->se : p->se;
        printf("%-18s %10.4g %8.2g %10.4g ", p->name, p->prior, s, p->value);
        if (p->bound)
            printf("%8s  on its bound\n", "-");
        else
            printf("%8.2g\n", se);
    }
}

/* Share of unseen residuals inside the 80 % interval that the parameters'
 * covariance and the residuals' own spread give. */
#define NORMAL_80 1.2816
#define NORMAL_MAD 1.4826

static double doubt(const struct tune *s, size_t i)
{
    const double *row = &s->jac[i * s->n_par];
    double sum = 0;
    for (size_t j = 0; j < s->n_par; j++)
        for (size_t l = 0; l < s->n_par; l++)
            sum += row[j] * s->cov[j * s->n_par + l] * row[l];
    return sum;
}

static void print_cover(const struct tuning *t, const struct tune *s,
                        const char *metric)
{
    double *r = ARENA_ARRAY(t->a, double, t->n);
    size_t n = 0, in = 0;
    double sigma = 1;
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->item[i].metric, metric) == 0) {
            r[n++] = fabs(t->cv[i]);
            sigma = t->item[i].sigma;
        }
    if (!n)
        return;
    qsort(r, n, sizeof *r, by_size);
    double own = NORMAL_MAD * r[n / 2];
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->item[i].metric, metric) == 0)
            in += fabs(t->cv[i]) <= NORMAL_80 * sqrt(own * own + doubt(s, i));
    printf("80 %% interval of %-21s +- %.1f %% and more, holds %.0f %% of %zu "
           "unseen\n",
           metric, 100 * NORMAL_80 * own * sigma, 100 * (double)in / (double)n,
           n);
}

static bool write_out(const struct tuning *t, const double *before,
                      const double *after, struct err *e)
{
    struct file_out out;
    if (!t->ask->out)
        return true;
    if (!file_out_open(&out, t->ask->out, e))
        return false;
    fprintf(out.f, "run_id,group,metric,concurrency,weight,measured,laws_pct,"
                   "tuned_pct,unseen_pct\n");
    for (size_t i = 0; i < t->n; i++) {
        const struct objective_item *it = &t->item[i];
        csv_put(out.f, it->run_id);
        fputc(',', out.f);
        csv_put(out.f, it->group);
        fprintf(out.f, ",%s,%.0f,%.2f,%.6g,%.2f,%.2f,", it->metric,
                objective_row(t->o, it->row)->concurrency, it->weight,
                it->measured, 100 * (exp(before[i] * it->sigma) - 1),
                100 * (exp(after[i] * it->sigma) - 1));
        if (t->cv)
            fprintf(out.f, "%.2f", 100 * (exp(t->cv[i] * it->sigma) - 1));
        fputc('\n', out.f);
    }
    bool ok = file_out_done(&out, e);
    file_out_drop(&out);
    return ok;
}

/* Prior, posterior and the posterior's covariance (of logarithms where
 * relative), one parameter a line. */
static bool write_params(const struct tuning *t, const struct tune *s,
                         struct err *e)
{
    struct file_out out;
    if (!t->ask->params)
        return true;
    if (!file_out_open(&out, t->ask->params, e))
        return false;
    fprintf(out.f, "parameter,relative,prior,prior_sigma,value,se,bound");
    for (size_t j = 0; j < t->n_par; j++)
        fprintf(out.f, ",cov_%s", t->par[j].name);
    fputc('\n', out.f);
    for (size_t j = 0; j < t->n_par; j++) {
        const struct tune_par *p = &t->par[j];
        fprintf(out.f, "%s,%d,%g,%g,%.6g,", p->name, p->relative, p->prior,
                p->sigma, p->value);
        if (!p->bound)
            fprintf(out.f, "%.4g", p->se);
        fprintf(out.f, ",%d", p->bound);
        for (size_t l = 0; l < t->n_par; l++)
            fprintf(out.f, ",%.4g", s->cov[j * t->n_par + l]);
        fputc('\n', out.f);
    }
    bool ok = file_out_done(&out, e);
    file_out_drop(&out);
    return ok;
}

/* ---- unseen groups ------------------------------------------------------- */

static void groups(struct tuning *t)
{
    t->group = ARENA_ARRAY(t->a, const char *, t->n);
    for (size_t i = 0; i < t->n; i++) {
        size_t g = 0;
        while (g < t->n_group && strcmp(t->group[g], t->item[i].group) != 0)
            g++;
        if (g == t->n_group)
            t->group[t->n_group++] = t->item[i].group;
    }
}

static bool unseen(struct tuning *t, const struct tune_ask *k,
                   const struct tune *s, struct err *e)
{
    groups(t);
    size_t n = t->n_group;
    double *v = ARENA_ARRAY(t->a, double, n *TUNED_N);
    double *r = ARENA_ARRAY(t->a, double, n * t->n);
    double *x = ARENA_ARRAY(t->a, double, t->n_par);
    bool *out = ARENA_ARRAY(t->a, bool, t->n);
    for (size_t g = 0; g < n; g++) {
        for (size_t i = 0; i < t->n; i++)
            out[i] = strcmp(t->item[i].group, t->group[g]) == 0;
        if (!tune_without(k, s, out, x, e))
            return false;
        spread(t, x, &v[g * TUNED_N]);
    }
    if (!objective_eval(t->o, n, v, t->group, r, e))
        return false;
    t->cv = ARENA_ARRAY(t->a, double, t->n);
    for (size_t i = 0; i < t->n; i++)
        for (size_t g = 0; g < n; g++)
            if (strcmp(t->item[i].group, t->group[g]) == 0)
                t->cv[i] = r[g * t->n + i];
    return true;
}

/* ---- the fit ------------------------------------------------------------- */

static void judge(const struct tuning *t, const double *r, double *median,
                  double *p95, double *max, double *bias)
{
    double *err = ARENA_ARRAY(t->a, double, t->n), sum = 0;
    for (size_t i = 0; i < t->n; i++) {
        double one = 100 * (exp(r[i] * t->item[i].sigma) - 1);
        sum += one;
        err[i] = fabs(one);
    }
    qsort(err, t->n, sizeof *err, by_size);
    *median = err[t->n / 2];
    *p95 = err[(size_t)(0.95 * (double)(t->n - 1))];
    *max = err[t->n - 1];
    *bias = sum / (double)t->n;
}

static void to_fit(const struct tuning *t, const double *after, struct fit *f)
{
    double none;
    *f = (struct fit){.gpu = t->ask->data.gpu,
                      .op = "engine",
                      .variant = "all",
                      .form = "engine",
                      .basis = "measured",
                      .source = "whole runs (results/README.md)",
                      .date = t->ask->date,
                      .rows = (int64_t)t->n,
                      .cv_median = NAN,
                      .cv_p95 = NAN};
    judge(t, after, &f->ape_median, &f->ape_p95, &f->ape_max, &f->bias);
    if (t->cv)
        judge(t, t->cv, &f->cv_median, &f->cv_p95, &none, &none);
    must((int)TUNED_N <= (int)COSTS_COEF);
    f->n_coef = TUNED_N;
    for (int p = 0; p < TUNED_N; p++) {
        const struct tuned_info *i = tuned_info((enum tuned_param)p);
        f->coef[p] = (struct fit_coef){.name = i->name,
                                       .value = t->all[p],
                                       .se = NAN,
                                       .source = "no run tells"};
    }
    for (size_t j = 0; j < t->n_par; j++) {
        const struct tune_par *p = &t->par[j];
        struct fit_coef *c = &f->coef[t->which[j]];
        c->value = p->value;
        c->se = p->bound ? NAN : p->relative ? p->value * p->se : p->se;
        c->source = arena_fmt(t->a, "fit; prior %g +- %g%s", p->prior,
                              p->relative ? p->prior * p->sigma : p->sigma,
                              p->bound ? "; on its bound" : "");
    }
}

static bool work(struct tuning *t, struct fit *f, struct err *e)
{
    struct tune s;
    double *weight = ARENA_ARRAY(t->a, double, t->n);
    double *before = ARENA_ARRAY(t->a, double, t->n);
    double neutral[TUNED_N];
    for (size_t i = 0; i < t->n; i++)
        weight[i] = t->item[i].weight;
    memcpy(neutral, tuned_neutral().v, sizeof neutral);
    if (!objective_eval(t->o, 1, neutral, NULL, before, e) || !choose(t, e))
        return false;
    struct tune_ask k = {.par = t->par,
                         .n_par = t->n_par,
                         .n_res = t->n,
                         .weight = weight,
                         .model = model,
                         .of = t,
                         .told = told,
                         .to = t};
    if (!tune_run(&k, t->a, &s, e)
        || (t->ask->cross_validate && !unseen(t, &k, &s, e)))
        return false;
    to_fit(t, s.res, f);
    if (!t->ask->quiet) {
        print_params(t);
        print_errors(t, before, s.res);
        for (int m = 0; t->cv && m < 3; m++)
            print_cover(t, &s,
                        m == 0   ? "tpot_ms_median"
                        : m == 1 ? "output_tok_s_per_gpu"
                                 : "ttft_ms_mean");
    }
    return write_params(t, &s, e) && write_out(t, before, s.res, e);
}

bool tuning_run(const struct tuning_ask *ask, struct arena *a, struct fit *fit,
                struct err *e)
{
    struct tuning *t = ARENA_NEW(a, struct tuning);
    t->ask = ask;
    t->a = a;
    if (!objective_new(&ask->data, a, &t->o, e))
        return false;
    t->n = objective_items(t->o, &t->item);
    return work(t, fit, e);
}
