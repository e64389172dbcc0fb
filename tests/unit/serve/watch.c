/* Who looks on sees every step, transfer and request, and changes nothing. */
#include "tests/t.h"

#include "sim/serve/world.h"
#include "tests/unit/serve/plant_fix.h"

struct seen {
    const struct plant *plant;
    int64_t steps, tokens, prefill, decodes, transfers, bytes, lives;
    int64_t answers; /* tokens of finished requests */
    ns_t end[4];     /* of each engine's last step */
    uint64_t first;  /* lives of warm-ups */
};

static void step(void *user, const struct watch_step *s)
{
    struct seen *k = user;
    int32_t parts = 0;
    k->steps++;
    k->tokens += s->tokens;
    k->prefill += s->prefill_tokens;
    k->decodes += s->decodes;
    EQ(s->tokens, s->prefill_tokens + (int32_t)s->decodes);
    for (uint32_t i = 0; i < s->n_part; i++)
        parts += s->part[i].tokens;
    EQ(parts, s->prefill_tokens);
    assert_true(s->padded >= s->tokens && s->context >= s->tokens);
    assert_true(s->kv_used > 0 && s->kv_used <= s->kv_blocks);
    /* one GPU, one step at a time */
    assert_true(s->at >= k->end[s->engine] && s->end > s->at);
    k->end[s->engine] = s->end;
}

static void transfer(void *user, const struct watch_transfer *x)
{
    struct seen *k = user;
    k->transfers++;
    k->bytes += x->bytes;
    assert_true(x->posted < x->received);
    assert_true(x->from < x->to);
}

static void life(void *user, const struct watch_life *l)
{
    struct seen *k = user;
    k->lives++;
    k->first += l->warmup;
    k->answers += l->warmup ? 0 : l->osl;
    assert_true(l->sent <= l->queued && l->queued <= l->admitted);
    assert_true(l->admitted < l->first && l->first <= l->end);
    assert_false(l->failed);
}

static void watched(const struct plant *p, const struct load_spec *l,
                    struct seen *k, struct outcome *o)
{
    struct arena *a = arena_open();
    struct err e = {0};
    struct watch w = {k, step, transfer, life};
    struct outcome plain;
    struct world_ask ask = {.plant = p, .load = l, .seed = 3};
    OK(world_run(&ask, a, &plain, &e), e);
    arena_reset(a);
    ask.watch = &w;
    OK(world_run(&ask, a, o, &e), e);
    plain.events = o->events;
    assert_memory_equal(&plain, o, sizeof plain);
    arena_close(a);
}

static void one_engine(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 1, 1,
                                      fix_real(a, 1, false));
    struct plant p = fix_plant(&pool, 1);
    struct load_spec l = fix_poisson(50, 60, 700, 90);
    struct seen k = {.plant = &p};
    struct outcome o;
    watched(&p, &l, &k, &o);
    EQ(k.steps, o.steps);
    EQ(k.lives, 60);
    EQ(k.transfers, 0);
    EQ(k.prefill, 60 * 700); /* no preemption */
    EQ(k.decodes, 60 * 89);  /* the prompt's last step gives the first */
    EQ(k.answers, o.output_tokens);
    arena_close(a);
}

static void a_pair(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    const struct price *price = fix_real(a, 1, false);
    struct plant_pool pool[2] = {fix_pool(ROLE_PREFILL, 2, 1, price),
                                 fix_pool(ROLE_DECODE, 1, 1, price)};
    pool[0].sched.enable_prefix_caching = true;
    struct plant p = fix_plant(pool, 2);
    struct load_spec l = fix_closed(7, 40, 640, 30);
    l.warmup_requests = 3;
    struct seen k = {.plant = &p};
    struct outcome o;
    watched(&p, &l, &k, &o);
    EQ(k.lives, 43);
    EQ(k.first, 3);
    EQ(k.transfers, 43);
    EQ(k.bytes, 43 * 40 * 1048576LL); /* blocks of 16 tokens, 1 MiB each */
    EQ(k.answers, o.output_tokens);
    arena_close(a);
}

/* A tight cache: recomputed tokens count as prefill. */
static void preempted(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 1, 1,
                                      fix_real(a, 1, false));
    pool.sched.num_blocks = 60;
    struct plant p = fix_plant(&pool, 1);
    struct load_spec l = fix_closed(16, 30, 100, 100);
    struct seen k = {.plant = &p};
    struct outcome o;
    watched(&p, &l, &k, &o);
    assert_true(o.preemptions > 0);
    assert_true(k.prefill > 30 * 100);
    EQ(k.steps, o.steps);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(one_engine), cmocka_unit_test(a_pair),
       cmocka_unit_test(preempted))
