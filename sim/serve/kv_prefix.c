#include "sim/serve/kv_prefix.h"

#include "sim/base/must.h"
#include "sim/serve/kv_int.h"

/* Source: vLLM v1/core/block_pool.py (BlockHashToBlockMap) and
 * find_longest_cache_hit of the full and sliding-window managers. */

enum { SOON = 12 };
enum { NEIGHBOURS = 8 }; /* two cache lines of the table */

/* MurmurHash3's 64-bit finalizer (A. Appleby, public domain). */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

static uint64_t chain(uint64_t h, uint64_t v)
{
    return mix(h * 0x9e3779b97f4a7c15ULL + v);
}

/* A run as one number: odd multipliers (of the golden ratio's kind, as in
 * SplitMix64) keep the three apart; chain() mixes them. */
static uint64_t run_id(uint64_t text, uint64_t first, uint64_t n)
{
    return text * 0xbf58476d1ce4e5b9ULL + first * 0x94d049bb133111ebULL
         + n * 0xd6e8feb86659fd93ULL;
}

/* The tokens from place `at` on that are of one text, `most` at most. */
static int32_t run(struct kv_req *r, int64_t at, int32_t most, uint64_t *text,
                   int64_t *first)
{
    const struct sched_seg *s;
    int32_t n;

    if (at >= r->prompt) {
        *text = SCHED_TEXT_OUTPUT | r->user;
        *first = at - r->prompt;
        return most;
    }
    s = &r->seg[r->at_seg];
    *text = s->text;
    *first = r->at_off;
    n = s->n - r->at_off < most ? s->n - r->at_off : most;
    r->at_off += n;
    if (r->at_off == s->n) {
        r->at_seg++;
        r->at_off = 0;
    }
    return n;
}

/* Where block n_hash's entries go.  A prompt's blocks are looked up, entered
 * and forgotten one after the other, so those inside one text lie side by side
 * in
 * the table, NEIGHBOURS at a time; what is not the continuation of the block
 * before goes anywhere.  A function of the same runs as the hash. */
static uint32_t home_of(const struct kv *kv, struct kv_req *r, uint64_t hash,
                        uint64_t text, int64_t first, bool whole)
{
    bool follows = r->run_left && whole && text == r->run_text
                && first == r->run_next;

    r->run_left = follows ? r->run_left - 1 : whole ? NEIGHBOURS - 1 : 0;
    r->run_text = text;
    r->run_next = first + kv->bs;
    return follows ? r->home[r->n_hash - 1] + 1 : (uint32_t)hash;
}

/* Makes hashes of the first n blocks; their tokens must be known. */
static void hash_to(struct kv *kv, struct kv_req *r, uint32_t n)
{
    while (r->n_hash < n) {
        uint64_t h = r->n_hash ? r->hash[r->n_hash - 1] : 1, text = 0;
        int64_t at = (int64_t)r->n_hash * kv->bs, first = 0;
        uint32_t cap = r->cap_hash;
        int32_t k = 0;

        for (int32_t left = kv->bs; left; left -= k, at += k) {
            k = run(r, at, left, &text, &first);
            h = chain(h, run_id(text, (uint64_t)first, (uint64_t)k));
        }
        ARENA_ROOM(kv->a, r->home, r->n_hash, cap);
        ARENA_ROOM(kv->a, r->hash, r->n_hash, r->cap_hash);
        r->home[r->n_hash] = home_of(kv, r, h, text, first, k == kv->bs);
        r->hash[r->n_hash++] = h;
    }
}

/* What the table knows a block hash in a group by. */
struct name {
    uint64_t key; /* never 0 */
    uint32_t home;
};

static struct name name_of(const struct kv_req *r, int32_t i, int g)
{
    uint64_t k = mix(r->hash[i] + (uint64_t)g + 1);

    /* groups apart, by the golden ratio as in SplitMix */
    return (struct name){k ? k : 1, r->home[i] + (uint32_t)g * 0x9e3779b9U};
}

static uint32_t slot_of(const struct kv *kv, struct name n)
{
    uint32_t i = n.home & kv->mask;

    while (kv->table[i].block
           && (kv->table[i].home != n.home
               || kv->key[kv->table[i].block] != n.key))
        i = (i + 1) & kv->mask;
    return i;
}

static uint32_t lookup(const struct kv *kv, const struct kv_req *r, int32_t i,
                       int g)
{
    return kv->table[slot_of(kv, name_of(r, i, g))].block;
}

static void insert(struct kv *kv, uint32_t b, struct name n)
{
    struct kv_slot *slot = &kv->table[slot_of(kv, n)];
    uint32_t first = slot->block;

    kv->key[b] = n.key;
    kv->home[b] = n.home;
    if (!first) {
        *slot = (struct kv_slot){b, n.home};
        kv->dup_next[b] = kv->dup_prev[b] = b;
        return;
    }
    kv->dup_next[b] = first; /* the ring's last place */
    kv->dup_prev[b] = kv->dup_prev[first];
    kv->dup_next[kv->dup_prev[b]] = b;
    kv->dup_prev[first] = b;
}

/* Empties a slot and moves later ones of its run back. */
static void slot_out(struct kv *kv, uint32_t hole)
{
    uint32_t i = (hole + 1) & kv->mask;

    for (; kv->table[i].block; i = (i + 1) & kv->mask) {
        uint32_t home = kv->table[i].home & kv->mask;

        if (((i - home) & kv->mask) < ((i - hole) & kv->mask))
            continue;
        kv->table[hole] = kv->table[i];
        hole = i;
    }
    kv->table[hole].block = 0;
}

