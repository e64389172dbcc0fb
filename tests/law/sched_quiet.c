/* Laws: n rounds skipped are n rounds made one by one, and decodes counted are
 * decodes listed.  Three schedulers live the same random life: one lists and
 * steps, the others skip what sched_quiet promises, or a part of it, and of
 * them one counts what is steady; everything that can be seen is compared all
 * the way.
 * Pinned besides: a promised round brings one token to every running request
 * and ends, admits and preempts nobody.  Not pinned: that the promise is as
 * long as it could be. */
#include "tests/t.h"

#include "sim/serve/sched.h"

enum { LIVES = 400, STEPS = 400, MOST = 4096, DEPTH = 2 };

struct life {
    struct arena *a;
    struct sched *s;
    struct sched_batch b[DEPTH];
    struct sched_output out;
    int head, n_out;
};

/* Requests go by their user number: handles are each scheduler's own. */
struct world {
    uint64_t rng;
    struct sched_opt o;
    struct life x, y;            /* x lists and steps, y skips */
    uint32_t hx[MOST], hy[MOST]; /* handles by user */
    uint32_t live[MOST], n_live;
    uint32_t loading[MOST], n_loading;
    uint32_t pinned[MOST], n_pinned;
    uint64_t added, skipped, ended, refused;
};

static uint32_t upto(struct world *w, uint32_t n) /* 0..n-1 */
{
    w->rng = w->rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(w->rng >> 33) % n;
}

static bool chance(struct world *w, uint32_t percent)
{
    return upto(w, 100) < percent;
}

static struct sched_batch *flight(struct life *l, int i)
{
    return &l->b[(l->head + i) % DEPTH];
}

static const struct sched_batch *flight_of(const struct life *l, int i)
{
    return &l->b[(l->head + i) % DEPTH];
}

static void drop(uint32_t *list, uint32_t *n, uint32_t r)
{
    for (uint32_t i = 0; i < *n; i++)
        if (list[i] == r) {
            list[i] = list[--*n];
            return;
        }
}

/* ---- the same to the eye ---- */

static uint64_t user(const struct life *l, uint32_t r)
{
    return sched_view(l->s, r).user;
}

static void same_batch(const struct world *w, int i)
{
    const struct sched_batch *p = flight_of(&w->x, i), *q = flight_of(&w->y, i);

    EQ(p->s, q->s);
    EQ(p->n, q->n);
    EQ(p->tokens, q->tokens);
    EQ(p->ones, q->ones);
    EQ(p->ones_ctx, q->ones_ctx);
    EQ(p->ones_win, q->ones_win);
    EQ(p->n_chunk, q->n_chunk);
    EQ(p->n_preempted, q->n_preempted);
    EQ(p->n_failed, q->n_failed);
    EQ(p->n_hit, q->n_hit);
    EQ(p->n_remote, q->n_remote);
    EQ(p->unlisted, 0);
    for (uint32_t k = q->unlisted; k < p->n; k++) {
        EQ(user(&w->x, p->item[k].req), user(&w->y, q->item[k].req));
        EQ(p->item[k].tokens, q->item[k].tokens);
        EQ(p->item[k].computed, q->item[k].computed);
        EQ(p->item[k].kind, q->item[k].kind);
        EQ(p->item[k].samples, q->item[k].samples);
    }
    for (uint32_t k = 0; k < p->n_chunk; k++)
        EQ(p->chunk[k], q->chunk[k]);
    for (uint32_t k = 0; k < p->n_failed; k++)
        EQ(user(&w->x, p->failed[k]), user(&w->y, q->failed[k]));
}

static void same_queue(const struct world *w, bool second)
{
    uint32_t p = 0, q = 0;

    for (uint32_t j = 0;; j++) {
        bool more = sched_peek(w->x.s, second, j, &p);

        EQ(more, sched_peek(w->y.s, second, j, &q));
        if (!more)
            return;
        EQ(user(&w->x, p), user(&w->y, q));
    }
}

static void same(struct world *w)
{
    struct sched *x = w->x.s, *y = w->y.s;

    EQ(sched_running(x), sched_running(y));
    EQ(sched_waiting(x), sched_waiting(y));
    EQ(sched_skipped(x), sched_skipped(y));
    EQ(sched_remote(x), sched_remote(y));
    EQ(sched_pinned(x), sched_pinned(y));
    EQ(sched_free_blocks(x), sched_free_blocks(y));
    EQ(sched_wanted(x), sched_wanted(y));
    for (uint32_t i = 0; i < w->n_live; i++) {
        uint32_t hx = w->hx[w->live[i]], hy = w->hy[w->live[i]];
        struct sched_view p = sched_view(x, hx), q = sched_view(y, hy);

        EQ(p.user, q.user);
        EQ(p.output, q.output);
        EQ(p.computed, q.computed);
        EQ(p.preemptions, q.preemptions);
        EQ(p.last_out, q.last_out);
        for (int g = 0; g < w->o.n_groups; g++)
            EQ(sched_blocks(x, hx, g, NULL), sched_blocks(y, hy, g, NULL));
    }
    same_queue(w, false);
    same_queue(w, true);
    for (int i = 0; i < w->x.n_out; i++)
        same_batch(w, i);
}

