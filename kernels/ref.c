/* Slack: a bf16 result is rounded by up to 2^-8 of its size, and a quarter of
 * that is left for everything before; errors of rounded or shortened values on
 * the way grow with the root of the sum of squares of the terms, since they are
 * as often up as down. */
#include "kernels/ref.h"

#include <math.h>
#include <stdlib.h>

#define BF16_SLACK 0x1.4p-8
/* Hopper's FP8 products keep about 14 bits of their sums, and cut the rest. */
#define SUM_SLACK_FP8 0x1p-7
#define SUM_SLACK_BF16 0x1p-12
#define WEIGHT_SLACK 0x1p-7 /* attention weights and hidden rows are bf16 */
#define FP8_SLACK 0.0715    /* half a step of three bits, and rounding before */
#define FP8_STEP 0x1p-9     /* between the smallest */
#define SCALE_SLACK 1e-3

static double in_at(const struct call_in *in, uint64_t i, bool fnuz)
{
    return (double)fill_value(&in->fill, i, fnuz);
}

int ref_bytes(enum ref_type t)
{
    switch (t) {
    case REF_BF16:
        return 2;
    case REF_FP8:
        return 1;
    case REF_F32:
        break;
    }
    return 4;
}

double ref_value(enum ref_type t, const void *p, bool fnuz)
{
    uint16_t h;
    float f;
    switch (t) {
    case REF_BF16:
        memcpy(&h, p, sizeof h);
        return (double)fill_of_bf16(h);
    case REF_FP8:
        return (double)fill_of_fp8(*(const uint8_t *)p, fnuz);
    case REF_F32:
        break;
    }
    memcpy(&f, p, sizeof f);
    return (double)f;
}

/* ---- gemm ---- */

static void gemm(const struct call_gemm *g, bool fnuz, uint64_t i,
                 struct ref *r)
{
    uint64_t row = i / (uint64_t)g->n, col = i % (uint64_t)g->n;
    uint64_t k = (uint64_t)g->k;
    double sum = 0, squares = 0, scale = 1;
    for (uint64_t j = 0; j < k; j++) {
        double t = in_at(&g->x, row * k + j, fnuz) *
                   in_at(&g->w, col * k + j, fnuz);
        sum += t;
        squares += t * t;
    }
    if (g->type == CALL_FP8)
        scale = in_at(&g->row_scale, row, fnuz) *
                in_at(&g->col_scale, col, fnuz);
    double loose = g->type == CALL_FP8 ? SUM_SLACK_FP8 : SUM_SLACK_BF16;
    r->value = sum * scale;
    r->slack = fabs(r->value) * BF16_SLACK + sqrt(squares) * scale * loose;
}

/* ---- attention ---- */

struct seen {
    int from, to; /* keys of a query */
};

static struct seen seen_by(const struct call_attn *a, uint64_t token)
{
    int place = a->kv_len - a->q_len + (int)token;
    int from = a->window && place >= a->window ? place - a->window + 1 : 0;
    return (struct seen){from, place + 1};
}

/* Number of the first element of a token's row in the cache. */
static uint64_t cache_row(const struct call_attn *a, uint64_t b, int key,
                          int kv_head)
{
    int32_t page = a->table_host[b * (uint64_t)a->table_stride +
                                 (uint64_t)(key / a->block)];
    uint64_t token = (uint64_t)page * (uint64_t)a->block +
                     (uint64_t)(key % a->block);
    return (token * (uint64_t)a->kv_heads + (uint64_t)kv_head) *
           (uint64_t)a->head_dim;
}

