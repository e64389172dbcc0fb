#include "sim/serve/wire_share.h"

#include "sim/base/must.h"

#include <math.h>

/* Progressive filling: all rates rise together from zero; a flow stops at its
 * cap, or when a link on its path is full.  Links are visited by the level at
 * which they fill, room / open flows.  That only rises while others freeze, so
 * a heap of old levels is a heap of lower bounds.
 *
 * Only the flows whose rates may move are filled again.  They begin as those
 * that came, and those that a link of a coming or going flow held back; the
 * rest keep their rates, as if taken off the links' capacity.  The outcome is
 * the global optimum when every flow still crosses a full link on which none is
 * faster, or is at its cap.  Flows outside that break this join, and the
 * filling is repeated; after a few rounds all that hang together join. */

enum {
    ROUNDS = 6,  /* of growing before all that hang together join ... */
    MANY = 1000, /* ... or fewer, once this many are an eighth of all */
    FIRST_SLOTS = 32,
};

#define HOPS ((uint32_t)WIRE_SHARE_HOPS)
#define EPS 1e-9      /* rates that differ by less are equal ... */
#define SAME 1e-12    /* ... and by less than this stay as they are */
#define EARLY_NS 1e-3 /* so that rounding of sums never costs a whole ns */
#define MAX_NS 9e18

/* fmax without a call. */
static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* ---- ends: an indexed binary heap ---- */

static bool sooner(const struct wire_net *w, uint32_t f, uint32_t g)
{
    ns_t a = w->flow[f].end, b = w->flow[g].end;
    return a < b || (a == b && f < g);
}

static void seat(struct wire_net *w, uint32_t at, uint32_t f)
{
    w->ends[at] = f;
    w->flow[f].heap = at;
}

static void end_up(struct wire_net *w, uint32_t at)
{
    uint32_t f = w->ends[at];
    for (; at && sooner(w, f, w->ends[(at - 1) / 2]); at = (at - 1) / 2)
        seat(w, at, w->ends[(at - 1) / 2]);
    seat(w, at, f);
}

static void end_down(struct wire_net *w, uint32_t at)
{
    uint32_t f = w->ends[at];
    for (;;) {
        uint32_t kid = 2 * at + 1;
        if (kid >= w->n_ends)
            break;
        if (kid + 1 < w->n_ends && sooner(w, w->ends[kid + 1], w->ends[kid]))
            kid++;
        if (!sooner(w, w->ends[kid], f))
            break;
        seat(w, at, w->ends[kid]);
        at = kid;
    }
    seat(w, at, f);
}

static void end_moved(struct wire_net *w, uint32_t f)
{
    end_up(w, w->flow[f].heap);
    end_down(w, w->flow[f].heap);
}

static void end_drop(struct wire_net *w, uint32_t f)
{
    uint32_t at = w->flow[f].heap, last = w->ends[--w->n_ends];
    if (last == f)
        return;
    seat(w, at, last);
    end_moved(w, last);
}

uint32_t wire_share_first(const struct wire_net *w)
{
    return w->n_ends ? w->ends[0] : WIRE_SHARE_NONE;
}

/* ---- slots and lists ---- */

void wire_share_init(struct wire_net *w, uint32_t n, struct arena *a)
{
    *w = (struct wire_net){
        .a = a, .links = n, .free = WIRE_SHARE_NONE, .incast = 1};
    w->classes = WIRE_SHARE_CLASSES;
    w->cap = ARENA_ARRAY(a, double, w->classes);
    w->order = ARENA_ARRAY(a, uint32_t, w->classes);
    w->open = ARENA_ARRAY(a, uint32_t, w->classes);
    for (uint32_t c = 0; c < w->classes; c++)
        w->order[c] = c;
    w->link = ARENA_ARRAY(a, struct wire_link, n);
    w->on = ARENA_ARRAY(a, uint32_t, n);
    w->heap = ARENA_ARRAY(a, uint32_t, n);
    for (uint32_t l = 0; l < n; l++)
        w->link[l].head = WIRE_SHARE_NONE;
}

uint16_t wire_share_class(struct wire_net *w, double cap)
{
    uint32_t n = w->classes, at = 0;
    for (uint32_t c = 0; c < n; c++)
        if (w->cap[c] <= cap && w->cap[c] >= cap)
            return (uint16_t)c;
    must(cap > 0 && n < UINT16_MAX);
    w->cap = arena_grow(w->a, w->cap, n, n + 1, sizeof *w->cap);
    w->order = arena_grow(w->a, w->order, n, n + 1, sizeof *w->order);
    w->open = arena_grow(w->a, w->open, n, n + 1, sizeof *w->open);
    w->cap[n] = cap;
    for (at = n; at && w->cap[w->order[at - 1]] > cap; at--)
        w->order[at] = w->order[at - 1];
    w->order[at] = n;
    w->classes++;
    return (uint16_t)n;
}

