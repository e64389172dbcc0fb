/* table - one operation's measurements as a CSV file that survives an
 * interruption: a row is appended and flushed as soon as it is measured;
 * opening a file again gives its rows back, less a torn last line.  table_done
 * writes it anew, in the order of the plan, with accidents marked. Columns:
 * those that name a point, then those of TABLE_COLUMNS; times in microseconds,
 * absent numbers empty.  Rows lie in the arena.  One thread. */
#ifndef CALIBRATE_GPU_TABLE_H
#define CALIBRATE_GPU_TABLE_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stddef.h>

#define TABLE_COLUMNS                                                          \
    "time_us,suspect,source,engine_version,mad_us,samples,clock_mhz,"          \
    "memory_mhz,power_w,temperature_c,throttled,steady,driver,date"

struct table_row {
    const char *id; /* fields that name the point, comma between */
    double time_us, mad_us;
    int n;
    double clock_mhz, memory_mhz, power_w, temperature_c; /* NAN: not known */
    bool throttled, steady, suspect;
    const char *source, *version, *driver, *date;
    size_t place; /* in the plan, for table_done; SIZE_MAX: in none so far */
};

struct table {
    const char *path, *columns;
    struct arena *a;
    struct table_row *row;
    size_t n, cap;
};

/* A file with other columns is ERR_INPUT. */
bool table_open(struct table *t, const char *dir, const char *name,
                const char *columns, struct arena *a, struct err *e);
/* NULL: not measured yet. */
struct table_row *table_find(const struct table *t, const char *id);
bool table_add(struct table *t, const struct table_row *r, struct err *e);
bool table_done(struct table *t, struct err *e);

#endif
