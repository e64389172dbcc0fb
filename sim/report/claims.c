/* Verdicts.  A front's level at x TPSU is the most TPSG it has at x or more
 * (curve.h).  A band is sampled at BAND_STEPS + 1 even points; a sample where
 * neither front reaches is passed over; where only one reaches, that one is
 * ahead.
 *   band_gain    yes: of is ahead at every sample and every gain lies in
 *                [gain_lo - tolerance, gain_hi + tolerance];
 *                partly: ahead in at least half of the samples; else no
 *   band_level   yes: the smallest and largest level of both sets lie within
 *                tolerance (relative) of the study's, and of is ahead
 *                throughout; partly: both ranges, widened by the tolerance,
 *                meet the study's; else no
 *   band_winner  yes: ahead in 95 % of the samples; partly: in half; else no
 *   load_order   yes: at the highest common concurrency each topology beats
 *                the one before it; partly: the last one's ratio to the first
 *                grows from the lowest to the highest concurrency; else no
 *   rate_ladder  yes: smaller mean E2E at the highest common rate and largest
 *                P99 ITL over smallest <= flat_ratio; partly: one; else no
 * A claim is not evaluable when the file or a topology is missing, or when no
 * sample can be compared. */
#include "sim/report/claims.h"

#include "sim/base/json.h"
#include "sim/base/must.h"
#include "sim/report/claim.h"
#include "sim/report/curve.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { BAND_STEPS = 200 };
#define MOSTLY 0.95
#define HALF 0.5

/* ---- one claim under evaluation ---- */

struct hearing {
    const struct claim *c;
    cJSON *out, *numbers;
    struct curve_set of, over;
    struct arena *a;
};

__attribute__((format(printf, 3, 4))) static void say(cJSON *out,
                                                      const char *key,
                                                      const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    must(cJSON_AddStringToObject(out, key, text));
}

__attribute__((format(printf, 3, 4))) static void rule(struct hearing *h,
                                                       const char *met,
                                                       const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say(h->out, "met", "%s", met);
    say(h->out, "why", "%s", text);
}

static const char *met_by(bool yes, bool partly)
{
    return yes ? "yes" : partly ? "partly" : "no";
}

/* The two fronts over a band. */
struct survey {
    double lo, hi;       /* the band, open ends closed by the fronts' own */
    int compared, ahead; /* samples; ahead: of's front over over's */
    double gain_min, gain_max, at_min, at_max; /* both reach; at: TPSU */
    double of_min, of_max, over_min, over_max; /* levels */
};

static void sample(const struct hearing *h, struct survey *s, double x)
{
    double p = curve_level(&h->of, x, NULL);
    double q = curve_level(&h->over, x, NULL);
    s->of_min = fmin(s->of_min, p);
    s->of_max = fmax(s->of_max, p);
    s->over_min = fmin(s->over_min, q);
    s->over_max = fmax(s->over_max, q);
    if (isnan(p) && isnan(q))
        return;
    s->compared++;
    s->ahead += isnan(q) || p > q;
    double gain = p / q - 1;
    if (isnan(gain))
        return;
    if (!(gain >= s->gain_min)) {
        s->gain_min = gain;
        s->at_min = x;
    }
    if (!(gain <= s->gain_max)) {
        s->gain_max = gain;
        s->at_max = x;
    }
}

static struct survey survey(const struct hearing *h)
{
    struct survey s = {
        .lo = isnan(h->c->lo) ? fmin(h->of.lo, h->over.lo) : h->c->lo,
        .hi = isnan(h->c->hi) ? fmax(h->of.hi, h->over.hi) : h->c->hi,
        .gain_min = NAN,
        .gain_max = NAN,
        .at_min = NAN,
        .at_max = NAN,
        .of_min = NAN,
        .of_max = NAN,
        .over_min = NAN,
        .over_max = NAN,
    };
    int steps = s.lo < s.hi ? BAND_STEPS : 0;
    for (int i = 0; s.lo <= s.hi && i <= steps; i++)
        sample(h, &s, s.lo + (s.hi - s.lo) * i / (steps ? steps : 1));
    return s;
}

