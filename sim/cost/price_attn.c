/* A chunk's time is floor + rate * work with
 *     work = pairs + DEPTH * tokens + READ * cache tokens.
 * Kernels reach their rate as the keys a token sees grow past a few hundred,
 * and a chunk of few tokens only reads the cache; over that work the rate is
 * nearly flat, so a coarse grid suffices (the unit test holds it to 1 %).  The
 * floor is a launch, paid once a layer however many chunks the step has. */
#include "sim/cost/price_attn.h"

#include <math.h>

#include "sim/base/must.h"
#include "sim/cost/price_curve.h"

/* In pairs; choices of a grid, not measurements. */
#define DEPTH 256.0
#define READ 20.0
#define PS_PER_S 1e12

struct at {
    const struct price_attn_ask *ask;
    enum price_part part;
    bool sliding;
};

/* Seconds of all layers of the kind, from the call list. */
static bool seconds(const struct at *at, const struct shape_ops *o, double *s,
                    struct err *e)
{
    const struct llm_card *m = at->ask->shape->llm;
    /* shape puts full layers first; a model may have only one kind. */
    bool both = m->window_layers && m->window_layers < m->layers;
    int i = both && at->sliding ? 1 : 0;
    struct op_basis basis;
    must(i < o->n && o->op[i].part == at->part);
    if (!op_time(at->ask->costs, &o->op[i].call, s, &basis, e))
        return false;
    *s *= o->op[i].count;
    return true;
}

/* ---- decode ---- */

static bool decode_at(const struct at *at, double seqs, double ctx, double *s,
                      struct err *e)
{
    struct shape_ops o = {.n = 0};
    shape_decode(at->ask->shape, seqs, fmax(ctx, 1), fmax(ctx, 1), &o);
    return seconds(at, &o, s, e);
}

/* Turns values at the knots into integer slopes; each segment starts where the
 * one before it ends. */
static void join(struct price_seg *row, const double *value, uint32_t knots)
{
    int64_t at = price_curve_ps(value[0]);
    for (uint32_t k = 0; k < knots; k++) {
        double width = (double)(price_attn_x(k + 1) - price_attn_x(k));
        double rise = k + 1 < knots ? value[k + 1] * PS_PER_S - (double)at : 0;
        row[k].at = at;
        row[k].slope = rise > 0 ? (int64_t)(rise / width + 0.5) : 0;
        at += row[k].slope * (int64_t)width;
    }
    /* Beyond the grid the last slope goes on. */
    if (knots > 1)
        row[knots - 1].slope = row[knots - 2].slope;
}

static bool sample_row(const struct at *at, double seqs, double *value,
                       uint32_t knots, struct err *e)
{
    for (uint32_t k = 0; k < knots; k++)
        if (!decode_at(at, seqs, (double)(price_attn_x(k) - PRICE_ATTN_CTX0),
                       &value[k], e))
            return false;
    return true;
}

enum { STRIDE = 64 }; /* batch sizes between sampled rows above the graphs */

/* Rows for every batch size in (from, max]: sampled every STRIDE, in between
 * interpolated. */
static bool dense_rows(const struct at *at, struct price_rows *r, uint32_t row,
                       int32_t from, struct err *e)
{
    int32_t max = at->ask->max_seqs;
    double lo[4 * 64], hi[4 * 64], mix[4 * 64];
    must(r->knots <= sizeof lo / sizeof *lo);
    for (int32_t x = from + 1; x <= max; x += STRIDE) {
        int32_t y = x + STRIDE <= max ? x + STRIDE : max + 1;
        if (!sample_row(at, x, lo, r->knots, e)
            || !sample_row(at, y, hi, r->knots, e))
            return false;
        for (int32_t n = x; n < y; n++, row++) {
            double f = (double)(n - x) / (double)(y - x);
            for (uint32_t k = 0; k < r->knots; k++)
                mix[k] = lo[k] + f * (hi[k] - lo[k]);
            join(&r->seg[(size_t)row * r->knots], mix, r->knots);
            r->of[n] = row;
        }
    }
    return true;
}

