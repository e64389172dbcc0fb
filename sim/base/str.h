/* str - text: a growing buffer, whole-token number parsing, nearest name.
 * struct str owns its memory (heap): str_free.  Appending never fails (running
 * out of memory aborts).  One thread. */
#ifndef SIM_BASE_STR_H
#define SIM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    char *s; /* always terminated once something was added; NULL before */
    size_t n, cap;
};

void str_add(struct str *b, const char *s);
void str_addn(struct str *b, const char *s, size_t n);
void str_fmt(struct str *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void str_free(struct str *b);

/* The whole token must be a finite number; no surrounding space. */
bool str_double(const char *s, double *out);
bool str_int64(const char *s, int64_t *out);
bool str_uint64(const char *s, uint64_t *out);

/* The candidate nearest to s by edit distance, or NULL when none is within
 * about a third of the length of s.  candidates ends with NULL. */
const char *str_nearest(const char *s, const char *const *candidates);

#endif