/* Where a front has no point of its own in the band. */
static const char *reach(const struct hearing *h, const struct survey *s)
{
    const struct curve_set *set[] = {&h->of, &h->over};
    const char *name[] = {h->c->of_name, h->c->over_name};
    const char *text = "";
    for (int i = 0; i < 2; i++) {
        if (set[i]->lo > s->lo)
            text = arena_fmt(h->a,
                             "%s; %s has no point below %.3g TPSU, its "
                             "level there is held",
                             text, name[i], set[i]->lo);
        if (set[i]->hi < s->hi)
            text = arena_fmt(h->a, "%s; %s ends at %.3g TPSU", text, name[i],
                             set[i]->hi);
    }
    return text;
}

static double share(const struct survey *s)
{
    return s->compared ? (double)s->ahead / s->compared : 0;
}

static void put_survey(struct hearing *h, const struct survey *s)
{
    answer_put(h->numbers, "lo_tpsu", s->lo);
    answer_put(h->numbers, "hi_tpsu", s->hi);
    answer_put(h->numbers, "ahead_share", share(s));
    answer_put(h->numbers, "gain_min", s->gain_min);
    answer_put(h->numbers, "gain_max", s->gain_max);
    answer_put(h->numbers, "gain_max_at_tpsu", s->at_max);
    answer_put(h->numbers, "of_tpsg_min", s->of_min);
    answer_put(h->numbers, "of_tpsg_max", s->of_max);
    answer_put(h->numbers, "over_tpsg_min", s->over_min);
    answer_put(h->numbers, "over_tpsg_max", s->over_max);
}

static void band_gain(struct hearing *h)
{
    const struct claim *c = h->c;
    struct survey s = survey(h);
    if (isnan(s.gain_max)) {
        rule(h, "not evaluable",
             "no TPSU in the band that both fronts reach"
             "%s",
             reach(h, &s));
        return;
    }
    put_survey(h, &s);
    if (s.lo < s.hi)
        say(h->out, "predicted",
            "%+.0f to %+.0f %% (most at %.3g TPSU); "
            "%s ahead in %.0f %% of the band",
            100 * s.gain_min, 100 * s.gain_max, s.at_max, c->of_name,
            100 * share(&s));
    else
        say(h->out, "predicted", "%+.1f %% (%.4g against %.4g tok/s/GPU)",
            100 * s.gain_max, s.of_max, s.over_max);
    bool always = s.ahead == s.compared;
    bool sized = s.gain_min >= c->gain_lo - c->tolerance
              && s.gain_max <= c->gain_hi + c->tolerance;
    rule(h, met_by(always && sized, share(&s) >= HALF),
         "%s, gain %s the "
         "study's range widened by %.0f points%s",
         always              ? "ahead throughout"
         : share(&s) >= HALF ? "ahead in most of the band"
         : s.ahead           ? "behind in most of the band"
                             : "never ahead",
         sized ? "within" : "outside", 100 * c->tolerance, reach(h, &s));
}

static bool close_to(double v, double study, double tolerance)
{
    return fabs(v - study) <= tolerance * study;
}