uint32_t wire_share_slot(struct wire_net *w)
{
    if (w->free == WIRE_SHARE_NONE) {
        uint32_t had = w->slots, want = had ? 2 * had : FIRST_SLOTS;
        must(want < UINT32_MAX / HOPS);
        w->flow = arena_grow(w->a, w->flow, had, want, sizeof *w->flow);
        w->in = arena_grow(w->a, w->in, had, want, sizeof *w->in);
        w->ends = arena_grow(w->a, w->ends, had, want, sizeof *w->ends);
        for (uint32_t f = want; f-- > had;) {
            w->flow[f].next[0] = w->free;
            w->free = f;
        }
        w->slots = want;
    }
    uint32_t f = w->free;
    w->free = w->flow[f].next[0];
    w->flow[f] = (struct wire_flow){.bind = WIRE_SHARE_NONE,
                                    .held = WIRE_SHARE_NONE,
                                    .heap = WIRE_SHARE_NONE};
    return f;
}

/* load holds since l->since; the integral goes up to now. */
static void touch(struct wire_link *l, ns_t now)
{
    l->moved_B += l->load * units_s(now - l->since);
    l->since = now;
}

static void put_on(struct wire_net *w, uint32_t l)
{
    if (w->link[l].round == w->round)
        return;
    w->link[l].round = w->round;
    w->on[w->n_on++] = l;
}

static void put_in(struct wire_net *w, uint32_t f)
{
    struct wire_flow *x = &w->flow[f];
    if (x->round == w->round)
        return;
    x->round = w->round;
    w->in[w->n_in++] = f;
    for (int i = 0; i < x->hops; i++)
        put_on(w, x->link[i]);
}

void wire_share_begin(struct wire_net *w)
{
    must(w->round < UINT32_MAX);
    w->round++;
    w->n_in = w->n_on = 0;
}

void wire_share_add(struct wire_net *w, uint32_t f, ns_t now)
{
    struct wire_flow *x = &w->flow[f];
    must(x->hops > 0 && x->bytes > 0);
    x->since = now;
    x->left_B = (double)x->bytes;
    for (uint32_t i = 0; i < x->hops; i++) {
        struct wire_link *l = &w->link[x->link[i]];
        x->prev[i] = WIRE_SHARE_NONE;
        x->next[i] = l->head;
        if (l->head != WIRE_SHARE_NONE)
            w->flow[l->head / HOPS].prev[l->head % HOPS] = f * HOPS + i;
        l->head = f * HOPS + i;
        l->n++;
    }
    put_in(w, f);
}

/* What the flow lost since `since` against all its links to itself goes to the
 * account of the link that held it back. */
static void charge(struct wire_net *w, const struct wire_flow *x, ns_t now)
{
    if (x->held == WIRE_SHARE_NONE)
        return;
    double alone = w->cap[x->class];
    for (int i = 0; i < x->hops; i++) {
        double Bps = w->link[x->link[i]].full_Bps;
        alone = Bps < alone ? Bps : alone;
    }
    w->link[x->held].waited_s += units_s(now - x->since)
                               * larger(0, 1 - x->rate / alone);
}

void wire_share_drop(struct wire_net *w, uint32_t f, ns_t now)
{
    struct wire_flow *x = &w->flow[f];
    charge(w, x, now);
    for (int i = 0; i < x->hops; i++) {
        struct wire_link *l = &w->link[x->link[i]];
        uint32_t p = x->prev[i], n = x->next[i];
        if (p == WIRE_SHARE_NONE)
            l->head = n;
        else
            w->flow[p / HOPS].next[p % HOPS] = n;
        if (n != WIRE_SHARE_NONE)
            w->flow[n / HOPS].prev[n % HOPS] = p;
        l->n--;
        touch(l, now);
        l->load = l->n ? l->load - x->rate : 0;
        put_on(w, x->link[i]);
    }
    end_drop(w, f);
    x->hops = 0;
    x->next[0] = w->free;
    w->free = f;
}

/* ---- who joins a solve ---- */

#define EACH_ON(w, l, at)                                                      \
    for (uint32_t at = (l)->head; (at) != WIRE_SHARE_NONE;                     \
         (at) = (w)->flow[(at) / HOPS].next[(at) % HOPS])

/* More than one sending NIC at once. */
static bool is_fan_in(const struct wire_net *w, const struct wire_link *l)
{
    uint32_t from = WIRE_SHARE_NONE;
    EACH_ON(w, l, at)
    {
        uint32_t its = w->flow[at / HOPS].link[0];
        if (from != WIRE_SHARE_NONE && its != from)
            return true;
        from = its;
    }
    return false;
}

