#include "sim/serve/kv.h"

#include "sim/base/must.h"
#include "sim/serve/kv_int.h"
#include "sim/serve/kv_prefix.h"

#include <string.h>

/* The block pool after vLLM's KVCacheManager, BlockPool and
 * SingleTypeKVCacheManager (v1/core, 0.15.1 to 0.32.0).
 *
 * Invariants
 * 1. free + deferred + held by requests (a shared block once) = total.
 * 2. With identities, ref[b] is the number of lists that name b; b is in the
 *    free list exactly when ref[b] is 0 and it is not deferred; a free block
 *    may still be hashed.
 * 3. A request's lists have equal length; nulls come first.
 * 4. need <= free is tested before anything is taken, so taking cannot fail. */

enum { KV_NULL = 0, KV_FIRST_CAP = 16 };
enum { KV_AHEAD = 12 }; /* blocks whose places in the table are fetched early */

static int64_t blocks_for(const struct kv *kv, int64_t tokens)
{
    return (tokens + kv->bs - 1) / kv->bs;
}

/* Whole blocks of a group that the token after `computed` cannot see. */
static int32_t skipped(const struct kv *kv, int g, int64_t computed)
{
    int64_t n;

    if (!kv->window[g])
        return 0;
    n = computed - kv->window[g] + 1;
    return n > 0 ? (int32_t)(n / kv->bs) : 0;
}

static int32_t min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t max32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

struct kv *kv_new(const struct sched_opt *o, struct arena *a)
{
    struct kv *kv = ARENA_NEW(a, struct kv);
    int64_t flight = o->max_num_batched_tokens;

    if (o->window_cap_in_flight && o->async_scheduling)
        flight *= 2; /* two batches may be unprocessed */
    kv->a = a;
    kv->bs = o->block_size;
    kv->max_len = o->max_model_len;
    kv->n_groups = o->n_groups;
    kv->total = kv->free = o->num_blocks - 1;
    kv->unhashed_first = o->unhashed_first;
    kv->hits_first = o->hits_before_loads;
    kv->sparse_windows = o->sparse_windows;
    for (int g = 0; g < o->n_groups; g++) {
        int64_t span = o->window[g] - 1 + flight;

        kv->window[g] = o->window[g];
        if (!o->window[g] || !o->cap_window_reserve)
            continue;
        if (span > o->max_model_len)
            span = o->max_model_len;
        /* one more: the window need not begin at a block's edge */
        kv->cap[g] = blocks_for(kv, span) + 1;
    }
    if (o->enable_prefix_caching) {
        kv->caching = true;
        kv_keep_ids(kv);
    }
    return kv;
}

void kv_keep_ids(struct kv *kv)
{
    size_t n = (size_t)kv->total + 1;
    size_t slots = 16;

    if (kv->ids)
        return;
    must(kv->free == kv->total);
    must(kv->total < UINT32_MAX);
    kv->ids = true;
    kv->next = ARENA_ARRAY(kv->a, uint32_t, n);
    kv->prev = ARENA_ARRAY(kv->a, uint32_t, n);
    kv->ref = ARENA_ARRAY(kv->a, uint32_t, n);
    kv->key = ARENA_ARRAY(kv->a, uint64_t, n);
    for (size_t i = 0; i < n; i++) {
        kv->next[i] = (uint32_t)(i + 1 < n ? i + 1 : 0);
        kv->prev[i] = (uint32_t)(i ? i - 1 : n - 1);
    }
    if (!kv->caching)
        return;
    while (slots < 2 * n)
        slots *= 2;
    kv->mask = (uint32_t)(slots - 1);
    kv->table = ARENA_ARRAY(kv->a, struct kv_slot, slots);
    kv->home = ARENA_ARRAY(kv->a, uint32_t, n);
    kv->dup_next = ARENA_ARRAY(kv->a, uint32_t, n);
    kv->dup_prev = ARENA_ARRAY(kv->a, uint32_t, n);
}

bool kv_has_ids(const struct kv *kv)
{
    return kv->ids;
}

void kv_name(struct kv *kv, struct kv_req *r, const struct sched_spec *spec,
             uint64_t serial)
{
    /* an unnamed prompt is equal to nothing: named by its own number, apart
     * from texts and outputs by bit 62 */
    const struct sched_seg own = {(1ULL << 62) | serial, spec->prompt_tokens};
    const struct sched_seg *seg = spec->n_seg ? spec->seg : &own;
    uint32_t n = spec->n_seg ? spec->n_seg : 1;
    int64_t sum = 0;

    r->n_hash = r->at_seg = r->n_seg = 0;
    r->at_off = r->boundary = 0;
    r->run_left = 0;
    r->prompt = spec->prompt_tokens;
    r->user = spec->output ? spec->output : spec->user;
    if (!kv->caching)
        return;
    for (uint32_t i = 0; i < n; i++) {
        must(seg[i].n >= 0);
        sum += seg[i].n;
        if (!seg[i].n)
            continue;
        ARENA_ROOM(kv->a, r->seg, r->n_seg, r->cap_seg);
        r->seg[r->n_seg++] = seg[i];
    }
    must(sum == spec->prompt_tokens);
}

