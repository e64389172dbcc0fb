/* Linear layers: the vendor's library over every row count, and own kernels at
 * a few (own_gemm.csv, no part of a fit: engines use the vendor's or their
 * own). */
#include "calibrate/gpu/grid.h"

static const struct grid_table gemm = {"gemm", "m,n,k,dtype,with_quant"};
static const struct grid_table own = {"own_gemm", "op,m,n,k,dtype"};

enum { HEAD_ROWS = 1024 /* sampled tokens of a step */, STEP = 64 };

static const char *type_name(enum call_type t)
{
    return t == CALL_FP8 ? "fp8" : "bf16";
}

static void sized(struct grid_point *p, enum call_op op, struct call_gemm g)
{
    double m = g.m, n = g.n, k = g.k, cell = g.type == CALL_FP8 ? 1 : 2;
    p->call = (struct call){.op = op, .gemm = g};
    p->bytes = (n * k + m * k) * cell + m * n * 2;
    p->operations = 2 * m * n * k;
}

static void vendor_line(struct grid_plan *plan, int n, int k,
                        enum call_type type, int most)
{
    grid_new(plan, &gemm);
    for (const int *m = grid_rows; *m && *m <= most; m++) {
        struct grid_point *p = grid_point(plan, *m, "%d,%d,%d,%s,0", *m, n, k,
                                          type_name(type));
        sized(p, CALL_GEMM, (struct call_gemm){*m, n, k, type, .y = NULL});
        p->vendor = true;
    }
    grid_once(plan);
}

static void own_line(struct grid_plan *plan, int n, int k, enum call_type type)
{
    static const int rows[] = {1, 4, 16, 32, 64, 0};
    static const int many[] = {128, 1024, 8192, 0};
    grid_new(plan, &own);
    for (const int *m = rows; *m; m++)
        sized(grid_point(plan, *m, "stream,%d,%d,%d,%s", *m, n, k,
                         type_name(type)),
              CALL_SKINNY, (struct call_gemm){*m, n, k, type, .y = NULL});
    grid_once(plan);
    grid_new(plan, &own);
    for (const int *m = many; *m; m++)
        sized(grid_point(plan, *m, "tiles,%d,%d,%d,%s", *m, n, k,
                         type_name(type)),
              CALL_GEMM, (struct call_gemm){*m, n, k, type, .y = NULL});
    grid_once(plan);
}

static void shapes(struct grid_plan *plan, const struct grid_model *m, int tp)
{
    enum call_type type = m->fp8 ? CALL_FP8 : CALL_BF16;
    int most = grid_rows[0], wide = m->heads * m->head_dim / tp;
    int kv = m->kv_heads / tp > 0 ? m->kv_heads / tp : 1;
    for (const int *r = grid_rows; *r; r++)
        most = *r;
    vendor_line(plan, wide + 2 * kv * m->head_dim, m->hidden, type, most);
    vendor_line(plan, m->hidden, wide, type, most);
    if (m->inter) {
        vendor_line(plan, 2 * m->inter / tp, m->hidden, type, most);
        vendor_line(plan, m->hidden, m->inter / tp, type, most);
    }
    if (m->experts)
        vendor_line(plan, m->experts, m->hidden, CALL_BF16, most);
    vendor_line(plan, (m->vocab + tp - 1) / tp / 16 * 16, m->hidden, CALL_BF16,
                HEAD_ROWS);
}

static void lines(const struct grid_ask *ask, struct grid_plan *plan)
{
    for (size_t i = 0; i < ask->n; i++)
        for (const int *tp = grid_tp; *tp; tp++)
            shapes(plan, &ask->model[i], *tp);
    for (size_t i = 0; i < ask->n; i++) {
        const struct grid_model *m = &ask->model[i];
        enum call_type type = m->fp8 ? CALL_FP8 : CALL_BF16;
        if (m->inter % STEP == 0 && m->inter) {
            own_line(plan, 2 * m->inter, m->hidden, type);
            own_line(plan, m->hidden, m->inter, type);
        }
    }
}

const struct grid grid_gemm = {"gemm", lines};