/* Flows that a touched link holds back will move.  Where fan-in takes capacity
 * away, a flow has come, finds no room, and is seen by join_broken. */
static void join_first(struct wire_net *w)
{
    uint32_t touched = w->n_on;
    for (uint32_t i = 0; i < touched; i++) {
        struct wire_link *l = &w->link[w->on[i]];
        l->Bps = l->full_Bps;
        if (l->receives && w->incast < 1 && is_fan_in(w, l))
            l->Bps *= w->incast;
        EACH_ON(w, l, at)
        {
            if (w->flow[at / HOPS].bind == w->on[i])
                put_in(w, at / HOPS);
        }
    }
}

static void join_all(struct wire_net *w)
{
    for (uint32_t i = 0; i < w->n_on; i++) {
        struct wire_link *l = &w->link[w->on[i]];
        EACH_ON(w, l, at)
        put_in(w, at / HOPS);
    }
}

/* Would f, outside and on link id, still have a link that holds it back? */
static bool breaks(const struct wire_net *w, uint32_t id,
                   const struct wire_flow *f)
{
    const struct wire_link *l = &w->link[id];
    if (f->bind == id
        && (l->room > EPS * l->Bps || l->most > f->rate * (1 + EPS)))
        return true;
    return l->binds && f->rate > l->level * (1 + EPS);
}

/* false: nobody outside breaks the optimum. */
static bool join_broken(struct wire_net *w)
{
    uint32_t had = w->n_in, touched = w->n_on;
    for (uint32_t i = 0; i < touched; i++) {
        uint32_t id = w->on[i];
        const struct wire_link *l = &w->link[id];
        if (l->inside == l->n)
            continue;
        EACH_ON(w, l, at)
        {
            const struct wire_flow *f = &w->flow[at / HOPS];
            if (f->round != w->round && breaks(w, id, f))
                put_in(w, at / HOPS);
        }
    }
    return w->n_in > had;
}

/* ---- filling ---- */

static bool lower(const struct wire_net *w, uint32_t a, uint32_t b)
{
    double x = w->link[a].level, y = w->link[b].level;
    return x < y || (x == y && a < b);
}

static void level_down(struct wire_net *w, uint32_t at)
{
    uint32_t l = w->heap[at];
    for (;;) {
        uint32_t kid = 2 * at + 1;
        if (kid >= w->n_heap)
            break;
        if (kid + 1 < w->n_heap && lower(w, w->heap[kid + 1], w->heap[kid]))
            kid++;
        if (!lower(w, w->heap[kid], l))
            break;
        w->heap[at] = w->heap[kid];
        at = kid;
    }
    w->heap[at] = l;
}

static void prepare(struct wire_net *w)
{
    w->n_heap = 0;
    for (uint32_t c = 0; c < w->classes; c++)
        w->open[c] = 0;
    for (uint32_t i = 0; i < w->n_in; i++) {
        w->flow[w->in[i]].frozen = false;
        w->open[w->flow[w->in[i]].class]++;
    }
    for (uint32_t i = 0; i < w->n_on; i++) {
        struct wire_link *l = &w->link[w->on[i]];
        double outside = 0;
        l->inside = 0;
        EACH_ON(w, l, at)
        {
            const struct wire_flow *f = &w->flow[at / HOPS];
            if (f->round == w->round)
                l->inside++;
            else
                outside += f->rate;
        }
        l->room = larger(0, l->Bps - outside);
        l->open = l->inside;
        l->most = 0;
        l->binds = false;
        l->level = l->open ? l->room / l->open : INFINITY;
        if (l->open)
            w->heap[w->n_heap++] = w->on[i];
    }
    for (uint32_t i = w->n_heap / 2; i-- > 0;)
        level_down(w, i);
}

static void freeze(struct wire_net *w, uint32_t f, double rate, uint32_t bind)
{
    struct wire_flow *x = &w->flow[f];
    x->frozen = true;
    w->open[x->class]--;
    x->wanted = rate;
    x->bind = bind;
    for (int i = 0; i < x->hops; i++) {
        struct wire_link *l = &w->link[x->link[i]];
        l->room = larger(0, l->room - rate);
        l->open--;
        l->most = larger(l->most, rate);
    }
}

/* The link that fills first, its level up to date; NONE: all have rates. */
static uint32_t lowest(struct wire_net *w)
{
    while (w->n_heap) {
        struct wire_link *l = &w->link[w->heap[0]];
        if (l->open == 0) {
            w->heap[0] = w->heap[--w->n_heap];
            if (w->n_heap)
                level_down(w, 0);
            continue;
        }
        double level = l->room / l->open;
        if (!(level > l->level))
            return w->heap[0];
        l->level = level;
        level_down(w, 0);
    }
    return WIRE_SHARE_NONE;
}