/* ---- free list, with identities ---- */

static void list_out(struct kv *kv, uint32_t b)
{
    kv->next[kv->prev[b]] = kv->next[b];
    kv->prev[kv->next[b]] = kv->prev[b];
}

static void list_after(struct kv *kv, uint32_t at, uint32_t b)
{
    kv->next[b] = kv->next[at];
    kv->prev[b] = at;
    kv->prev[kv->next[at]] = b;
    kv->next[at] = b;
}

/* Gives blocks back, the first to be reused first.  One call is one call of
 * vLLM's free_blocks: it decides which go to the front. */
static void give(struct kv *kv, const uint32_t *ids, uint32_t n)
{
    uint32_t front = KV_NULL;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t b = ids[i];

        if (b == KV_NULL)
            continue;
        must(kv->ref[b] > 0);
        if (--kv->ref[b])
            continue;
        kv->free++;
        if (kv->unhashed_first && !kv->key[b]) {
            list_after(kv, front, b);
            front = b;
        } else {
            list_after(kv, kv->prev[KV_NULL], b);
        }
    }
}

static uint32_t *scratch(struct kv *kv, uint32_t n)
{
    if (n > kv->cap_scratch) {
        kv->cap_scratch = n + n / 2 + KV_FIRST_CAP;
        kv->scratch = ARENA_ARRAY(kv->a, uint32_t, kv->cap_scratch);
    }
    return kv->scratch;
}

static void room_for(struct kv *kv, struct kv_req *r, int32_t len)
{
    uint32_t cap = r->cap_ids ? r->cap_ids : KV_FIRST_CAP;

    if (!kv->ids || (uint32_t)len <= r->cap_ids)
        return;
    while (cap < (uint32_t)len)
        cap *= 2;
    for (int g = 0; g < kv->n_groups; g++)
        r->ids[g] = arena_grow(kv->a, r->ids[g], (size_t)r->len, cap,
                               sizeof *r->ids[g]);
    r->cap_ids = cap;
}

/* Appends new blocks to one group's list from `from` up to `to`. */
static void take(struct kv *kv, struct kv_req *r, int g, int32_t from,
                 int32_t to)
{
    if (to <= from)
        return;
    if (!kv->ids) {
        kv->free -= to - from;
        return;
    }
    for (int32_t i = from; i < to; i++) {
        uint32_t b = kv->next[KV_NULL];

        must(b != KV_NULL);
        list_out(kv, b);
        kv->free--;
        kv->ref[b] = 1;
        r->ids[g][i] = b;
    }
    /* forgotten only now: vLLM pops all, then evicts */
    for (int32_t i = from; kv->caching && i < to; i++) {
        if (i + KV_AHEAD < to)
            kv_prefix_soon(kv, r->ids[g][i + KV_AHEAD]);
        kv_prefix_forget(kv, r->ids[g][i]);
    }
}

/* ---- a request ---- */

/* Hit blocks of a group that are free now, from the idx-th on: taking them
 * takes them out of the free list. */
static int64_t hits_free(const struct kv *kv, int g, int32_t idx)
{
    int64_t n = 0;

    for (int32_t i = idx; i < kv->hit.n; i++)
        n += kv->hit.ids[g][i] && !kv->ref[kv->hit.ids[g][i]];
    return n;
}

/* Blocks to be taken from the free list so that `tokens` have slots, given
 * the first `hits` blocks of the hit. */
static int64_t need(const struct kv *kv, const struct kv_req *r, int32_t hits,
                    int64_t tokens, int64_t computed, bool capped)
{
    int64_t sum = 0;

    for (int g = 0; g < kv->n_groups; g++) {
        int64_t want = blocks_for(kv, tokens);
        int32_t gone = skipped(kv, g, computed);
        int32_t have = max32(gone, hits + r->len);

        if (capped && kv->cap[g] && want > kv->cap[g])
            want = kv->cap[g];
        if (want > have)
            sum += want - have;
        if (hits)
            sum += hits_free(kv, g, max32(0, gone - r->len));
    }
    return sum;
}

int64_t kv_lacks(const struct kv *kv, const struct kv_req *r, int32_t computed,
                 int32_t known)
{
    return need(kv, r, 0, min32(known, kv->max_len), computed, true);
}

