#include "calibrate/rdma/rail.h"

#include <string.h>

#define ROOM(stem) extern const struct rail_ops rail_##stem;
#include "gen/rail.inc"
#undef ROOM

const struct rail_ops *const rail_table[] = {
#define ROOM(stem) &rail_##stem,
#include "gen/rail.inc"
#undef ROOM
    NULL,
};

const struct rail_ops *rail_find(const char *name)
{
    for (const struct rail_ops *const *r = rail_table; *r; r++)
        if (strcmp((*r)->name, name) == 0)
            return *r;
    return NULL;
}
