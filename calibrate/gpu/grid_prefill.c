/* Attention of new tokens: from scratch, and behind a past (a table of its own
 * own: older readers of the first know no past). */
#include "calibrate/gpu/grid.h"

#define COLUMNS                                                                \
    "batch,seq_len,past_kv_len,num_heads,num_kv_heads,head_dim,window,kv_"     \
    "dtype"
static const struct grid_table fresh = {"attention_prefill", COLUMNS};
static const struct grid_table behind = {"attention_past", COLUMNS};

enum { BLOCK = 16, TOKENS_MAX = 32768 };

static const int lengths[] = {16,   64,   128,  256,   512, 1024,
                              2048, 4096, 8192, 16384, 0};

struct shape {
    int heads, kv_heads, head_dim, window;
    enum call_type kv;
};

static void point(struct grid_plan *plan, const struct shape *s, int batch,
                  int seq, int past)
{
    struct call_attn a = {
        .batch = batch,
        .q_len = seq,
        .kv_len = past + seq,
        .heads = s->heads,
        .kv_heads = s->kv_heads,
        .head_dim = s->head_dim,
        .window = s->window,
        .block = BLOCK,
        .kv = s->kv,
    };
    double w = s->window > 0 && s->window < past + seq ? s->window : 0;
    double q = (double)batch * seq, cell = s->kv == CALL_FP8 ? 1 : 2;
    double pairs = w > 0 ? w : past + (seq + 1) / 2.0;
    double wide = (double)s->heads * s->head_dim;
    struct grid_point *p = grid_point(plan, seq, "%d,%d,%d,%d,%d,%d,%d,%s",
                                      batch, seq, past, s->heads, s->kv_heads,
                                      s->head_dim, s->window,
                                      s->kv == CALL_FP8 ? "fp8" : "bf16");
    p->call = (struct call){.op = CALL_PREFILL, .attn = a};
    p->bytes = q * wide * 4
             + 2.0 * batch * (w > 0 ? w + seq : past + seq) * s->kv_heads
                   * s->head_dim * cell;
    p->operations = 4 * q * pairs * wide;
}

static void line(struct grid_plan *plan, const struct shape *s, int batch,
                 int past)
{
    grid_new(plan, past > 0 ? &behind : &fresh);
    for (const int *l = lengths; *l && batch * *l <= TOKENS_MAX; l++)
        point(plan, s, batch, *l, past);
    grid_once(plan);
}

static void of_shape(struct grid_plan *plan, const struct shape *s)
{
    line(plan, s, 1, 0);
    line(plan, s, 8, 0);
    if (s->kv == CALL_BF16) {
        line(plan, s, 1, 8192);
        line(plan, s, 1, 32768);
    }
}

static void lines(const struct grid_ask *ask, struct grid_plan *plan)
{
    for (size_t i = 0; i < ask->n; i++)
        for (const int *tp = grid_tp; *tp; tp++) {
            const struct grid_model *m = &ask->model[i];
            int kv = m->kv_heads / *tp > 0 ? m->kv_heads / *tp : 1;
            struct shape s = {m->heads / *tp, kv, m->head_dim, 0, CALL_BF16};
            of_shape(plan, &s);
            if (m->window) {
                s.window = m->window;
                of_shape(plan, &s);
                s.window = 0;
            }
            s.kv = CALL_FP8;
            of_shape(plan, &s);
        }
}

const struct grid grid_prefill = {"prefill", lines};
