/* Scale of state: the cost of a run grows with its events, its memory with what
 * is alive at once.  72 engines of 4,096 requests at a time; prompts of 131,072
 * tokens; a million requests.  SCALE multiplies the sizes of the quick check
 * (default 1; 20 is the whole). */
#include "tests/t.h"

#include "tests/unit/serve/plant_fix.h"

#include <time.h>

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static double scale(void)
{
    const char *v = getenv("SCALE");
    return v ? strtod(v, NULL) : 1;
}

struct cost {
    double cpu_s;
    double bytes;
};

static struct cost cost(const struct plant *p, const struct load_spec *l,
                        struct outcome *o)
{
    struct arena *a = arena_open();
    struct err e = {0};
    struct world_ask ask = {.plant = p, .load = l, .seed = 3};
    double from = cpu_s();
    OK(world_run(&ask, a, o, &e), e);
    struct cost c = {cpu_s() - from, (double)arena_bytes(a)};
    arena_close(a);
    return c;
}

static void per_request(const char *what, const struct cost *c, int64_t n)
{
    printf("%s: %.1f us a request, %.1f MiB\n", what,
           c->cpu_s * 1e6 / (double)n, c->bytes / 1048576);
}

/* Four times the requests: four times the time, the same memory. */
static void a_long_run(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 8, 1,
                                      fix_real(a, 1, false));
    struct plant p = fix_plant(&pool, 1);
    int64_t n = (int64_t)(12500 * scale());
    struct load_spec l = fix_poisson(200, n, 500, 20);
    struct outcome o;
    struct cost one = cost(&p, &l, &o);
    l.requests = 4 * n;
    struct cost four = cost(&p, &l, &o);
    per_request("long run", &four, l.requests);
    EQ(o.requests, 4 * n);
    assert_true(four.cpu_s < 4 * one.cpu_s * 2.5 + 0.2);
    assert_true(four.bytes < 1.5 * one.bytes + (1 << 20));
    arena_close(a);
}

/* All slots of 72 engines: half the slots, half the time of a request wave. */
static void many_at_once(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 72, 1,
                                      fix_real(a, 1, false));
    int64_t each = (int64_t)(fmin(4096, 204.8 * scale()));
    pool.sched.max_num_seqs = 1024;
    pool.sched.num_blocks = 1 + 4096 * 8;
    struct plant p = fix_plant(&pool, 1);
    p.router.decode = ROUTE_LEAST;
    struct load_spec l = fix_closed(72 * each / 4, 72 * each / 2, 64, 30);
    struct outcome o;
    struct cost quarter = cost(&p, &l, &o);
    l.concurrency *= 4;
    l.requests *= 4;
    struct cost all = cost(&p, &l, &o);
    per_request("many at once", &all, l.requests);
    EQ(o.requests, l.requests);
    assert_true(all.cpu_s < 4 * quarter.cpu_s * 2.5 + 0.2);
    assert_true(all.bytes < 6 * quarter.bytes);
    arena_close(a);
}

/* Prompts as long as they get: by blocks and steps, not by tokens squared. */
static void long_prompts(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 8, 1,
                                      fix_real(a, 1, false));
    pool.sched.max_num_batched_tokens = 8192;
    pool.sched.max_model_len = 140000;
    pool.sched.enable_prefix_caching = true;
    int64_t n = (int64_t)(200 * scale());
    struct outcome o;
    pool.sched.max_model_len = FIX_LEN;
    struct plant p = fix_plant(&pool, 1);
    struct load_spec l = fix_poisson(20, n, 16384, 8);
    struct cost some = cost(&p, &l, &o);
    l.isl = fix_length(65000);
    struct cost full = cost(&p, &l, &o);
    per_request("long prompts", &full, n);
    EQ(o.requests, n);
    assert_true(full.cpu_s < 4 * some.cpu_s * 2.5 + 0.2);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(a_long_run), cmocka_unit_test(many_at_once),
       cmocka_unit_test(long_prompts))
