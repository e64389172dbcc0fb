#include "sim/report/axis.h"

#include <math.h>
#include <stdio.h>

/* Room beyond the largest value, so that marks stay inside. */
#define PAD 0.05

/* The step of 1, 2 or 5 times a power of ten that gives about `want`. */
static double nice_step(double span, int want)
{
    double raw = span / want;
    double base = pow(10, floor(log10(raw)));
    double m = raw / base;
    return base * (m <= 1.5 ? 1 : m <= 3.5 ? 2 : m <= 7.5 ? 5 : 10);
}

static void add(struct axis *x, double v)
{
    if (x->n < AXIS_TICKS)
        x->tick[x->n++] = v;
}

static void linear_ticks(struct axis *x, int want)
{
    double step = nice_step(x->hi - x->lo, want);
    double first = ceil(x->lo / step - 1e-9);
    double last = floor(x->hi / step + 1e-9);
    for (double i = first; i <= last; i++)
        add(x, i * step + 0.0); /* -0 becomes 0 */
}

/* 1, 2, 5 in each decade while there is room, else powers of ten, or every
 * other power. */
static void log_ticks(struct axis *x, int want)
{
    double decades = log10(x->hi / x->lo);
    double every = ceil(decades / AXIS_TICKS);
    bool fine = decades * 3 <= want + 2;
    for (double d = floor(log10(x->lo)); d <= log10(x->hi); d += every) {
        for (int m = 1; m <= (fine ? 5 : 1); m += m == 2 ? 3 : 1) {
            double v = m * pow(10, d);
            if (v >= x->lo * (1 - 1e-9) && v <= x->hi * (1 + 1e-9))
                add(x, v);
        }
    }
}

void axis_fit(struct axis *x, double lo, double hi, double min, double max,
              int want)
{
    if (!(min <= max)) /* no data */
        min = x->log ? 1 : 0, max = x->log ? 10 : 1;
    x->n = 0;
    if (x->log) {
        double room = pow(max / min, PAD) * 1.08;
        x->lo = isnan(lo) ? min / room : lo;
        x->hi = isnan(hi) ? max * room : hi;
        log_ticks(x, want);
        return;
    }
    double base = min < 0 ? min * (1 + PAD) : 0;
    x->lo = isnan(lo) ? base : lo;
    x->hi = isnan(hi) ? max + PAD * (max - x->lo) : hi;
    if (!(x->hi > x->lo))
        x->hi = x->lo + 1;
    linear_ticks(x, want);
}

double axis_at(const struct axis *x, double v)
{
    double share = x->log ? log(v / x->lo) / log(x->hi / x->lo)
                          : (v - x->lo) / (x->hi - x->lo);
    return x->from + share * (x->to - x->from);
}

bool axis_holds(const struct axis *x, double v)
{
    return isfinite(v) && v >= x->lo && v <= x->hi;
}

void axis_label(double v, char text[16])
{
    double a = fabs(v);
    if (a >= 1e15)
        snprintf(text, 16, "%.3g", v);
    else if (a >= 1e10)
        snprintf(text, 16, "%.4gG", v / 1e9);
    else if (a >= 1e7)
        snprintf(text, 16, "%.4gM", v / 1e6);
    else if (a >= 1e4)
        snprintf(text, 16, "%.4gk", v / 1e3);
    else if (a >= 1e3 && v == floor(v))
        snprintf(text, 16, "%d,%03d", (int)(v / 1e3), (int)fmod(a, 1e3));
    else
        snprintf(text, 16, "%.4g", v);
}