static void band_level(struct hearing *h)
{
    const struct claim *c = h->c;
    struct survey s = survey(h);
    if (isnan(s.of_max) || isnan(s.over_max)) {
        rule(h, "not evaluable", "a front has no level in the band%s",
             reach(h, &s));
        return;
    }
    put_survey(h, &s);
    say(h->out, "predicted",
        "%s %.0f-%.0f, %s %.0f-%.0f tok/s/GPU; %s ahead "
        "in %.0f %% of the band",
        c->of_name, s.of_min, s.of_max, c->over_name, s.over_min, s.over_max,
        c->of_name, 100 * share(&s));
    double t = c->tolerance;
    const double *p = c->of_level.v, *q = c->over_level.v;
    bool ends = close_to(s.of_min, p[0], t) && close_to(s.of_max, p[1], t)
             && close_to(s.over_min, q[0], t) && close_to(s.over_max, q[1], t);
    bool overlap = s.of_max >= p[0] * (1 - t) && s.of_min <= p[1] * (1 + t)
                && s.over_max >= q[0] * (1 - t) && s.over_min <= q[1] * (1 + t);
    bool always = s.ahead == s.compared;
    rule(h, met_by(ends && always, overlap),
         "%s within %.0f %% of the "
         "study's%s, %s%s",
         ends ? "both ranges end" : "not all ends are", 100 * t,
         ends      ? ""
         : overlap ? " though the ranges meet"
                   : " and the ranges do not meet",
         always ? "ahead throughout" : "not ahead throughout", reach(h, &s));
}

static void band_winner(struct hearing *h)
{
    const struct claim *c = h->c;
    struct survey s = survey(h);
    if (s.compared == 0 || s.lo >= s.hi) {
        rule(h, "not evaluable",
             "no predicted point in the band: the fronts "
             "span %.3g to %.3g TPSU",
             fmin(h->of.lo, h->over.lo), fmax(h->of.hi, h->over.hi));
        return;
    }
    put_survey(h, &s);
    const char *gains = isnan(s.gain_max)
                          ? ""
                          : arena_fmt(h->a, "; gain %+.0f to %+.0f %%",
                                      100 * s.gain_min, 100 * s.gain_max);
    say(h->out, "predicted", "%s ahead in %.0f %% of %.3g to %.3g TPSU%s",
        c->of_name, 100 * share(&s), s.lo, s.hi, gains);
    rule(h, met_by(share(&s) >= MOSTLY, share(&s) >= HALF),
         "ahead in %.0f %% of the band, %.0f %% is a yes%s", 100 * share(&s),
         100 * MOSTLY, reach(h, &s));
}

/* ---- ladders ---- */

static const struct curve *named(const struct curve_set *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->curve[i].topology, name) == 0)
            return &s->curve[i];
    return NULL;
}

/* The lowest and highest load that all n curves have; false: none. */
static bool common(const struct curve *const *c, size_t n, double *lo,
                   double *hi)
{
    *lo = *hi = NAN;
    for (size_t i = 0; i < c[0]->n; i++) {
        double load = c[0]->point[i].load;
        bool all = true;
        for (size_t k = 1; k < n; k++)
            all = all && curve_at(c[k], load);
        if (all) {
            *lo = fmin(*lo, load);
            *hi = fmax(*hi, load);
        }
    }
    return !isnan(*lo);
}

static const char *at_load(struct hearing *h, const struct curve *const *c,
                           size_t n, double load)
{
    const char *text = arena_fmt(h->a, "at concurrency %.4g:", load);
    for (size_t i = 0; i < n; i++)
        text = arena_fmt(h->a, "%s%s %s %.0f", text, i ? "," : "",
                         c[i]->topology, curve_at(c[i], load)->tpsg);
    return text;
}

static void load_order(struct hearing *h)
{
    size_t n = (size_t)cJSON_GetArraySize(h->c->of), k = 0;
    const struct curve **c = ARENA_ARRAY(h->a, const struct curve *, n);
    for (const cJSON *i = h->c->of->child; i; i = i->next) {
        const char *name = cJSON_IsString(i) ? i->valuestring : "";
        c[k] = named(&h->of, name);
        if (!c[k++]) {
            rule(h, "not evaluable", "no answers for %s", name);
            return;
        }
    }
    double lo, hi;
    if (n < 2 || !common(c, n, &lo, &hi) || !(lo < hi)) {
        rule(h, "not evaluable", "fewer than two common concurrencies");
        return;
    }
    double first[2] = {curve_at(c[0], lo)->tpsg, curve_at(c[0], hi)->tpsg};
    double last[2] = {curve_at(c[n - 1], lo)->tpsg,
                      curve_at(c[n - 1], hi)->tpsg};
    bool ordered = true;
    for (size_t i = 1; i < n; i++)
        ordered = ordered
               && curve_at(c[i], hi)->tpsg > curve_at(c[i - 1], hi)->tpsg;
    double low = last[0] / first[0], high = last[1] / first[1];
    answer_put(h->numbers, "concurrency_low", lo);
    answer_put(h->numbers, "concurrency_high", hi);
    answer_put(h->numbers, "last_over_first_low", low);
    answer_put(h->numbers, "last_over_first_high", high);
    say(h->out, "predicted", "%s; %s tok/s/GPU", at_load(h, c, n, hi),
        at_load(h, c, n, lo));
    rule(h, met_by(ordered, high > low),
         "%s at the highest concurrency; "
         "%s over %s goes from %.2f to %.2f",
         ordered ? "each beats the one before it" : "not in this order",
         c[n - 1]->topology, c[0]->topology, low, high);
}

