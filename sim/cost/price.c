/* A step's GPU time =
 *     tokens(padded, mode)        linear, quantisation, experts, norms, sums
 *   + rows(requests)              LM head, gather of logits, sampling
 *   + decode(ones, ctx, win)      one-token requests, full and sliding layers
 *   + floor + sum chunk(new, past)
 *   + what the host's launches take beyond all that, outside full graphs
 *   + idle(requests)              between two steps.
 * Every term is an integer number of picoseconds from a table, so price_step,
 * price_parts and price_decode agree to the last digit whatever the grouping.
 * op_time is called while the tables are built and never after. */
#include "sim/cost/price.h"

#include <math.h>
#include <string.h>

#include "sim/base/must.h"
#include "sim/cost/price_attn.h"
#include "sim/cost/price_basis.h"
#include "sim/cost/price_curve.h"
#include "sim/cost/shape.h"
#include "sim/cost/tuned.h"

static const char *const part_names[PART_N] = {
    [PART_LINEAR] = "linear",
    [PART_QUANT] = "quant",
    [PART_ATTN_PREFILL] = "attn_prefill",
    [PART_ATTN_DECODE] = "attn_decode",
    [PART_MOE] = "moe",
    [PART_NORM] = "norm",
    [PART_ALLREDUCE] = "allreduce",
    [PART_HEAD] = "head",
    [PART_SAMPLE] = "sample",
    [PART_LAUNCH] = "launch",
};

const char *price_part_name(enum price_part p)
{
    must(p < PART_N);
    return part_names[p];
}

/* Parts of the token tables, and of the row table. */
static const enum price_part token_parts[] = {PART_LINEAR, PART_QUANT, PART_MOE,
                                              PART_NORM, PART_ALLREDUCE};
static const enum price_part row_parts[] = {PART_HEAD, PART_SAMPLE};
enum {
    TOKEN_PARTS = sizeof token_parts / sizeof *token_parts,
    ROW_PARTS = sizeof row_parts / sizeof *row_parts,
    MODES = 3,
    GRAPH_MAX = 65536 /* tokens; vLLM stops at 1024 */
};

struct tokens { /* a captured size */
    int64_t part[TOKEN_PARTS];
};

struct decode {    /* a decode-only step of n requests */
    int64_t base;  /* all but attention */
    int64_t floor; /* launches; 0 inside a full graph */
};

struct price {
    struct shape_ask shape;
    int32_t graph_max, max_tokens, max_seqs;
    uint16_t *capture_of; /* tokens <= graph_max -> index */
    int32_t *capture;
    int n_capture;
    struct tokens *graph[MODES]; /* FULL, PIECEWISE: by capture index */
    struct price_curve eager;    /* above graph_max */
    int64_t (*rows)[ROW_PARTS];  /* by requests */
    struct decode *decode;       /* by requests */
    bool full, sliding;          /* kinds of attention layers */
    struct price_rows dec[2];    /* full, sliding */
    struct price_surface pre[2];
    int64_t launch[MODES][2][2]; /* mode, decodes, chunks */
    struct price_host *host;     /* by requests */
    int64_t *idle;               /* by requests: between two steps */
    struct tuned tuned;
    struct price_basis basis;
};

/* ---- reading ---- */

int32_t price_padded(const struct price *p, int32_t tokens, bool uniform,
                     enum price_mode *mode)
{
    if (tokens > p->graph_max) {
        *mode = PRICE_EAGER;
        return tokens;
    }
    *mode = uniform ? PRICE_FULL : PRICE_PIECEWISE;
    return p->capture[p->capture_of[tokens]];
}

static int64_t token_time(const struct price *p, int32_t tokens,
                          enum price_mode mode, int64_t *part)
{
    int64_t v[TOKEN_PARTS];
    const int64_t *from = v;
    if (mode == PRICE_EAGER)
        price_curve_at(&p->eager, tokens, v);
    else
        from = p->graph[mode][p->capture_of[tokens]].part;
    int64_t sum = 0;
    for (int i = 0; i < TOKEN_PARTS; i++) {
        part[token_parts[i]] = from[i];
        sum += from[i];
    }
    return sum;
}

static int64_t row_time(const struct price *p, uint32_t reqs, int64_t *part)
{
    int64_t sum = 0;
    for (int i = 0; i < ROW_PARTS; i++) {
        part[row_parts[i]] = p->rows[reqs][i];
        sum += p->rows[reqs][i];
    }
    return sum;
}

static int64_t decode_attention(const struct price *p, uint32_t n, int64_t ctx,
                                int64_t win)
{
    int64_t sum = 0;
    if (p->full)
        sum += price_attn_decode(&p->dec[0], n, ctx);
    if (p->sliding)
        sum += price_attn_decode(&p->dec[1], n, win);
    return sum;
}

