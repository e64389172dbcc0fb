/* A fit's time is its form over the call's features.  A donor's fit is scaled
 * term by term: a coefficient that ends in _Bps moves with HBM or the scale-up
 * fabric, one that ends in _flops with the dense peak of the call's number
 * format, the count of compute units is the GPU's own, and what is left
 * (floors, exponents) stays. */
#include "sim/cost/op.h"

#include "sim/base/must.h"
#include "sim/cost/form.h"
#include "sim/cost/tuned.h"

#include <math.h>
#include <string.h>

static const struct {
    double head_dim;
    const char *name[2][2]; /* by cache element (16, 8 bit) and window */
} heads[] = {
    {64, {{"d64-bf16", "d64-bf16-window"}, {"d64-fp8", "d64-fp8-window"}}},
    {96, {{"d96-bf16", "d96-bf16-window"}, {"d96-fp8", "d96-fp8-window"}}},
    {128, {{"d128-bf16", "d128-bf16-window"}, {"d128-fp8", "d128-fp8-window"}}},
    {192, {{"d192-bf16", "d192-bf16-window"}, {"d192-fp8", "d192-fp8-window"}}},
    {256, {{"d256-bf16", "d256-bf16-window"}, {"d256-fp8", "d256-fp8-window"}}},
};

const char *op_heads(const struct op_call *c)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (heads[i].head_dim == c->head_dim)
            return heads[i].name[c->kv != DT_BF16][c->window];
    return "other head size";
}

static const struct {
    int gpus;
    const char *name[COMM_N];
} ranks[] = {
    {2, {"custom-tp2", "qr_int4-tp2", "rccl-tp2"}},
    {4, {"custom-tp4", "qr_int4-tp4", "rccl-tp4"}},
    {8, {"custom-tp8", "qr_int4-tp8", "rccl-tp8"}},
};

const char *op_ranks(enum comm_algo algo, int gpus)
{
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        if (ranks[i].gpus == gpus && algo < COMM_N)
            return ranks[i].name[algo];
    return "other number of GPUs";
}

void op_link(const struct op_call *c, double *x)
{
    x[0] = c->bytes;
    x[1] = c->gpus;
}

extern const struct op op_gemm, op_quant, op_norm, op_attn_prefill,
    op_attn_decode, op_moe, op_allreduce, op_allgather, op_sample, op_host;

static const struct op *const ops[OP_N] = {
    [OP_GEMM] = &op_gemm,
    [OP_QUANT] = &op_quant,
    [OP_NORM] = &op_norm,
    [OP_ATTN_PREFILL] = &op_attn_prefill,
    [OP_ATTN_DECODE] = &op_attn_decode,
    [OP_MOE] = &op_moe,
    [OP_ALLREDUCE] = &op_allreduce,
    [OP_ALLGATHER] = &op_allgather,
    [OP_SAMPLE] = &op_sample,
    [OP_HOST] = &op_host,
};

#define BOX_SLACK 1e-9 /* relative; features are computed, not typed */

const struct op *op_of(enum op_kind k)
{
    must(k < OP_N);
    return ops[k];
}

const char *op_name(enum op_kind k)
{
    return op_of(k)->name;
}

const char *op_variant(const struct op_call *c)
{
    return op_of(c->kind)->variant(c);
}

int op_features(const struct op_call *c, double *x)
{
    const struct op *o = op_of(c->kind);
    int n = 0;
    while (o->feature[n])
        n++;
    o->features(c, x);
    return n;
}

static bool ends(const char *s, const char *tail)
{
    size_t n = strlen(s), t = strlen(tail);
    return n >= t && strcmp(s + n - t, tail) == 0;
}

static double flops_of(const struct gpu_card *g, enum dtype d)
{
    bool fp8 = d == DT_FP8 || d == DT_FP8_BLOCK;
    return fp8 ? g->fp8_flops : g->bf16_flops;
}

static double bytes_of(const struct gpu_card *g, enum op_resource r)
{
    switch (r) {
    case OP_BY_HBM:
        return g->hbm_Bps;
    case OP_BY_FABRIC:
        return g->fabric_Bps;
    case OP_BY_CPU:
        break;
    }
    return 1; /* a host's rates do not follow the GPU */
}