static void attn(const struct call_attn *a, bool fnuz, uint64_t first,
                 double *weight, struct ref *r)
{
    const int d = a->head_dim;
    uint64_t row = first / (uint64_t)d, head = row % (uint64_t)a->heads;
    uint64_t token = row / (uint64_t)a->heads;
    uint64_t b = token / (uint64_t)a->q_len;
    int kv_head = (int)head / (a->heads / a->kv_heads);
    struct seen s = seen_by(a, token % (uint64_t)a->q_len);
    double top = -INFINITY, total = 0;
    for (int key = s.from; key < s.to; key++) {
        uint64_t at = cache_row(a, b, key, kv_head);
        double sum = 0;
        for (int i = 0; i < d; i++)
            sum += in_at(&a->q, first + (uint64_t)i, fnuz) *
                   in_at(&a->k, at + (uint64_t)i, fnuz);
        weight[key - s.from] = sum / sqrt(d);
        top = fmax(top, weight[key - s.from]);
    }
    for (int i = 0; i < d; i++)
        r[i] = (struct ref){0, 0};
    for (int key = s.from; key < s.to; key++) {
        uint64_t at = cache_row(a, b, key, kv_head);
        double p = exp(weight[key - s.from] - top);
        total += p;
        for (int i = 0; i < d; i++) {
            double t = p * in_at(&a->v, at + (uint64_t)i, fnuz);
            r[i].value += t;
            r[i].slack += t * t;
        }
    }
    for (int i = 0; i < d; i++) {
        r[i].value /= total;
        r[i].slack = fabs(r[i].value) * BF16_SLACK +
                     sqrt(r[i].slack) / total * WEIGHT_SLACK;
    }
}

/* ---- experts ---- */

/* Row r of a matrix of k numbers in MXFP4 times v. */
static double mx_row(const struct call_in *w, const struct call_in *s,
                     uint64_t r, uint64_t k, const double *v, double *squares)
{
    double sum = 0;
    for (uint64_t g = 0; g < k; g += 8) {
        double scale = in_at(s, (r * k + g) / 32, false);
        for (uint64_t i = 0; i < 8; i++) {
            double t = in_at(w, r * k + g + i, false) * scale *
                       v[g + (uint64_t)CALL_NIBBLE(i)];
            sum += t;
            *squares += t * t;
        }
    }
    return sum;
}

static double bf16(double v)
{
    return (double)fill_of_bf16(fill_to_bf16((float)v));
}

static void hidden_row(const struct call_moe *m, uint64_t e, const double *x,
                       double *h)
{
    const double alpha = (double)CALL_MOE_ALPHA, limit = (double)CALL_MOE_LIMIT;
    uint64_t inter = (uint64_t)m->inter, k = (uint64_t)m->hidden;
    double unused = 0;
    for (uint64_t i = 0; i < inter; i++) {
        uint64_t r = e * 2 * inter + i;
        double gate = mx_row(&m->w1, &m->s1, r, k, x, &unused);
        double up = mx_row(&m->w1, &m->s1, r + inter, k, x, &unused);
        gate = fmin(gate, limit);
        up = fmax(fmin(up, limit), -limit);
        h[i] = bf16(gate / (1 + exp(-alpha * gate)) * (up + 1));
    }
}

/* REF_MOE_SPAN outputs of one token. */
enum { MOE_SPAN = 32 };

static void moe(const struct call_moe *m, uint64_t first, double *scratch,
                struct ref *r)
{
    uint64_t token = first / (uint64_t)m->hidden;
    uint64_t col = first % (uint64_t)m->hidden;
    double *x = scratch, *h = scratch + m->hidden;
    for (int i = 0; i < m->hidden; i++)
        x[i] = in_at(&m->x, token * (uint64_t)m->hidden + (uint64_t)i, false);
    for (int i = 0; i < MOE_SPAN; i++)
        r[i] = (struct ref){0, 0};
    for (int k = 0; k < m->topk; k++) {
        uint64_t pair = token * (uint64_t)m->topk + (uint64_t)k;
        uint64_t e = (uint64_t)m->expert_host[pair];
        double weight = (double)m->weight_host[pair];
        hidden_row(m, e, x, h);
        for (int i = 0; i < MOE_SPAN; i++) {
            double squares = 0;
            double y = weight *
                       mx_row(&m->w2, &m->s2,
                              e * (uint64_t)m->hidden + col + (uint64_t)i,
                              (uint64_t)m->inter, h, &squares);
            r[i].value += y;
            r[i].slack += fabs(y) * BF16_SLACK +
                          sqrt(squares) * weight * WEIGHT_SLACK;
        }
    }
    for (int i = 0; i < MOE_SPAN; i++)
        r[i].slack += fabs(r[i].value) * BF16_SLACK;
}

/* ---- norm and quantisation ---- */

