/* NVML's numbers are those of nvml.h (clock types, throttle reasons: a bit
 * each); its functions keep their binary interface under these names. */
#include "calibrate/gpu/meter.h"

#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLOCK_SM = 1,
    CLOCK_MEM = 2,
    SENSOR_GPU = 0,
    WHY_POWER_CAP = 0x04,
    WHY_POWER_BRAKE = 0x80,
    WHY_SLOWDOWN = 0x08,
    WHY_THERMAL = 0x20 | 0x40,
};

typedef int plain_fn(void);
typedef int handle_fn(const char *pci, void **device);
typedef int clock_fn(void *device, int type, unsigned *mhz);
typedef int unsigned_fn(void *device, unsigned *value);
typedef int sensor_fn(void *device, int sensor, unsigned *celsius);
typedef int reasons_fn(void *device, unsigned long long *bits);
typedef int text_fn(char *text, unsigned n);

struct meter {
    void *library, *device;
    plain_fn *init, *shutdown;
    handle_fn *by_pci;
    clock_fn *clock;
    unsigned_fn *power, *limit;
    sensor_fn *temperature;
    reasons_fn *reasons;
    const char *folder; /* sysfs: of the device, and its sensors */
    const char *sensors;
    char source[256], driver[80];
};

#define TAKE(field, name) *(void **)&m->field = dlsym(m->library, name)

static bool take_functions(struct meter *m)
{
    TAKE(init, "nvmlInit_v2");
    TAKE(shutdown, "nvmlShutdown");
    TAKE(by_pci, "nvmlDeviceGetHandleByPciBusId_v2");
    TAKE(clock, "nvmlDeviceGetClockInfo");
    TAKE(power, "nvmlDeviceGetPowerUsage");
    TAKE(limit, "nvmlDeviceGetEnforcedPowerLimit");
    TAKE(temperature, "nvmlDeviceGetTemperature");
    TAKE(reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
    return m->init && m->shutdown && m->by_pci && m->clock && m->power
        && m->limit && m->temperature && m->reasons;
}

static void open_nvml(struct meter *m, const char *pci)
{
    text_fn *driver;
    m->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!m->library) {
        snprintf(m->source, sizeof m->source, "no libnvidia-ml.so.1");
        return;
    }
    if (!take_functions(m) || m->init() != 0) {
        snprintf(m->source, sizeof m->source, "NVML does not start");
        return;
    }
    if (m->by_pci(pci, &m->device) != 0)
        m->device = NULL;
    *(void **)&driver = dlsym(m->library, "nvmlSystemGetDriverVersion");
    if (driver)
        driver(m->driver, sizeof m->driver);
    snprintf(m->source, sizeof m->source, "NVML%s%s",
             m->device ? "" : " knows no device at ", m->device ? "" : pci);
}

static void open_sysfs(struct meter *m, const char *pci, struct arena *a)
{
    const char *dir = arena_fmt(a, "/sys/bus/pci/devices/%s", pci);
    DIR *d = opendir(arena_fmt(a, "%s/hwmon", dir));
    if (!d) {
        snprintf(m->source, sizeof m->source, "no %s/hwmon", dir);
        return;
    }
    for (struct dirent *i; (i = readdir(d));)
        if (strncmp(i->d_name, "hwmon", 5) == 0)
            m->sensors = arena_fmt(a, "%s/hwmon/%s", dir, i->d_name);
    closedir(d);
    m->folder = dir;
    snprintf(m->source, sizeof m->source, "sysfs");
    FILE *f = fopen("/sys/module/amdgpu/version", "r");
    if (f && fscanf(f, "%79s", m->driver) != 1)
        m->driver[0] = 0;
    if (f)
        fclose(f);
}

struct meter *meter_open(const char *pci, const char *arch, struct arena *a)
{
    struct meter *m = ARENA_NEW(a, struct meter);
    if (strncmp(arch, "sm_", 3) == 0)
        open_nvml(m, pci);
    else if (strncmp(arch, "gfx", 3) == 0)
        open_sysfs(m, pci, a);
    else
        snprintf(m->source, sizeof m->source, "no meter for %s", arch);
    return m;
}

void meter_close(struct meter *m)
{
    if (m->device)
        m->shutdown();
    if (m->library)
        dlclose(m->library);
    *m = (struct meter){0};
}

const char *meter_source(const struct meter *m)
{
    return m->source;
}

const char *meter_driver(const struct meter *m)
{
    return m->driver;
}

static void read_nvml(struct meter *m, struct meter_reading *r)
{
    unsigned v;
    unsigned long long why;
    if (m->clock(m->device, CLOCK_SM, &v) == 0)
        r->clock_hz = v * 1e6;
    if (m->clock(m->device, CLOCK_MEM, &v) == 0)
        r->memory_hz = v * 1e6;
    if (m->power(m->device, &v) == 0)
        r->power_w = v * 1e-3;
    if (m->limit(m->device, &v) == 0)
        r->limit_w = v * 1e-3;
    if (m->temperature(m->device, SENSOR_GPU, &v) == 0)
        r->temperature_c = v;
    if (m->reasons(m->device, &why) == 0) {
        r->known = true;
        r->power_capped = why & (WHY_POWER_CAP | WHY_POWER_BRAKE);
        r->thermal = why & (WHY_THERMAL | WHY_SLOWDOWN);
    }
}

static double number_in(const char *dir, const char *name, double unit)
{
    char path[512];
    double v;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    if (!f)
        return NAN;
    int n = fscanf(f, "%lf", &v);
    fclose(f);
    return n == 1 ? v * unit : NAN;
}

/* The line of pp_dpm_sclk that bears the star: "1: 2100Mhz *". */
static double starred(const char *dir, const char *name)
{
    char path[512], line[128];
    double found = NAN, level, mhz;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    if (!f)
        return NAN;
    while (fgets(line, sizeof line, f))
        if (strchr(line, '*') && sscanf(line, "%lf: %lf", &level, &mhz) == 2)
            found = mhz * 1e6;
    fclose(f);
    return found;
}

static void read_sysfs(struct meter *m, struct meter_reading *r)
{
    r->clock_hz = starred(m->folder, "pp_dpm_sclk");
    r->memory_hz = starred(m->folder, "pp_dpm_mclk");
    r->power_w = number_in(m->sensors, "power1_average", 1e-6);
    if (isnan(r->power_w))
        r->power_w = number_in(m->sensors, "power1_input", 1e-6);
    r->limit_w = number_in(m->sensors, "power1_cap", 1e-6);
    r->temperature_c = number_in(m->sensors, "temp2_input", 1e-3);
}

struct meter_reading meter_read(struct meter *m)
{
    struct meter_reading r = {NAN, NAN, NAN, NAN, NAN, false, false, false};
    if (m->device)
        read_nvml(m, &r);
    else if (m->folder && m->sensors)
        read_sysfs(m, &r);
    return r;
}