static double scaled(const struct op_costs *t, const struct op_call *c,
                     const struct fit_coef *k)
{
    const struct gpu_card *own = t->gpu, *from = t->donor_gpu;
    enum op_resource r = op_of(c->kind)->resource;
    if (ends(k->name, "_Bps"))
        return k->value * bytes_of(own, r) / bytes_of(from, r);
    if (ends(k->name, "_flops"))
        return k->value * flops_of(own, c->dtype) / flops_of(from, c->dtype);
    if (strcmp(k->name, "cus") == 0)
        return own->cus;
    return k->value;
}

static bool outside(const struct fit *f, const struct op *o, const double *x)
{
    for (int b = 0; b < f->n_box; b++) {
        const struct fit_box *box = &f->box[b];
        int i = 0;
        while (o->feature[i] && strcmp(o->feature[i], box->feature) != 0)
            i++;
        if (!o->feature[i])
            continue;
        double slack = BOX_SLACK * fabs(box->max);
        if (x[i] < box->min - slack || x[i] > box->max + slack)
            return true;
    }
    return false;
}

/* Coefficients in the form's order, by name. */
static bool coefs(const struct op_costs *t, const struct op_call *c,
                  const struct op_basis *b, double *coef, struct err *e)
{
    const struct fit *f = b->fit;
    const struct form *form = form_find(f->form);
    for (int i = 0; i < form->n_coef; i++) {
        int j = 0;
        while (j < f->n_coef && strcmp(f->coef[j].name, form->coef[i]) != 0)
            j++;
        if (j == f->n_coef)
            return err_set(e, ERR_INPUT, "fit %s/%s of %s lacks %s", f->op,
                           f->variant, f->gpu, form->coef[i]);
        const struct fit_coef *k = &f->coef[j];
        coef[i] = b->uncalibrated ? scaled(t, c, k) : k->value;
    }
    return true;
}

static bool fits_form(const struct fit *f, const struct op *o, struct err *e)
{
    const struct form *form = form_find(f->form);
    if (!form)
        return err_set(e, ERR_INPUT, "fit %s/%s of %s: no form %s", f->op,
                       f->variant, f->gpu, f->form);
    for (int i = 0; i < form->n_feature; i++)
        if (!o->feature[i] || strcmp(o->feature[i], form->feature[i]) != 0)
            return err_set(e, ERR_INPUT,
                           "fit %s/%s of %s: form %s is not for this "
                           "operator",
                           f->op, f->variant, f->gpu, f->form);
    return true;
}

bool op_time(const struct op_costs *t, const struct op_call *c, double *seconds,
             struct op_basis *basis, struct err *e)
{
    const struct op *o = op_of(c->kind);
    const char *variant = o->variant(c);
    struct op_basis b = {.fit = costs_find(t->own, o->name, variant)};
    if (!b.fit && t->donor && t->donor_gpu) {
        b.fit = costs_find(t->donor, o->name, variant);
        b.uncalibrated = true;
    }
    if (!b.fit)
        return err_set(e, ERR_ABSENT, "no fit for %s/%s on %s", o->name,
                       variant, t->gpu->name);
    double x[OP_FEATURE] = {0}, coef[FORM_COEF];
    struct op_call call = *c;
    if (t->tuned && call.kind == OP_MOE)
        call.active = tuned_active(t->tuned, c);
    op_features(&call, x);
    if (!fits_form(b.fit, o, e) || !coefs(t, c, &b, coef, e))
        return false;
    b.law = strcmp(b.fit->basis, "law") == 0;
    b.extrapolated = outside(b.fit, o, x);
    const struct form *form = form_find(b.fit->form);
    if (t->tuned)
        tuned_coefs(t->tuned, c, form->coef, form->n_coef, coef);
    *seconds = form->value(coef, x);
    if (t->tuned)
        *seconds = tuned_time(t->tuned, c, *seconds);
    *basis = b;
    return true;
}
