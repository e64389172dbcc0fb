/* A trace as its readers need it: slices of a track do not overlap, what is
 * begun ends, an arrow leaves and reaches a slice.  steps.c's rows too. */
#include "tests/t.h"

#include "sim/base/csv.h"
#include "sim/base/json.h"
#include "sim/report/perfetto.h"
#include "sim/report/steps.h"
#include "sim/serve/world.h"
#include "tests/unit/serve/plant_fix.h"

enum { REQUESTS = 50, SLOTS = 9 };

struct files {
    const struct plant *plant;
    struct text_out trace, steps;
    struct perfetto *t;
};

static void step(void *user, const struct watch_step *s)
{
    struct files *f = user;
    steps_row(&f->steps, f->plant, s);
    perfetto_step(f->t, s);
}

static void transfer(void *user, const struct watch_transfer *x)
{
    struct files *f = user;
    perfetto_transfer(f->t, x);
}

static void life(void *user, const struct watch_life *l)
{
    struct files *f = user;
    perfetto_life(f->t, l);
}

static struct outcome write_files(const char *trace, const char *steps)
{
    struct arena *a = arena_open();
    struct err e = {0};
    const struct price *price = fix_real(a, 1, false);
    struct plant_pool pool[2] = {fix_pool(ROLE_PREFILL, 2, 1, price),
                                 fix_pool(ROLE_DECODE, 1, 1, price)};
    struct plant p = fix_plant(pool, 2);
    struct load_spec l = fix_closed(SLOTS, REQUESTS, 640, 12);
    struct files f = {.plant = &p};
    struct watch w = {&f, step, transfer, life};
    struct world_ask ask = {.plant = &p, .load = &l, .seed = 3, .watch = &w};
    struct outcome o;
    OK(text_out_open(&f.trace, trace, &e), e);
    OK(text_out_open(&f.steps, steps, &e), e);
    f.t = perfetto_new(&f.trace, &p, a);
    steps_begin(&f.steps);
    OK(world_run(&ask, a, &o, &e), e);
    perfetto_end(f.t);
    OK(text_out_done(&f.trace, &e), e);
    OK(text_out_done(&f.steps, &e), e);
    arena_close(a);
    return o;
}

static const char *text(const cJSON *o, const char *key)
{
    const cJSON *i = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsString(i) ? i->valuestring : "";
}

static double num(const cJSON *o, const char *key)
{
    const cJSON *i = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsNumber(i) ? i->valuedouble : -1;
}

/* Whether a slice of the track is open at a time. */
static bool open_at(const cJSON *events, double tid, double ts)
{
    const cJSON *i;
    cJSON_ArrayForEach(
        i, events) if (strcmp(text(i, "ph"), "X") == 0 && num(i, "tid") == tid
                       && num(i, "ts") <= ts
                       && ts < num(i, "ts") + num(i, "dur")) return true;
    return false;
}

static void check_events(const cJSON *events, int64_t steps)
{
    double end[4] = {0};
    int n[128] = {0}, b = 0, e = 0;
    const cJSON *i;
    cJSON_ArrayForEach(i, events)
    {
        char ph = text(i, "ph")[0];
        int tid = (int)num(i, "tid");
        n[(int)ph]++;
        b += ph == 'b';
        e += ph == 'e';
        if (ph == 'X') {
            assert_true(tid >= 1 && tid <= 3);
            /* printed to the ns */
            assert_true(num(i, "ts") > end[tid] - 0.0015);
            end[tid] = num(i, "ts") + num(i, "dur");
        }
        if (ph == 's' || ph == 'f')
            assert_true(open_at(events, tid, num(i, "ts")));
        if (ph == 's')
            assert_true(tid <= 2);
        if (ph == 'f')
            EQ(tid, 3);
    }
    EQ(n['X'], steps);
    EQ(n['C'], steps);
    EQ(n['s'], REQUESTS);
    EQ(n['f'], REQUESTS);
    EQ(b, e);
    /* a transfer; a request, and its six phases; the first of each engine's
     * queue wait for nobody, at time 0 */
    EQ(b, REQUESTS * 8 - SLOTS);
}

static void a_trace(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct err e = {0};
    char *dir = t_dir();
    const char *trace = arena_fmt(a, "%s/t.json", dir);
    const char *steps = arena_fmt(a, "%s/s.csv.gz", dir);
    struct outcome o = write_files(trace, steps);
    cJSON *root;
    struct csv *c;
    int64_t rows = 0;
    double tokens = 0, v;
    OK(json_load(trace, &root, &e), e);
    check_events(cJSON_GetObjectItem(root, "traceEvents"), o.steps);
    json_free(root);
    OK(csv_open(&c, steps, &e), e);
    for (; csv_next(c, &e); rows++) {
        OK(csv_num(c, csv_col(c, "tokens"), &v, &e), e);
        tokens += v;
        OK(csv_num(c, csv_col(c, "kv_use"), &v, &e), e);
        assert_true(v > 0 && v < 1);
    }
    EQ(e.kind, ERR_NONE);
    csv_close(c);
    EQ(rows, o.steps);
    /* prompts; their last token again; answers but the first, prefill's */
    NEAR(tokens, REQUESTS * (640 + 1 + 11), 0);
    t_undir(dir);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(a_trace))
