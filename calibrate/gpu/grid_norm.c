/* Element-wise kernels: RMS norm with its residual (norm.csv: bytes moved), FP8
 * quantisation (quant.csv), and the two in one (norm_quant.csv). */
#include "calibrate/gpu/grid.h"

static const struct grid_table norm = {"norm", "bytes,rows,cols"};
static const struct grid_table quant = {"quant", "scale,m,k"};
static const struct grid_table both = {"norm_quant", "bytes,rows,cols"};

/* Bytes a number: in, residual in and out, out; in and FP8 out. */
enum { RMS_B = 8, RMS_QUANT_B = 7, QUANT_B = 3 };

static void sized(struct grid_point *p, enum call_norm_kind kind, int rows,
                  int cols, double bytes)
{
    p->call = (struct call){
        .op = CALL_NORM,
        .norm = {.kind = kind, .rows = rows, .cols = cols},
    };
    p->bytes = bytes;
}

static void norm_line(struct grid_plan *plan, enum call_norm_kind kind,
                      int cols)
{
    double cell = kind == CALL_RMS ? RMS_B : RMS_QUANT_B;
    grid_new(plan, kind == CALL_RMS ? &norm : &both);
    for (const int *m = grid_rows; *m; m++) {
        double bytes = cell * *m * cols;
        sized(grid_point(plan, *m, "%.0f,%d,%d", bytes, *m, cols), kind, *m,
              cols, bytes);
    }
    grid_once(plan);
}

static void quant_line(struct grid_plan *plan, enum call_norm_kind kind,
                       int cols)
{
    const char *scale = kind == CALL_QUANT_STATIC ? "static" : "token";
    grid_new(plan, &quant);
    for (const int *m = grid_rows; *m; m++)
        sized(grid_point(plan, *m, "%s,%d,%d", scale, *m, cols), kind, *m, cols,
              QUANT_B * (double)*m * cols);
    grid_once(plan);
}

static void quant_lines(struct grid_plan *plan, int cols)
{
    quant_line(plan, CALL_QUANT_TOKEN, cols);
    quant_line(plan, CALL_QUANT_STATIC, cols);
}

static void lines(const struct grid_ask *ask, struct grid_plan *plan)
{
    for (size_t i = 0; i < ask->n; i++) {
        const struct grid_model *m = &ask->model[i];
        norm_line(plan, CALL_RMS, m->hidden);
        if (!m->fp8)
            continue;
        norm_line(plan, CALL_RMS_QUANT, m->hidden);
        quant_lines(plan, m->hidden);
        for (const int *tp = grid_tp; *tp; tp++) {
            quant_lines(plan, m->heads * m->head_dim / *tp);
            if (m->inter)
                quant_lines(plan, m->inter / *tp);
        }
    }
}

const struct grid grid_norm = {"norm", lines};
