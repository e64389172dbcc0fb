/* Laws of whole worlds.  The random ones run over tests/law/world_case.h; N in
 * the environment says over how many, FIRST where to begin.  Conservation of
 * requests, blocks and bytes, and a clock that never goes back, are checked by
 * the program itself (world.c, evq.c): a breach stops it. */
#include "tests/t.h"

#include "sim/base/must.h"
#include "tests/law/world_case.h"

enum { CASES = 1000 };

static uint32_t asked(const char *name, uint32_t dflt)
{
    const char *v = getenv(name);
    return v ? (uint32_t)strtoul(v, NULL, 10) : dflt;
}

static bool ran(const struct plant *p, const struct load_spec *l, uint64_t seed,
                bool steps, struct outcome *o)
{
    struct arena *a = arena_open();
    struct err e = {0};
    struct world_ask ask = {
        .plant = p, .load = l, .seed = seed, .engine_steps = steps};
    bool ok = world_run(&ask, a, o, &e);
    if (!ok && e.kind != ERR_NO) {
        print_error("%s\n", e.text);
        fail();
    }
    arena_close(a);
    return ok;
}

/* ---- over random worlds -------------------------------------------------- */

struct seen { /* what the cases got to */
    int worlds, hung, preempted, staged, pinned, shorter, plain;
};

enum { WORDS = sizeof(struct outcome) / 8 };

/* Bit for bit, but for the number of events. */
static void same(const struct outcome *quick, const struct outcome *slow,
                 uint32_t i)
{
    struct outcome a = *quick, b = *slow;
    uint64_t x[WORDS], y[WORDS];
    int differ = 0;
    a.events = b.events = 0;
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (int k = 0; k < WORDS; k++) {
        double u, v;
        if (x[k] == y[k])
            continue;
        differ++;
        memcpy(&u, &x[k], 8);
        memcpy(&v, &y[k], 8);
        print_error("case %u: word %d of the outcome: %.17g, by single steps "
                    "%.17g\n",
                    i, k, u, v);
    }
    EQ(differ, 0);
}

static void totals(const struct world_case *c, const struct outcome *o)
{
    struct arena *a = arena_open();
    struct err e = {0};
    struct load *l;
    struct load_req r;
    int64_t n = 0, in = 0, out = 0;
    OK(load_new(&l, &c->load, c->seed, a, &e), e);
    while (load_next(l, &r)) {
        n++;
        in += r.isl;
        out += r.osl;
    }
    EQ(o->requests + o->failed, n);
    if (o->failed) /* expired KV; no output, no input counted */
        in = o->input_tokens, out = o->output_tokens;
    EQ(o->input_tokens, in);
    EQ(o->output_tokens, out);
    arena_close(a);
}

/* Little: what is in flight, over time, is the sum of the stays. */
static void little(const struct world_case *c, const struct outcome *o)
{
    if (o->failed)
        return; /* their stays are not in e2e */
    double mean = o->e2e.mean * 1e-3 * (double)o->requests / o->duration_s;
    if (c->load.arrive == fix_arrive("closed"))
        assert_true(mean <= o->concurrency * (1 + 1e-12));
    else
        NEAR(o->concurrency, mean, 1e-9 * mean);
}

/* The pieces of a TTFT are all of it, and none is negative. */
static void pieces(const struct outcome *o)
{
    const double part[] = {o->ttft_route, o->ttft_queue,    o->ttft_prefill,
                           o->ttft_stage, o->ttft_transfer, o->ttft_first};
    double sum = 0;
    for (int i = 0; i < 6; i++) {
        assert_true(part[i] >= 0);
        sum += part[i];
    }
    NEAR(sum, o->ttft.mean, 1e-9 * sum);
}

/* All gaps between tokens are all the time between first and last ones. */
static void gaps(const struct outcome *o)
{
    double n = (double)(o->output_tokens - o->requests);
    double sum = (o->e2e.mean - o->ttft.mean) * (double)o->requests;
    if (n > 0)
        NEAR(o->itl.mean * n, sum, 1e-9 * o->e2e.mean * (double)o->requests);
    else
        assert_true(isnan(o->itl.mean) && fabs(sum) < 1e-9 * o->e2e.mean);
}

