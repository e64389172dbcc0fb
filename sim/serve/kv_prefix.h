/* kv_prefix - the prefix cache: blocks found by the tokens they hold.
 *
 * A full block's key chains the hash of the block before it with what it
 * holds: runs (text, first index, length) of named tokens.  64-bit keys; two
 * different prefixes collide with probability blocks^2 / 2^64.  Several blocks
 * may hold the same tokens; the one hashed first is hit.
 *
 * kv_int.h is the pool's inside, shared by kv.c and kv_prefix.c alone. */
#ifndef SIM_SERVE_KV_PREFIX_H
#define SIM_SERVE_KV_PREFIX_H

#include "sim/serve/kv.h"

/* Finds the longest cached prefix of at most known - 1 tokens; it stays with
 * the pool until the next kv_alloc.  Returns its tokens.  O(blocks). */
int32_t kv_prefix_find(struct kv *kv, struct kv_req *r, int32_t known);
/* Drops the hit that was found. */
void kv_prefix_miss(struct kv *kv);
/* Hashes the request's full blocks among the first `tokens` tokens. */
void kv_prefix_cache(struct kv *kv, struct kv_req *r, int32_t tokens);
/* Forgets what a block holds, if anything. */
void kv_prefix_forget(struct kv *kv, uint32_t block);
/* Fetches what forgetting will need into the processor's cache. */
void kv_prefix_soon(const struct kv *kv, uint32_t block);
/* Forgets a request's blocks from the idx-th on (failed loads). */
void kv_prefix_evict(struct kv *kv, const struct kv_req *r, int32_t idx);

#endif
