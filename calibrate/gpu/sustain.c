#include "calibrate/gpu/sustain.h"

#include "calibrate/gpu/cases.h"
#include "sim/base/csv.h"
#include "sim/base/file.h"

#include <math.h>
#include <stdio.h>

enum { STRETCHES = 4096 };
#define SHORT_S 0.1   /* from the begin */
#define LAST_PART 0.7 /* of the time; after it the clock has settled */

struct stretch {
    double at_s, call_s;
    struct meter_reading m;
};

struct held {
    struct stretch v[STRETCHES];
    size_t n;
};

static void told(void *to, double at_s, double call_s,
                 const struct meter_reading *m)
{
    struct held *h = to;
    if (h->n < STRETCHES)
        h->v[h->n++] = (struct stretch){at_s, call_s, *m};
}

/* Medians over stretches that began in [from, to). */
struct part {
    double call_s, clock_hz, power_w, temperature_c;
    bool capped;
};

static double median(double *v, size_t n)
{
    return n ? bench_median(v, n) : NAN;
}

static struct part part_of(const struct held *h, double from, double to,
                           struct arena *a)
{
    struct part p = {.capped = false};
    double *call = ARENA_ARRAY(a, double, h->n + 1);
    double *clock = ARENA_ARRAY(a, double, h->n + 1);
    double *power = ARENA_ARRAY(a, double, h->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++)
        if (h->v[i].at_s >= from && h->v[i].at_s < to) {
            call[n] = h->v[i].call_s;
            clock[n] = h->v[i].m.clock_hz;
            power[n++] = h->v[i].m.power_w;
            p.capped |= h->v[i].m.power_capped;
            p.temperature_c = h->v[i].m.temperature_c;
        }
    p.call_s = median(call, n);
    p.clock_hz = median(clock, n);
    p.power_w = median(power, n);
    return p;
}

static void number(FILE *f, const char *fmt, double v)
{
    fputc(',', f);
    if (!isnan(v))
        fprintf(f, fmt, v);
}

static void row(FILE *f, const char *name, const struct held *h,
                const struct sustain_ask *ask, double limit_w)
{
    struct arena *a = arena_open();
    struct part early = part_of(h, 0, SHORT_S, a);
    struct part late = part_of(h, LAST_PART * ask->seconds, INFINITY, a);
    csv_put(f, name);
    number(f, "%.6g", early.call_s * 1e6);
    number(f, "%.6g", late.call_s * 1e6);
    number(f, "%.0f", early.clock_hz * 1e-6);
    number(f, "%.0f", late.clock_hz * 1e-6);
    number(f, "%.0f", early.power_w);
    number(f, "%.0f", late.power_w);
    number(f, "%.0f", limit_w);
    number(f, "%.0f", late.temperature_c);
    fprintf(f, ",%d,%.1f,", late.capped, ask->seconds);
    csv_put(f, ask->source);
    fprintf(f, ",%s\n", ask->date);
    arena_close(a);
}

/* Llama-70B's largest layer and attention of 8 thousand tokens. */
static const struct timer_ask asks[] = {
    {.call = &(
         const struct call){.op = CALL_GEMM,
                            .gemm = {8192, 57344, 8192, CALL_BF16, .y = NULL}},
     .vendor = true},
    {.call = &(
         const struct call){.op = CALL_GEMM,
                            .gemm = {8192, 57344, 8192, CALL_FP8, .y = NULL}},
     .vendor = true},
    {.call = &(const struct call){.op = CALL_PREFILL,
                                  .attn = {.batch = 1,
                                           .q_len = 8192,
                                           .kv_len = 8192,
                                           .heads = 64,
                                           .kv_heads = 8,
                                           .head_dim = 128,
                                           .block = 16}}},
};

bool sustain_run(struct timer *t, const struct sustain_ask *ask, struct err *e)
{
    char path[4096], name[256];
    struct file_out o;
    bool ok = true;
    snprintf(path, sizeof path, "%s/sustained.csv", ask->dir);
    if (!file_out_open(&o, path, e))
        return false;
    fprintf(o.f, "call,short_us,sustained_us,short_mhz,sustained_mhz,"
                 "short_power_w,power_w,limit_w,temperature_c,power_capped,"
                 "seconds,source,date\n");
    for (size_t i = 0; i < sizeof asks / sizeof *asks && ok; i++) {
        struct arena *a = arena_open();
        struct held *h = ARENA_NEW(a, struct held);
        struct err mine = {ERR_NONE, ""};
        cases_name(asks[i].call, name, sizeof name);
        if (timer_hold(t, &asks[i], ask->seconds, told, h, &mine)) {
            row(o.f, name, h, ask, meter_read(t->meter).limit_w);
        } else if (!timer_alive(t)) {
            *e = mine;
            ok = false;
        }
        arena_close(a);
    }
    ok = ok && file_out_done(&o, e);
    file_out_drop(&o);
    return ok;
}