static void shares(const struct world_case *c, const struct outcome *o)
{
    for (uint32_t i = 0; i < c->plant.n_pools; i++) {
        const struct world_pool *p = &o->pool[i];
        assert_true(p->busy >= 0 && p->busy <= 1);
        assert_true(p->kv >= 0 && p->kv <= p->kv_max * (1 + 1e-9));
        assert_true(p->kv_max <= 1);
        assert_true(p->nic >= 0 && p->nic <= 1 && p->waiting >= 0);
    }
}

/* vLLM hangs where a preempted request without blocks stands before received
 * ones that hold them (engine.md 3.4): not where those are met first. */
static void may_hang(const struct world_case *c)
{
    const struct sched_opt *o = &c->plant.pool[1].sched;
    EQ(c->plant.n_pools, 2);
    assert_false(o->kv_holding_queue);
    assert_true(!o->skipped_waiting_queue || o->policy == SCHED_PRIORITY);
}

static void count(const struct world_case *c, const struct outcome *quick,
                  const struct outcome *slow, struct seen *s)
{
    bool pd = c->plant.n_pools > 1;
    s->worlds++;
    s->preempted += quick->preemptions > 0;
    s->shorter += quick->events < slow->events;
    /* a transfer that was asked for and got no blocks at once */
    s->staged += pd && quick->pool[1].kv_max > 0.95 && quick->ttft_stage > 20;
    s->pinned += pd && quick->pool[0].kv_max > 0.95
              && quick->pool[0].waiting > 1;
}

/* Where nobody is preempted and nothing is fetched, equal priorities are first
 * come, first served; the scheduler counts steady decodes under the latter
 * alone, so this compares it with plain stepping. */
static void by_priority(const struct world_case *c, const struct outcome *o,
                        struct seen *s, uint32_t i)
{
    struct world_case p = *c;
    struct outcome u;
    if (c->plant.n_pools > 1 || o->preemptions > 0
        || c->plant.pool[0].sched.policy != SCHED_FCFS)
        return;
    p.plant.pool[0].sched.policy = SCHED_PRIORITY;
    assert_true(ran(&p.plant, &p.load, p.seed, true, &u));
    same(o, &u, i);
    s->plain++;
}

static void random_worlds(void **state)
{
    (void)state;
    struct arena *shared = arena_open();
    const struct world_cases *k = case_open(shared);
    uint32_t from = asked("FIRST", 0), n = asked("N", CASES);
    struct seen s = {0};
    for (uint32_t i = from; i < from + n; i++) {
        struct arena *a = arena_open();
        struct world_case c = case_make(k, i, a);
        char context[64];
        snprintf(context, sizeof context, "case %u", i);
        must_context = context;
        struct outcome quick, slow;
        bool ok = ran(&c.plant, &c.load, c.seed, false, &quick);
        EQ(ran(&c.plant, &c.load, c.seed, true, &slow), ok);
        s.hung += !ok;
        if (!ok) {
            may_hang(&c);
        } else {
            same(&quick, &slow, i);
            totals(&c, &quick);
            little(&c, &quick);
            pieces(&quick);
            gaps(&quick);
            shares(&c, &quick);
            count(&c, &quick, &slow, &s);
            by_priority(&c, &quick, &s, i);
        }
        arena_close(a);
    }
    must_context = NULL;
    printf("%d worlds, %d hung; %d preempted, %d staged, %d pinned, %d with "
           "quiet runs, %d plain\n",
           s.worlds, s.hung, s.preempted, s.staged, s.pinned, s.shorter,
           s.plain);
    if (n >= CASES) {
        assert_true(s.worlds > CASES * 9 / 10);
        assert_true(s.preempted > CASES / 10);
        assert_true(s.staged > 10 && s.pinned > 10);
        assert_true(s.shorter > CASES / 4);
        assert_true(s.plain > CASES / 10);
    }
    arena_close(shared);
}

/* ---- queues with a formula ----------------------------------------------- */

static struct outcome run(const struct plant *p, const struct load_spec *l,
                          uint64_t seed)
{
    struct outcome o;
    assert_true(ran(p, l, seed, false, &o));
    return o;
}

/* Engines that take one request of one token at a time, 10 ms each. */
static struct plant servers(struct arena *a, uint32_t n)
{
    struct plant_pool p = fix_pool(
        ROLE_AGGREGATED, n, 1,
        fix_timed(a, (struct fix_times){10000, 0, 0, 0}));
    p.sched.async_scheduling = false;
    p.sched.max_num_seqs = 1;
    return fix_plant(&p, 1);
}

