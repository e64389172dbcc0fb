/* The half-width of a median of n samples is 1.2533 sigma / sqrt(n) for normal
 * noise, and sigma is 1.4826 times the median absolute deviation. */
#include "calibrate/bench/bench.h"

#include "sim/base/must.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF_WIDTH (1.2533 * 1.4826)
enum { TIMES_MAX = 10000 };

const struct bench_rule bench_usual = {
    .warm_s = 2e-3,
    .sample_s = 4e-4,
    .settle = 0.01,
    .max_s = 0.15,
    .min_n = 5,
    .max_n = 31,
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *v, size_t n)
{
    must(n > 0);
    qsort(v, n, sizeof *v, by_value);
    return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

double bench_mad(const double *v, size_t n, double m, double *scratch)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = fabs(v[i] - m);
    return bench_median(scratch, n);
}

static double median_of(const double *v, size_t n)
{
    double copy[BENCH_SAMPLES];
    memcpy(copy, v, n * sizeof *v);
    return bench_median(copy, n);
}

static bool is_steady(const double *v, int n, const struct bench_rule *rule)
{
    double scratch[BENCH_SAMPLES];
    size_t all = (size_t)n, half = all / 2;
    double m = median_of(v, all);
    double mad = bench_mad(v, all, m, scratch);
    double drift = fabs(median_of(v, half) - median_of(v + half, all - half));
    return HALF_WIDTH * mad / sqrt(n) <= rule->settle * m
        && drift <= 2 * rule->settle * m;
}

/* Runs until warm; leaves the length of one run. */
static bool warm(const struct bench_rule *rule, bench_sample *run, void *to,
                 struct bench_time *t, double *one, struct err *e)
{
    double spent = 0, last;
    if (!run(to, 1, &t->first_s, e))
        return false;
    last = t->first_s;
    for (int times = 1; spent < rule->warm_s;
         times = times < 64 ? 2 * times : times) {
        double s;
        if (!run(to, times, &s, e))
            return false;
        last = s / times;
        spent += s > 0 ? s : 1e-6;
    }
    *one = last;
    return true;
}

static int times_for(const struct bench_rule *rule, double one)
{
    double want = one > 0 ? ceil(rule->sample_s / one) : TIMES_MAX;
    return want < 1 ? 1 : want > TIMES_MAX ? TIMES_MAX : (int)want;
}

bool bench_run(const struct bench_rule *rule, bench_sample *run, void *to,
               struct bench_time *t, struct err *e)
{
    double v[BENCH_SAMPLES], scratch[BENCH_SAMPLES], one, spent = 0;
    must(rule->min_n >= 2 && rule->max_n <= BENCH_SAMPLES);
    *t = (struct bench_time){0};
    if (!warm(rule, run, to, t, &one, e))
        return false;
    t->times = times_for(rule, one);
    while (t->n < rule->max_n && (t->n < rule->min_n || spent < rule->max_s)) {
        double s;
        if (!run(to, t->times, &s, e))
            return false;
        spent += s;
        v[t->n++] = s / t->times;
        t->steady = t->n >= rule->min_n && is_steady(v, t->n, rule);
        if (t->steady)
            break;
    }
    t->median_s = median_of(v, (size_t)t->n);
    t->mad_s = bench_mad(v, (size_t)t->n, t->median_s, scratch);
    return true;
}

double bench_bend(const double *x, const double *y, size_t n, size_t i)
{
    if (i == 0 || i + 1 >= n)
        return 0;
    double at = log(x[i] / x[i - 1]) / log(x[i + 1] / x[i - 1]);
    double line = log(y[i - 1]) + at * log(y[i + 1] / y[i - 1]);
    return fabs(log(y[i]) - line);
}

void bench_odd(const double *y, size_t n, bool *odd)
{
    double least = INFINITY;
    for (size_t i = n; i-- > 0;) {
        odd[i] = y[i] >= BENCH_ODD * least;
        least = fmin(least, y[i]);
    }
}
