/* Attention of one new token a sequence over caches of every length. */
#include "calibrate/gpu/grid.h"

static const struct grid_table decode = {
    "attention_decode",
    "batch,kv_len,num_heads,num_kv_heads,head_dim,window,kv_dtype,block",
};

enum { BLOCK = 16, LARGE_BLOCK = 64 };
/* of a cache: what fits beside everything else, and what a server holds */
#define CACHE_PART 0.25
#define TOKENS_MAX (4.0 * 1024 * 1024)

static const int lengths[] = {64,   256,   512,   1024,  2048,   4096,
                              8192, 16384, 32768, 65536, 131072, 0};
static const int batches[] = {1, 4, 16, 64, 256, 0};

struct shape {
    int heads, kv_heads, head_dim, window, block;
    enum call_type kv;
};

static void point(struct grid_plan *plan, const struct shape *s, int batch,
                  int len)
{
    struct call_attn a = {
        .batch = batch,
        .q_len = 1,
        .kv_len = len,
        .heads = s->heads,
        .kv_heads = s->kv_heads,
        .head_dim = s->head_dim,
        .window = s->window,
        .block = s->block,
        .kv = s->kv,
    };
    double seen = s->window > 0 && s->window < len ? s->window : len;
    struct grid_point *p = grid_point(
        plan, len, "%d,%d,%d,%d,%d,%d,%s,%d", batch, len, s->heads, s->kv_heads,
        s->head_dim, s->window, s->kv == CALL_FP8 ? "fp8" : "bf16", s->block);
    p->call = (struct call){.op = CALL_DECODE, .attn = a};
    p->bytes = 2 * batch * seen * s->kv_heads * s->head_dim
             * (s->kv == CALL_FP8 ? 1 : 2);
    p->operations = 4 * batch * seen * s->heads * s->head_dim;
}

static void of_shape(const struct grid_ask *ask, struct grid_plan *plan,
                     const struct shape *s)
{
    double token = 2.0 * s->kv_heads * s->head_dim
                 * (s->kv == CALL_FP8 ? 1 : 2);
    double fit = (double)ask->memory_bytes * CACHE_PART / token;
    for (const int *b = batches; *b; b++) {
        grid_new(plan, &decode);
        for (const int *l = lengths; *l; l++) {
            double tokens = (double)*b * *l;
            if (tokens <= TOKENS_MAX && tokens <= fit)
                point(plan, s, *b, *l);
        }
        grid_once(plan);
    }
}

static void of_model(const struct grid_ask *ask, struct grid_plan *plan,
                     const struct grid_model *m, int tp)
{
    int kv = m->kv_heads / tp > 0 ? m->kv_heads / tp : 1;
    struct shape s = {m->heads / tp, kv, m->head_dim, 0, BLOCK, CALL_BF16};
    of_shape(ask, plan, &s);
    s.kv = CALL_FP8;
    of_shape(ask, plan, &s);
    s.window = m->window;
    if (s.window)
        of_shape(ask, plan, &s);
    s.kv = CALL_BF16;
    if (s.window)
        of_shape(ask, plan, &s);
    s.window = 0;
    s.block = LARGE_BLOCK;
    if (tp == 1)
        of_shape(ask, plan, &s);
}

static void lines(const struct grid_ask *ask, struct grid_plan *plan)
{
    for (size_t i = 0; i < ask->n; i++)
        for (const int *tp = grid_tp; *tp; tp++)
            of_model(ask, plan, &ask->model[i], *tp);
}

const struct grid grid_decode = {"decode", lines};
