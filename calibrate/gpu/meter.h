/* meter - a device's clocks, power and temperature while it is measured.
 * NVIDIA: NVML, loaded at run time; AMD: sysfs of the amdgpu driver.  What is
 * not known is NAN; an absent library is no error (every reading is NAN, and
 * meter_source says why).  Readings take tens of microseconds.  One thread. */
#ifndef CALIBRATE_GPU_METER_H
#define CALIBRATE_GPU_METER_H

#include "sim/base/arena.h"

#include <stdbool.h>

struct meter;

struct meter_reading {
    double clock_hz, memory_hz; /* compute units, memory */
    double power_w, limit_w;
    double temperature_c;
    bool power_capped, thermal; /* what held the clock back */
    bool known;                 /* the two above are */
};

/* pci: "0000:1b:00.0". */
struct meter *meter_open(const char *pci, const char *arch, struct arena *a);
void meter_close(struct meter *m);
struct meter_reading meter_read(struct meter *m);
const char *meter_source(
    const struct meter *m); /* "NVML", or why there is none */
const char *meter_driver(
    const struct meter *m); /* its version; "": not known */

#endif
