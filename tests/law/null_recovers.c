/* Law: what is measured on a device that obeys a known law gives that law back.
 * The whole way is walked: grids, checks, graphs, the choice of points, tables
 * on disk, the reader of tables, the fit.  The device's law is a form's own
 * equation with coefficients moved away from the form's first guess; each
 * fitted coefficient is to lie within FAR of its own standard errors (and what
 * the fit cannot tell, it may not claim to know: its error is wide).  It pins
 * that nothing between a kernel's clock and a coefficient has another idea of a
 * size, a unit or a column. */
#include "calibrate/fit/fit.h"
#include "calibrate/fit/rows.h"
#include "tests/unit/calibrate/null.h"

#define FAR 4.5
#define FLOOR 2e-3 /* relative; below it a standard error is not believed */
/* A campaign ends after so many rows, not after a time: a slow machine and a
 * sanitizer must see the same points. */
enum { ROWS = 220 };
#define SECONDS 1e9
enum { POINTS = 4096 };

/* Moves a guess by some tens of per cent, within the form's bounds. */
static void truth_of(const struct form *f, double *coef)
{
    static const double by[] = {1.3, 0.8, 1.15, 0.9, 1.2};
    for (int i = 0; i < f->n_coef; i++) {
        coef[i] = f->guess[i] * by[i % 5];
        coef[i] = fmin(fmax(coef[i], f->lo[i] * 1.5), f->hi[i] / 1.5);
    }
}

static struct op_call of_attn(const struct call_attn *a, enum op_kind kind)
{
    double w = a->window, n = a->kv_len, seen = w > 0 ? fmin(w, n) : n;
    struct op_call o = {
        .kind = kind,
        .dtype = DT_BF16,
        .kv = a->kv == CALL_FP8 ? DT_FP8 : DT_BF16,
        .seqs = a->batch,
        .q_tokens = (double)a->batch * a->q_len,
        .kv_tokens = a->batch * n,
        .pairs = a->batch * n * (n + 1) / 2,
        .heads = a->heads,
        .kv_heads = a->kv_heads,
        .head_dim = a->head_dim,
    };
    if (kind == OP_ATTN_DECODE)
        o.pairs = o.kv_tokens = a->batch * seen;
    return o;
}

static struct op_call op_of_call(const struct call *c)
{
    const struct call_gemm *g = &c->gemm;
    switch (c->op) {
    case CALL_GEMM:
    case CALL_SKINNY:
        return (struct op_call){
            .kind = OP_GEMM,
            .dtype = g->type == CALL_FP8 ? DT_FP8 : DT_BF16,
            .m = g->m,
            .n = g->n,
            .k = g->k,
        };
    case CALL_PREFILL:
        return of_attn(&c->attn, OP_ATTN_PREFILL);
    case CALL_DECODE:
        return of_attn(&c->attn, OP_ATTN_DECODE);
    case CALL_NORM:
        return (struct op_call){
            .kind = OP_NORM,
            .dtype = DT_BF16,
            .bytes = 8.0 * c->norm.rows * c->norm.cols,
        };
    case CALL_MOE:
    case CALL_GATHER:
    case CALL_COPY:
    case CALL_REDUCE:
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    fail_msg("no operator of the model");
    return (struct op_call){0};
}

struct known {
    const struct form *form;
    double coef[FORM_COEF];
};

/* The null device's clock. */
static double law(void *to, const struct call *c)
{
    const struct known *k = to;
    struct op_call o = op_of_call(c);
    double x[OP_FEATURE];
    op_features(&o, x);
    return k->form->value(k->coef, x);
}

static size_t points_of(const struct rows *rows, enum op_kind kind,
                        const char *variant, struct fit_point *p)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const struct op_call *c = &rows->row[i].call;
        if (c->kind != kind || strcmp(op_variant(c), variant) != 0)
            continue;
        assert_true(n < POINTS);
        op_features(c, p[n].x);
        p[n].time_s = rows->row[i].time_s;
        p[n++].group = rows->row[i].group;
    }
    return n;
}

