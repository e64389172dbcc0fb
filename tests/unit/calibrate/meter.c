#include "calibrate/gpu/meter.h"

#include "tests/t.h"

/* No meter is no error: everything is unknown, and it says why. */
static void unknown_says_why(void **state)
{
    static const struct {
        const char *arch, *why;
    } none[] = {
        {"null", "no meter for null"},
        {"gfx942", "no /sys/bus/pci/devices/ffff:ff:1f.7/hwmon"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct arena *a = arena_open();
        struct meter *m = meter_open("ffff:ff:1f.7", none[i].arch, a);
        struct meter_reading r = meter_read(m);
        STR_EQ(meter_source(m), none[i].why);
        STR_EQ(meter_driver(m), "");
        assert_true(isnan(r.clock_hz) && isnan(r.power_w));
        assert_true(isnan(r.limit_w) && isnan(r.temperature_c));
        assert_false(r.known || r.power_capped || r.thermal);
        meter_close(m);
        arena_close(a);
    }
}

T_MAIN(cmocka_unit_test(unknown_says_why))
