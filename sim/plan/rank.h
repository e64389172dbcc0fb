/* rank - the best of a sweep, kept while results stream by.  For every TPSU
 * band and for the SLO: the `keep` topologies with the highest TPSG, each at
 * its best load.  Ties go to fewer GPUs, then to the earlier trial.  Memory
 * O(bands x keep); add is O(keep). */
#ifndef SIM_PLAN_RANK_H
#define SIM_PLAN_RANK_H

#include "sim/plan/trial.h"

enum { RANK_KEEP = 10 };

struct rank_list {
    double lo, hi; /* TPSU in [lo, hi); SLO list: everything */
    struct trial top[RANK_KEEP];
    size_t n;
};

struct rank {
    const struct space *sp;
    struct rank_list *band;
    size_t n_bands;
    struct rank_list slo;
    bool slo_given;
    int64_t trials, requests, refused, slo_met;
    struct space_refusal *refusal;
    size_t n_refusal, cap_refusal;
    struct arena *a;
};

void rank_init(struct rank *r, const struct space *sp, struct arena *a);
void rank_add(struct rank *r, const struct trial *t);

#endif
