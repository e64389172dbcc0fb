#include "tests/t.h"

#include "sim/load/load.h"

#define LENGTHS                                                                \
    "\"isl\": {\"kind\": \"inferencex\", \"tokens\": 100}, "                   \
    "\"osl\": {\"kind\": \"uniform\", \"min\": 5, \"max\": 9}"

static bool read_text(const char *text, struct load_spec *s, struct arena *a,
                      struct err *e)
{
    cJSON *obj;
    if (!json_parse(text, &obj, e))
        return false;
    bool ok = load_read(obj, s, a, e);
    json_free(obj);
    return ok;
}

static struct load *load_of(const char *text, uint64_t seed, struct arena *a)
{
    struct err e = {0};
    struct load_spec s;
    struct load *l;
    OK(read_text(text, &s, a, &e), e);
    OK(load_new(&l, &s, seed, a, &e), e);
    return l;
}

static void refused(const char *text, const char *says)
{
    struct arena *a = arena_open();
    struct err e = {0};
    struct load_spec s = {.requests = -5};
    assert_false(read_text(text, &s, a, &e));
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, says);
    EQ(s.requests, -5);
    arena_close(a);
}

static void L1_the_last_arrives_at_n_over_rate(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct arena *a = arena_open();
        struct load *l = load_of(
            "{\"arrival\": {\"kind\": \"poisson\", "
            "\"rate_rps\": 10}, \"requests\": 100, " LENGTHS "}",
            seed, a);
        struct load_req r;
        ns_t before = 0;
        int n = 0;
        for (; load_next(l, &r); n++) {
            assert_true(r.at >= before);
            before = r.at;
        }
        EQ(n, 100);
        EQ(before, 10000000000);
        arena_close(a);
    }
}

/* Exactly there even where a double's step is more than a ns. */
static void L1_holds_for_months(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct arena *a = arena_open();
        struct load *l = load_of(
            "{\"arrival\": {\"kind\": \"poisson\", "
            "\"rate_rps\": 3e-6}, \"requests\": 29, " LENGTHS "}",
            seed, a);
        struct load_req r = {.at = 0};
        while (load_next(l, &r))
            ;
        EQ(r.at, units_ns(29 / 3e-6));
        arena_close(a);
    }
}

/* The load's part: all eight are there at once and four may be in flight. */
static void L4_closed_loop_releases_all_at_once(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct load_spec s;
    struct load *l;
    struct load_req r;
    OK(read_text("{\"arrival\": {\"kind\": \"closed\", \"concurrency\": 4}, "
                 "\"requests\": 8, " LENGTHS "}",
                 &s, a, &e),
       e);
    EQ(s.concurrency, 4);
    OK(load_new(&l, &s, 1, a, &e), e);
    EQ(load_requests(l), 8);
    int n = 0;
    for (; load_next(l, &r); n++)
        EQ(r.at, 0);
    EQ(n, 8);
    arena_close(a);
}

/* Streams apart: other lengths leave arrivals and inputs where they were. */
static void a_stream_moves_no_other(void **state)
{
    (void)state;
    static const char head[] = "{\"arrival\": {\"kind\": \"gamma\", "
                               "\"rate_rps\": 3, \"burstiness\": 0.5}, "
                               "\"requests\": 500, \"isl\": {\"kind\": "
                               "\"uniform\", \"min\": 1, \"max\": 999}, ";
    struct arena *a = arena_open();
    struct load *l[2] = {
        load_of(arena_fmt(a,
                          "%s\"osl\": {\"kind\": \"fixed\", "
                          "\"tokens\": 7}}",
                          head),
                5, a),
        load_of(arena_fmt(a,
                          "%s\"osl\": {\"kind\": \"lognormal\", "
                          "\"tokens\": 70, \"sigma\": 2}}",
                          head),
                5, a)};
    struct load_req p, q;
    int same = 0;
    while (load_next(l[0], &p)) {
        assert_true(load_next(l[1], &q));
        EQ(p.at, q.at);
        EQ(p.isl, q.isl);
        same += p.osl == q.osl;
    }
    assert_true(same < 100);
    arena_close(a);
}

static void inputs_and_outputs_draw_apart(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct load *l = load_of("{\"arrival\": {\"kind\": \"closed\", "
                             "\"concurrency\": 1}, \"requests\": 500, "
                             "\"isl\": {\"kind\": \"uniform\", \"min\": 1, "
                             "\"max\": 999}, \"osl\": {\"kind\": "
                             "\"uniform\", \"min\": 1, \"max\": 999}}",
                             3, a);
    struct load_req r;
    double s_xy = 0, s_x = 0, s_y = 0, s_xx = 0, s_yy = 0;
    while (load_next(l, &r)) {
        s_x += r.isl;
        s_y += r.osl;
        s_xx += (double)r.isl * r.isl;
        s_yy += (double)r.osl * r.osl;
        s_xy += (double)r.isl * r.osl;
    }
    double cov = s_xy / 500 - s_x * s_y / 250000;
    double var = (s_xx / 500 - s_x * s_x / 250000)
               * (s_yy / 500 - s_y * s_y / 250000);
    NEAR(cov / sqrt(var), 0, 4.5 / sqrt(500));
    arena_close(a);
}

