/* bench - how often to measure, and what to keep of it. The caller's function
 * runs the thing `times` over and returns the seconds that took on the device.
 * Warm-up first; then samples until their median is steady: its half-width,
 * and the difference of the medians of the first and the second half, are
 * within `settle` of it; or until max_n or max_s.  Time is what the samples
 * say, so a simulated device needs none. Seconds throughout.  One thread.
 * Cost: the samples. */
#ifndef CALIBRATE_BENCH_BENCH_H
#define CALIBRATE_BENCH_BENCH_H

#include "sim/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct bench_rule {
    double warm_s;   /* of running before the first sample */
    double sample_s; /* at least, a sample; hides the clock's grain */
    double settle;   /* relative */
    double max_s;    /* of all samples together */
    int min_n, max_n;
};
extern const struct bench_rule bench_usual;

enum { BENCH_SAMPLES = 101 };

struct bench_time {
    double median_s, mad_s; /* of one run; median absolute deviation */
    double first_s;         /* of the first, cold run */
    int n, times;           /* samples; runs in each */
    bool steady;
};

typedef bool bench_sample(void *to, int times, double *seconds, struct err *e);

bool bench_run(const struct bench_rule *rule, bench_sample *run, void *to,
               struct bench_time *t, struct err *e);

/* Of n values, which it sorts; n > 0. */
double bench_median(double *v, size_t n);
/* Median absolute deviation from m, with as much scratch as values. */
double bench_mad(const double *v, size_t n, double m, double *scratch);

/* How far point i of a curve (x increasing, all positive) lies from the line
 * between its neighbours in logarithms; 0 at the ends. */
double bench_bend(const double *x, const double *y, size_t n, size_t i);
/* A later point is faster by this factor or more: an accident, or a bad choice
 * of kernel.  Written into odd[i]. */
#define BENCH_ODD 1.3
void bench_odd(const double *y, size_t n, bool *odd);

#endif