/* Two curves over the rates they share. */
struct ladder {
    double lo, hi;         /* rates */
    double from;           /* of is ahead from here up; NAN: not at hi */
    double of_hi, over_hi; /* mean E2E at hi, ms */
    double of_itl[2], over_itl[2]; /* least and largest P99 ITL, ms */
};

static void spread(double v, double range[2])
{
    range[0] = fmin(range[0], v);
    range[1] = fmax(range[1], v);
}

static bool climb(const struct curve *of, const struct curve *over,
                  struct ladder *l)
{
    const struct curve *both[] = {of, over};
    if (!common(both, 2, &l->lo, &l->hi))
        return false;
    l->from = NAN;
    for (size_t i = 0; i < of->n; i++) {
        const struct curve_point *p = &of->point[i];
        const struct curve_point *q = curve_at(over, p->load);
        if (!q)
            continue;
        double e = answer_num(p->answer, "e2e_ms.mean");
        double f = answer_num(q->answer, "e2e_ms.mean");
        spread(answer_num(p->answer, "itl_ms.p99"), l->of_itl);
        spread(answer_num(q->answer, "itl_ms.p99"), l->over_itl);
        l->of_hi = e;
        l->over_hi = f;
        l->from = !(e < f) ? NAN : isnan(l->from) ? p->load : l->from;
    }
    return !isnan(l->of_hi) && !isnan(l->over_hi) && !isnan(l->of_itl[0])
        && !isnan(l->over_itl[0]);
}

static void rate_ladder(struct hearing *h)
{
    const struct claim *c = h->c;
    struct ladder l = {.of_hi = NAN,
                       .over_hi = NAN,
                       .of_itl = {NAN, NAN},
                       .over_itl = {NAN, NAN}};
    if (!climb(&h->of.curve[0], &h->over.curve[0], &l)) {
        rule(h, "not evaluable", "no request rate with E2E and ITL of both");
        return;
    }
    double flat = l.of_itl[1] / l.of_itl[0];
    double other = l.over_itl[1] / l.over_itl[0];
    answer_put(h->numbers, "rate_rps_high", l.hi);
    answer_put(h->numbers, "ahead_from_rps", l.from);
    answer_put(h->numbers, "of_e2e_ms_high", l.of_hi);
    answer_put(h->numbers, "over_e2e_ms_high", l.over_hi);
    answer_put(h->numbers, "of_itl_p99_ratio", flat);
    answer_put(h->numbers, "over_itl_p99_ratio", other);
    bool ahead = !isnan(l.from), is_flat = flat <= c->flat_ratio;
    say(h->out, "predicted",
        "at %.3g/s mean E2E %.2f s against %.2f s; P99 "
        "ITL %.3g to %.3g ms (ratio %.2f) against %.3g to %.3g ms (%.2f)",
        l.hi, l.of_hi / 1e3, l.over_hi / 1e3, l.of_itl[0], l.of_itl[1], flat,
        l.over_itl[0], l.over_itl[1], other);
    const char *when = ahead ? arena_fmt(h->a, "ahead from %.3g/s up", l.from)
                             : "behind at the highest rate";
    rule(h, met_by(ahead && is_flat, ahead || is_flat),
         "%s; P99 ITL %s "
         "within a ratio of %.2f over %.3g to %.3g/s",
         when, is_flat ? "stays" : "does not stay", c->flat_ratio, l.lo, l.hi);
}

