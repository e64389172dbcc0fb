/* price_basis - what prices rest on: the fits behind a decode step of 32
 * requests, a full prefill step and the host around them. */
#ifndef SIM_COST_PRICE_BASIS_H
#define SIM_COST_PRICE_BASIS_H

#include "sim/cost/shape.h"

bool price_basis_note(const struct price_ask *ask, const struct shape_ask *s,
                      struct arena *a, struct price_basis *b, struct err *e);

#endif
