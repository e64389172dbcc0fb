/* scene - a section of the page by itself, for its test. */
#ifndef TESTS_UNIT_REPORT_SCENE_H
#define TESTS_UNIT_REPORT_SCENE_H

#include "sim/report/section.h"
#include "tests/t.h"
#include "tests/unit/report/fake.h"

struct scene {
    struct str b;
    struct section p;
};

static inline void scene_open(struct scene *s)
{
    *s = (struct scene){0};
    s->p = (struct section){.out = &s->b, .a = arena_open()};
}

static inline void scene_close(struct scene *s)
{
    str_free(&s->b);
    arena_close(s->p.a);
}

static inline size_t scene_count(const struct scene *s, const char *part)
{
    size_t n = 0;
    for (const char *t = s->b.s; t && (t = strstr(t, part)); t++)
        n++;
    return n;
}

#endif