static void sound(struct sched *s)
{
    struct err e = {.kind = ERR_NONE};

    if (!sched_check(s, &e))
        fail_msg("%s", e.text);
}

/* ---- one step of a life ---- */

static void add(struct world *w)
{
    struct sched_spec spec = {
        .user = w->added,
        .prompt_tokens = 1 + (int32_t)upto(w, chance(w, 30) ? 200 : 40),
        .max_tokens = 1 + (int32_t)upto(w, chance(w, 50) ? 150 : 10),
        .stop_at = chance(w, 10) ? 1 + (int32_t)upto(w, 40) : 0,
        .remote_prefill = w->o.connector == SCHED_NIXL && chance(w, 60),
    };

    if (w->o.connector == SCHED_NIXL && !spec.remote_prefill)
        spec.remote_decode = chance(w, 20);
    if (w->added == MOST)
        return;
    w->hx[w->added] = sched_add(w->x.s, &spec);
    w->hy[w->added] = sched_add(w->y.s, &spec);
    w->live[w->n_live++] = (uint32_t)w->added++;
}

static void account(struct world *w)
{
    EQ(w->x.out.n_fin, w->y.out.n_fin);
    for (uint32_t i = 0; i < w->x.out.n_fin; i++) {
        const struct sched_fin *f = &w->x.out.fin[i];

        uint32_t u = (uint32_t)f->user;

        EQ(u, w->y.out.fin[i].user);
        EQ(f->output, w->y.out.fin[i].output);
        EQ(f->end, w->y.out.fin[i].end);
        EQ(f->pinned, w->y.out.fin[i].pinned);
        w->ended++;
        drop(w->live, &w->n_live, u);
        if (f->pinned && f->end == SCHED_END_LENGTH)
            w->pinned[w->n_pinned++] = u;
        else if (!f->pinned)
            drop(w->loading, &w->n_loading, u);
    }
}

static void abort_one(struct world *w)
{
    uint32_t u;

    if (!w->n_live)
        return;
    u = w->live[upto(w, w->n_live)];
    sched_abort(w->x.s, w->hx[u], &w->x.out);
    sched_abort(w->y.s, w->hy[u], &w->y.out);
    account(w);
}

static void schedule(struct world *w, struct life *l)
{
    struct sched_batch *b = flight(l, l->n_out++);

    sched_schedule(l->s, b);
    if (l == &w->x)
        for (uint32_t i = 0; i < b->n_remote; i++)
            w->loading[w->n_loading++] = (uint32_t)user(l, b->remote[i]);
}

static void update(struct life *l, const struct sched_input *in)
{
    sched_update(l->s, flight(l, 0), in, &l->out);
    l->head = (l->head + 1) % DEPTH;
    l->n_out--;
}

static void both_update(struct world *w)
{
    struct sched_input x = {.n_rx = 0}, y;
    uint32_t u = 0;

    if (w->n_loading && chance(w, 15)) {
        u = w->loading[upto(w, w->n_loading)];
        drop(w->loading, &w->n_loading, u);
        x.n_rx = 1;
        x.rx = &w->hx[u];
    }
    y = x;
    y.rx = x.n_rx ? &w->hy[u] : NULL;
    if (w->n_pinned && chance(w, 15)) {
        u = w->pinned[upto(w, w->n_pinned)];
        drop(w->pinned, &w->n_pinned, u);
        x.n_tx = y.n_tx = 1;
        x.tx = &w->hx[u];
        y.tx = &w->hy[u];
    }
    update(&w->x, &x);
    update(&w->y, &y);
    EQ(w->x.out.tokens, w->y.out.tokens);
    EQ(w->x.out.n_irregular, w->y.out.n_irregular);
    for (uint32_t i = 0; i < w->x.out.n_irregular; i++) {
        EQ(user(&w->x, w->x.out.irregular[i]),
           user(&w->y, w->y.out.irregular[i]));
        EQ(w->x.out.irregular_prev[i], w->y.out.irregular_prev[i]);
    }
    account(w);
}

/* The one that steps makes n rounds that were promised quiet. */
static void step_quietly(struct world *w, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t running = sched_running(w->x.s);
        const struct sched_batch *b;

        update(&w->x, NULL);
        EQ(w->x.out.tokens, running);
        EQ(w->x.out.n_fin, 0);
        EQ(w->x.out.n_irregular, 0);
        schedule(w, &w->x);
        b = flight(&w->x, w->x.n_out - 1);
        EQ(b->n, running);
        EQ(b->ones, running);
        EQ(b->n_preempted, 0);
        EQ(b->n_remote, 0);
        w->refused += b->n_failed;
    }
}