/* Mean wait in ms of a load of `rho` a server, against Pollaczek and
 * Khinchine's rho D / (2 (1 - rho)) for a constant service time D. */
static void waits_as(struct plant *p, double rho)
{
    enum { SEEDS = 10, N = 4000 };
    struct load_spec l = fix_poisson(100 * rho * p->pool[0].replicas, N, 16, 1);
    double sum = 0, sum2 = 0, wait = rho * 10 / (2 * (1 - rho));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        double w = run(p, &l, seed).ttft.mean - 10;
        sum += w;
        sum2 += w * w;
    }
    double mean = sum / SEEDS;
    double se = sqrt((sum2 / SEEDS - mean * mean) / (SEEDS - 1));
    assert_true(se < 0.1 * wait); /* or the interval says nothing */
    NEAR(mean, wait, 3.25 * se);  /* Student's t, 9 degrees, 99 % */
}

static void constant_service(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant one = servers(a, 1), three = servers(a, 3);
    waits_as(&one, 0.3);
    waits_as(&one, 0.7);
    /* a Poisson stream dealt at random is three Poisson streams */
    three.router.decode = ROUTE_RANDOM;
    waits_as(&three, 0.7);
    arena_close(a);
}

/* Dealt in turn each server meets Erlang gaps, dealt to the shortest queue even
 * shorter ones. */
static void regular_gaps_wait_less(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct plant p = servers(a, 3);
    struct load_spec l = fix_poisson(210, 4000, 16, 1);
    double wait[3];
    static const enum route_kind kind[] = {ROUTE_RANDOM, ROUTE_ROUND_ROBIN,
                                           ROUTE_LEAST};
    for (int i = 0; i < 3; i++) {
        p.router.decode = kind[i];
        wait[i] = run(&p, &l, 5).ttft.mean - 10;
    }
    assert_true(wait[1] < 0.5 * wait[0] && wait[2] < 0.5 * wait[0]);
    l = fix_poisson(70, 4000, 16, 1);
    l.arrive = fix_arrive("constant");
    p = servers(a, 1);
    NEAR(run(&p, &l, 5).ttft.mean, 10, 1e-9);
    arena_close(a);
}

/* ---- what must not matter ------------------------------------------------ */

enum { ROWS = 240 };
struct rows {
    double at[ROWS];
    int32_t isl[ROWS], osl[ROWS];
};

static struct rows random_rows(uint32_t who)
{
    struct rng r = rng_stream(21, RNG_TEST, who);
    struct rows x;
    double t = 0;
    for (int i = 0; i < ROWS; i++) {
        t += i % 2 ? 0 : 0.004 * rng_exp(&r); /* two at a time */
        x.at[i] = t;
        x.isl[i] = (int32_t)rng_range(&r, 1, 500);
        x.osl[i] = (int32_t)rng_range(&r, 1, 100);
    }
    return x;
}

static struct plant_pool tight(struct arena *a, uint32_t replicas)
{
    struct plant_pool p = fix_pool(ROLE_AGGREGATED, replicas, 1,
                                   fix_real(a, 1, false));
    p.sched.num_blocks = 60;
    p.sched.max_num_batched_tokens = 256;
    return p;
}

/* A trace dealt in turn to n engines is n traces on one engine each. */
static void splitting_and_joining(void **state)
{
    (void)state;
    enum { PODS = 3 };
    struct arena *a = arena_open();
    struct rows x = random_rows(0), part;
    struct plant_pool many = tight(a, PODS), single = many;
    single.replicas = 1;
    struct plant p = fix_plant(&many, 1), q = fix_plant(&single, 1);
    p.router.decode = ROUTE_ROUND_ROBIN;
    struct load_spec l = fix_trace(a, x.at, x.isl, x.osl, ROWS);
    struct outcome all = run(&p, &l, 1);
    double ttft = 0, itl = 0, e2e = 0;
    int64_t preempted = 0, steps = 0, gaps = 0, tokens = 0;
    for (int k = 0; k < PODS; k++) {
        for (int i = 0; i < ROWS / PODS; i++) {
            part.at[i] = x.at[i * PODS + k];
            part.isl[i] = x.isl[i * PODS + k];
            part.osl[i] = x.osl[i * PODS + k];
        }
        l = fix_trace(a, part.at, part.isl, part.osl, ROWS / PODS);
        struct outcome o = run(&q, &l, 1);
        ttft += o.ttft.mean / PODS;
        e2e += o.e2e.mean / PODS;
        int64_t g = o.output_tokens - o.requests;
        itl += o.itl.mean * (double)g;
        gaps += g;
        tokens += o.output_tokens;
        preempted += o.preemptions;
        steps += o.steps;
    }
    NEAR(all.ttft.mean, ttft, 1e-9 * ttft);
    NEAR(all.e2e.mean, e2e, 1e-9 * e2e);
    NEAR(all.itl.mean, itl / (double)gaps, 1e-9 * all.itl.mean);
    EQ(all.output_tokens, tokens);
    EQ(all.preemptions, preempted);
    EQ(all.steps, steps);
    assert_true(preempted > 0);
    arena_close(a);
}

