#include "calibrate/gpu/campaign.h"

#include "calibrate/gpu/cases.h"
#include "calibrate/gpu/check.h"
#include "calibrate/gpu/gaps.h"
#include "calibrate/gpu/reduce.h"
#include "calibrate/gpu/sustain.h"
#include "kernels/ref.h"
#include "sim/base/must.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    SPANS = 4,      /* of each output, before a call is timed */
    FIRST_LOOK = 5, /* points of a line in the first pass */
    OPS = CALL_N,
    NOTE = 512,
    LINE = 64, /* points at most */
    REDUCE_MIB = 64,
    COOL_STEPS = 20,
    COOL_STEP_NS = 10000000,
};
#define SUSTAIN_S 3.0 /* each heavy call is held so long */
#define LIGHT 5e5 /* of ref_cost: SPANS of them are nothing beside the timing */
#define HEAVY 5e6 /* beyond it, one span a line */
#define CLOCK_DROP 0.97 /* below that part of the best clock: throttled */

/* A line being measured: the state of its points. */
struct track {
    const struct grid_line *line;
    struct table *table;
    double *time_s; /* NAN: not yet; -1: refused or wrong */
    size_t first;   /* place of its first point in the plan */
    bool heavy;     /* a costly check was made */
};

struct campaign {
    struct timer *t;
    const struct campaign_ask *ask;
    struct campaign_sum *sum;
    struct arena *a;
    struct track *track;
    struct table *table;
    size_t tables;
    double begun, best_clock_hz;
    bool hot;         /* the last row was throttled */
    bool bad[OPS][2]; /* operation, variant: a case was wrong */
    char version[96];
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void note(const struct campaign *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void note(const struct campaign *s, const char *fmt, ...)
{
    char text[NOTE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (s->ask->ears.note)
        s->ask->ears.note(s->ask->ears.to, text);
}

static bool over(struct campaign *s)
{
    if (s->ask->stop && *s->ask->stop)
        s->sum->stopped = true;
    else if (now() - s->begun > s->ask->seconds)
        s->sum->late = true;
    return s->sum->stopped || s->sum->late;
}

static bool wanted(const struct campaign_ask *ask, const char *name)
{
    const char *const *g = ask->grids;
    if (!g)
        return true;
    while (*g && strcmp(*g, name) != 0)
        g++;
    return *g != NULL;
}

/* ---- what there is to measure ---- */

static struct table *table_for(struct campaign *s, const struct grid_table *g,
                               struct err *e)
{
    for (size_t i = 0; i < s->tables; i++)
        if (s->table[i].columns == g->columns
            && strstr(s->table[i].path, arena_fmt(s->a, "/%s.csv", g->name)))
            return &s->table[i];
    struct table *t = &s->table[s->tables];
    if (!table_open(t, s->ask->dir, g->name, g->columns, s->a, e))
        return NULL;
    s->tables++;
    return t;
}

static bool track_line(struct campaign *s, const struct grid_line *l,
                       struct track *k, struct err *e)
{
    *k = (struct track){
        .line = l,
        .table = table_for(s, l->table, e),
        .time_s = ARENA_ARRAY(s->a, double, l->n),
        .first = s->sum->points,
    };
    if (!k->table)
        return false;
    for (size_t i = 0; i < l->n; i++) {
        struct table_row *r = table_find(k->table, l->point[i].id);
        k->time_s[i] = r ? r->time_us * 1e-6 : NAN;
        if (!r || r->place != SIZE_MAX) /* or two lines share the point */
            continue;
        r->place = k->first + i;
        s->sum->found++;
    }
    s->sum->points += l->n;
    return true;
}

static bool plan(struct campaign *s, struct err *e)
{
    struct grid_plan p = {.a = s->a};
    struct grid_ask ask = {
        .model = s->ask->model,
        .n = s->ask->models,
        .memory_bytes = s->t->g->info.memory_bytes,
    };
    for (const struct grid *const *g = grid_table; *g; g++)
        if (wanted(s->ask, (*g)->name))
            (*g)->lines(&ask, &p);
    s->sum->lines = p.n;
    s->track = ARENA_ARRAY(s->a, struct track, p.n);
    s->table = ARENA_ARRAY(s->a, struct table, p.n + 1);
    for (size_t i = 0; i < p.n; i++)
        if (!track_line(s, &p.line[i], &s->track[i], e))
            return false;
    return true;
}

/* ---- checks before anything is timed ---- */

static bool asked_for(const struct campaign *s, const struct call *c)
{
    if (c->op == CALL_REDUCE)
        return wanted(s->ask, "reduce");
    for (size_t i = 0; i < s->sum->lines; i++)
        if (s->track[i].line->point[0].call.op == c->op)
            return true;
    return false;
}

static bool check_case(struct campaign *s, const struct cases_one *c,
                       struct err *e)
{
    char name[NOTE / 2];
    struct call call = c->call;
    struct check k = {.spans = 0, .seed = s->t->seed};
    struct arena *a = arena_open();
    int turns;
    bool ok = bed_reserve(s->t->bed, &call, c->routing, 1, &turns, e);
    if (ok) {
        bed_place(s->t->bed, &call, 0);
        ok = check_call(s->t->g, &call, NULL, &k, a, e);
    }
    arena_close(a);
    s->sum->cases++;
    if (ok)
        return true;
    s->sum->cases_wrong++;
    s->bad[call.op][call.variant] = true;
    cases_name(&call, name, sizeof name);
    note(s, "wrong: %s: %s", name, e->text);
    return timer_alive(s->t);
}

static bool check_cases(struct campaign *s, struct err *e)
{
    for (const struct cases_one *c = cases_all; c->call.op != CALL_N; c++) {
        struct err mine = {ERR_NONE, ""};
        if (!asked_for(s, &c->call) || s->t->g->p->lacks(&c->call))
            continue;
        if (s->ask->ears.progress)
            s->ask->ears.progress(s->ask->ears.to, 0, 1, "checking");
        if (!check_case(s, c, &mine)) {
            *e = mine;
            return err_in(e, "the device is lost");
        }
    }
    return true;
}

/* ---- one point ---- */

static int spans_of(struct track *k, const struct call *c)
{
    double cost = ref_cost(c);
    bool seen = k->heavy;
    if (cost <= HEAVY)
        return cost <= LIGHT ? SPANS : 1;
    k->heavy = true;
    return seen ? 0 : 1;
}

static bool throttled(struct campaign *s, const struct meter_reading *m)
{
    if (m->clock_hz > s->best_clock_hz)
        s->best_clock_hz = m->clock_hz;
    bool slow = m->clock_hz < CLOCK_DROP * s->best_clock_hz;
    return m->thermal || (m->known && m->power_capped && slow);
}

/* Waits, not for long, until the last call's heat no longer holds the clock. */
static void cool(struct campaign *s)
{
    const struct timespec step = {0, COOL_STEP_NS};
    for (int i = 0; i < COOL_STEPS && s->hot; i++) {
        struct meter_reading m = meter_read(s->t->meter);
        if (!m.thermal && !m.power_capped)
            break;
        nanosleep(&step, NULL);
    }
    s->hot = false;
}

static bool store(struct campaign *s, struct track *k, size_t i,
                  const struct timer_result *r, struct err *e)
{
    const struct grid_point *p = &k->line->point[i];
    struct table_row row = {
        .id = p->id,
        .time_us = r->time.median_s * 1e6,
        .mad_us = r->time.mad_s * 1e6,
        .n = r->time.n,
        .clock_mhz = r->meter.clock_hz * 1e-6,
        .memory_mhz = r->meter.memory_hz * 1e-6,
        .power_w = r->meter.power_w,
        .temperature_c = r->meter.temperature_c,
        .throttled = throttled(s, &r->meter),
        .steady = r->time.steady,
        .source = s->ask->source,
        .driver = s->t->g->info.driver,
        .date = s->ask->date,
        .place = k->first + i,
    };
    row.version = s->version;
    if (p->vendor)
        row.version = arena_fmt(s->a, "%s %s",
                                s->t->vendor->version(s->t->handle), r->scheme);
    k->time_s[i] = r->time.median_s;
    s->hot = row.throttled;
    s->sum->measured++;
    s->sum->throttled += row.throttled;
    if (s->ask->ears.row)
        s->ask->ears.row(s->ask->ears.to, k->line->table, p, &row);
    return table_add(k->table, &row, e);
}

/* false: the campaign ends. */
static bool measure(struct campaign *s, struct track *k, size_t i,
                    struct err *e)
{
    const struct grid_point *p = &k->line->point[i];
    struct err mine = {ERR_NONE, ""};
    struct timer_result r;
    struct timer_ask ask = {
        .call = &p->call,
        .routing = p->routing,
        .vendor = p->vendor,
        .spans = spans_of(k, &p->call),
    };
    const struct table_row *other = table_find(k->table, p->id);
    k->time_s[i] = other ? other->time_us * 1e-6 : -1;
    if (other) /* of a line that shares the point */
        return true;
    if (!p->vendor && s->bad[p->call.op][p->call.variant]) {
        s->sum->wrong++;
        return true;
    }
    cool(s);
    if (timer_run(s->t, &ask, &r, &mine))
        return store(s, k, i, &r, e);
    if (!timer_alive(s->t)) {
        *e = mine;
        return err_in(e, "%s %s", k->line->table->name, p->id);
    }
    s->sum->wrong += r.wrong;
    s->sum->refused += !r.wrong;
    note(s, "%s: %s %s: %s", r.wrong ? "wrong" : "left out",
         k->line->table->name, p->id, mine.text);
    return true;
}

static void tell(struct campaign *s, double done, double total,
                 const struct track *k)
{
    if (s->ask->ears.progress)
        s->ask->ears.progress(s->ask->ears.to, done, total,
                              k ? k->line->table->name : "");
}

/* ---- first pass: ends, and evenly between ---- */

static size_t look(size_t n, int i)
{
    return (size_t)lround((double)i * (double)(n - 1) / (FIRST_LOOK - 1));
}

static size_t open_looks(const struct track *k)
{
    size_t n = 0, last = SIZE_MAX;
    for (int i = 0; i < FIRST_LOOK; i++) {
        size_t at = look(k->line->n, i);
        n += at != last && isnan(k->time_s[at]);
        last = at;
    }
    return n;
}

/* All lines' lightest points first: heavy ones bring the device to its power
 * limit, and what follows runs at a lower clock. */
static bool first_pass(struct campaign *s, struct err *e)
{
    size_t total = 0, done = 0;
    for (size_t i = 0; i < s->sum->lines; i++)
        total += open_looks(&s->track[i]);
    for (int j = 0; j < FIRST_LOOK; j++)
        for (size_t i = 0; i < s->sum->lines; i++) {
            struct track *k = &s->track[i];
            size_t at = look(k->line->n, j);
            if (!isnan(k->time_s[at]))
                continue;
            if (over(s))
                return true;
            tell(s, (double)done++, (double)total, k);
            if (!measure(s, k, at, e))
                return false;
        }
    return true;
}

/* ---- then, where the line bends ---- */

struct gap {
    struct track *track;
    size_t at; /* the point in its middle */
    double bend;
};

/* The measured points of a line. */
static size_t measured(const struct track *k, size_t *at, double *x, double *y)
{
    size_t n = 0;
    for (size_t i = 0; i < k->line->n; i++)
        if (k->time_s[i] > 0) {
            at[n] = i;
            x[n] = k->line->point[i].x;
            y[n++] = k->time_s[i];
        }
    return n;
}

/* The open point nearest to the middle of (from, to); SIZE_MAX: none. */
static size_t middle(const struct track *k, size_t from, size_t to)
{
    size_t best = SIZE_MAX, want = (from + to) / 2, least = SIZE_MAX;
    for (size_t i = from + 1; i < to; i++) {
        size_t off = i > want ? i - want : want - i;
        if (isnan(k->time_s[i]) && off < least) {
            best = i;
            least = off;
        }
    }
    return best;
}

static void worst_of(struct track *k, struct gap *worst)
{
    size_t at[LINE];
    double x[LINE], y[LINE];
    must(k->line->n <= LINE);
    size_t n = measured(k, at, x, y);
    for (size_t i = 0; i + 1 < n; i++) {
        double bend = fmax(bench_bend(x, y, n, i), bench_bend(x, y, n, i + 1));
        size_t open = middle(k, at[i], at[i + 1]);
        if (open != SIZE_MAX && bend > worst->bend)
            *worst = (struct gap){k, open, bend};
    }
}

static bool refine(struct campaign *s, struct err *e)
{
    for (;;) {
        struct gap worst = {NULL, 0, 0};
        for (size_t i = 0; i < s->sum->lines; i++)
            worst_of(&s->track[i], &worst);
        s->sum->worst_bend = worst.bend;
        if (worst.bend <= CAMPAIGN_GOOD || over(s))
            return true;
        tell(s, now() - s->begun, s->ask->seconds, worst.track);
        if (!measure(s, worst.track, worst.at, e))
            return false;
    }
}

/* ---- the end ---- */

static void mark_odd(struct track *k)
{
    size_t at[LINE];
    double x[LINE], y[LINE];
    bool odd[LINE];
    size_t n = measured(k, at, x, y);
    bench_odd(y, n, odd);
    for (size_t i = 0; i < n; i++) {
        struct table_row *r = table_find(k->table, k->line->point[at[i]].id);
        if (r) {
            r->suspect = odd[i];
            r->place = k->first + at[i];
        }
    }
}

static bool done(struct campaign *s, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; i < s->tables; i++)
        for (size_t j = 0; j < s->table[i].n; j++)
            s->table[i].row[j].place = SIZE_MAX;
    for (size_t i = 0; i < s->sum->lines; i++)
        mark_odd(&s->track[i]);
    for (size_t i = 0; i < s->tables; i++)
        ok = table_done(&s->table[i], e) && ok;
    return ok;
}

static bool all_reduce(struct campaign *s, struct err *e)
{
    struct err mine = {ERR_NONE, ""};
    size_t rows;
    struct reduce_ask ask = {
        .dir = s->ask->dir,
        .source = s->ask->source,
        .date = s->ask->date,
        .most_bytes = (size_t)REDUCE_MIB << 20,
        .most_ranks = CALL_RANKS,
    };
    if (!wanted(s->ask, "reduce"))
        return true;
    tell(s, now() - s->begun, s->ask->seconds, NULL);
    bool ok = reduce_run(s->t, &ask, &rows, &mine);
    s->sum->measured += rows;
    if (ok)
        return true;
    s->sum->wrong += mine.kind == ERR_NO;
    note(s, "%s: %s", mine.kind == ERR_NO ? "wrong" : "left out", mine.text);
    if (timer_alive(s->t))
        return true;
    *e = mine;
    return false;
}

static bool specials(struct campaign *s, struct err *e)
{
    if (!all_reduce(s, e))
        return false;
    if (wanted(s->ask, "gaps")
        && !gaps_run(s->t, s->ask->dir, s->ask->source, s->ask->date, e))
        return false;
    if (!s->ask->sustained || over(s))
        return true;
    tell(s, now() - s->begun, s->ask->seconds, NULL);
    struct sustain_ask ask = {
        .dir = s->ask->dir,
        .seconds = SUSTAIN_S,
        .source = s->ask->source,
        .date = s->ask->date,
    };
    return sustain_run(s->t, &ask, e);
}

static bool all(struct campaign *s, struct err *e)
{
    return plan(s, e) && check_cases(s, e) && first_pass(s, e) && specials(s, e)
        && (over(s) || refine(s, e));
}

bool campaign_run(struct timer *t, const struct campaign_ask *ask,
                  struct campaign_sum *sum, struct err *e)
{
    struct err other = {ERR_NONE, ""};
    *sum = (struct campaign_sum){0};
    struct campaign s = {
        .t = t,
        .ask = ask,
        .sum = sum,
        .a = arena_open(),
        .begun = now(),
    };
    snprintf(s.version, sizeof s.version, "%s", t->g->p->name);
    bool ok = all(&s, e);
    /* What is there is put in order also after a failure. */
    bool kept = !s.table || done(&s, ok ? e : &other);
    arena_close(s.a);
    return ok && kept;
}