/* A coefficient that comes from a data sheet is held, as a study holds it. */
static void hold_sheet(const struct known *k, struct fit_law *fit)
{
    for (int i = 0; i < k->form->n_coef; i++)
        if (strcmp(k->form->coef[i], "cus") == 0) {
            fit->held[i] = true;
            fit->coef[i] = k->coef[i];
        }
}

static void compare(const struct known *k, const struct fit_law *fit)
{
    int told = 0;
    for (int i = 0; i < k->form->n_coef; i++) {
        if (fit->held[i] || fit->bound[i] || isnan(fit->se[i]))
            continue;
        double off = fabs(fit->coef[i] - k->coef[i]);
        double se = fmax(fit->se[i], FLOOR * k->coef[i]);
        if (off > FAR * se)
            fail_msg("%s %s: %g, not %g; standard error %g", k->form->name,
                     k->form->coef[i], fit->coef[i], k->coef[i], fit->se[i]);
        told += fit->se[i] < 0.2 * k->coef[i];
    }
    assert_true(told >= 2); /* and something was found out */
}

struct counter {
    size_t rows;
    volatile sig_atomic_t stop;
};

static void count_row(void *to, const struct grid_table *t,
                      const struct grid_point *p, const struct table_row *r)
{
    struct counter *c = to;
    (void)t;
    (void)p;
    (void)r;
    c->stop = ++c->rows >= ROWS;
}

static void recover(const char *grid, enum op_kind kind, const char *variant,
                    const struct grid_model *model)
{
    const char *const grids[] = {grid, NULL};
    struct known k = {.form = form_find(op_of(kind)->form)};
    struct gpu_null_ask of = {
        .seed = 5, .noise = 0.01, .wrong = CALL_N, .law = law, .to = &k};
    struct err e = {ERR_NONE, ""};
    struct campaign_sum sum;
    struct rows rows;
    struct null n;
    struct counter counter = {0};
    char *dir = t_dir();
    assert_non_null(k.form);
    truth_of(k.form, k.coef);
    null_open(&n, of);
    struct campaign_ask ask = {
        .dir = dir,
        .grids = grids,
        .model = model,
        .models = 1,
        .seconds = SECONDS,
        .source = "null",
        .date = "2000-01-01",
        .stop = &counter.stop,
        .ears = {.row = count_row, .to = &counter},
    };
    if (!campaign_run(&n.t, &ask, &sum, &e) || !rows_load(dir, n.a, &rows, &e))
        fail_msg("%s", e.text);
    struct fit_point *p = ARENA_ARRAY(n.a, struct fit_point, POINTS);
    size_t points = points_of(&rows, kind, variant, p);
    struct fit_law fit = fit_guess(k.form);
    hold_sheet(&k, &fit);
    if (!fit_run(&fit, p, points, &e))
        fail_msg("%s", e.text);
    printf("%s: %zu points, %zu fitted\n", k.form->name, sum.measured, points);
    compare(&k, &fit);
    t_undir(dir);
    null_close(&n);
}

static const struct grid_model llama = {
    .name = "llama",
    .hidden = 8192,
    .heads = 64,
    .kv_heads = 8,
    .head_dim = 128,
    .inter = 28672,
    .vocab = 128256,
};

static void norm(void **state)
{
    (void)state;
    recover("norm", OP_NORM, "bf16", &llama);
}

static void gemm(void **state)
{
    (void)state;
    recover("gemm", OP_GEMM, "bf16", &llama);
}

static void prefill(void **state)
{
    (void)state;
    recover("prefill", OP_ATTN_PREFILL, "d128-bf16", &llama);
}

static void decode(void **state)
{
    (void)state;
    recover("decode", OP_ATTN_DECODE, "d128-bf16", &llama);
}

T_MAIN(cmocka_unit_test(norm), cmocka_unit_test(gemm),
       cmocka_unit_test(prefill), cmocka_unit_test(decode))
