/* Law: the stores that are shipped can be used.  Every fit names a form of this
 * program with all its coefficients, says where each came from, and gives a
 * positive time that does not fall when its first size grows from one edge of
 * its box to the other; what was measured is described to the errors README
 * promises.  It does not pin single coefficients. */
#include "tests/t.h"

#include "sim/cost/form.h"
#include "sim/store/costs.h"

#define MEDIAN_MAX 13.0 /* per cent; a host's three pieces apart */
#define HOST_MAX 20.0

static void check_coefs(const struct fit *f, const struct form *form, double *c)
{
    EQ(f->n_coef, form->n_coef);
    for (int i = 0; i < form->n_coef; i++) {
        STR_EQ(f->coef[i].name, form->coef[i]);
        EQ(f->coef[i].source[0] != 0, true);
        EQ(isfinite(f->coef[i].value) != 0, true);
        c[i] = f->coef[i].value;
    }
}

/* Both corners of the box, flags and formats at plain values. */
static void check_times(const struct fit *f, const struct form *form,
                        const double *c)
{
    double lo[FORM_FEATURE], hi[FORM_FEATURE];
    for (int i = 0; i < form->n_feature; i++) {
        lo[i] = hi[i] = 1;
        for (int b = 0; b < f->n_box; b++)
            if (strcmp(f->box[b].feature, form->feature[i]) == 0) {
                lo[i] = f->box[b].min;
                hi[i] = f->box[b].max;
            }
    }
    double small = form->value(c, lo), large = form->value(c, hi);
    EQ(isfinite(small) && small >= 0, true);
    EQ(isfinite(large) && large >= small, true);
}

static void check_fit(const struct fit *f)
{
    double c[FORM_COEF];
    const struct form *form = form_find(f->form);
    if (!form)
        print_error("%s/%s of %s: no form %s\n", f->op, f->variant, f->gpu,
                    f->form);
    EQ(form != NULL, true);
    check_coefs(f, form, c);
    check_times(f, form, c);
    bool law = strcmp(f->basis, "law") == 0;
    EQ(law, f->rows == 0);
    if (law)
        return;
    double most = strcmp(f->op, "host") == 0 ? HOST_MAX : MEDIAN_MAX;
    if (!(f->ape_median <= most))
        print_error("%s/%s of %s: %g per cent\n", f->op, f->variant, f->gpu,
                    f->ape_median);
    EQ(f->ape_median <= most, true);
    EQ(f->source[0] != 0, true);
}

static void check_store(const char *gpu, size_t least)
{
    struct err e = {ERR_NONE, ""};
    struct arena *a = arena_open();
    struct db d;
    struct costs c;
    OK(db_open(&d, ":memory:", &e), e);
    OK(costs_import(&d, arena_fmt(a, "results/%s", gpu), &e), e);
    OK(costs_load(&d, gpu, a, &c, &e), e);
    EQ(c.n >= least, true);
    for (size_t i = 0; i < c.n; i++)
        check_fit(&c.fit[i]);
    db_close(&d);
    arena_close(a);
}

static void mi300x(void **state)
{
    (void)state;
    check_store("mi300x", 40);
}

static void h200_sxm(void **state)
{
    (void)state;
    check_store("h200_sxm", 35);
}

static void h100_sxm(void **state)
{
    (void)state;
    check_store("h100_sxm", 35);
}

T_MAIN(cmocka_unit_test(mi300x), cmocka_unit_test(h200_sxm),
       cmocka_unit_test(h100_sxm))