static int64_t chunk_attention(const struct price *p,
                               const struct price_shape *s)
{
    int64_t sum = 0;
    for (int kind = 0; kind < 2; kind++) {
        if (!(kind ? p->sliding : p->full))
            continue;
        sum += p->pre[kind].floor;
        for (uint32_t i = 0; i < s->n_chunk; i++)
            sum += price_attn_chunk(&p->pre[kind], s->chunk[i].tokens,
                                    s->chunk[i].past);
    }
    return sum;
}

int64_t price_parts(const struct price *p, const struct price_shape *s,
                    int64_t *part)
{
    must(s->tokens > 0 && s->tokens <= p->max_tokens);
    must(s->reqs <= (uint32_t)p->max_seqs && s->ones <= s->reqs);
    enum price_mode mode;
    price_padded(p, s->tokens, s->n_chunk == 0, &mode);
    memset(part, 0, PART_N * sizeof *part);
    int64_t sum = token_time(p, s->tokens, mode, part);
    sum += row_time(p, s->reqs, part);
    if (s->ones)
        part[PART_ATTN_DECODE] = decode_attention(p, s->ones, s->ones_ctx,
                                                  s->ones_win);
    if (s->n_chunk)
        part[PART_ATTN_PREFILL] = chunk_attention(p, s);
    sum += part[PART_ATTN_DECODE] + part[PART_ATTN_PREFILL];
    int64_t floor = p->launch[mode][s->ones > 0][s->n_chunk > 0];
    part[PART_LAUNCH] = p->idle[s->reqs];
    if (sum < floor)
        part[PART_LAUNCH] += floor - sum;
    return sum + part[PART_LAUNCH];
}

int64_t price_decode(const struct price *p, uint32_t n, int64_t ctx,
                     int64_t win)
{
    must(n > 0 && n <= (uint32_t)p->max_seqs);
    const struct decode *d = &p->decode[n];
    int64_t t = d->base + decode_attention(p, n, ctx, win);
    return t > d->floor ? t : d->floor;
}

int64_t price_step(const struct price *p, const struct price_shape *s)
{
    int64_t part[PART_N];
    if (s->n_chunk)
        return price_parts(p, s, part);
    must(s->ones == s->reqs && s->tokens == (int32_t)s->ones);
    return price_decode(p, s->ones, s->ones_ctx, s->ones_win);
}

/* How many steps of `by` tokens fit into the segment, and its slope. */
static int64_t ride(const struct price_rows *r, uint32_t n, int64_t at,
                    int64_t by, int64_t *slope, int64_t last)
{
    int64_t from;
    const struct price_seg *s = price_attn_seg(r, n, at, &from);
    uint32_t knot = (uint32_t)(s - &r->seg[r->of[n] * r->knots]);
    *slope = s->slope;
    if (by <= 0 || knot + 1 >= r->knots)
        return last;
    int64_t to = price_attn_x(knot + 1) - PRICE_ATTN_CTX0;
    return (to - at) / by < last ? (to - at) / by : last;
}

struct price_run price_decode_run(const struct price *p, uint32_t n,
                                  int64_t ctx, int64_t win, int64_t dwin)
{
    const struct decode *d = &p->decode[n];
    int64_t full = 0, sliding = 0, last = INT32_MAX;
    if (p->full)
        last = ride(&p->dec[0], n, ctx, n, &full, last);
    if (p->sliding)
        last = ride(&p->dec[1], n, win, dwin, &sliding, last);
    struct price_run run = {
        .first = d->base + decode_attention(p, n, ctx, win),
        .grow = full * n + sliding * dwin,
        .last = last,
    };
    if (run.first >= d->floor)
        return run;
    if (run.grow > 0 && (d->floor - run.first) / run.grow < last)
        run.last = (d->floor - run.first) / run.grow;
    run.first = d->floor;
    run.grow = 0;
    return run;
}

struct price_host price_hosts(const struct price *p, uint32_t reqs,
                              enum price_mode mode)
{
    (void)mode; /* launches outside a full graph are in PART_LAUNCH */
    must(reqs <= (uint32_t)p->max_seqs);
    return p->host[reqs];
}

const struct price_basis *price_basis(const struct price *p)
{
    return &p->basis;
}

const struct tuned *price_tuned(const struct price *p)
{
    return &p->tuned;
}

/* ---- building ---- */

struct build {
    const struct price_ask *ask;
    struct price *p;
    struct arena *a;
    struct err *e;
    enum price_mode mode; /* of the token list being evaluated */
};

