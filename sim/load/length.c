#include "sim/load/length.h"

#include "sim/base/must.h"
#include "sim/load/kind.h"

#include <math.h>
#include <string.h>

#define INT_ROW(field, low, high, deflt, text)                                 \
    {                                                                          \
        .key = #field, .type = JSON_INT,                                       \
        .at = offsetof(struct length_spec, field), .min = (low),               \
        .max = (high), .dflt = (deflt), .help = (text)                         \
    }
#define NUM_ROW(field, low, high, deflt, text)                                 \
    {                                                                          \
        .key = #field, .type = JSON_NUM,                                       \
        .at = offsetof(struct length_spec, field), .min = (low),               \
        .max = (high), .dflt = (deflt), .help = (text)                         \
    }
#define TOKENS(text) INT_ROW(tokens, 1, LOAD_MAX_TOKENS, NULL, text)
#define LAST_ROW                                                               \
    {                                                                          \
        .key = NULL                                                            \
    }

/* guidellm clamps at so many standard deviations (utils/random.py). */
#define GAUSSIAN_REACH 5

/* A wider lognormal has its mean in draws that no run ever sees. */
#define MAX_SIGMA 5

static const char *const names[] = {
    [LENGTH_FIXED] = "fixed",
    [LENGTH_UNIFORM] = "uniform",
    [LENGTH_VLLM_RANGE] = "vllm-range",
    [LENGTH_INFERENCEX] = "inferencex",
    [LENGTH_LOGNORMAL] = "lognormal",
    [LENGTH_GAUSSIAN] = "gaussian",
    NULL,
};

static const struct json_row fixed_rows[] = {
    TOKENS("length in tokens"),
    LAST_ROW,
};

static const struct json_row uniform_rows[] = {
    INT_ROW(min, 1, LOAD_MAX_TOKENS, NULL, "smallest length in tokens"),
    INT_ROW(max, 1, LOAD_MAX_TOKENS, NULL, "largest length in tokens"),
    LAST_ROW,
};

static const struct json_row vllm_rows[] = {
    TOKENS("middle L of the range in tokens"),
    NUM_ROW(ratio, 0, 1 - 0x1p-20, "0",
            "r: lengths are uniform on [floor(L(1-r)), ceil(L(1+r))]"),
    LAST_ROW,
};

static const struct json_row inferencex_rows[] = {
    TOKENS("largest length L in tokens"),
    NUM_ROW(ratio, 0, 1, "0.8", "r: lengths are uniform on [int(r L), L]"),
    LAST_ROW,
};

static const struct json_row lognormal_rows[] = {
    TOKENS("mean before clamping, in tokens"),
    NUM_ROW(sigma, 0, MAX_SIGMA, NULL, "standard deviation of the logarithm"),
    INT_ROW(min, 1, LOAD_MAX_TOKENS, "1", "shorter ones get this length"),
    INT_ROW(max, 1, LOAD_MAX_TOKENS, "10000000", "longer ones get this length"),
    LAST_ROW,
};

/* guidellm's synthetic data (engine.md 7.2). */
static const struct json_row gaussian_rows[] = {
    TOKENS("mean before clamping, in tokens"),
    NUM_ROW(stdev, 0, LOAD_MAX_TOKENS, NULL, "standard deviation, in tokens"),
    INT_ROW(min, 0, LOAD_MAX_TOKENS, "0",
            "shorter ones get this length; 0 = mean - 5 stdev, at least 1"),
    INT_ROW(max, 0, LOAD_MAX_TOKENS, "0",
            "longer ones get this length; 0 = mean + 5 stdev"),
    LAST_ROW,
};

static const struct json_row *const rows_of[] = {
    [LENGTH_FIXED] = fixed_rows,         [LENGTH_UNIFORM] = uniform_rows,
    [LENGTH_VLLM_RANGE] = vllm_rows,     [LENGTH_INFERENCEX] = inferencex_rows,
    [LENGTH_LOGNORMAL] = lognormal_rows, [LENGTH_GAUSSIAN] = gaussian_rows,
};

static int64_t clamp(double v, int64_t lo, int64_t hi)
{
    if (!(v > (double)lo))
        return lo;
    return v < (double)hi ? (int64_t)v : hi;
}

