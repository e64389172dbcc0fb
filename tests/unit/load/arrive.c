/* The arrival kinds: arrive_X.c has its law here. */
#include "tests/t.h"

#include "sim/load/arrive.h"

static const struct arrive *kind(const char *name)
{
    for (int i = 0; arrive_table[i]; i++)
        if (strcmp(arrive_table[i]->name, name) == 0)
            return arrive_table[i];
    fail_msg("no kind %s", name);
    return NULL;
}

static struct load_spec spec(const char *name, double rate_rps, int64_t n)
{
    return (struct load_spec){.arrive = kind(name),
                              .rate_rps = rate_rps,
                              .requests = n,
                              .burstiness = 1,
                              .concurrency = 1,
                              .speedup = 1,
                              .isl = {.kind = LENGTH_FIXED, .tokens = 1},
                              .osl = {.kind = LENGTH_FIXED, .tokens = 1}};
}

/* Mean and coefficient of variation of the gaps; times never go back. */
struct gaps {
    double mean_s, cv, last_s;
    int64_t n;
};

static struct gaps measure(const struct load_spec *s, uint64_t seed)
{
    struct arena *a = arena_open();
    struct err e = {0};
    struct load *l;
    struct load_req r;
    struct gaps g = {0};
    double sum2 = 0;
    ns_t before = 0;
    OK(load_new(&l, s, seed, a, &e), e);
    for (; load_next(l, &r); g.n++) {
        assert_true(r.at >= before);
        sum2 += units_s(r.at - before) * units_s(r.at - before);
        before = r.at;
    }
    g.last_s = units_s(before);
    g.mean_s = g.last_s / (double)g.n;
    g.cv = sqrt(sum2 / (double)g.n / g.mean_s / g.mean_s - 1);
    arena_close(a);
    return g;
}

static void the_table_is_complete(void **state)
{
    (void)state;
    static const char *const names[] = {"closed", "constant", "diurnal",
                                        "gamma",  "mmpp",     "poisson",
                                        "ramp",   "trace"};
    struct arrive_names all = arrive_all();
    for (int i = 0; i < 8; i++) {
        STR_EQ(all.name[i], names[i]); /* sorted by stem */
        assert_non_null(arrive_table[i]->what);
    }
    assert_null(arrive_table[8]);
}

static void closed_is_all_at_once(void **state)
{
    (void)state;
    struct load_spec s = spec("closed", NAN, 1000);
    struct gaps g = measure(&s, 1);
    EQ(g.n, 1000);
    NEAR(g.last_s, 0, 0);
}

static void constant_is_even(void **state)
{
    (void)state;
    struct load_spec s = spec("constant", 4, 1000);
    struct gaps g = measure(&s, 1);
    NEAR(g.last_s, 250, 0);
    NEAR(g.cv, 0, 1e-4);
}

/* 40,000 gaps: the mean is within 4.5 / sqrt(40000) = 2.3 %. */
static void poisson_has_its_mean_and_variance(void **state)
{
    (void)state;
    struct load_spec s = spec("poisson", 40, 40000);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct gaps g = measure(&s, seed);
        NEAR(g.mean_s, 1.0 / 40, 0.023 / 40);
        NEAR(g.cv, 1, 0.03);
    }
}

static void gamma_has_its_burstiness(void **state)
{
    (void)state;
    struct load_spec s = spec("gamma", 40, 40000);
    const double shapes[] = {0.25, 1, 4};
    for (int i = 0; i < 3; i++) {
        s.burstiness = shapes[i];
        struct gaps g = measure(&s, 9);
        double cv = 1 / sqrt(shapes[i]);
        NEAR(g.mean_s, 1.0 / 40, 0.023 * cv / 40);
        NEAR(g.cv, cv, 0.06 * cv);
    }
    s.arrive = kind("poisson"); /* the same gaps under vLLM's own flag */
    struct gaps p = measure(&s, 9);
    s.arrive = kind("gamma");
    struct gaps q = measure(&s, 9);
    NEAR(p.last_s, q.last_s, 0);
}

/* One part of a fair coin's split of a Poisson stream is Poisson at half the
 * rate. */
static void poisson_splits(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct load *l;
    struct load_req r;
    struct rng coin = rng_stream(3, RNG_TEST, 0);
    struct load_spec s = spec("poisson", 10, 80000);
    double sum = 0, sum2 = 0, n = 0;
    ns_t before = 0;
    OK(load_new(&l, &s, 4, a, &e), e);
    while (load_next(l, &r)) {
        if (rng_below(&coin, 2))
            continue;
        double gap = units_s(r.at - before);
        before = r.at;
        sum += gap;
        sum2 += gap * gap;
        n++;
    }
    NEAR(n, 40000, 640); /* 4.5 standard deviations */
    NEAR(sum / n, 0.2, 0.2 * 0.023);
    NEAR(sum2 / n / (sum / n) / (sum / n), 2, 0.07);
    arena_close(a);
}

