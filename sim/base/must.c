#include "sim/base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Thread_local const char *must_context;

_Noreturn void must_fail(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: must hold: %s", file, line, cond);
    if (must_context)
        fprintf(stderr, " (%s)", must_context);
    fputc('\n', stderr);
    fflush(stderr);
    abort();
}
