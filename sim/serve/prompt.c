/* What a prompt is made of, for the engines' prefix caches and the router's
 * idea of them.
 *
 * Texts beside those of a trace, whose ids are below 2^53, and those that the
 * KV cache gives to prompts without a name (kv_name): the prefix that all
 * prompts of a load share; the rest of request 0's, which warm-ups repeat; the
 * rest of any other, by the request's number. */
#include "sim/serve/world_int.h"

#define PROMPT_SHARED_TEXT (SCHED_TEXT_OUTPUT - 1)
#define PROMPT_FIRST_TEXT (SCHED_TEXT_OUTPUT - 2)
#define PROMPT_OWN_TEXT (3ULL << 61)

static void prompt_add(struct world *w, uint32_t n, uint64_t text,
                       int32_t tokens)
{
    ARENA_ROOM(w->arena, w->seg, n, w->cap_seg);
    w->seg[n] = (struct sched_seg){text, tokens};
}

uint64_t prompt_own(const struct world_req *r)
{
    return r->first_prompt ? PROMPT_FIRST_TEXT : PROMPT_OWN_TEXT | r->life;
}

uint32_t prompt_segments(struct world *w, const struct world_req *r)
{
    int32_t left = r->isl;
    uint32_t n = 0;
    for (; n < r->n_text && left > 0; n++) {
        int32_t take = r->text_tokens < left ? r->text_tokens : left;
        prompt_add(w, n, r->text[n], take);
        left -= take;
    }
    int64_t shared = w->ask->load->shared_prefix;
    if (!n && shared > 0) {
        int32_t take = shared < left ? (int32_t)shared : left;
        prompt_add(w, n++, PROMPT_SHARED_TEXT, take);
        left -= take;
    }
    if (left > 0 && (n || r->first_prompt))
        prompt_add(w, n++, prompt_own(r), left);
    return n;
}

/* SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t prompt_mix(uint64_t h)
{
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ULL;
    h = (h ^ h >> 27) * 0x94d049bb133111ebULL;
    return h ^ h >> 31;
}

uint32_t prompt_hashes(struct world *w, const struct world_req *r,
                       int32_t block, uint32_t most)
{
    uint32_t n_seg = prompt_segments(w, r), n = 0, seg = 0;
    uint64_t h = 0;
    int32_t at = 0; /* inside the segment */
    if (!n_seg) {
        prompt_add(w, 0, prompt_own(r), r->isl);
        n_seg = 1;
    }
    for (; n < most && n < (uint32_t)(r->isl / block); n++) {
        int32_t left = block;
        while (left > 0 && seg < n_seg) {
            int32_t take = w->seg[seg].n - at < left ? w->seg[seg].n - at
                                                     : left;
            h = prompt_mix(h ^ prompt_mix(w->seg[seg].text + 1));
            h = prompt_mix(h ^ ((uint64_t)at << 32 | (uint32_t)take));
            left -= take;
            at += take;
            if (at == w->seg[seg].n) {
                seg++;
                at = 0;
            }
        }
        ARENA_ROOM(w->arena, w->hash, n, w->cap_hash);
        w->hash[n] = h;
    }
    return n;
}