static void skip_quietly(struct world *w)
{
    struct sched_batch *out[DEPTH];
    uint32_t most = 1 + upto(w, 300), n;

    for (int i = 0; i < w->y.n_out; i++)
        out[i] = flight(&w->y, i);
    n = sched_quiet(w->y.s, out, (uint32_t)w->y.n_out, most);
    assert_true(n <= most);
    EQ(n, sched_quiet(w->y.s, out, (uint32_t)w->y.n_out, most));
    if (n && chance(w, 30))
        n = 1 + upto(w, n);
    step_quietly(w, n);
    sched_skip(w->y.s, out, (uint32_t)w->y.n_out, n);
    w->skipped += n;
    if (n)
        same(w);
}

static void step(struct world *w, uint32_t arrive)
{
    int depth = w->o.async_scheduling ? DEPTH : 1;

    while (chance(w, arrive))
        add(w);
    if (chance(w, 2))
        abort_one(w);
    while (w->x.n_out < depth) {
        schedule(w, &w->x);
        schedule(w, &w->y);
    }
    same(w);
    skip_quietly(w);
    both_update(w);
}

/* ---- lives ---- */

static void shape(struct world *w)
{
    static const int32_t sizes[] = {1, 4, 16, 16, 32};
    static const int32_t windows[] = {5, 16, 33, 128};
    int32_t need = 400;

    w->o.async_scheduling = chance(w, 50);
    w->o.block_size = sizes[upto(w, 5)];
    w->o.max_model_len = chance(w, 30) ? 220 : 4096;
    w->o.max_num_batched_tokens = 8 + (int32_t)upto(w, 200);
    w->o.max_num_seqs = 1 + (int32_t)upto(w, chance(w, 50) ? 4 : 64);
    w->o.long_prefill_token_threshold = chance(w, 20) ? 20 : 0;
    w->o.enable_chunked_prefill = chance(w, 90);
    if (!w->o.enable_chunked_prefill)
        w->o.max_num_batched_tokens = 300;
    w->o.n_groups = 1 + (int)chance(w, 40);
    w->o.window[w->o.n_groups - 1] = w->o.n_groups == 2 || chance(w, 20)
                                       ? windows[upto(w, 4)]
                                       : 0;
    w->o.attn_window = chance(w, 30) ? 48 : 0;
    w->o.num_blocks = (need / w->o.block_size + 4) * w->o.n_groups
                    * (chance(w, 50) ? 1 : 1 + (int64_t)upto(w, 12));
    w->o.connector = chance(w, 40) ? SCHED_NIXL
                   : chance(w, 20) ? SCHED_DECODE_BENCH
                                   : SCHED_NO_CONNECTOR;
}

/* The switches of each version that the states here depend on. */
static void version(struct world *w)
{
    uint32_t v = upto(w, 3);
    struct sched_opt *o = &w->o;

    o->skipped_waiting_queue = v == 1;
    o->reserve_full_isl = v && chance(w, 80);
    o->cap_window_reserve = o->load_keeps_blocks = o->load_tracks_tokens = v;
    o->stop_pins = o->skip_by_computed = o->steps_while_pinned = v;
    o->kv_holding_queue = o->lone_ignores_threshold = v == 2;
    o->defer_block_free = o->skip_by_processed = o->stale_outputs = v == 2;
    o->reserve_for_prefills = o->exact_victim_index = v == 2;
    o->window_cap_in_flight = o->hits_before_loads = v == 2;
}

static void live(uint64_t seed, bool lists, uint64_t *skipped,
                 uint64_t *refused)
{
    static struct world w;
    uint32_t arrive;

    memset(&w, 0, sizeof w);
    w.rng = seed * 0x9e3779b97f4a7c15ULL + 1;
    shape(&w);
    version(&w);
    w.x.a = arena_open();
    w.y.a = arena_open();
    w.x.s = sched_new(&w.o, w.x.a);
    w.y.s = sched_new(&w.o, w.y.a);
    sched_list(w.x.s);
    if (lists)
        sched_list(w.y.s);
    arrive = 2 + upto(&w, 40);
    for (int i = 0; i < STEPS; i++)
        step(&w, i < STEPS / 2 ? arrive : 0);
    sound(w.x.s);
    sound(w.y.s);
    *skipped += w.skipped;
    *refused += w.refused;
    arena_close(w.x.a);
    arena_close(w.y.a);
}

static void all(bool lists)
{
    uint64_t skipped = 0, refused = 0;

    for (uint64_t seed = 1; seed <= LIVES; seed++)
        live(seed, lists, &skipped, &refused);
    /* the law is not kept by never skipping */
    assert_true(skipped > LIVES * 100);
    assert_true(refused > LIVES);
}

static void skipping_is_stepping(void **state)
{
    (void)state;
    all(true);
}

static void counting_is_listing(void **state)
{
    (void)state;
    all(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skipping_is_stepping),
        cmocka_unit_test(counting_is_listing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
