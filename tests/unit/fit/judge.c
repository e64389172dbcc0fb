#include "tests/t.h"

#include "calibrate/fit/judge.h"

static struct fit_law stream(double t0_us, double rate)
{
    struct fit_law law = fit_guess(form_find("stream"));
    law.coef[0] = t0_us;
    law.coef[1] = rate;
    law.coef[2] = 1;
    law.held[2] = true;
    return law;
}

static void sums_up_errors(void **state)
{
    (void)state;
    struct fit_law law = stream(1, 1e12);
    struct fit_point p[5];
    const double off[] = {0.9, 1, 1, 1.25, 2}; /* measured over predicted */
    for (int i = 0; i < 5; i++) {
        p[i] = (struct fit_point){.x = {1e6}, .group = 1};
        p[i].time_s = 2e-6 * off[i];
    }
    struct judge j = judge_rows(&law, p, 5);
    NEAR(j.median, 100.0 / 9, 1e-9); /* 0 0 11.1 20 50 */
    NEAR(j.p95, 20 + 0.8 * 30, 1e-9);
    NEAR(j.max, 50, 1e-9);
    NEAR(j.bias, (100.0 / 9 - 20 - 50) / 5, 1e-9);
}

/* A law that holds is as good on groups it has not seen; where one group goes
 * its own way, leaving it out shows. */
static void judges_the_unseen(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit_law law = stream(1, 1e12);
    struct fit_point p[40];
    for (int i = 0; i < 40; i++) {
        p[i] = (struct fit_point){.x = {1e5 * (i + 1)},
                                  .group = (uint32_t)(i % 4)};
        p[i].time_s = 1e-6 + p[i].x[0] / 1e12;
    }
    struct judge j;
    OK(judge_unseen(&law, p, 40, &j, &e), e);
    EQ(j.max < 0.01, true);
    for (int i = 0; i < 40; i += 4)
        p[i].time_s *= 2; /* group 0 */
    OK(judge_unseen(&law, p, 40, &j, &e), e);
    EQ(j.max > 45 && j.max < 55, true);
    EQ(j.median < 1, true);
}

static void says_nothing_of_two_groups(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct fit_law law = stream(1, 1e12);
    struct fit_point p[20];
    for (int i = 0; i < 20; i++) {
        p[i] = (struct fit_point){.x = {1e5 * (i + 1)},
                                  .group = (uint32_t)(i % 2)};
        p[i].time_s = 1e-6 + p[i].x[0] / 1e12;
    }
    struct judge j;
    OK(judge_unseen(&law, p, 20, &j, &e), e);
    EQ(isnan(j.median) != 0, true);
}

T_MAIN(cmocka_unit_test(sums_up_errors), cmocka_unit_test(judges_the_unseen),
       cmocka_unit_test(says_nothing_of_two_groups))
