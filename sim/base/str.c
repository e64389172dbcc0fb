#include "sim/base/str.h"

#include "sim/base/must.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct str *b, size_t more)
{
    size_t want = b->n + more + 1;
    if (want <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < want)
        cap *= 2;
    char *s = realloc(b->s, cap);
    if (!s) {
        fprintf(stderr, "out of memory: %zu bytes refused\n", cap);
        abort();
    }
    b->s = s;
    b->cap = cap;
}

void str_addn(struct str *b, const char *s, size_t n)
{
    make_room(b, n);
    if (n)
        memcpy(b->s + b->n, s, n);
    b->n += n;
    b->s[b->n] = '\0';
}

void str_add(struct str *b, const char *s)
{
    str_addn(b, s, strlen(s));
}

void str_fmt(struct str *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    must(n >= 0);
    make_room(b, (size_t)n);
    vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

void str_free(struct str *b)
{
    free(b->s);
    *b = (struct str){0};
}

/* strtod alone also takes leading space, "inf", "nan" and hexadecimal. */
bool str_double(const char *s, double *out)
{
    if (!*s || strspn(s, "0123456789+-.eE") != strlen(s))
        return false;
    char *end;
    double v = strtod(s, &end);
    if (*end || end == s || !isfinite(v))
        return false;
    *out = v;
    return true;
}

static bool is_digits(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

bool str_int64(const char *s, int64_t *out)
{
    if (!is_digits(s + (*s == '-' || *s == '+')))
        return false;
    errno = 0;
    long long v = strtoll(s, NULL, 10);
    if (errno)
        return false;
    *out = v;
    return true;
}

bool str_uint64(const char *s, uint64_t *out)
{
    if (!is_digits(s))
        return false;
    errno = 0;
    unsigned long long v = strtoull(s, NULL, 10);
    if (errno)
        return false;
    *out = v;
    return true;
}

enum { NAME_MAX_LEN = 63 }; /* longer names have no nearest one */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits that turn s into t: change, insert, delete one, swap two neighbours
 * (optimal string alignment; Wagner and Fischer's table kept to three rows).
 * Letter case is no edit. */
static unsigned edits(const char *s, size_t ns, const char *t, size_t nt)
{
    unsigned row[3][NAME_MAX_LEN + 1];
    for (size_t j = 0; j <= nt; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= ns; i++) {
        unsigned *now = row[i % 3], *up = row[(i + 2) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nt; j++) {
            int a = tolower((unsigned char)s[i - 1]);
            int b = tolower((unsigned char)t[j - 1]);
            now[j] = least(up[j - 1] + (a != b), least(up[j], now[j - 1]) + 1);
            bool swap = i > 1 && j > 1 && a == tolower((unsigned char)t[j - 2])
                     && b == tolower((unsigned char)s[i - 2]);
            if (swap)
                now[j] = least(now[j], row[(i + 1) % 3][j - 2] + 1);
        }
    }
    return row[ns % 3][nt];
}

const char *str_nearest(const char *s, const char *const *candidates)
{
    size_t ns = strlen(s);
    if (ns == 0 || ns > NAME_MAX_LEN)
        return NULL;
    unsigned best = (unsigned)(ns + 2) / 3 + 1;
    const char *name = NULL;
    for (; *candidates; candidates++) {
        size_t nt = strlen(*candidates);
        if (nt > NAME_MAX_LEN)
            continue;
        unsigned d = edits(s, ns, *candidates, nt);
        if (d < best && d < nt) {
            best = d;
            name = *candidates;
        }
    }
    return name;
}
