#include "sim/base/units.h"

#include "tests/t.h"

static void seconds_round_to_the_nearest_ns(void **state)
{
    (void)state;
    EQ(units_ns(0), 0);
    EQ(units_ns(1.4e-9), 1);
    EQ(units_ns(1.6e-9), 2);
    EQ(units_ns(0.0123), 12300000);
    EQ(units_ns(86400), 86400000000000);
}

static void and_back(void **state)
{
    (void)state;
    NEAR(units_s(1500000000), 1.5, 0);
    NEAR(units_ms(1500000), 1.5, 0);
    for (ns_t t = 1; t < (ns_t)1 << 50; t = 3 * t + 1)
        EQ(units_ns(units_s(t)), t);
}

T_MAIN(cmocka_unit_test(seconds_round_to_the_nearest_ns),
       cmocka_unit_test(and_back))
