#include "tests/t.h"

#include "sim/cost/form.h"
#include "sim/cost/shape.h"
#include "sim/cost/tuned.h"

static const struct gpu_card gpu = {.name = "one", .hbm_Bps = 4e12};
static const struct gpu_card other = {.name = "two", .hbm_Bps = 4e12};

static struct fit stream = {.gpu = "one",
                            .op = "norm",
                            .variant = "bf16",
                            .form = "stream",
                            .basis = "measured",
                            .n_coef = 3,
                            .coef = {{"t0_us", 1e-3, NAN, "x"},
                                     {"rate_Bps", 1e12, NAN, "x"},
                                     {"sharp", 10, NAN, "x"}}};
static struct fit engine = {
    .gpu = "one",
    .op = "engine",
    .variant = "all",
    .form = "engine",
    .basis = "measured",
    .n_coef = 2,
    .coef = {{"elementwise", 0.5, 0.1, "fit"}, {"step_us", 300, 1, "fit"}}};

static double seconds(const struct op_costs *c)
{
    struct op_call call = {.kind = OP_NORM, .bytes = 1e9, .dtype = DT_BF16};
    struct op_basis b;
    struct err e = {0};
    double s = NAN;
    EQ(op_time(c, &call, &s, &b, &e), true);
    return s;
}

static void neutral_changes_nothing(void **state)
{
    struct costs own = {.gpu = "one", .fit = &stream, .n = 1};
    struct op_costs c = {.gpu = &gpu, .own = &own};
    struct tuned t = tuned_neutral();
    (void)state;
    double alone = seconds(&c);
    c.tuned = &t;
    NEAR(seconds(&c), alone, 0);
    NEAR(alone, 1e-3, 1e-6);
}

static void rates_and_gaps(void **state)
{
    struct costs own = {.gpu = "one", .fit = &stream, .n = 1};
    struct op_costs c = {.gpu = &gpu, .own = &own};
    struct tuned t = tuned_neutral();
    (void)state;
    c.tuned = &t;
    t.v[TUNED_ELEMENT] = 0.5;
    NEAR(seconds(&c), 2e-3, 1e-8);
    t.v[TUNED_GAP_US] = 3;
    NEAR(seconds(&c), 2e-3 + 3e-6 * shape_kernels_of(OP_NORM), 1e-8);
}

/* A store names some parameters; the others are neutral.  A GPU without the
 * fit has its donor's. */
static void from_a_store(void **state)
{
    struct costs own = {.gpu = "one", .fit = &engine, .n = 1};
    struct costs none = {.gpu = "two", .fit = NULL, .n = 0};
    struct op_costs c = {.gpu = &gpu, .own = &own};
    (void)state;
    struct tuned t = tuned_of(&c);
    NEAR(t.v[TUNED_ELEMENT], 0.5, 0);
    NEAR(t.v[TUNED_STEP_US], 300, 0);
    NEAR(t.v[TUNED_MOE_MEM], 1, 0);
    EQ(t.donor, false);
    c = (struct op_costs){
        .gpu = &other, .own = &none, .donor_gpu = &gpu, .donor = &own};
    t = tuned_of(&c);
    EQ(t.donor, true);
    NEAR(t.v[TUNED_STEP_US], 300, 0);
    c.donor = NULL;
    t = tuned_of(&c);
    EQ(t.fit == NULL, true);
    NEAR(t.v[TUNED_STEP_US], 0, 0);
}

static void other_kernels(void **state)
{
    struct tuned t = tuned_neutral();
    (void)state;
    t.v[TUNED_MARLIN_MUL] = 0.4;
    tuned_choose(&t, &(struct tuned_ways){0});
    NEAR(t.v[TUNED_MOE_MUL], 1, 0);
    tuned_choose(&t, &(struct tuned_ways){.marlin = true});
    NEAR(t.v[TUNED_MOE_MUL], 0.4, 0);
}

/* Fewer experts where tokens choose alike, never fewer than one token's. */
static void experts(void **state)
{
    struct op_call c = {
        .kind = OP_MOE, .tokens = 32, .experts = 128, .topk = 4};
    struct tuned t = tuned_neutral();
    (void)state;
    NEAR(tuned_active(&t, &c), shape_active(128, 4, 32), 1e-12);
    t.v[TUNED_MOE_SPREAD] = 0.5;
    EQ(tuned_active(&t, &c) < shape_active(128, 4, 32), true);
    c.tokens = 1;
    NEAR(tuned_active(&t, &c), 4, 1e-9);
}

static void list(void **state)
{
    const struct form *f = form_find("engine");
    (void)state;
    EQ(f != NULL, true);
    EQ(f->n_coef, TUNED_N);
    for (int i = 0; i < TUNED_N; i++) {
        const struct tuned_info *k = tuned_info((enum tuned_param)i);
        STR_EQ(f->coef[i], k->name);
        EQ(k->lo <= k->neutral && k->neutral <= k->hi, true);
        EQ(k->lo <= k->prior && k->prior <= k->hi, true);
        EQ(k->sigma > 0, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neutral_changes_nothing),
        cmocka_unit_test(rates_and_gaps),
        cmocka_unit_test(from_a_store),
        cmocka_unit_test(other_kernels),
        cmocka_unit_test(experts),
        cmocka_unit_test(list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
