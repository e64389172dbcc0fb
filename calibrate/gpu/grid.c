#include "calibrate/gpu/grid.h"

#include "sim/base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ROOM(stem) extern const struct grid grid_##stem;
#include "gen/grid.inc"
#undef ROOM

const struct grid *const grid_table[] = {
#define ROOM(stem) &grid_##stem,
#include "gen/grid.inc"
#undef ROOM
    NULL,
};

const int grid_tp[] = {1, 2, 4, 8, 0};

const int grid_rows[] = {1,    2,    4,    8,    16,   24,    32,    48,   64,
                         96,   128,  192,  256,  384,  512,   768,   1024, 1536,
                         2048, 3072, 4096, 6144, 8192, 12288, 16384, 0};

enum { POINTS = 64 };

struct grid_line *grid_new(struct grid_plan *p, const struct grid_table *t)
{
    ARENA_ROOM(p->a, p->line, p->n, p->cap);
    struct grid_line *l = &p->line[p->n++];
    *l = (struct grid_line){
        .table = t,
        .point = ARENA_ARRAY(p->a, struct grid_point, POINTS),
    };
    return l;
}

struct grid_point *grid_point(struct grid_plan *p, double x, const char *fmt,
                              ...)
{
    struct grid_line *l = &p->line[p->n - 1];
    va_list args;
    must(l->n < POINTS);
    struct grid_point *point = &l->point[l->n++];
    point->x = x;
    va_start(args, fmt);
    int n = vsnprintf(point->id, sizeof point->id, fmt, args);
    va_end(args);
    must(n > 0 && (size_t)n < sizeof point->id);
    return point;
}

void grid_once(struct grid_plan *p)
{
    const struct grid_line *last = &p->line[p->n - 1];
    bool again = last->n == 0;
    for (size_t i = 0; i + 1 < p->n && !again; i++)
        again = p->line[i].table == last->table && p->line[i].n == last->n
             && strcmp(p->line[i].point[0].id, last->point[0].id) == 0;
    if (again)
        p->n--;
}
