#include "sim/load/load.h"

#include "sim/base/must.h"
#include "sim/load/arrive.h"
#include "sim/load/kind.h"
#include "sim/load/length.h"
#include "sim/load/trace.h"

#include <math.h>
#include <string.h>

#define MAX_REQUESTS 1e9
#define MAX_AT_S 9.2e9

/* `vllm bench serve --num-prompts` (engine.md 7.1). */
enum { DEFAULT_REQUESTS = 1000 };

static bool is_trace(const struct load_spec *s)
{
    return s->arrive == &arrive_trace;
}

/* ---- checks ---- */

static bool has_key(const struct load_spec *s, const char *key)
{
    for (const struct json_row *r = s->arrive->rows; r->key; r++)
        if (strcmp(r->key, key) == 0)
            return true;
    return false;
}

/* A spec need not have come through JSON: its numbers obey the same rows. */
static bool check_rows(const struct load_spec *s, struct err *e)
{
    for (const struct json_row *r = s->arrive->rows; r->key; r++) {
        const void *at = (const char *)s + r->at;
        double v;
        if (r->type == JSON_NUM)
            v = *(const double *)at;
        else if (r->type == JSON_INT)
            v = (double)*(const int64_t *)at;
        else
            continue;
        if (!(v >= r->min && v <= r->max))
            return err_set(e, ERR_INPUT,
                           "load.arrival.%s: must be in [%.15g, %.15g], got "
                           "%.15g",
                           r->key, r->min, r->max, v);
    }
    return true;
}

static bool check_count(const char *key, int64_t v, int64_t least, double most,
                        struct err *e)
{
    if (v >= least && (double)v <= most)
        return true;
    return err_set(e, ERR_INPUT, "load.%s: must be in [%lld, %.15g], got %lld",
                   key, (long long)least, most, (long long)v);
}

static bool check(const struct load_spec *s, struct err *e)
{
    must(s->arrive);
    const int64_t least = is_trace(s) ? 0 : 1;
    if (!check_rows(s, e) || (s->arrive->check && !s->arrive->check(s, e))
        || !check_count("requests", s->requests, least, MAX_REQUESTS, e)
        || !check_count("warmup_requests", s->warmup_requests, 0, MAX_REQUESTS,
                        e)
        || !check_count("shared_prefix", s->shared_prefix, 0, LOAD_MAX_TOKENS,
                        e))
        return false;
    if (is_trace(s))
        return true;
    if (has_key(s, "rate_rps")
        && (double)s->requests / s->rate_rps > LOAD_MAX_SPAN_S)
        return err_set(e, ERR_INPUT,
                       "load: %lld requests at %g a second last longer than "
                       "%g s",
                       (long long)s->requests, s->rate_rps, LOAD_MAX_SPAN_S);
    return length_check(&s->isl, "load.isl", e)
        && length_check(&s->osl, "load.osl", e);
}

/* ---- the stream ---- */

static void rewind_kind(struct load *l)
{
    l->chance = rng_stream(l->seed, RNG_ARRIVAL, 0);
    l->clock_s = l->until_s = 0;
    l->state = 0;
    l->group = l->group_n = 0;
}

/* vLLM scales the cumulative times by (N / rate) / last (engine.md 7.1).  The
 * last is known only when all are drawn, so they are drawn twice. */
static void find_scale(struct load *l)
{
    double last_s = 0;
    rewind_kind(l);
    for (int64_t i = 0; i < l->n; i++)
        last_s = l->spec.arrive->at(l, i);
    if (last_s > 0)
        l->scale = (double)l->n / l->spec.rate_rps / last_s;
}

static bool open_trace(struct load *l, struct arena *a, struct err *e)
{
    const struct load_spec *s = &l->spec;
    struct trace *t = NULL;
    l->trace = s->data;
    if (!l->trace) {
        must(s->trace);
        t = ARENA_NEW(a, struct trace);
        if (!trace_read(s->trace, t, a, e))
            return err_in(e, "load.arrival.file");
        l->trace = t;
    }
    if (s->requests > l->trace->n)
        return err_set(
            e, ERR_INPUT, "load.requests: %s has %lld requests, got %lld",
            l->trace->path, (long long)l->trace->n, (long long)s->requests);
    l->n = s->requests ? s->requests : l->trace->n;
    return true;
}

bool load_new(struct load **out, const struct load_spec *spec, uint64_t seed,
              struct arena *a, struct err *e)
{
    if (!check(spec, e))
        return false;
    struct load *l = ARENA_NEW(a, struct load);
    l->spec = *spec;
    l->seed = seed;
    l->n = spec->requests;
    l->scale = 1;
    l->isl = rng_stream(seed, RNG_ISL, 0);
    l->osl = rng_stream(seed, RNG_OSL, 0);
    if (is_trace(spec) && !open_trace(l, a, e))
        return false;
    l->spec.rescale = spec->rescale && has_key(spec, "rescale");
    if (l->spec.rescale)
        find_scale(l);
    rewind_kind(l);
    *out = l;
    return true;
}

static void from_trace(const struct trace *t, int64_t i, struct load_req *r)
{
    r->isl = t->isl[i];
    r->osl = t->osl[i];
    if (!t->first)
        return;
    r->text = t->text + t->first[i];
    r->n_text = t->first[i + 1] - t->first[i];
    r->text_tokens = TRACE_TEXT_TOKENS;
}

