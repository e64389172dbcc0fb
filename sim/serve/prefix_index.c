#include "sim/serve/prefix_index.h"

#include "sim/base/must.h"

#include <string.h>

enum { FIRST = 64 }; /* entries before it grows; a power of two */
#define NONE UINT32_MAX

struct entry {
    uint64_t hash;
    uint32_t newer, older;
    uint32_t chain; /* next of the same bucket */
};

struct prefix_index {
    struct arena *a;
    struct entry *entry;
    uint32_t n, cap, most;
    uint32_t *bucket; /* 2 * cap heads of chains; a power of two */
    uint32_t newest, oldest;
};

static uint32_t *bucket_of(const struct prefix_index *x, uint64_t hash)
{
    return &x->bucket[(uint32_t)(hash >> 32 ^ hash) & (2 * x->cap - 1)];
}

static void room(struct prefix_index *x, uint32_t cap)
{
    x->entry = arena_grow(x->a, x->entry, x->n, cap, sizeof *x->entry);
    x->cap = cap;
    x->bucket = ARENA_ARRAY(x->a, uint32_t, 2 * (size_t)cap);
    memset(x->bucket, 0xff, 2 * (size_t)cap * sizeof *x->bucket);
    for (uint32_t i = 0; i < x->n; i++) {
        uint32_t *b = bucket_of(x, x->entry[i].hash);
        x->entry[i].chain = *b;
        *b = i;
    }
}

struct prefix_index *prefix_index_new(uint32_t capacity, struct arena *a)
{
    struct prefix_index *x = ARENA_NEW(a, struct prefix_index);

    must(capacity > 0 && capacity < UINT32_MAX / 4);
    *x = (struct prefix_index){
        .a = a, .most = capacity, .newest = NONE, .oldest = NONE};
    room(x, FIRST);
    return x;
}

static uint32_t find(const struct prefix_index *x, uint64_t hash)
{
    uint32_t i = *bucket_of(x, hash);

    while (i != NONE && x->entry[i].hash != hash)
        i = x->entry[i].chain;
    return i;
}

uint32_t prefix_index_match(const struct prefix_index *x, const uint64_t *hash,
                            uint32_t n)
{
    uint32_t i = 0;

    while (i < n && find(x, hash[i]) != NONE)
        i++;
    return i;
}

static void unlink_entry(struct prefix_index *x, uint32_t i)
{
    const struct entry *e = &x->entry[i];

    *(e->newer == NONE ? &x->newest : &x->entry[e->newer].older) = e->older;
    *(e->older == NONE ? &x->oldest : &x->entry[e->older].newer) = e->newer;
}

static void link_newest(struct prefix_index *x, uint32_t i)
{
    x->entry[i].newer = NONE;
    x->entry[i].older = x->newest;
    if (x->newest != NONE)
        x->entry[x->newest].newer = i;
    else
        x->oldest = i;
    x->newest = i;
}

/* The oldest entry, out of its list and its chain. */
static uint32_t evict(struct prefix_index *x)
{
    uint32_t i = x->oldest, *at = bucket_of(x, x->entry[i].hash);

    while (*at != i)
        at = &x->entry[*at].chain;
    *at = x->entry[i].chain;
    unlink_entry(x, i);
    return i;
}

static void add(struct prefix_index *x, uint64_t hash)
{
    uint32_t i = find(x, hash);

    if (i != NONE) {
        unlink_entry(x, i);
        link_newest(x, i);
        return;
    }
    if (x->n == x->most) {
        i = evict(x);
    } else {
        if (x->n == x->cap)
            room(x, 2 * x->cap);
        i = x->n++;
    }
    uint32_t *b = bucket_of(x, hash);
    x->entry[i].hash = hash;
    x->entry[i].chain = *b;
    *b = i;
    link_newest(x, i);
}

void prefix_index_add(struct prefix_index *x, const uint64_t *hash, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        add(x, hash[i]);
}

uint32_t prefix_index_size(const struct prefix_index *x)
{
    return x->n;
}