static void one_seed_is_one_load(void **state)
{
    (void)state;
    static const char text[] = "{\"arrival\": {\"kind\": \"poisson\", "
                               "\"rate_rps\": 10}, \"requests\": 50, " LENGTHS
                               "}";
    struct arena *a = arena_open();
    struct load *l[3] = {load_of(text, 1, a), load_of(text, 1, a),
                         load_of(text, 2, a)};
    struct load_req p, q, o;
    int same = 0;
    while (load_next(l[0], &p)) {
        assert_true(load_next(l[1], &q) && load_next(l[2], &o));
        EQ(p.at, q.at);
        EQ(p.isl, q.isl);
        EQ(p.osl, q.osl);
        same += p.at == o.at;
    }
    EQ(same, 1); /* the last, by rescaling */
    arena_close(a);
}

/* Rescaling multiplies all times by one number. */
static void rescaling_keeps_proportions(void **state)
{
    (void)state;
    static const char head[] = "{\"arrival\": {\"kind\": \"poisson\", "
                               "\"rate_rps\": 10, \"rescale\": ";
    static const char tail[] = "}, \"requests\": 50, " LENGTHS "}";
    struct arena *a = arena_open();
    struct load *l[2] = {load_of(arena_fmt(a, "%strue%s", head, tail), 1, a),
                         load_of(arena_fmt(a, "%sfalse%s", head, tail), 1, a)};
    struct load_req p[50], q[50];
    for (int i = 0; i < 50; i++)
        assert_true(load_next(l[0], &p[i]) && load_next(l[1], &q[i]));
    assert_true(q[49].at != p[49].at);
    double scale = (double)p[49].at / (double)q[49].at;
    for (int i = 0; i < 50; i++)
        NEAR((double)p[i].at, scale * (double)q[i].at, 2);
    arena_close(a);
}

static void a_trace_brings_its_own(void **state)
{
    (void)state;
    char *dir = t_dir();
    struct arena *a = arena_open();
    struct err e = {0};
    struct load_spec s;
    struct load *l;
    struct load_req r;
    char *path = arena_fmt(a, "%s/t.jsonl", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 3; i++)
        fprintf(f,
                "{\"timestamp\": %d, \"input_length\": %d, "
                "\"output_length\": 4, \"hash_ids\": [5, %d]}\n",
                1000 * i, 600 + i, 10 + i);
    fclose(f);
    char *arrival = arena_fmt(a,
                              "{\"arrival\": {\"kind\": \"trace\", "
                              "\"file\": \"%s\", \"speedup\": 2}",
                              path);
    OK(read_text(arena_fmt(a, "%s}", arrival), &s, a, &e), e);
    EQ(s.requests, 0);
    OK(load_new(&l, &s, 1, a, &e), e);
    EQ(load_requests(l), 3);
    for (int i = 0; i < 3; i++) {
        assert_true(load_next(l, &r));
        EQ(r.at, i * 500000000LL);
        EQ(r.isl, 600 + i);
        EQ(r.osl, 4);
        EQ(r.n_text, 2);
        EQ(r.text_tokens, 512);
        EQ(r.text[0], 5);
        EQ(r.text[1], 10 + i);
    }
    assert_false(load_next(l, &r));
    s.data = NULL; /* read anew */
    s.requests = 2;
    OK(load_new(&l, &s, 1, a, &e), e);
    EQ(load_requests(l), 2);
    s.requests = 4;
    assert_false(load_new(&l, &s, 1, a, &e));
    STR_HAS(e.text, "has 3 requests, got 4");
    refused(arena_fmt(a, "%s, " LENGTHS "}", arrival), "brings its own");
    t_undir(dir);
    refused(arena_fmt(a, "%s}", arrival), "load.arrival.file");
    arena_close(a);
}

static void absent_keys_get_their_defaults(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct load_spec s;
    OK(read_text("{\"why\": \"a test\", \"arrival\": {\"kind\": \"poisson\", "
                 "\"rate_rps\": 10}, " LENGTHS "}",
                 &s, a, &e),
       e);
    EQ(s.requests, 1000);
    EQ(s.warmup_requests, 0);
    EQ(s.shared_prefix, 0);
    EQ(s.concurrency, 0);
    EQ(s.rescale, true);
    NEAR(s.burstiness, 1, 0);
    NEAR(s.isl.ratio, 0.8, 0);
    arena_close(a);
}

