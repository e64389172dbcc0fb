/* The laws of the wire (shares, conservation, order) over cards and loads drawn
 * from fixed seeds. */
#include "tests/t.h"

#include "sim/base/arena.h"
#include "sim/des/rng.h"
#include "sim/serve/wire.h"
#include "sim/serve/wire_share.h"

static struct wire_card plain_card(void)
{
    return (struct wire_card){
        .name = "law",
        .nics_per_node = 8,
        .nic_Bps = 50e9,
        .read_s = 6e-6,
        .write_s = 5e-6,
        .read_Bps = 45e9,
        .write_Bps = 50e9,
        .intra_Bps = 400e9,
        .intra_s = 2e-6,
        .incast = 1,
        .post_s = 1e-6,
        .post_base_s = 1e-5,
    };
}

/* Runs to the end; the finishing times by user. */
static void drain(struct wire *w, ns_t *end)
{
    struct err e = {0};
    struct wire_done d;
    for (ns_t at; (at = wire_next(w)) != NS_NEVER;) {
        OK(wire_check(w, &e), e);
        while (wire_take(w, at, &d))
            end[d.user] = at;
    }
    OK(wire_check(w, &e), e);
}

static void one(struct wire *w, ns_t now, struct wire_end from,
                struct wire_end to, int64_t bytes, uint64_t user)
{
    struct wire_part p = {from, to, bytes};
    wire_start(w, now, WIRE_READ, &p, 1, user);
}

static void equal_flows_share_equally(void **state)
{
    (void)state;
    const struct wire_card card = plain_card();
    for (uint32_t n = 2; n <= 8; n++) {
        struct arena *a = arena_open();
        struct wire *w = wire_new(&card, n + 1, 8, a);
        ns_t end[8];
        for (uint32_t i = 0; i < n; i++) /* distinct receivers, one sender */
            one(w, 0, (struct wire_end){0, 3}, (struct wire_end){i + 1, i},
                1000000000, i);
        drain(w, end);
        for (uint32_t i = 0; i < n; i++)
            EQ(end[i], 6000 + 20000000 * (int64_t)n);
        arena_close(a);
    }
}

/* 1 GB and 3 GB at 25 GB/s each; after 40 ms the second has 2 GB left and, up
 * to its cap, the link to itself. */
static void a_departure_speeds_up_the_rest(void **state)
{
    (void)state;
    const struct wire_card card = plain_card();
    struct arena *a = arena_open();
    struct wire *w = wire_new(&card, 3, 8, a);
    ns_t end[2];
    one(w, 0, (struct wire_end){0, 0}, (struct wire_end){1, 0}, 1000000000, 0);
    one(w, 0, (struct wire_end){0, 0}, (struct wire_end){2, 0}, 3000000000, 1);
    drain(w, end);
    EQ(end[0], 40000000 + 6000);
    EQ(end[1], 40000000 + 44444445 + 6000);
    arena_close(a);
}

static ns_t lone(const struct wire_card *card, bool inside, int64_t bytes)
{
    struct arena *a = arena_open();
    struct wire *w = wire_new(card, 2, 8, a);
    ns_t end = -1;
    one(w, 0, (struct wire_end){0, 1}, (struct wire_end){!inside, 2}, bytes, 0);
    drain(w, &end);
    arena_close(a);
    return end;
}

