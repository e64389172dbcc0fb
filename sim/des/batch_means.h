/* batch_means - how sure a figure from one correlated run is.
 * Values come in time order, one per batch (Law and Kelton's batch means); the
 * half-width is Student's t at 95 % times the standard error over batches.
 * One thread, O(1) per value. */
#ifndef SIM_DES_BATCH_MEANS_H
#define SIM_DES_BATCH_MEANS_H

struct batch_means {
    int n;
    double mean, m2; /* Welford */
};

void batch_means_add(struct batch_means *b, double v);  /* NAN is ignored */
double batch_means_half95(const struct batch_means *b); /* NAN when n < 2 */

#endif