bool load_next(struct load *l, struct load_req *r)
{
    if (l->next == l->n)
        return false;
    int64_t i = l->next++;
    double at_s = l->spec.arrive->at(l, i) * l->scale;
    if (l->spec.rescale && i == l->n - 1) /* free of the sum's rounding */
        at_s = (double)l->n / l->spec.rate_rps;
    must(at_s >= 0 && at_s < MAX_AT_S);
    *r = (struct load_req){.at = units_ns(at_s)};
    if (l->trace) {
        from_trace(l->trace, i, r);
    } else {
        r->isl = length_draw(&l->spec.isl, &l->isl);
        r->osl = length_draw(&l->spec.osl, &l->osl);
    }
    return true;
}

int64_t load_requests(const struct load *l)
{
    return l->n;
}

/* ---- scenario ---- */

struct body {
    const cJSON *arrival, *isl, *osl;
    int64_t requests, warmup_requests, shared_prefix;
};

#define BODY_ROW(name, kind, high, deflt, text)                                \
    {                                                                          \
        .key = #name, .type = (kind), .at = offsetof(struct body, name),       \
        .max = (high), .dflt = (deflt), .help = (text)                         \
    }

static const struct json_row body_rows[] = {
    BODY_ROW(arrival, JSON_OBJ, 0, NULL, "when requests come"),
    BODY_ROW(isl, JSON_OBJ, 0, JSON_ABSENT, "prompt lengths"),
    BODY_ROW(osl, JSON_OBJ, 0, JSON_ABSENT, "answer lengths"),
    BODY_ROW(requests, JSON_INT, MAX_REQUESTS, JSON_ABSENT,
             "how many; 0 = the whole trace"),
    BODY_ROW(warmup_requests, JSON_INT, MAX_REQUESTS, "0",
             "copies of request 0 before the clock starts"),
    BODY_ROW(shared_prefix, JSON_INT, LOAD_MAX_TOKENS, "0",
             "tokens that every prompt begins with"),
    {.key = NULL},
};

/* The kind's own rows, and beside them which kind it is. */
struct arrival {
    struct load_spec spec;
    int kind;
};

static bool read_arrival(const cJSON *obj, struct load_spec *spec,
                         struct arena *a, struct err *e)
{
    static const char where[] = "load.arrival";
    struct arrive_names all = arrive_all();
    struct arrival got = {.kind = 0};
    if (!kind_of(obj, all.name, where, &got.kind, e))
        return false;
    struct arena *scratch = arena_open();
    const struct arrive *k = arrive_table[got.kind];
    const struct json_row *rows = kind_rows(
        k->rows, all.name, offsetof(struct arrival, kind), scratch);
    bool ok = json_read(obj, rows, &got, where, a, e);
    arena_close(scratch);
    if (!ok)
        return false;
    *spec = got.spec;
    spec->arrive = k;
    return true;
}

static bool read_lengths(const struct body *b, struct load_spec *s,
                         struct arena *a, struct err *e)
{
    if (is_trace(s)) {
        if (b->isl || b->osl)
            return err_set(e, ERR_INPUT,
                           "load.%s: a trace brings its own lengths",
                           b->isl ? "isl" : "osl");
        struct trace *t = ARENA_NEW(a, struct trace);
        s->data = t;
        return trace_read(s->trace, t, a, e) || err_in(e, "load.arrival.file");
    }
    if (!b->isl || !b->osl)
        return err_set(e, ERR_INPUT, "load.%s: missing (%s lengths)",
                       b->isl ? "osl" : "isl", b->isl ? "answer" : "prompt");
    return length_read(b->isl, "load.isl", &s->isl, e)
        && length_read(b->osl, "load.osl", &s->osl, e);
}

bool load_read(const cJSON *obj, struct load_spec *spec, struct arena *a,
               struct err *e)
{
    struct body b;
    struct load_spec s;
    if (!json_read(obj, body_rows, &b, "load", a, e)
        || !read_arrival(b.arrival, &s, a, e) || !read_lengths(&b, &s, a, e))
        return false;
    s.requests = b.requests;
    if (b.requests == JSON_NOINT)
        s.requests = is_trace(&s) ? 0 : DEFAULT_REQUESTS;
    s.warmup_requests = b.warmup_requests;
    s.shared_prefix = b.shared_prefix;
    if (!check(&s, e))
        return false;
    *spec = s;
    return true;
}

cJSON *load_write(const struct load_spec *s)
{
    cJSON *out = cJSON_CreateObject();
    must(out && s->arrive);
    cJSON_AddItemToObject(out, "arrival",
                          kind_write(s->arrive->name, s->arrive->rows, s));
    if (!is_trace(s)) {
        cJSON_AddItemToObject(out, "isl", length_write(&s->isl));
        cJSON_AddItemToObject(out, "osl", length_write(&s->osl));
    }
    cJSON_AddNumberToObject(out, "requests", (double)s->requests);
    cJSON_AddNumberToObject(out, "warmup_requests", (double)s->warmup_requests);
    cJSON_AddNumberToObject(out, "shared_prefix", (double)s->shared_prefix);
    return out;
}
