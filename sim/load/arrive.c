#include "sim/load/arrive.h"

#include "sim/base/must.h"

/* One ROOM(X) for each file arrive_X.c, sorted; the build writes it. */
#define ROOM(stem) extern const struct arrive arrive_##stem;
#include "gen/arrive.inc"
#undef ROOM

#define ROOM(stem) &arrive_##stem,
const struct arrive *const arrive_table[] = {
#include "gen/arrive.inc"
    NULL,
};
#undef ROOM

struct arrive_names arrive_all(void)
{
    struct arrive_names all = {{NULL}};
    for (int i = 0; arrive_table[i]; i++) {
        must(i < ARRIVE_KINDS);
        all.name[i] = arrive_table[i]->name;
    }
    return all;
}