/* Mean rate (r1 + r2) / 2 over many stays, and burstier than Poisson. */
static void mmpp_has_two_rates(void **state)
{
    (void)state;
    struct load_spec s = spec("mmpp", 100, 60000);
    s.rate2_rps = 20;
    s.dwell_s = 0.5;
    struct gaps g = measure(&s, 2);
    NEAR(1 / g.mean_s, 60, 4);
    assert_true(g.cv > 1.2);
    s.rate2_rps = 100; /* both states alike: Poisson */
    g = measure(&s, 2);
    NEAR(1 / g.mean_s, 100, 2);
    NEAR(g.cv, 1, 0.03);
    s.rate2_rps = 0; /* on and off */
    g = measure(&s, 2);
    NEAR(1 / g.mean_s, 50, 4);
}

static void diurnal_follows_its_sine(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct load *l;
    struct load_req r;
    struct load_spec s = spec("diurnal", 100, 100000);
    s.period_s = 100;
    s.swing = 0.8;
    double high = 0, low = 0; /* first and second half of each period */
    OK(load_new(&l, &s, 4, a, &e), e);
    while (load_next(l, &r) && units_s(r.at) < 900) {
        double at = fmod(units_s(r.at), 100);
        high += at < 50;
        low += at >= 50;
    }
    NEAR(high + low, 90000, 1350);
    /* mean of a half sine is 2 / pi */
    NEAR(high / (high + low), 0.5 + 0.8 / M_PI, 0.01);
    arena_close(a);
}

static void mmpp_refuses_endless_stays(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct load *l;
    struct load_spec s = spec("mmpp", 1e-3, 10);
    s.dwell_s = 1e-3;
    assert_false(load_new(&l, &s, 1, a, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "dwell_s");
    arena_close(a);
}

/* Rows at 0, 0, 0, 3, 3, 4 s. */
static void trace_spreads_equal_times(void **state)
{
    (void)state;
    static const ns_t at[] = {0, 0, 0, 3000000000, 3000000000, 4000000000};
    static const int32_t one[] = {1, 1, 1, 1, 1, 1};
    static const struct trace t = {
        .path = "t", .n = 6, .at = at, .isl = one, .osl = one};
    static const double wanted[3][6] = {
        {0, 0, 0, 3, 3, 4},
        {0, 1, 2, 3, 3.5, 4},      /* the second instant has 1 s of room */
        {0, 0.5, 1, 1.5, 1.75, 2}, /* ... at twice the speed */
    };
    struct load_spec s = spec("trace", 0, 0);
    s.data = &t;
    for (int i = 0; i < 3; i++) {
        struct arena *a = arena_open();
        struct err e = {0};
        struct load *l;
        struct load_req r;
        s.spread_s = i ? 3 : 0;
        s.speedup = i == 2 ? 2 : 1;
        OK(load_new(&l, &s, 1, a, &e), e);
        for (int k = 0; k < 6; k++) {
            assert_true(load_next(l, &r));
            NEAR(units_s(r.at), wanted[i][k], 1e-9);
        }
        assert_false(load_next(l, &r));
        arena_close(a);
    }
}

/* Without chance the gaps are those of the rates, request by request. */
static void ramp_goes_from_rate_to_rate(void **state)
{
    (void)state;
    for (int exponential = 0; exponential < 2; exponential++) {
        enum { N = 101 };
        struct arena *a = arena_open();
        struct err e = {0};
        struct load_spec s = spec("ramp", 0, N);
        struct load *l;
        struct load_req r;
        ns_t before = 0;
        s.ramp_start_rps = 2;
        s.ramp_end_rps = 32;
        s.ramp_exponential = exponential;
        s.burstiness = 1e6; /* as good as even */
        OK(load_new(&l, &s, 1, a, &e), e);
        for (int i = 0; load_next(l, &r); i++) {
            double rate = exponential ? 2 * pow(16, i / 100.0)
                                      : 2 + 30 * i / 100.0;
            NEAR(units_s(r.at - before) * rate, 1, 0.01);
            before = r.at;
        }
        arena_close(a);
    }
}

static void ramp_refuses_endless_loads(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct load_spec s = spec("ramp", 0, 1000000);
    struct load *l;
    s.ramp_start_rps = 100;
    s.ramp_end_rps = 0.001;
    assert_false(load_new(&l, &s, 1, a, &e));
    EQ(e.kind, ERR_INPUT);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(the_table_is_complete),
       cmocka_unit_test(ramp_goes_from_rate_to_rate),
       cmocka_unit_test(ramp_refuses_endless_loads),
       cmocka_unit_test(closed_is_all_at_once),
       cmocka_unit_test(constant_is_even),
       cmocka_unit_test(poisson_has_its_mean_and_variance),
       cmocka_unit_test(gamma_has_its_burstiness),
       cmocka_unit_test(poisson_splits), cmocka_unit_test(mmpp_has_two_rates),
       cmocka_unit_test(diurnal_follows_its_sine),
       cmocka_unit_test(mmpp_refuses_endless_stays),
       cmocka_unit_test(trace_spreads_equal_times))
