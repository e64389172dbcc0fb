/* axis - from a range of data to positions and tick marks.
 * Linear axes start at zero unless data is negative or a bound is given;
 * logarithmic ones need data above zero.  Positions are in pixels.  Pure. */
#ifndef SIM_REPORT_AXIS_H
#define SIM_REPORT_AXIS_H

#include <stdbool.h>

enum { AXIS_TICKS = 16 };

struct axis {
    bool log;
    double lo, hi;   /* in data units */
    double from, to; /* pixels at lo and hi */
    int n;
    double tick[AXIS_TICKS];
};

/* lo, hi: bounds wanted, NAN = from the data's min and max.  want: about how
 * many ticks. */
void axis_fit(struct axis *x, double lo, double hi, double min, double max,
              int want);
double axis_at(const struct axis *x, double v);
bool axis_holds(const struct axis *x, double v);

/* "0.5", "1,500", "12k": text of at most 15 bytes. */
void axis_label(double v, char text[16]);

#endif