/* One group's list becomes: null blocks, the hits still inside the window. */
static void take_hits(struct kv *kv, struct kv_req *r, int g, int32_t gone)
{
    int32_t len = max32(gone, kv->hit.n);
    int32_t null = gone;

    for (int32_t i = 0; kv->ids && i < len; i++) {
        uint32_t b = i < gone ? KV_NULL : kv->hit.ids[g][i];

        r->ids[g][i] = b;
        if (b == KV_NULL) {
            null = max32(null, i + 1);
            continue;
        }
        if (!kv->ref[b]++) {
            list_out(kv, b);
            kv->free--;
        }
    }
    r->nulls[g] = null;
}

static void take_computed(struct kv *kv, struct kv_req *r,
                          const struct kv_ask *q)
{
    int64_t computed = q->computed + q->local + q->external;
    int32_t loaded = q->external ? (int32_t)blocks_for(kv, computed) : 0;

    must(r->len == 0);
    room_for(kv, r, max32(kv->hit.n, loaded));
    for (int g = 0; g < kv->n_groups; g++) {
        int32_t gone = skipped(kv, g, computed);

        take_hits(kv, r, g, gone);
        if (!kv->hits_first && q->external)
            take(kv, r, g, max32(gone, kv->hit.n), loaded);
    }
    for (int g = 0; kv->hits_first && q->external && g < kv->n_groups; g++)
        take(kv, r, g, max32(skipped(kv, g, computed), kv->hit.n), loaded);
    r->cached = kv->hit.n;
    r->len = max32(kv->hit.n, loaded);
}

bool kv_alloc(struct kv *kv, struct kv_req *r, const struct kv_ask *q)
{
    int64_t computed = (int64_t)q->computed + q->local + q->external;
    int32_t total = (int32_t)(computed < kv->max_len ? computed : kv->max_len);
    int32_t slots = min32(total + q->fresh, kv->max_len);
    int32_t len = (int32_t)blocks_for(kv, slots);
    bool ok = true;

    if (q->whole)
        ok = need(kv, r, kv->hit.n, min32(q->known, kv->max_len), total, true)
          <= kv->free;
    if (ok) {
        kv_skip(kv, r, max32(0, total - q->in_flight));
        ok = need(kv, r, kv->hit.n, slots, computed, false)
          <= kv->free - q->reserved;
    }
    if (ok && (kv->hit.n || q->external))
        take_computed(kv, r, q);
    kv->hit.n = 0;
    if (!ok)
        return false;
    if (len > r->len) {
        room_for(kv, r, len);
        for (int g = 0; g < kv->n_groups; g++)
            take(kv, r, g, r->len, len);
        r->len = len;
    }
    if (kv->caching && !q->delay)
        kv_prefix_cache(kv, r, min32(total + q->fresh, q->known));
    return true;
}

bool kv_stays_short(const struct kv *kv, const struct kv_req *r,
                    const struct kv_ask *q)
{
    int64_t computed = (int64_t)q->computed + q->local + q->external;
    int32_t total = (int32_t)(computed < kv->max_len ? computed : kv->max_len);

    for (int g = 0; g < kv->n_groups; g++)
        if (kv->window[g] || kv->ids || kv->deferred)
            return false;
    if (q->whole
        && need(kv, r, 0, min32(q->known, kv->max_len), total, true) > kv->free)
        return true;
    return need(kv, r, 0, min32(total + q->fresh, kv->max_len), computed, false)
         > kv->free - q->reserved;
}

void kv_grow(struct kv *kv, struct kv_req *r, int32_t tokens, int32_t computed)
{
    int32_t len = (int32_t)blocks_for(kv, tokens);

    must(!kv->ids);
    if (len > r->len) {
        kv->free -= (int64_t)(len - r->len) * kv->n_groups;
        r->len = len;
    }
    kv_skip(kv, r, computed);
    must(kv->free >= 0);
}

void kv_settle(const struct kv *kv, struct kv_req *r, int32_t tokens,
               int32_t computed)
{
    must(!kv->ids);
    r->len = max32(r->len, (int32_t)blocks_for(kv, tokens));
    for (int g = 0; g < kv->n_groups; g++)
        r->nulls[g] = max32(r->nulls[g], skipped(kv, g, computed));
}

void kv_move(struct kv *kv, int64_t freed)
{
    must(!kv->ids);
    kv->free += freed;
    must(kv->free >= 0 && kv->free <= kv->total);
}

void kv_skip(struct kv *kv, struct kv_req *r, int32_t computed)
{
    for (int g = 0; g < kv->n_groups; g++) {
        int32_t gone = min32(skipped(kv, g, computed), r->len);
        int32_t n = gone - r->nulls[g];
        uint32_t *list;

        if (n <= 0)
            continue;
        r->nulls[g] = gone;
        if (!kv->ids) {
            kv->free += n;
            continue;
        }
        list = scratch(kv, (uint32_t)n);
        for (int32_t i = 0; i < n; i++) {
            list[i] = r->ids[g][gone - 1 - i];
            r->ids[g][gone - 1 - i] = KV_NULL;
        }
        give(kv, list, (uint32_t)n);
    }
}

