#include "calibrate/gpu/check.h"

#include "kernels/ref.h"
#include "sim/des/rng.h"

#include <math.h>

enum { POISON = 0xff }; /* not a number in every type here */

static bool poison(struct gpu *g, const struct ref_out *out, struct err *e)
{
    void *p = (void *)(uintptr_t)out->at;
    size_t bytes = (size_t)out->n * (size_t)ref_bytes(out->type);
    return GPU_DO(g, e, zero, p, POISON, bytes);
}

struct pieces {
    struct gpu *g;
    const struct call *c;
    const struct ref_out *out;
    int o;
    double *scratch;
    struct ref *want;
    unsigned char *got;
};

static bool judge(const struct pieces *p, uint64_t first, struct check *k,
                  struct err *e)
{
    int each = ref_bytes(p->out->type);
    for (int i = 0; i < p->out->span; i++) {
        const struct ref *r = &p->want[i];
        double v = ref_value(p->out->type, p->got + i * each, p->g->info.fnuz);
        double off = fabs(v - r->value);
        if (!(off <= r->slack) || !isfinite(v))
            return err_set(e, ERR_NO,
                           "output %d, element %llu is %g, not %g (at most %g "
                           "off)",
                           p->o,
                           (unsigned long long)first + (unsigned long long)i, v,
                           r->value, r->slack);
        if (r->slack > 0)
            k->worst = fmax(k->worst, off / r->slack);
    }
    return true;
}

static bool compare(const struct pieces *p, uint64_t piece, struct check *k,
                    struct err *e)
{
    uint64_t span = (uint64_t)p->out->span, first = piece * span;
    size_t each = (size_t)ref_bytes(p->out->type);
    const char *from = (const char *)p->out->at + first * each;
    if (!GPU_DO(p->g, e, copy_out, p->got, from, span * each))
        return false;
    ref_span(p->c, p->g->info.fnuz, p->o, first, p->scratch, p->want);
    return judge(p, first, k, e);
}

static bool output(const struct pieces *p, struct check *k, struct err *e)
{
    uint64_t n = p->out->n / (uint64_t)p->out->span;
    struct rng rng = rng_stream(k->seed, RNG_TEST, (uint32_t)p->o);
    if (k->spans == 0 || (uint64_t)k->spans >= n) {
        for (uint64_t i = 0; i < n; i++)
            if (!compare(p, i, k, e))
                return false;
        return true;
    }
    for (int i = 0; i < k->spans; i++) {
        uint64_t piece = i == 0 ? n - 1
                       : i == 1 ? 0
                                : rng_below(&rng, (uint32_t)n);
        if (!compare(p, piece, k, e))
            return false;
    }
    return true;
}

bool check_call(struct gpu *g, const struct call *c,
                const struct check_runner *runner, struct check *k,
                struct arena *a, struct err *e)
{
    struct ref_out out[REF_OUTS];
    int n = ref_outs(c, out);
    k->worst = 0;
    for (int o = 0; o < n; o++)
        if (!poison(g, &out[o], e))
            return false;
    bool ok = runner ? runner->run(runner->to, c, e) : GPU_DO(g, e, launch, c);
    if (!ok || !GPU_DO0(g, e, wait))
        return false;
    for (int o = 0; o < n; o++) {
        size_t span = (size_t)out[o].span;
        struct pieces p = {
            .g = g,
            .c = c,
            .out = &out[o],
            .o = o,
            .scratch = ARENA_ARRAY(a, double, ref_scratch(c)),
            .want = ARENA_ARRAY(a, struct ref, span),
            .got = ARENA_ARRAY(a, unsigned char, span * 4),
        };
        if (!output(&p, k, e))
            return false;
    }
    return true;
}