static void a_lone_transfer_likes_faster_links(void **state)
{
    (void)state;
    struct rng r = rng_stream(1, RNG_TEST, 0);
    for (int i = 0; i < 300; i++) {
        struct wire_card c = plain_card();
        c.nic_Bps = 1e9 * (1 + 99 * rng_unit(&r));
        c.read_Bps = 1e9 * (1 + 99 * rng_unit(&r));
        c.intra_Bps = 1e9 * (1 + 99 * rng_unit(&r));
        c.uplink_Bps = i % 2 ? 1e9 * (1 + 99 * rng_unit(&r)) : 0;
        int64_t bytes = rng_range(&r, 1, 1000000000);
        double least = fmin(c.nic_Bps, c.read_Bps);
        if (c.uplink_Bps > 0)
            least = fmin(least, c.uplink_Bps);
        ns_t t = lone(&c, false, bytes);
        NEAR(units_s(t), c.read_s + (double)bytes / least, 1.1e-9);
        NEAR(units_s(lone(&c, true, bytes)),
             c.intra_s + (double)bytes / c.intra_Bps, 1.1e-9);
        struct wire_card faster = c;
        faster.nic_Bps *= 1 + rng_unit(&r);
        faster.read_Bps *= 1 + rng_unit(&r);
        assert_true(lone(&faster, false, bytes) <= t);
    }
}

/* ---- random traffic ---- */

enum { JOBS = 40 };

struct job {
    enum wire_op op;
    uint32_t n;
    struct wire_part part[3];
};

static struct wire_card random_card(struct rng *r)
{
    struct wire_card c = plain_card();
    c.nics_per_node = 1 + (int)rng_below(r, 4);
    c.nic_Bps = 1e9 * (1 + rng_below(r, 50));
    c.read_Bps = 1e9 * (1 + rng_below(r, 50));
    c.write_Bps = 1e9 * (1 + rng_below(r, 50));
    c.intra_Bps = 1e9 * (1 + rng_below(r, 100));
    c.uplink_Bps = rng_below(r, 2) ? 1e9 * (1 + rng_below(r, 100)) : 0;
    c.incast = rng_below(r, 2) ? 1 : 0.5 + 0.5 * rng_unit(r);
    return c;
}

static struct job random_job(struct rng *r, uint32_t nodes)
{
    struct job j = {.op = rng_below(r, 2) ? WIRE_READ : WIRE_WRITE,
                    .n = 1 + rng_below(r, 3)};
    for (uint32_t k = 0; k < j.n; k++)
        j.part[k] = (struct wire_part){
            {rng_below(r, nodes), rng_below(r, 4)},
            {rng_below(r, nodes), rng_below(r, 4)},
            rng_below(r, 10) ? rng_range(r, 1, 100000000) : 0};
    return j;
}

/* Up to `now`; the finishing times by user. */
static void run_to(struct wire *w, ns_t now, ns_t *end)
{
    struct wire_done d;
    for (ns_t at; (at = wire_next(w)) <= now;)
        while (wire_take(w, at, &d))
            end[d.user] = at;
}

/* wire_check holds after every event, with everything still counted. */
static void all_that_is_sent_arrives(void **state)
{
    (void)state;
    struct rng r = rng_stream(2, RNG_TEST, 0);
    for (int i = 0; i < 150; i++) {
        struct arena *a = arena_open();
        struct wire_card c = random_card(&r);
        uint32_t nodes = 1 + rng_below(&r, 5);
        struct wire *w = wire_new(&c, nodes, 4, a);
        ns_t begin[JOBS], end[JOBS], now = 0;
        struct err e = {0};
        for (uint64_t k = 0; k < JOBS; k++) {
            now += rng_below(&r, 3) ? rng_range(&r, 0, 2000000) : 0;
            run_to(w, now, end);
            struct job j = random_job(&r, nodes);
            begin[k] = now;
            end[k] = -1;
            wire_start(w, now, j.op, j.part, j.n, k);
            OK(wire_check(w, &e), e);
        }
        drain(w, end);
        for (uint64_t k = 0; k < JOBS; k++)
            assert_true(end[k] >= begin[k]); /* each came to an end */
        arena_close(a);
    }
}

/* What transfers of one flow took beyond their time alone is what links held
 * them back, to the ns that each end is rounded up by. */
