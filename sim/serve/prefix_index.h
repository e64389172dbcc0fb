/* prefix_index - what a router believes one pod has cached: hashes of prompt
 * prefixes, the least recently routed dropped when there are too many (llm-d's
 * approximate prefix index, engine.md 8.3: updated at routing time, not when
 * the KV exists).  A hash names a whole prefix, not one block of it.
 * Lives in the arena given; one thread; O(1) a hash; memory grows to the
 * capacity, 20 bytes an entry and its place in a table. */
#ifndef SIM_SERVE_PREFIX_INDEX_H
#define SIM_SERVE_PREFIX_INDEX_H

#include "sim/base/arena.h"

#include <stdint.h>

struct prefix_index;

struct prefix_index *prefix_index_new(uint32_t capacity, struct arena *a);
/* How many of the leading prefixes are there; does not touch them. */
uint32_t prefix_index_match(const struct prefix_index *x, const uint64_t *hash,
                            uint32_t n);
/* Makes them the latest. */
void prefix_index_add(struct prefix_index *x, const uint64_t *hash, uint32_t n);
uint32_t prefix_index_size(const struct prefix_index *x);

#endif