static void freeze_class(struct wire_net *w, uint32_t class)
{
    for (uint32_t i = 0; i < w->n_in; i++) {
        const struct wire_flow *f = &w->flow[w->in[i]];
        if (!f->frozen && f->class == class)
            freeze(w, w->in[i], w->cap[class], WIRE_SHARE_NONE);
    }
}

static void freeze_link(struct wire_net *w, uint32_t id)
{
    struct wire_link *l = &w->link[id];
    l->binds = true;
    EACH_ON(w, l, at)
    {
        const struct wire_flow *f = &w->flow[at / HOPS];
        if (f->round == w->round && !f->frozen)
            freeze(w, at / HOPS, l->level, id);
    }
}

static void fill(struct wire_net *w)
{
    uint32_t k = 0;
    for (uint32_t id; (id = lowest(w)) != WIRE_SHARE_NONE;) {
        while (k < w->classes && w->open[w->order[k]] == 0)
            k++;
        bool capped = k < w->classes
                   && w->cap[w->order[k]] <= w->link[id].level;
        if (capped)
            freeze_class(w, w->order[k]);
        else
            freeze_link(w, id);
    }
}

/* ---- outcome ---- */

static bool moves(const struct wire_flow *f)
{
    return !(fabs(f->wanted - f->rate) <= SAME * f->rate) || f->rate <= 0;
}

static void settle(struct wire_net *w, struct wire_flow *f, ns_t now)
{
    charge(w, f, now);
    f->held = f->bind;
    f->left_B = larger(0, f->left_B - f->rate * units_s(now - f->since));
    f->since = now;
    f->rate = f->wanted;
    must(f->rate > 0);
    double ns = ceil(f->left_B / f->rate * NS_PER_S - EARLY_NS);
    must(ns < MAX_NS - (double)now);
    f->end = now + (ns > 0 ? (ns_t)ns : 0);
}

/* Many at once: all ends first, then the heap from scratch. */
static void settle_many(struct wire_net *w, ns_t now)
{
    for (uint32_t i = 0; i < w->n_in; i++) {
        uint32_t f = w->in[i];
        if (!moves(&w->flow[f]))
            continue;
        settle(w, &w->flow[f], now);
        if (w->flow[f].heap == WIRE_SHARE_NONE)
            seat(w, w->n_ends++, f);
    }
    for (uint32_t i = w->n_ends / 2; i-- > 0;)
        end_down(w, i);
}

static void settle_few(struct wire_net *w, ns_t now)
{
    for (uint32_t i = 0; i < w->n_in; i++) {
        uint32_t f = w->in[i];
        if (!moves(&w->flow[f]))
            continue;
        settle(w, &w->flow[f], now);
        if (w->flow[f].heap == WIRE_SHARE_NONE)
            seat(w, w->n_ends++, f);
        end_moved(w, f);
    }
}

static void commit(struct wire_net *w, ns_t now)
{
    for (uint32_t i = 0; i < w->n_on; i++) {
        struct wire_link *l = &w->link[w->on[i]];
        touch(l, now);
        l->load = l->n ? l->Bps - l->room : 0;
    }
    if (w->n_in > w->n_ends / 8)
        settle_many(w, now);
    else
        settle_few(w, now);
}

void wire_share_solve(struct wire_net *w, ns_t now)
{
    join_first(w);
    if (w->n_in == 0)
        return;
    for (int k = 0;; k++) {
        if (k == ROUNDS || (w->n_in > MANY && w->n_in > w->n_ends / 8))
            join_all(w);
        prepare(w);
        fill(w);
        if (!join_broken(w))
            break;
    }
    commit(w, now);
}

bool wire_share_fair(const struct wire_net *w)
{
    const double tol = 1 + 1e-6;
    for (uint32_t i = 0; i < w->n_ends; i++) {
        const struct wire_flow *f = &w->flow[w->ends[i]];
        double cap = w->cap[f->class];
        bool held = f->rate * tol >= cap;
        if (!(f->rate > 0) || f->rate > cap * tol)
            return false;
        for (int k = 0; k < f->hops; k++) {
            const struct wire_link *l = &w->link[f->link[k]];
            double sum = 0, most = 0;
            EACH_ON(w, l, at)
            {
                sum += w->flow[at / HOPS].rate;
                most = larger(most, w->flow[at / HOPS].rate);
            }
            if (sum > l->Bps * tol)
                return false;
            held = held || (sum * tol >= l->Bps && f->rate * tol >= most);
        }
        if (!held)
            return false;
    }
    return true;
}