static void waits_are_accounted_for(void **state)
{
    (void)state;
    struct rng r = rng_stream(5, RNG_TEST, 0);
    for (int i = 0; i < 100; i++) {
        struct arena *a = arena_open();
        struct wire_card c = random_card(&r);
        struct wire *w = wire_new(&c, 4, 4, a);
        struct wire_done d;
        double lost_s = 0, charged_s = 0;
        ns_t now = 0, at;
        for (uint64_t k = 0; k < JOBS; k++) {
            struct job j = random_job(&r, 4);
            wire_start(w, now, j.op, j.part, 1, k);
        }
        while ((at = wire_next(w)) != NS_NEVER)
            for (now = at; wire_take(w, now, &d);)
                lost_s += units_s(now - d.started) - d.alone_s;
        for (uint32_t l = 0; l < wire_links(w); l++)
            charged_s += wire_link_seen(w, l, now).waited_s;
        NEAR(charged_s, lost_s, 1e-9 * (2 * JOBS) + 1e-9 * lost_s);
        arena_close(a);
    }
}

static void shuffle(struct rng *r, uint32_t *order, uint32_t n)
{
    for (uint32_t i = n; i-- > 1;) {
        uint32_t k = rng_below(r, i + 1), o = order[i];
        order[i] = order[k];
        order[k] = o;
    }
}

static void run_in(const uint32_t *order, const struct job *j,
                   const struct wire_card *c, uint32_t nodes, ns_t *end)
{
    struct arena *a = arena_open();
    struct wire *w = wire_new(c, nodes, 4, a);
    for (uint32_t k = 0; k < JOBS; k++) {
        const struct job *x = &j[order[k]];
        wire_start(w, 0, x->op, x->part, x->n, order[k]);
    }
    drain(w, end);
    arena_close(a);
}

static void order_of_simultaneous_starts_is_nothing(void **state)
{
    (void)state;
    struct rng r = rng_stream(3, RNG_TEST, 0);
    for (int i = 0; i < 100; i++) {
        struct wire_card c = random_card(&r);
        uint32_t nodes = 1 + rng_below(&r, 4), order[JOBS];
        struct job j[JOBS];
        ns_t first[JOBS], end[JOBS];
        for (uint32_t k = 0; k < JOBS; k++) {
            j[k] = random_job(&r, nodes);
            order[k] = k;
        }
        run_in(order, j, &c, nodes, first);
        shuffle(&r, order, JOBS);
        run_in(order, j, &c, nodes, end);
        for (uint32_t k = 0; k < JOBS; k++)
            EQ(end[k], first[k]);
    }
}

/* ---- shares against the textbook ---- */

enum { LINKS = 7, FLOWS = 24 };

struct book {
    const struct wire_net *w;
    const bool *live;
    bool open[FLOWS];
    double rate[FLOWS];
};

static bool crosses(const struct book *b, int f, uint32_t l)
{
    bool yes = false;
    for (int k = 0; k < b->w->flow[f].hops; k++)
        yes = yes || b->w->flow[f].link[k] == l;
    return b->live[f] && yes;
}

static double cap_of(const struct book *b, int f)
{
    return b->w->cap[b->w->flow[f].class];
}

/* What link l has to give to each open flow; INFINITY when it has none. */
static double room(const struct book *b, uint32_t l, bool each)
{
    double left = b->w->link[l].full_Bps;
    int n = 0;
    for (int f = 0; f < FLOWS; f++) {
        if (!crosses(b, f, l))
            continue;
        left -= b->rate[f];
        n += b->open[f];
    }
    if (!each)
        return left;
    return n ? left / n : INFINITY;
}

/* Has f no room to grow: at its cap, or over a link that is full? */
static bool held(const struct book *b, int f)
{
    bool full = b->rate[f] >= cap_of(b, f) * (1 - 1e-12);
    for (uint32_t l = 0; l < LINKS; l++)
        if (crosses(b, f, l))
            full = full || room(b, l, false) <= 1e-12 * b->w->link[l].full_Bps;
    return full;
}

/* All open rates rise by the same step, up to the next cap or full link, until
 * none is open. */