/* Who of two that come at once goes to which of two equal engines. */
static void permuting_equal_instances(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct rows x = random_rows(1), y = x;
    struct plant_pool two = tight(a, 2);
    struct plant p = fix_plant(&two, 1);
    p.router.decode = ROUTE_ROUND_ROBIN;
    for (int i = 0; i < ROWS; i++) {
        y.isl[i] = x.isl[i ^ 1];
        y.osl[i] = x.osl[i ^ 1];
    }
    struct load_spec l = fix_trace(a, x.at, x.isl, x.osl, ROWS);
    struct load_spec m = fix_trace(a, y.at, y.isl, y.osl, ROWS);
    struct outcome o = run(&p, &l, 1), u = run(&p, &m, 1);
    /* a batch of the intervals may end between two that end at once */
    o.ci_e2e_p99 = u.ci_e2e_p99 = 0;
    same(&o, &u, 0);
    assert_true(o.preemptions > 0);
    arena_close(a);
}

static double spied[ROWS];
static int n_spied;

static double spy_at(struct load *l, int64_t i)
{
    double t = fix_arrive("poisson")->at(l, i);
    spied[n_spied++] = t;
    return t;
}

/* Common random numbers: routers, policies, versions and sizes of the plant
 * meet the same arrivals and lengths. */
static void arrivals_do_not_depend_on_the_plant(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct arrive spy = *fix_arrive("poisson");
    struct load_spec l = fix_poisson(40, ROWS, 0, 0);
    double first[ROWS];
    int64_t in = 0, out = 0;
    spy.at = spy_at;
    l.arrive = &spy;
    l.isl = (struct length_spec){.kind = LENGTH_UNIFORM, .min = 1, .max = 500};
    l.osl = (struct length_spec){.kind = LENGTH_UNIFORM, .min = 1, .max = 99};
    for (uint32_t k = 0; k < 2 * ROUTE_N; k++) {
        struct plant_pool pool = tight(a, 1 + k % 3);
        pool.sched.policy = k % 2 ? SCHED_PRIORITY : SCHED_FCFS;
        pool.sched.reserve_full_isl = k > 3;
        struct plant p = fix_plant(&pool, 1);
        p.router.decode = (enum route_kind)(k / 2);
        n_spied = 0;
        struct outcome o = run(&p, &l, 9);
        EQ(n_spied, ROWS);
        if (k == 0) {
            memcpy(first, spied, sizeof first);
            in = o.input_tokens;
            out = o.output_tokens;
        }
        assert_memory_equal(first, spied, sizeof first);
        EQ(o.input_tokens, in);
        EQ(o.output_tokens, out);
    }
    arena_close(a);
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    struct arena *shared = arena_open();
    const struct world_cases *k = case_open(shared);
    for (uint32_t i = 0; i < 20; i++) {
        struct arena *a = arena_open();
        struct world_case c = case_make(k, i, a);
        struct outcome x, y;
        if (ran(&c.plant, &c.load, c.seed, false, &x)) {
            assert_true(ran(&c.plant, &c.load, c.seed, false, &y));
            assert_memory_equal(&x, &y, sizeof x);
        }
        arena_close(a);
    }
    arena_close(shared);
}

T_MAIN(cmocka_unit_test(random_worlds), cmocka_unit_test(constant_service),
       cmocka_unit_test(regular_gaps_wait_less),
       cmocka_unit_test(splitting_and_joining),
       cmocka_unit_test(permuting_equal_instances),
       cmocka_unit_test(arrivals_do_not_depend_on_the_plant),
       cmocka_unit_test(same_seed_same_bytes))
