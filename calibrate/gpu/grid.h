/* grid - what is worth measuring: lines of calls that differ in one size. A
 * grid is a file grid_X.c whose last lines are `const struct grid grid_X`; the
 * table is generated from the directory.  Points carry sizes alone, no device
 * addresses.  Everything lies in the asker's arena.  Pure; any thread. To add
 * one: grid_x.c that appends its lines to the plan. */
#ifndef CALIBRATE_GPU_GRID_H
#define CALIBRATE_GPU_GRID_H

#include "calibrate/gpu/bed.h"
#include "sim/base/arena.h"

/* Shapes of a model whose shards are covered. */
struct grid_model {
    const char *name;
    int hidden, heads, kv_heads, head_dim, window;
    int inter, vocab;                /* inter 0: no dense layers */
    int experts, topk, expert_inter; /* experts 0: dense */
    bool fp8;                        /* linear layers; else bf16 */
};

struct grid_ask {
    const struct grid_model *model;
    size_t n;
    size_t memory_bytes;
};

enum { GRID_ID = 160 };

/* A table's file and the columns that name a point. */
struct grid_table {
    const char *name, *columns;
};

struct grid_point {
    struct call call;
    enum bed_routing routing;
    bool vendor;              /* timed through the vendor's library */
    double x;                 /* its place on the line */
    char id[GRID_ID];         /* fields of the table's columns */
    double bytes, operations; /* the least that the call must do */
};

struct grid_line {
    const struct grid_table *table;
    struct grid_point *point;
    size_t n;
};

struct grid_plan {
    struct arena *a;
    struct grid_line *line;
    size_t n, cap;
};

struct grid {
    const char *name;
    void (*lines)(const struct grid_ask *ask, struct grid_plan *plan);
};
extern const struct grid *const grid_table[]; /* NULL at the end */

/* Appends an empty line; its points are added by grid_point. */
struct grid_line *grid_new(struct grid_plan *p, const struct grid_table *t);
/* A point at x with its fields; the caller sets the rest. */
struct grid_point *grid_point(struct grid_plan *p, double x, const char *fmt,
                              ...) __attribute__((format(printf, 3, 4)));
/* Drops the last line if an earlier one has the same points. */
void grid_once(struct grid_plan *p);

/* Tensor parallel sizes that are covered; 0 ends. */
extern const int grid_tp[];
/* Rows that a step's linear layers can have; 0 ends. */
extern const int grid_rows[];

#endif