/* The row as it is before it is written or quantised. */
static void norm_row(const struct call_norm *n, uint64_t row, double *v,
                     double *sum)
{
    uint64_t cols = (uint64_t)n->cols;
    double squares = 0;
    for (uint64_t i = 0; i < cols; i++)
        sum[i] = v[i] = in_at(&n->x, row * cols + i, false);
    if (n->kind != CALL_RMS && n->kind != CALL_RMS_QUANT)
        return;
    for (uint64_t i = 0; i < cols; i++) {
        sum[i] = bf16(v[i] + in_at(&n->residual, row * cols + i, false));
        squares += sum[i] * sum[i];
    }
    double f = 1 / sqrt(squares / n->cols + (double)CALL_NORM_EPS);
    for (uint64_t i = 0; i < cols; i++)
        v[i] = sum[i] * f * in_at(&n->gain, i, false);
}

static double row_scale(const struct call_norm *n, bool fnuz, const double *v)
{
    double most = 0;
    if (n->kind == CALL_QUANT_STATIC)
        return (double)n->static_scale;
    for (int i = 0; i < n->cols; i++)
        most = fmax(most, fabs(v[i]));
    return most / (fnuz ? 240 : 448);
}

enum norm_out { NORM_Y, NORM_SCALE, NORM_RESIDUAL };

static enum norm_out norm_outs(const struct call_norm *n, int o)
{
    if (o == 0)
        return NORM_Y;
    if (o == 1 && (n->kind == CALL_RMS_QUANT || n->kind == CALL_QUANT_TOKEN))
        return NORM_SCALE;
    return NORM_RESIDUAL;
}

static void norm(const struct call_norm *n, bool fnuz, int o, uint64_t first,
                 double *scratch, struct ref *r)
{
    enum norm_out what = norm_outs(n, o);
    double *v = scratch, *sum = scratch + n->cols;
    norm_row(n, what == NORM_SCALE ? first : first / (uint64_t)n->cols, v, sum);
    double scale = n->kind == CALL_RMS ? 1 : row_scale(n, fnuz, v);
    if (what == NORM_SCALE) {
        *r = (struct ref){scale, scale * SCALE_SLACK};
        return;
    }
    double most = (fnuz ? 240 : 448);
    for (int i = 0; i < n->cols; i++) {
        if (what == NORM_RESIDUAL || n->kind == CALL_RMS) {
            double x = what == NORM_RESIDUAL ? sum[i] : v[i];
            r[i] = (struct ref){x, fabs(x) * BF16_SLACK};
            continue;
        }
        double q = fmax(fmin(v[i] / scale, most), -most);
        r[i] = (struct ref){q, fabs(q) * FP8_SLACK + FP8_STEP};
    }
}

/* ---- moved bytes ---- */

/* A call_in's numbers as they lie, whatever they stand for: bf16 alone. */
static void gather(const struct call_gather *g, uint64_t i, struct ref *r)
{
    uint64_t each = g->block_bytes / 2;
    uint64_t from = (uint64_t)g->table_host[i / each] * each + i % each;
    *r = (struct ref){in_at(&g->cache, from, false), 0};
}

/* ---- all-reduce ---- */

static double sum_of(const struct call_reduce *c, uint64_t i)
{
    double sum = 0;
    for (int k = 0; k < c->ranks; k++)
        sum += in_at(&c->x[k], i, false);
    return sum;
}

static void reduce(const struct call_reduce *c, uint64_t i, struct ref *r)
{
    enum { GROUP = 32 };
    uint64_t g = i / GROUP * GROUP;
    double most_sum = 0, steps = 0;
    r->value = sum_of(c, i);
    r->slack = fabs(r->value) * BF16_SLACK + 1e-6;
    if (c->kind != CALL_INT4)
        return;
    /* half a step of every rank's numbers, and half one of the sum's */
    for (int k = 0; k < c->ranks; k++) {
        double most = 0;
        for (uint64_t j = g; j < g + GROUP; j++)
            most = fmax(most, fabs(in_at(&c->x[k], j, false)));
        steps += most / 14;
    }
    for (uint64_t j = g; j < g + GROUP; j++)
        most_sum = fmax(most_sum, fabs(sum_of(c, j)));
    r->slack += (steps + (most_sum + steps) / 14) * 1.01;
}

/* ---- all of them ---- */