void length_bounds(const struct length_spec *s, int64_t *lo, int64_t *hi)
{
    double tokens = (double)s->tokens;
    *lo = *hi = s->tokens;
    switch ((enum length_kind)s->kind) {
    case LENGTH_FIXED:
        return;
    case LENGTH_UNIFORM:
    case LENGTH_LOGNORMAL:
        *lo = s->min;
        *hi = s->max;
        return;
    case LENGTH_GAUSSIAN:
        *lo = s->min ? s->min
                     : clamp(ceil(tokens - GAUSSIAN_REACH * s->stdev), 1,
                             LOAD_MAX_TOKENS);
        *hi = s->max ? s->max
                     : clamp(floor(tokens + GAUSSIAN_REACH * s->stdev), 1,
                             LOAD_MAX_TOKENS);
        return;
    case LENGTH_VLLM_RANGE: /* vLLM's own arithmetic, never below one token */
        *lo = clamp(floor(tokens * (1 - s->ratio)), 1, LOAD_MAX_TOKENS);
        *hi = clamp(ceil(tokens * (1 + s->ratio)), 1, LOAD_MAX_TOKENS);
        return;
    case LENGTH_INFERENCEX: /* numpy's randint(int(r L), L + 1) */
        *lo = clamp(tokens * s->ratio, 1, LOAD_MAX_TOKENS);
        return;
    }
    must_fail("a known length kind", __FILE__, __LINE__);
}

static bool in_order(const struct length_spec *s, const char *where,
                     struct err *e)
{
    int64_t lo = s->min, hi = s->max;
    if (s->kind == LENGTH_GAUSSIAN)
        length_bounds(s, &lo, &hi);
    bool ranged = s->kind == LENGTH_UNIFORM || s->kind == LENGTH_LOGNORMAL
               || s->kind == LENGTH_GAUSSIAN;
    if (ranged && lo > hi)
        return err_set(e, ERR_INPUT,
                       "%s: min must be <= max, got %lld and %lld", where,
                       (long long)lo, (long long)hi);
    return true;
}

bool length_read(const cJSON *obj, const char *where, struct length_spec *s,
                 struct err *e)
{
    int kind;
    if (!kind_of(obj, names, where, &kind, e))
        return false;
    struct arena *a = arena_open();
    struct length_spec got = {0};
    const struct json_row *rows = kind_rows(
        rows_of[kind], names, offsetof(struct length_spec, kind), a);
    bool ok = json_read(obj, rows, &got, where, a, e)
           && in_order(&got, where, e);
    arena_close(a);
    if (ok)
        *s = got;
    return ok;
}

cJSON *length_write(const struct length_spec *s)
{
    must(s->kind >= 0 && s->kind <= LENGTH_GAUSSIAN);
    return kind_write(names[s->kind], rows_of[s->kind], s);
}

bool length_check(const struct length_spec *s, const char *where, struct err *e)
{
    if (s->kind < 0 || s->kind > LENGTH_GAUSSIAN)
        return err_set(e, ERR_INPUT, "%s.kind: unknown", where);
    for (const struct json_row *r = rows_of[s->kind]; r->key; r++) {
        const void *at = (const char *)s + r->at;
        double v = r->type == JSON_INT ? (double)*(const int64_t *)at
                                       : *(const double *)at;
        if (!(v >= r->min && v <= r->max))
            return err_set(e, ERR_INPUT,
                           "%s.%s: must be in [%.15g, %.15g], got %.15g", where,
                           r->key, r->min, r->max, v);
    }
    return in_order(s, where, e);
}

/* Box and Muller (Ann. Math. Stat. 29(2), 1958). */
static double normal(struct rng *r)
{
    double radius = sqrt(2 * rng_exp(r));
    return radius * cos(2 * M_PI * rng_unit(r));
}

/* Mean-preserving: E[exp(mu + sigma z)] = exp(mu + sigma^2 / 2). */
static int64_t lognormal(const struct length_spec *s, struct rng *r)
{
    double z = normal(r);
    double mu = log((double)s->tokens) - s->sigma * s->sigma / 2;
    return clamp(round(exp(mu + s->sigma * z)), s->min, s->max);
}

int32_t length_draw(const struct length_spec *s, struct rng *r)
{
    if (s->kind == LENGTH_FIXED)
        return (int32_t)s->tokens;
    if (s->kind == LENGTH_LOGNORMAL)
        return (int32_t)lognormal(s, r);
    int64_t lo, hi;
    length_bounds(s, &lo, &hi);
    if (s->kind == LENGTH_GAUSSIAN)
        return (int32_t)clamp(round((double)s->tokens + s->stdev * normal(r)),
                              lo, hi);
    return (int32_t)rng_range(r, lo, hi);
}