/* ---- all claims ---- */

static const cJSON *of_kind(const char *kind, const char *model,
                            const struct answer_file *file, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *k = answer_text(file[i].root, "kind");
        const char *m = answer_text(file[i].root, "scenario.model");
        if (k && m && strcmp(k, kind) == 0 && strcmp(m, model) == 0
            && answer_at(file[i].root, "answers"))
            return file[i].root;
    }
    return NULL;
}

/* A plan whose answers are all there is a sweep, too. */
static const cJSON *find_file(const struct claim *c,
                              const struct answer_file *file, size_t n)
{
    if (c->kind == CLAIM_RATE_LADDER)
        return of_kind("scaleout", c->model, file, n);
    const cJSON *sweep = of_kind("sweep", c->model, file, n);
    return sweep ? sweep : of_kind("plan", c->model, file, n);
}

static void hear(struct hearing *h, const struct answer_file *file, size_t n)
{
    const struct claim *c = h->c;
    const cJSON *root = find_file(c, file, n);
    if (!root) {
        rule(h, "not evaluable", "no %s of %s among the files",
             c->kind == CLAIM_RATE_LADDER ? "scaleout" : "sweep", c->model);
        return;
    }
    struct curve_set all = curve_gather(answer_at(root, "answers"), h->a);
    h->of = curve_pick(&all, c->of, h->a);
    h->over = curve_pick(&all, c->over, h->a);
    if (c->kind != CLAIM_LOAD_ORDER && (h->of.n == 0 || h->over.n == 0)) {
        rule(h, "not evaluable", "no answers for %s",
             h->of.n == 0 ? c->of_name : c->over_name);
        return;
    }
    static void (*const by_kind[])(struct hearing *) = {
        [CLAIM_BAND_GAIN] = band_gain,     [CLAIM_BAND_LEVEL] = band_level,
        [CLAIM_BAND_WINNER] = band_winner, [CLAIM_LOAD_ORDER] = load_order,
        [CLAIM_RATE_LADDER] = rate_ladder,
    };
    by_kind[c->kind](h);
}

static bool check_one(const cJSON *item, const struct answer_file *file,
                      size_t n, cJSON *out, struct err *e)
{
    struct arena *a = arena_open();
    struct claim c;
    bool ok = claim_read(item, a, &c, e);
    if (ok) {
        struct hearing h = {.c = &c,
                            .a = a,
                            .out = cJSON_CreateObject(),
                            .numbers = cJSON_CreateObject()};
        must(h.out && h.numbers && cJSON_AddItemToArray(out, h.out));
        must(cJSON_AddStringToObject(h.out, "id", c.id)
             && cJSON_AddStringToObject(h.out, "claim", c.claim)
             && cJSON_AddStringToObject(h.out, "study", c.study)
             && cJSON_AddStringToObject(h.out, "model", c.model));
        hear(&h, file, n);
        must(cJSON_AddItemToObject(h.out, "numbers", h.numbers));
    }
    arena_close(a);
    return ok;
}

bool claims_check(const cJSON *claims, const struct answer_file *file, size_t n,
                  cJSON **out, struct err *e)
{
    const cJSON *list = answer_at(claims, "claims");
    if (!cJSON_IsArray(list))
        return err_set(e, ERR_INPUT, "claims: must be a list");
    cJSON *all = cJSON_CreateArray();
    must(all);
    int at = 0;
    for (const cJSON *i = list->child; i; i = i->next, at++) {
        if (check_one(i, file, n, all, e))
            continue;
        json_free(all);
        return err_in(e, "claims.%d", at);
    }
    *out = all;
    return true;
}
