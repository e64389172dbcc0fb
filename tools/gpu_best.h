/* gpu_best - the best that each kind of operation reached while a GPU was
 * measured: bytes and operations a second, against the data sheet.  Rates are
 * of the least bytes and operations that a call needs.  Lives in the arena. */
#ifndef TOOLS_GPU_BEST_H
#define TOOLS_GPU_BEST_H

#include "calibrate/gpu/campaign.h"
#include "sim/cost/card.h"

#include <stdio.h>

struct gpu_best;

struct gpu_best *gpu_best_new(struct arena *a);
void gpu_best_add(struct gpu_best *b, const struct grid_table *t,
                  const struct grid_point *p, const struct table_row *r);
/* One line a kind, nothing for none; card NULL: no data sheet beside it. */
void gpu_best_print(FILE *f, const struct gpu_best *b,
                    const struct gpu_card *card);

#endif
