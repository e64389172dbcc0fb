/* arena - memory that is released all at once.
 * arena_open/arena_close own the memory; everything from arena_get lives until
 * arena_close or arena_reset and comes zeroed.  Running out aborts.  Counts are
 * in items, never in bytes at a call.  One thread.  O(1) amortised. */
#ifndef SIM_BASE_ARENA_H
#define SIM_BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_open(void);
void arena_close(struct arena *a);         /* NULL is fine */
void arena_reset(struct arena *a);         /* forgets all, keeps the memory */
size_t arena_bytes(const struct arena *a); /* bytes taken from the system */

/* n zeroed items of size bytes each, aligned for any type; n = 0 is fine. */
void *arena_get(struct arena *a, size_t n, size_t size);
char *arena_str(struct arena *a, const char *s); /* a copy */
char *arena_fmt(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A copy of the first `used` items with room for `want` (>= used) items. */
void *arena_grow(struct arena *a, const void *p, size_t used, size_t want,
                 size_t size);

#define ARENA_NEW(a, type) ((type *)arena_get((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_get((a), (n), sizeof(type)))
/* Makes room for one more item in p (count n, capacity cap), doubling. */
#define ARENA_ROOM(a, p, n, cap)                                               \
    ((p) = (n) < (cap) ? (p)                                                   \
                       : arena_grow((a), (p), (size_t)(n),                     \
                                    (size_t)((cap) = (cap) ? 2 * (cap) : 8),   \
                                    sizeof *(p)))

#endif