static int norm_list(const struct call_norm *n, struct ref_out *o)
{
    uint64_t all = (uint64_t)n->rows * (uint64_t)n->cols;
    int k = 0;
    bool rms = n->kind == CALL_RMS || n->kind == CALL_RMS_QUANT;
    o[k++] = (struct ref_out){
        n->y, n->kind == CALL_RMS ? REF_BF16 : REF_FP8, all, n->cols};
    if (n->kind == CALL_RMS_QUANT || n->kind == CALL_QUANT_TOKEN)
        o[k++] = (struct ref_out){n->scale_out, REF_F32, (uint64_t)n->rows, 1};
    if (rms)
        o[k++] = (struct ref_out){n->residual_out, REF_BF16, all, n->cols};
    return k;
}

static struct ref_out only(const struct call *c)
{
    const struct call_gemm *g = &c->gemm;
    const struct call_attn *a = &c->attn;
    const struct call_moe *m = &c->moe;
    const struct call_reduce *r = &c->reduce;
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        return (struct ref_out){g->y, REF_BF16,
                                (uint64_t)g->m * (uint64_t)g->n, 1};
    case CALL_PREFILL:
    case CALL_DECODE:
        return (struct ref_out){a->y, REF_BF16,
                                (uint64_t)a->batch * (uint64_t)a->q_len *
                                    (uint64_t)a->heads * (uint64_t)a->head_dim,
                                a->head_dim};
    case CALL_MOE:
        return (struct ref_out){m->y, REF_BF16,
                                (uint64_t)m->tokens * (uint64_t)m->hidden,
                                MOE_SPAN};
    case CALL_GATHER:
        return (struct ref_out){
            c->gather.y, REF_BF16,
            (uint64_t)c->gather.blocks * c->gather.block_bytes / 2, 1};
    case CALL_COPY:
        if (c->copy.kind == CALL_READ)
            return (struct ref_out){c->copy.y, REF_F32, 1, 1};
        return (struct ref_out){c->copy.y, REF_BF16, c->copy.bytes / 2, 1};
    case CALL_REDUCE:
        return (struct ref_out){r->y[r->rank], REF_BF16, r->elements, 1};
    case CALL_NORM:
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    return (struct ref_out){NULL, REF_BF16, 0, 1};
}

int ref_outs(const struct call *c, struct ref_out *out)
{
    if (c->op == CALL_NORM)
        return norm_list(&c->norm, out);
    out[0] = only(c);
    return out[0].n > 0;
}

double ref_cost(const struct call *c)
{
    const struct call_attn *a = &c->attn;
    const struct call_moe *m = &c->moe;
    double seen;
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        return 2.0 * c->gemm.k;
    case CALL_PREFILL:
    case CALL_DECODE:
        seen = a->window > 0 ? fmin(a->window, a->kv_len) : a->kv_len;
        return 2 * seen * a->head_dim;
    case CALL_MOE:
        return 3.0 * m->topk * m->hidden * m->inter;
    case CALL_NORM:
        return 3.0 * c->norm.cols;
    case CALL_GATHER:
    case CALL_COPY:
    case CALL_REDUCE:
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    return 32.0 * CALL_RANKS;
}

size_t ref_scratch(const struct call *c)
{
    if (c->op == CALL_PREFILL || c->op == CALL_DECODE)
        return (size_t)c->attn.kv_len;
    if (c->op == CALL_MOE)
        return (size_t)c->moe.hidden + (size_t)c->moe.inter;
    if (c->op == CALL_NORM)
        return 2 * (size_t)c->norm.cols;
    return 1;
}

void ref_span(const struct call *c, bool fnuz, int o, uint64_t first,
              double *scratch, struct ref *r)
{
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        gemm(&c->gemm, fnuz, first, r);
        return;
    case CALL_PREFILL:
    case CALL_DECODE:
        attn(&c->attn, fnuz, first, scratch, r);
        return;
    case CALL_MOE:
        moe(&c->moe, first, scratch, r);
        return;
    case CALL_NORM:
        norm(&c->norm, fnuz, o, first, scratch, r);
        return;
    case CALL_GATHER:
        gather(&c->gather, first, r);
        return;
    case CALL_COPY:
        *r = (struct ref){c->copy.kind == CALL_READ
                              ? 1
                              : in_at(&c->copy.x, first, fnuz), 0};
        return;
    case CALL_REDUCE:
        reduce(&c->reduce, first, r);
        return;
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
}
