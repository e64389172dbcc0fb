#include "tests/t.h"

#include "tests/unit/serve/rig.h"

enum { BS = 16 };

static uint32_t hashes(struct world *w, struct world_req r, uint64_t *to)
{
    uint32_t n = prompt_hashes(w, &r, BS, 256);
    memcpy(to, w->hash, n * sizeof *to);
    return n;
}

static uint32_t common(const uint64_t *x, const uint64_t *y, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && x[i] == y[i])
        i++;
    return i;
}

static void what_prompts_share(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    struct load_spec l = {.shared_prefix = 100};
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 1, 1, NULL);
    struct plant p = fix_plant(&pool, 1);
    struct rig *r = rig_open(a, &p, &l);
    struct world *w = &r->w;
    uint64_t x[256], y[256];
    EQ(hashes(w, (struct world_req){.isl = 800, .life = 1}, x), 50);
    EQ(hashes(w, (struct world_req){.isl = 700, .life = 2}, y), 43);
    EQ(common(x, y, 43), 6); /* 96 of 100 tokens in whole blocks */
    /* the same request again, and one cut short by the limit of 256 blocks */
    EQ(hashes(w, (struct world_req){.isl = 800, .life = 1}, y), 50);
    EQ(common(x, y, 50), 50);
    EQ(hashes(w, (struct world_req){.isl = 1 << 20, .life = 1}, y), 256);
    EQ(common(x, y, 50), 50);
    l.shared_prefix = 0;
    EQ(hashes(w, (struct world_req){.isl = 800, .life = 1}, y), 50);
    EQ(common(x, y, 50), 0);
    EQ(hashes(w, (struct world_req){.isl = 15}, y), 0);
    /* warm-ups repeat request 0 */
    struct world_req first = {.isl = 800, .life = 3, .first_prompt = true};
    hashes(w, first, x);
    first.life = 4;
    hashes(w, first, y);
    EQ(common(x, y, 50), 50);
    arena_close(a);
}

static void a_trace_names_its_texts(void **state)
{
    (void)state;
    struct arena *a = arena_open();
    static const uint64_t one[2] = {7, 8}, two[2] = {7, 9};
    struct load_spec l = {0};
    struct plant_pool pool = fix_pool(ROLE_AGGREGATED, 1, 1, NULL);
    struct plant p = fix_plant(&pool, 1);
    struct rig *r = rig_open(a, &p, &l);
    uint64_t x[256], y[256];
    struct world_req q = {
        .isl = 1100, .life = 1, .text = one, .n_text = 2, .text_tokens = 512};
    EQ(prompt_segments(&r->w, &q), 3);
    EQ(r->w.seg[0].n, 512);
    EQ(r->w.seg[2].n, 76);
    EQ(r->w.seg[2].text, prompt_own(&q));
    hashes(&r->w, q, x);
    q.text = two;
    q.life = 2;
    hashes(&r->w, q, y);
    EQ(common(x, y, 68), 32);
    arena_close(a);
}

T_MAIN(cmocka_unit_test(what_prompts_share),
       cmocka_unit_test(a_trace_names_its_texts))