static bool add_up(struct build *b, const struct shape_ops *o, double *part)
{
    for (int i = 0; i < o->n; i++) {
        struct op_basis basis;
        double s;
        if (!op_time(b->ask->costs, &o->op[i].call, &s, &basis, b->e))
            return false;
        part[o->op[i].part] += s * o->op[i].count;
    }
    return true;
}

static bool token_point(void *of, int32_t x, double *v, struct err *e)
{
    struct build *b = of;
    struct shape_ops o = {.n = 0};
    double part[PART_N] = {0};
    (void)e; /* the same as b->e */
    shape_tokens(&b->p->shape, x, b->mode, &o);
    if (!add_up(b, &o, part))
        return false;
    for (int i = 0; i < TOKEN_PARTS; i++)
        v[i] = part[token_parts[i]];
    return true;
}

static bool row_point(void *of, int32_t x, double *v, struct err *e)
{
    struct build *b = of;
    struct shape_ops o = {.n = 0};
    double part[PART_N] = {0};
    (void)e;
    shape_rows(&b->p->shape, x, &o);
    if (!add_up(b, &o, part))
        return false;
    for (int i = 0; i < ROW_PARTS; i++)
        v[i] = part[row_parts[i]];
    return true;
}

static bool host_point(void *of, int32_t x, double *v, struct err *e)
{
    static const enum host_piece piece[] = {HOST_SCHEDULE, HOST_PREPARE,
                                            HOST_UPDATE};
    struct build *b = of;
    for (int i = 0; i < 3; i++) {
        struct op_call c = {.kind = OP_HOST, .piece = piece[i], .seqs = x};
        struct op_basis basis;
        if (!op_time(b->ask->costs, &c, &v[i], &basis, e))
            return false;
    }
    return true;
}

static void build_sizes(struct build *b)
{
    struct price *p = b->p;
    int32_t max = b->ask->graph_max < p->max_tokens ? b->ask->graph_max
                                                    : p->max_tokens;
    p->n_capture = shape_captures(max, NULL, 0);
    size_t n = (size_t)p->n_capture;
    p->capture = ARENA_ARRAY(b->a, int32_t, n);
    shape_captures(max, p->capture, p->n_capture);
    p->graph_max = n ? p->capture[n - 1] : 0;
    p->capture_of = ARENA_ARRAY(b->a, uint16_t, (size_t)p->graph_max + 1);
    for (int32_t x = 1, i = 0; x <= p->graph_max; x++) {
        i += x > p->capture[i];
        p->capture_of[x] = (uint16_t)i;
    }
}

static bool build_graphs(struct build *b, enum price_mode mode)
{
    struct price *p = b->p;
    b->mode = mode;
    p->graph[mode] = ARENA_ARRAY(b->a, struct tokens, (size_t)p->n_capture);
    for (int i = 0; i < p->n_capture; i++) {
        double v[TOKEN_PARTS];
        if (!token_point(b, p->capture[i], v, b->e))
            return false;
        for (int j = 0; j < TOKEN_PARTS; j++)
            p->graph[mode][i].part[j] = price_curve_ps(v[j]);
    }
    return true;
}

static bool build_curves(struct build *b)
{
    struct price *p = b->p;
    struct price_curve c;
    struct price_curve_ask q = {.lo = p->graph_max + 1,
                                .hi = p->max_tokens,
                                .k = TOKEN_PARTS,
                                .point = token_point,
                                .of = b};
    b->mode = PRICE_EAGER;
    if (q.lo <= q.hi && !price_curve_new(&p->eager, &q, b->a, b->e))
        return false;
    size_t n = (size_t)p->max_seqs + 1;
    q = (struct price_curve_ask){.lo = 1,
                                 .hi = p->max_seqs,
                                 .k = ROW_PARTS,
                                 .point = row_point,
                                 .of = b};
    if (!price_curve_new(&c, &q, b->a, b->e))
        return false;
    p->rows = arena_get(b->a, n, sizeof *p->rows);
    for (int32_t x = 1; x <= p->max_seqs; x++)
        price_curve_at(&c, x, p->rows[x]);
    q.k = 3;
    q.point = host_point;
    if (!price_curve_new(&c, &q, b->a, b->e))
        return false;
    p->host = ARENA_ARRAY(b->a, struct price_host, n);
    for (int32_t x = 1; x <= p->max_seqs; x++) {
        int64_t v[3];
        price_curve_at(&c, x, v);
        p->host[x] = (struct price_host){v[0], v[1], v[2]};
    }
    return true;
}

static void build_idle(struct build *b)
{
    struct price *p = b->p;
    const double *v = b->ask->costs->tuned->v;
    p->idle = ARENA_ARRAY(b->a, int64_t, (size_t)p->max_seqs + 1);
    for (int32_t x = 0; x <= p->max_seqs; x++)
        p->idle[x] = price_curve_ps(
            1e-6 * (v[TUNED_STEP_US] + v[TUNED_STEP_REQUEST_US] * x));
}