int64_t kv_held(const struct kv *kv, const struct kv_req *r, int group)
{
    int64_t n = 0;

    for (int g = 0; g < kv->n_groups; g++)
        if (group < 0 || group == g)
            n += r->len - r->nulls[g];
    return n;
}

static void forget_lists(struct kv_req *r)
{
    r->len = r->cached = 0;
    memset(r->nulls, 0, sizeof r->nulls);
}

void kv_drop(struct kv *kv, struct kv_req *r)
{
    if (!kv->ids)
        kv->free += kv_held(kv, r, -1);
    for (int g = 0; kv->ids && g < kv->n_groups; g++) {
        uint32_t *list = scratch(kv, (uint32_t)r->len);

        for (int32_t i = 0; i < r->len; i++)
            list[i] = r->ids[g][r->len - 1 - i];
        give(kv, list, (uint32_t)r->len);
    }
    forget_lists(r);
}

void kv_defer(struct kv *kv, struct kv_req *r, uint64_t fence)
{
    struct kv_later *l;

    if (!r->len)
        return;
    if (kv->later_n == kv->later_cap) {
        uint32_t cap = kv->later_cap ? 2 * kv->later_cap : KV_FIRST_CAP;
        struct kv_later *ring = ARENA_ARRAY(kv->a, struct kv_later, cap);

        for (uint32_t i = 0; i < kv->later_n; i++)
            ring[i] = kv->later[(kv->later_at + i) % kv->later_cap];
        kv->later = ring;
        kv->later_at = 0;
        kv->later_cap = cap;
    }
    l = &kv->later[(kv->later_at + kv->later_n++) % kv->later_cap];
    l->fence = fence;
    l->count = kv_held(kv, r, -1);
    l->n = 0;
    kv->deferred += l->count;
    for (int g = 0; kv->ids && g < kv->n_groups; g++)
        for (int32_t i = 0; i < r->len; i++) {
            ARENA_ROOM(kv->a, l->ids, l->n, l->cap);
            l->ids[l->n++] = r->ids[g][i];
        }
    forget_lists(r);
}

void kv_drain(struct kv *kv, uint64_t processed)
{
    while (kv->later_n && kv->later[kv->later_at].fence <= processed) {
        struct kv_later *l = &kv->later[kv->later_at];
        uint32_t *list;

        kv->deferred -= l->count;
        if (!kv->ids)
            kv->free += l->count;
        list = scratch(kv, l->n);
        for (uint32_t i = 0; i < l->n; i++)
            list[i] = l->ids[l->n - 1 - i];
        give(kv, list, l->n);
        kv->later_at = (kv->later_at + 1) % kv->later_cap;
        kv->later_n--;
    }
}

int32_t kv_skip_at(const struct kv *kv, const struct kv_req *r)
{
    int32_t at = INT32_MAX;

    for (int g = 0; g < kv->n_groups; g++)
        if (kv->window[g])
            at = min32(at, (r->nulls[g] + 1) * kv->bs + kv->window[g] - 1);
    return at;
}

int64_t kv_free_blocks(const struct kv *kv)
{
    return kv->free;
}

int64_t kv_deferred(const struct kv *kv)
{
    return kv->deferred;
}

bool kv_check(const struct kv *kv, struct err *e)
{
    int64_t n = 0, hashed = 0, in_table = 0;

    if (!kv->ids)
        return true;
    for (uint32_t b = kv->next[KV_NULL]; b != KV_NULL; b = kv->next[b]) {
        if (kv->ref[b] || ++n > kv->total)
            return err_set(e, ERR_NO, "block %u is free and held", b);
        if (kv->prev[kv->next[b]] != b)
            return err_set(e, ERR_NO, "free list torn at block %u", b);
    }
    if (n != kv->free)
        return err_set(e, ERR_NO, "free list has %lld blocks, count %lld",
                       (long long)n, (long long)kv->free);
    if (!kv->caching)
        return true;
    for (int64_t b = 1; b <= kv->total; b++)
        hashed += kv->key[b] != 0;
    for (uint32_t i = 0; i <= kv->mask; i++) {
        uint32_t b = kv->table[i].block;

        for (uint32_t at = b; at;
             at = kv->dup_next[at] == b ? 0 : kv->dup_next[at])
            in_table++;
    }
    if (hashed != in_table)
        return err_set(e, ERR_NO, "%lld hashed blocks, %lld in the table",
                       (long long)hashed, (long long)in_table);
    return true;
}
