#include "sim/cost/form.h"

#include <stddef.h>
#include <string.h>

#define ROOM(stem) extern const struct form form_##stem;
#include "gen/form.inc"
#undef ROOM

const struct form *const form_table[] = {
#define ROOM(stem) &form_##stem,
#include "gen/form.inc"
#undef ROOM
    NULL,
};

const struct form *form_find(const char *name)
{
    for (const struct form *const *f = form_table; *f; f++)
        if (strcmp((*f)->name, name) == 0)
            return *f;
    return NULL;
}