void kv_prefix_forget(struct kv *kv, uint32_t b)
{
    struct kv_slot *slot;
    uint32_t i;

    if (!kv->key[b])
        return;
    i = slot_of(kv, (struct name){kv->key[b], kv->home[b]});
    slot = &kv->table[i];
    must(slot->block);
    if (kv->dup_next[b] == b) {
        slot_out(kv, i);
    } else {
        kv->dup_next[kv->dup_prev[b]] = kv->dup_next[b];
        kv->dup_prev[kv->dup_next[b]] = kv->dup_prev[b];
        if (slot->block == b)
            slot->block = kv->dup_next[b];
    }
    kv->key[b] = 0;
}

void kv_prefix_soon(const struct kv *kv, uint32_t b)
{
    __builtin_prefetch(&kv->table[kv->home[b] & kv->mask], 1);
}

void kv_prefix_evict(struct kv *kv, const struct kv_req *r, int32_t idx)
{
    for (int g = 0; kv->caching && g < kv->n_groups; g++)
        for (int32_t i = idx; i < r->len; i++)
            if (r->ids[g][i])
                kv_prefix_forget(kv, r->ids[g][i]);
}

/* Blocks that a hit needs at the end of a window group. */
static int32_t span(const struct kv *kv, int g)
{
    return (kv->window[g] - 1 + kv->bs - 1) / kv->bs;
}

/* Whether a later request can resume after `tokens` and need block i for it. */
static bool serves(const struct kv *kv, int g, int32_t i, int32_t tokens)
{
    int32_t end = tokens / kv->bs;

    return i < end && i >= end - span(kv, g);
}

/* vLLM's prefix_cache_retention_interval 0: of a window group only what a
 * repetition of the prompt, or a sharer of the prefix found, can hit. */
static bool kept(const struct kv *kv, const struct kv_req *r, int g, int32_t i)
{
    return !kv->window[g] || !kv->sparse_windows
        || serves(kv, g, i, r->prompt - 1) || serves(kv, g, i, r->boundary);
}

void kv_prefix_cache(struct kv *kv, struct kv_req *r, int32_t tokens)
{
    int32_t full = tokens / kv->bs;

    if (!kv->caching || full <= r->cached)
        return;
    must(full <= r->len);
    hash_to(kv, r, (uint32_t)full);
    for (int g = 0; g < kv->n_groups; g++)
        for (int32_t i = r->cached; i < full; i++) {
            uint32_t b = r->ids[g][i];

            if (i + SOON < full)
                __builtin_prefetch(
                    &kv->table[name_of(r, i + SOON, g).home & kv->mask], 1);
            if (!b || !kept(kv, r, g, i))
                continue;
            must(!kv->key[b]);
            insert(kv, b, name_of(r, i, g));
        }
    r->cached = full;
}

/* Leading blocks cached in a full-attention group, at most max. */
static int32_t find_full(struct kv *kv, const struct kv_req *r, int g,
                         int32_t max)
{
    int32_t n = 0;

    for (; n < max; n++) {
        uint32_t b = lookup(kv, r, n, g);

        if (!b)
            break;
        kv->hit.ids[g][n] = b;
    }
    return n;
}

/* The longest prefix of at most max blocks whose last window is cached; what
 * is before the window is null.  A run from block 0 on may be shorter. */
static int32_t find_window(struct kv *kv, const struct kv_req *r, int g,
                           int32_t max)
{
    int32_t want = span(kv, g);
    int32_t run = 0;
    uint32_t *ids = kv->hit.ids[g];

    for (int32_t i = max - 1; i >= 0; i--) {
        ids[i] = lookup(kv, r, i, g);
        run = ids[i] ? run + 1 : 0;
        if (!run || run < want)
            continue;
        for (int32_t k = 0; k < i; k++)
            ids[k] = 0;
        return i + run;
    }
    return run;
}

static int32_t find_in(struct kv *kv, const struct kv_req *r, int g,
                       int32_t max)
{
    return kv->window[g] ? find_window(kv, r, g, max)
                         : find_full(kv, r, g, max);
}

static void hit_room(struct kv *kv, uint32_t n)
{
    if (n <= kv->hit.cap)
        return;
    kv->hit.cap = 2 * n;
    for (int g = 0; g < kv->n_groups; g++)
        kv->hit.ids[g] = ARENA_ARRAY(kv->a, uint32_t, kv->hit.cap);
}

void kv_prefix_miss(struct kv *kv)
{
    kv->hit.n = 0;
}

int32_t kv_prefix_find(struct kv *kv, struct kv_req *r, int32_t known)
{
    int32_t max = (known - 1) / kv->bs;
    int first = kv->window[0] && kv->n_groups > 1 && !kv->window[1];
    int32_t n, longest;

    kv->hit.n = 0;
    if (!kv->caching || max <= 0)
        return 0;
    hash_to(kv, r, (uint32_t)max);
    hit_room(kv, (uint32_t)max);
    n = longest = find_in(kv, r, first, max);
    for (int other = 1 - first; kv->n_groups > 1;) {
        int32_t m = find_in(kv, r, other, n);

        /* full attention first: every shorter prefix is cached too; two
         * windows must agree, each found again below the other's hit */
        if (m == n || !kv->window[first]) {
            n = m;
            break;
        }
        n = find_in(kv, r, first, m);
        if (n == m)
            break;
    }
    r->boundary = longest > n ? longest * kv->bs : 0;
    kv->hit.n = n;
    return n * kv->bs;
}