#define OPEN "{\"arrival\": {\"kind\": \"poisson\", \"rate_rps\": "

static void refuses(void **state)
{
    (void)state;
    refused("{" LENGTHS "}", "load.arrival: missing");
    refused("{\"arrival\": 7, " LENGTHS "}", "load.arrival");
    refused("{\"arrival\": {}, " LENGTHS "}", "load.arrival.kind: missing");
    refused("{\"arrival\": {\"kind\": \"poison\"}, " LENGTHS "}",
            "\"poisson\"");
    refused("{\"arrival\": {\"kind\": \"closed\"}, " LENGTHS "}",
            "load.arrival.concurrency: missing");
    refused("{\"arrival\": {\"kind\": \"closed\", \"concurrency\": 0}, " LENGTHS
            "}",
            "load.arrival.concurrency");
    refused("{\"arrival\": {\"kind\": \"closed\", \"concurrency\": 1, "
            "\"rate_rps\": 1}, " LENGTHS "}",
            "rate_rps: unknown key");
    refused(OPEN "-3}, " LENGTHS "}", "load.arrival.rate_rps");
    refused(OPEN "0}, " LENGTHS "}", "load.arrival.rate_rps");
    refused(OPEN "1e7}, " LENGTHS "}", "load.arrival.rate_rps");
    refused(OPEN "1e-5}, \"requests\": 10000, " LENGTHS "}", "last longer");
    refused(OPEN "1, \"burstiness\": 0}, " LENGTHS "}", "burstiness");
    refused(OPEN "1}, \"requests\": 0, " LENGTHS "}", "load.requests");
    refused(OPEN "1}, \"requests\": 2e9, " LENGTHS "}", "load.requests");
    refused(OPEN "1}, \"warmup_requests\": -1, " LENGTHS "}", "load.warmup");
    refused(OPEN "1}, \"shared_prefix\": 1e8, " LENGTHS "}", "load.shared");
    refused(OPEN "1}, \"request\": 5, " LENGTHS "}", "requests");
    refused(OPEN "1}, \"isl\": {\"kind\": \"fixed\", \"tokens\": 1}}",
            "load.osl: missing");
    refused(OPEN "1}}", "load.isl: missing");
}

static void checks_a_spec_that_did_not_come_from_json(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    struct load_spec s;
    struct load *l;
    OK(read_text(OPEN "1}, " LENGTHS "}", &s, a, &e), e);
    struct load_spec bad = s;
    bad.rate_rps = NAN;
    assert_false(load_new(&l, &bad, 1, a, &e));
    STR_HAS(e.text, "load.arrival.rate_rps");
    bad = s;
    bad.requests = 0;
    assert_false(load_new(&l, &bad, 1, a, &e));
    STR_HAS(e.text, "load.requests");
    bad = s;
    bad.osl.min = 10;
    assert_false(load_new(&l, &bad, 1, a, &e));
    STR_HAS(e.text, "load.osl");
    arena_close(a);
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"arrival\":{\"kind\":\"mmpp\",\"rate_rps\":4,\"rate2_rps\":1,"
        "\"dwell_s\":30,\"concurrency\":16},"
        "\"isl\":{\"kind\":\"fixed\",\"tokens\":64},"
        "\"osl\":{\"kind\":\"vllm-range\",\"tokens\":8,\"ratio\":0.5},"
        "\"requests\":20,\"warmup_requests\":2,\"shared_prefix\":16}";
    struct arena *a = arena_open();
    struct err e = {0};
    struct load_spec s;
    OK(read_text(whole, &s, a, &e), e);
    cJSON *out = load_write(&s);
    char *text = cJSON_PrintUnformatted(out);
    STR_EQ(text, whole);
    cJSON_free(text);
    cJSON_Delete(out);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(L1_the_last_arrives_at_n_over_rate),
       cmocka_unit_test(L1_holds_for_months),
       cmocka_unit_test(inputs_and_outputs_draw_apart),
       cmocka_unit_test(L4_closed_loop_releases_all_at_once),
       cmocka_unit_test(a_stream_moves_no_other),
       cmocka_unit_test(one_seed_is_one_load),
       cmocka_unit_test(rescaling_keeps_proportions),
       cmocka_unit_test(a_trace_brings_its_own),
       cmocka_unit_test(absent_keys_get_their_defaults),
       cmocka_unit_test(refuses),
       cmocka_unit_test(checks_a_spec_that_did_not_come_from_json),
       cmocka_unit_test(writes_what_it_reads))
