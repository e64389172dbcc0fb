/* Bytes moved: inside the device by an own kernel and by the runtime, read
 * only, from pinned host memory, and blocks of a cache gathered into one
 * piece. */
#include "calibrate/gpu/grid.h"

static const struct grid_table copy = {"copy", "kind,bytes"};
static const struct grid_table gather = {"kv_gather",
                                         "blocks,block_bytes,bytes"};

#define MIB (1024.0 * 1024)
#define HOST_MAX (64 * MIB) /* beyond it a link has long reached its rate */
#define DEVICE_MAX (2048 * MIB)
#define BYTES_MIN (64 * 1024.0)

static void copy_line(struct grid_plan *plan, enum call_copy_kind kind,
                      const char *name, double most)
{
    grid_new(plan, &copy);
    for (double b = BYTES_MIN; b <= most; b *= 2) {
        struct grid_point *p = grid_point(plan, b, "%s,%.0f", name, b);
        p->call = (struct call){
            .op = CALL_COPY,
            .copy = {.kind = kind, .bytes = (size_t)b},
        };
        p->bytes = kind == CALL_COPY_KERNEL || kind == CALL_COPY_DEVICE ? 2 * b
                                                                        : b;
    }
    grid_once(plan);
}

/* Blocks of 16 tokens of one layer's keys or values. */
static void gather_line(struct grid_plan *plan, const struct grid_model *m)
{
    int bytes = 16 * m->kv_heads * m->head_dim * 2;
    grid_new(plan, &gather);
    for (int n = 1; n <= 16384; n *= 4) {
        double all = (double)n * bytes;
        struct grid_point *p = grid_point(plan, n, "%d,%d,%.0f", n, bytes, all);
        p->call = (struct call){
            .op = CALL_GATHER,
            .gather = {.blocks = n, .block_bytes = (size_t)bytes},
        };
        p->bytes = 2 * all;
    }
    grid_once(plan);
}

static void lines(const struct grid_ask *ask, struct grid_plan *plan)
{
    copy_line(plan, CALL_COPY_KERNEL, "device_kernel", DEVICE_MAX);
    copy_line(plan, CALL_COPY_DEVICE, "device_runtime", DEVICE_MAX);
    copy_line(plan, CALL_READ, "device_read", DEVICE_MAX);
    copy_line(plan, CALL_COPY_IN, "host_to_device", HOST_MAX);
    for (size_t i = 0; i < ask->n; i++)
        gather_line(plan, &ask->model[i]);
}

const struct grid grid_copy = {"copy", lines};
