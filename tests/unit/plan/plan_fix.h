/* plan_fix - scenarios for tests of the planning floor: the shipped cards, and
 * a store in memory whose mi300x has the fits of fake_costs.h. */
#ifndef TESTS_PLAN_FIX_H
#define TESTS_PLAN_FIX_H

#include "sim/plan/scenario.h"
#include "tests/unit/cost/fake_costs.h"

#include <stdio.h>

struct plan_fix {
    struct arena *a;
    struct db db;
};

static inline struct plan_fix *plan_open(void)
{
    struct arena *a = arena_open();
    struct plan_fix *f = ARENA_NEW(a, struct plan_fix);
    struct err e = {0};
    f->a = a;
    bool ok = db_open(&f->db, ":memory:", &e);
    struct costs c = fake_costs(a);
    for (size_t i = 0; ok && i < c.n; i++) {
        c.fit[i].gpu = "mi300x";
        c.fit[i].date = "2026-01-01";
        ok = costs_save(&f->db, &c.fit[i], &e);
    }
    if (!ok) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    return f;
}

static inline void plan_close(struct plan_fix *f)
{
    db_close(&f->db);
    arena_close(f->a);
}

/* Small engines of a small model; the load is short. */
#define PLAN_MODEL "\"model\": \"llama-3.1-8b\", \"gpu\": \"mi300x\""
#define PLAN_ENGINE                                                            \
    "\"engine\": {\"max_num_seqs\": 64, \"prefix_caching\": false}"
#define PLAN_LOAD                                                              \
    "\"load\": {\"arrival\": {\"kind\": \"closed\", \"concurrency\": 4}, "     \
    "\"isl\": {\"kind\": \"fixed\", \"tokens\": 500}, "                        \
    "\"osl\": {\"kind\": \"fixed\", \"tokens\": 20}, \"requests\": 24}"
#define PLAN_BASE PLAN_MODEL ", " PLAN_ENGINE ", " PLAN_LOAD

static inline bool plan_try(struct plan_fix *f, const char *text,
                            const char *const *set, struct scenario *s,
                            struct err *e)
{
    struct scenario_ask ask = {.path = "fix.json",
                               .text = text,
                               .models = "models",
                               .set = set,
                               .store = &f->db};
    return scenario_load(&ask, f->a, s, e);
}

static inline struct scenario *plan_read(struct plan_fix *f, const char *text)
{
    struct scenario *s = ARENA_NEW(f->a, struct scenario);
    struct err e = {0};
    if (!plan_try(f, text, NULL, s, &e)) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    return s;
}

#endif
