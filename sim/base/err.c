#include "sim/base/err.h"

#include "sim/base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(char text[ERR_TEXT], const char *more)
{
    size_t n = strlen(text), room = ERR_TEXT - 1 - n, m = strlen(more);
    if (m > room)
        m = room;
    memcpy(text + n, more, m);
    text[n + m] = '\0';
}

/* Sentences are built beside e->text, for callers may quote it in their own. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    must(e && kind != ERR_NONE);
    char text[ERR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    e->kind = kind;
    memcpy(e->text, text, sizeof text);
    return false;
}

bool err_in(struct err *e, const char *fmt, ...)
{
    must(e && e->kind != ERR_NONE);
    char text[ERR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add(text, ": ");
    add(text, e->text);
    memcpy(e->text, text, sizeof text);
    return false;
}
