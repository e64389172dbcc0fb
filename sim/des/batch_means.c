#include "sim/des/batch_means.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

/* Welford, "Note on a method for calculating corrected sums of squares and
 * products", Technometrics 4(3), 1962. */
void batch_means_add(struct batch_means *b, double v)
{
    if (isnan(v))
        return;
    b->n++;
    double d = v - b->mean;
    b->mean += d / b->n;
    b->m2 += d * (v - b->mean);
}

/* Law and Kelton, Simulation Modeling and Analysis, section 9.5.3. */
double batch_means_half95(const struct batch_means *b)
{
    if (b->n < 2)
        return NAN;
    double t = gsl_cdf_tdist_Pinv(0.975, b->n - 1);
    return t * sqrt(b->m2 / (b->n - 1) / b->n);
}
