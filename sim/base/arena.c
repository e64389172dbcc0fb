#include "sim/base/arena.h"

#include "sim/base/must.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A run off the end of one piece reaches the poisoned gap before the next. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
enum { GAP = 0 };
#endif

enum {
    ALIGN = _Alignof(max_align_t),
    FIRST_BYTES = 1 << 16, /* the first chunk; each next one doubles ... */
    MOST_BYTES = 1 << 26,  /* ... up to this, or to one request */
};

struct chunk {
    struct chunk *older;
    size_t size, used;
    size_t dirty; /* bytes that were handed out before a reset */
    _Alignas(ALIGN) unsigned char data[];
};

struct arena {
    struct chunk *top;
    size_t bytes;
};

static _Noreturn void out_of_memory(size_t bytes)
{
    fprintf(stderr, "out of memory: %zu bytes refused\n", bytes);
    abort();
}

/* calloc, because untouched pages of it cost nothing. */
static void *take(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p)
        out_of_memory(bytes);
    return p;
}

static void add_chunk(struct arena *a, size_t size)
{
    struct chunk *c = take(sizeof *c + size);
    c->older = a->top;
    c->size = size;
    a->top = c;
    a->bytes += sizeof *c + size;
    ASAN_POISON_MEMORY_REGION(c->data, size);
}

static void free_chunks(struct arena *a)
{
    while (a->top) {
        struct chunk *older = a->top->older;
        a->bytes -= sizeof *a->top + a->top->size;
        ASAN_UNPOISON_MEMORY_REGION(a->top->data, a->top->size);
        free(a->top);
        a->top = older;
    }
}

struct arena *arena_open(void)
{
    struct arena *a = take(sizeof *a);
    a->bytes = sizeof *a;
    return a;
}

void arena_close(struct arena *a)
{
    if (!a)
        return;
    free_chunks(a);
    free(a);
}

/* Several chunks become one as large, so a loop of resets settles on one. */
void arena_reset(struct arena *a)
{
    if (!a->top)
        return;
    if (a->top->older) {
        size_t size = 0;
        for (const struct chunk *c = a->top; c; c = c->older)
            size += c->size;
        free_chunks(a);
        add_chunk(a, size);
    }
    struct chunk *c = a->top;
    if (c->dirty < c->used)
        c->dirty = c->used;
    c->used = 0;
    ASAN_POISON_MEMORY_REGION(c->data, c->size);
}

size_t arena_bytes(const struct arena *a)
{
    return a->bytes;
}

static void make_room(struct arena *a, size_t bytes)
{
    size_t size = FIRST_BYTES;
    if (a->top)
        size = a->top->size < MOST_BYTES / 2 ? 2 * a->top->size : MOST_BYTES;
    if (size < bytes)
        size = bytes;
    add_chunk(a, size);
}

void *arena_get(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2 - ALIGN)
        out_of_memory(SIZE_MAX);
    size_t step = (bytes + GAP + ALIGN - 1) / ALIGN * ALIGN;
    if (!a->top || a->top->size - a->top->used < step)
        make_room(a, step);
    struct chunk *c = a->top;
    unsigned char *p = c->data + c->used;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
    if (c->dirty > c->used) {
        size_t old = c->dirty - c->used;
        memset(p, 0, old < bytes ? old : bytes);
    }
    c->used += step;
    return p;
}

char *arena_str(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(arena_get(a, n, 1), s, n);
}

char *arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    must(n >= 0);
    char *s = arena_get(a, (size_t)n + 1, 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void *arena_grow(struct arena *a, const void *p, size_t used, size_t want,
                 size_t size)
{
    must(want >= used);
    void *q = arena_get(a, want, size);
    if (used)
        memcpy(q, p, used * size);
    return q;
}