static void textbook(struct book *b)
{
    int open = 0;
    for (int f = 0; f < FLOWS; f++) {
        b->open[f] = b->live[f];
        b->rate[f] = 0;
        open += b->open[f];
    }
    while (open) {
        double step = INFINITY;
        for (uint32_t l = 0; l < LINKS; l++)
            step = fmin(step, room(b, l, true));
        for (int f = 0; f < FLOWS; f++)
            if (b->open[f])
                step = fmin(step, cap_of(b, f) - b->rate[f]);
        for (int f = 0; f < FLOWS; f++)
            b->rate[f] += b->open[f] ? step : 0;
        bool stops[FLOWS];
        for (int f = 0; f < FLOWS; f++)
            stops[f] = b->open[f] && held(b, f);
        for (int f = 0; f < FLOWS; f++) {
            b->open[f] = b->open[f] && !stops[f];
            open -= stops[f];
        }
    }
}

/* Paths of one to three distinct links of a small tangled net. */
static uint32_t random_flow(struct wire_net *w, struct rng *r)
{
    uint32_t f = wire_share_slot(w);
    struct wire_flow *x = &w->flow[f];
    x->bytes = INT64_C(1) << 40;
    /* now and then a cap that no flow had */
    x->class = rng_below(r, 8)
                 ? (uint16_t)rng_below(r, w->classes)
                 : wire_share_class(w, 5e8 * (1 + rng_below(r, 40)));
    x->hops = (uint8_t)(1 + rng_below(r, 3));
    uint32_t start = rng_below(r, LINKS), step = 1 + rng_below(r, 2);
    for (uint32_t i = 0; i < x->hops; i++)
        x->link[i] = (start + i * step) % LINKS;
    return f;
}

static void change(struct wire_net *w, struct rng *r, bool *live, ns_t now)
{
    int n = 0;
    wire_share_begin(w);
    for (int f = 0; f < FLOWS; f++)
        n += live[f];
    for (uint32_t k = 1 + rng_below(r, 3); k--;) {
        uint32_t f = rng_below(r, FLOWS);
        if (live[f] && rng_below(r, 2)) {
            wire_share_drop(w, f, now);
            live[f] = false;
            n--;
        }
    }
    for (uint32_t k = 1 + rng_below(r, 3); k-- && n < FLOWS; n++) {
        uint32_t f = random_flow(w, r);
        assert_true(f < FLOWS); /* the lowest free slots come first */
        live[f] = true;
        wire_share_add(w, f, now);
    }
    wire_share_solve(w, now);
}

static void compare(const struct wire_net *w, const bool *live)
{
    struct book b = {.w = w, .live = live};
    assert_true(wire_share_fair(w));
    textbook(&b);
    for (int f = 0; f < FLOWS; f++)
        if (live[f])
            NEAR(w->flow[f].rate, b.rate[f], 1e-7 * b.rate[f]);
}

static void shares_are_the_textbooks(void **state)
{
    (void)state;
    struct rng r = rng_stream(4, RNG_TEST, 0);
    for (int i = 0; i < 60; i++) {
        struct arena *a = arena_open();
        struct wire_net w;
        bool live[FLOWS] = {false};
        wire_share_init(&w, LINKS, a);
        w.cap[0] = 1e9 * (1 + rng_below(&r, 10));
        w.cap[1] = w.cap[0] + 1e9 * rng_below(&r, 10);
        w.cap[2] = INFINITY;
        for (uint32_t l = 0; l < LINKS; l++)
            w.link[l].full_Bps = 1e9 * (1 + rng_below(&r, 40));
        for (ns_t now = 0; now < 60; now++) {
            change(&w, &r, live, now);
            compare(&w, live);
        }
        arena_close(a);
    }
}

T_MAIN(cmocka_unit_test(equal_flows_share_equally),
       cmocka_unit_test(a_departure_speeds_up_the_rest),
       cmocka_unit_test(a_lone_transfer_likes_faster_links),
       cmocka_unit_test(all_that_is_sent_arrives),
       cmocka_unit_test(waits_are_accounted_for),
       cmocka_unit_test(order_of_simultaneous_starts_is_nothing),
       cmocka_unit_test(shares_are_the_textbooks))
