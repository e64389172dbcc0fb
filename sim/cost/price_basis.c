#include "sim/cost/price_basis.h"

#include <math.h>

#include "sim/base/must.h"
#include "sim/cost/tuned.h"

enum { SEEN = 64, REQUESTS = 32, CONTEXT = 4096 };

struct seen {
    const struct fit *fit;
    bool law, uncalibrated, extrapolated;
    double share; /* seconds of the decode step */
};

struct notes {
    const struct op_costs *costs;
    struct seen seen[SEEN];
    int n;
};

static struct seen *find(struct notes *t, const struct fit *f)
{
    for (int i = 0; i < t->n; i++)
        if (t->seen[i].fit == f)
            return &t->seen[i];
    must(t->n < SEEN);
    t->seen[t->n] = (struct seen){.fit = f};
    return &t->seen[t->n++];
}

static bool note(struct notes *t, const struct shape_ops *o, bool decode,
                 struct err *e)
{
    for (int i = 0; i < o->n; i++) {
        struct op_basis basis;
        double s;
        if (!op_time(t->costs, &o->op[i].call, &s, &basis, e))
            return false;
        struct seen *x = find(t, basis.fit);
        x->law |= basis.law;
        x->uncalibrated |= basis.uncalibrated;
        x->extrapolated |= basis.extrapolated;
        x->share += decode ? s * o->op[i].count : 0;
    }
    return true;
}

static bool note_host(struct notes *t, const struct shape_ask *s, struct err *e)
{
    struct shape_ops o = {.n = 0};
    for (int i = 0; i < HOST_N; i++)
        o.op[o.n++] = (struct shape_op){
            .count = 1,
            .call = {.kind = OP_HOST,
                     .piece = (enum host_piece)i,
                     .seqs = REQUESTS,
                     .launches = i == HOST_LAUNCH
                                   ? shape_launches(s, PRICE_EAGER, true, true)
                                   : 0}};
    return note(t, &o, false, e);
}

static const char *const *names(const struct notes *t, struct arena *a,
                                bool law)
{
    const char **all = ARENA_ARRAY(a, const char *, (size_t)t->n + 1);
    int n = 0;
    for (int i = 0; i < t->n; i++) {
        const struct seen *x = &t->seen[i];
        if (law ? x->law : x->extrapolated)
            all[n++] = arena_fmt(a, "%s/%s", x->fit->op, x->fit->variant);
    }
    return all;
}

/* Laws have no residuals and carry no weight. */
static double ape(const struct notes *t)
{
    double sum = 0, weight = 0;
    for (int i = 0; i < t->n; i++) {
        const struct seen *x = &t->seen[i];
        if (x->law || isnan(x->fit->ape_median))
            continue;
        sum += x->share * x->fit->ape_median;
        weight += x->share;
    }
    return weight > 0 ? sum / weight : NAN;
}

/* The engine parameters that are not neutral, and where they come from. */
static const char *engine(const struct tuned *t, struct arena *a)
{
    if (!t || !t->fit)
        return "none fitted: kernels alone";
    const char *s = arena_fmt(
        a, "%s %s, %lld figures of whole runs:", t->fit->gpu,
        t->donor ? "(donor)" : "", (long long)t->fit->rows);
    for (int i = 0; i < TUNED_N; i++) {
        const struct tuned_info *k = tuned_info((enum tuned_param)i);
        if (t->v[i] != k->neutral)
            s = arena_fmt(a, "%s %s %.3g", s, k->name, t->v[i]);
    }
    return s;
}

bool price_basis_note(const struct price_ask *ask, const struct shape_ask *s,
                      struct arena *a, struct price_basis *b, struct err *e)
{
    struct notes *t = ARENA_NEW(a, struct notes);
    t->costs = ask->costs;
    double seqs = fmin(REQUESTS, ask->max_num_seqs);
    double ctx = fmin(CONTEXT, ask->max_model_len);
    double win = fmin(ctx, s->llm->window);
    double chunk = fmin(ask->max_num_batched_tokens, ask->max_model_len);
    struct shape_ops dec = {.n = 0}, pre = {.n = 0};
    shape_tokens(s, seqs, PRICE_FULL, &dec);
    shape_rows(s, seqs, &dec);
    shape_decode(s, seqs, seqs * ctx, seqs * win, &dec);
    shape_tokens(s, chunk, PRICE_EAGER, &pre);
    shape_chunk(s, chunk, 0, &pre);
    if (!note(t, &dec, true, e) || !note(t, &pre, false, e)
        || !note_host(t, s, e))
        return false;
    *b = (struct price_basis){.ops = (uint32_t)t->n,
                              .engine = engine(ask->costs->tuned, a),
                              .ape_median = ape(t)};
    for (int i = 0; i < t->n; i++) {
        b->laws += t->seen[i].law;
        b->uncalibrated += t->seen[i].uncalibrated;
        b->extrapolated += t->seen[i].extrapolated;
    }
    b->extrapolated_ops = names(t, a, false);
    b->law_ops = names(t, a, true);
    return true;
}