bool price_attn_rows(const struct price_attn_ask *ask, bool sliding,
                     struct price_rows *r, struct arena *a, struct err *e)
{
    struct at at = {ask, PART_ATTN_DECODE, sliding};
    int32_t max = ask->max_seqs;
    int64_t top = sliding ? ask->shape->llm->window : ask->max_len;
    if (top > ask->max_len)
        top = ask->max_len;
    r->knots = price_attn_knot((uint64_t)(top * max) + PRICE_ATTN_CTX0) + 2;
    int rows = 0;
    while (rows < ask->n_capture && (rows == 0 || ask->capture[rows - 1] < max))
        rows++;
    int32_t dense = rows ? ask->capture[rows - 1] : 0;
    size_t total = (size_t)rows + (size_t)(max > dense ? max - dense : 0);
    r->seg = ARENA_ARRAY(a, struct price_seg, total * r->knots);
    r->of = ARENA_ARRAY(a, uint32_t, (size_t)(max > dense ? max : dense) + 1);
    double *value = ARENA_ARRAY(a, double, r->knots);
    for (int i = 0; i < rows; i++) {
        if (!sample_row(&at, ask->capture[i], value, r->knots, e))
            return false;
        join(&r->seg[(size_t)i * r->knots], value, r->knots);
        int32_t n = i ? ask->capture[i - 1] + 1 : 0;
        for (; n <= ask->capture[i]; n++)
            r->of[n] = (uint32_t)i;
    }
    return dense_rows(&at, r, (uint32_t)rows, dense, e);
}

/* ---- prefill ---- */

static double work(double tokens, double past, double window)
{
    double cache = window > 0 && past > window ? window : past;
    return shape_pairs(tokens, past, window) + DEPTH * tokens
         + READ * (cache + tokens);
}

static bool chunk_at(const struct at *at, double tokens, double past, double *s,
                     struct err *e)
{
    struct shape_ops o = {.n = 0};
    shape_chunk(at->ask->shape, tokens, past, &o);
    return seconds(at, &o, s, e);
}

bool price_attn_surface(const struct price_attn_ask *ask, bool sliding,
                        struct price_surface *s, struct arena *a, struct err *e)
{
    struct at at = {ask, PART_ATTN_PREFILL, sliding};
    double floor_s, t;
    if (!chunk_at(&at, 1, 0, &floor_s, e))
        return false;
    s->floor = price_curve_ps(floor_s);
    s->window = sliding ? ask->shape->llm->window : 0;
    s->past_knots = price_attn_knot((uint64_t)ask->max_len + PRICE_ATTN_PAST0)
                  + 2;
    uint32_t first = price_attn_knot(PRICE_ATTN_PAST0);
    s->news = price_attn_knot((uint64_t)ask->max_chunk + PRICE_ATTN_NEW0) + 2;
    s->rate = ARENA_ARRAY(a, double, (size_t)s->news * s->past_knots);
    for (uint32_t i = 0; i < s->news; i++)
        for (uint32_t j = first; j < s->past_knots; j++) {
            double q = (double)(price_attn_x(i) - PRICE_ATTN_NEW0);
            double past = (double)(price_attn_x(j) - PRICE_ATTN_PAST0);
            q = fmax(q, 1);
            if (!chunk_at(&at, q, past, &t, e))
                return false;
            s->rate[(size_t)i * s->past_knots + j] = fmax(t - floor_s, 0)
                                                   * PS_PER_S
                                                   / work(q, past, s->window);
        }
    return true;
}

static struct price_attn_axis axis(uint64_t v)
{
    uint32_t k = price_attn_knot(v);
    int64_t x = price_attn_x(k);
    int64_t w = (int64_t)1 << (k >> 2);
    return (struct price_attn_axis){k, (double)((int64_t)v - x) / (double)w};
}

int64_t price_attn_chunk(const struct price_surface *s, int32_t tokens,
                         int32_t past)
{
    struct price_attn_axis n = axis((uint64_t)tokens + PRICE_ATTN_NEW0);
    struct price_attn_axis p = axis((uint64_t)past + PRICE_ATTN_PAST0);
    must(n.i + 1 < s->news && p.i + 1 < s->past_knots);
    const double *lo = &s->rate[(size_t)n.i * s->past_knots + p.i];
    const double *hi = lo + s->past_knots;
    double l = lo[0] + p.f * (lo[1] - lo[0]);
    double h = hi[0] + p.f * (hi[1] - hi[0]);
    return (int64_t)((l + n.f * (h - l)) * work(tokens, past, s->window));
}