static bool build_attention(struct build *b)
{
    struct price *p = b->p;
    const struct llm_card *m = b->ask->llm;
    struct price_attn_ask q = {
        .costs = b->ask->costs,
        .shape = &p->shape,
        .capture = p->capture,
        .n_capture = p->n_capture,
        .max_seqs = p->max_seqs,
        .max_len = b->ask->max_model_len,
        .max_chunk = p->max_tokens < b->ask->max_model_len
                       ? p->max_tokens
                       : b->ask->max_model_len,
    };
    p->full = m->window_layers < m->layers;
    p->sliding = m->window_layers > 0;
    for (int kind = 0; kind < 2; kind++) {
        if (!(kind ? p->sliding : p->full))
            continue;
        if (!price_attn_rows(&q, kind, &p->dec[kind], b->a, b->e)
            || !price_attn_surface(&q, kind, &p->pre[kind], b->a, b->e))
            return false;
    }
    return true;
}

static bool build_launches(struct build *b)
{
    struct price *p = b->p;
    for (int mode = PRICE_PIECEWISE; mode <= PRICE_EAGER; mode++)
        for (int i = 1; i < 4; i++) {
            bool decodes = i & 1, chunks = i & 2;
            struct op_call c = {
                .kind = OP_HOST,
                .piece = HOST_LAUNCH,
                .launches = shape_launches(&p->shape, (enum price_mode)mode,
                                           decodes, chunks)};
            struct op_basis basis;
            double s;
            if (!op_time(b->ask->costs, &c, &s, &basis, b->e))
                return false;
            p->launch[mode][decodes][chunks] = price_curve_ps(s);
        }
    return true;
}

static void build_decodes(struct build *b)
{
    struct price *p = b->p;
    p->decode = ARENA_ARRAY(b->a, struct decode, (size_t)p->max_seqs + 1);
    for (int32_t n = 1; n <= p->max_seqs && n <= p->max_tokens; n++) {
        int64_t part[PART_N];
        enum price_mode mode;
        price_padded(p, n, true, &mode);
        p->decode[n].base = token_time(p, n, mode, part)
                          + row_time(p, (uint32_t)n, part) + p->idle[n];
        p->decode[n].floor = p->launch[mode][1][0] + p->idle[n];
    }
}

static bool check(const struct price_ask *q, struct err *e)
{
    if (q->max_num_batched_tokens < 1 || q->max_num_seqs < 1
        || q->max_model_len < 1 || q->graph_max < 0)
        return err_set(e, ERR_INPUT,
                       "max_num_batched_tokens, max_num_seqs and "
                       "max_model_len must be >= 1");
    if (q->graph_max > GRAPH_MAX)
        return err_set(e, ERR_INPUT,
                       "largest captured size: at most %d, got "
                       "%d",
                       GRAPH_MAX, q->graph_max);
    if (q->kv != DT_BF16 && q->kv != DT_FP8)
        return err_set(e, ERR_INPUT, "kv_cache_dtype: %s is not modelled",
                       card_dtype_name(q->kv));
    return true;
}

const struct price *price_new(const struct price_ask *asked, struct arena *a,
                              struct err *e)
{
    struct price *p = ARENA_NEW(a, struct price);
    struct op_costs costs = *asked->costs;
    struct price_ask with = *asked, *ask = &with;
    p->tuned = costs.tuned ? *costs.tuned : tuned_of(&costs);
    costs.tuned = &p->tuned;
    with.costs = &costs;
    struct build b = {.ask = ask, .p = p, .a = a, .e = e};
    p->shape = (struct shape_ask){
        .llm = ask->llm,
        .gpu = ask->costs->gpu,
        .tp = ask->tp,
        .kv = ask->kv,
        .quick_reduce_int4 = ask->quick_reduce_int4,
        .fused_allreduce_norm = ask->fused_allreduce_norm};
    p->max_tokens = ask->max_num_batched_tokens;
    p->max_seqs = ask->max_num_seqs;
    bool ok = check(ask, e) && shape_check(&p->shape, e);
    if (ok) {
        build_sizes(&b);
        build_idle(&b);
        ok = build_graphs(&b, PRICE_FULL) && build_graphs(&b, PRICE_PIECEWISE)
          && build_curves(&b) && build_attention(&b) && build_launches(&b);
    }
    if (ok)
        build_decodes(&b);
    if (ok && price_basis_note(ask, &p->shape, a, &p->basis, e))
        return p;
    err_in(e, "%s, tp %d, on %s", ask->llm->name, ask->tp,
           ask->costs->gpu->name);
    return NULL;
}
