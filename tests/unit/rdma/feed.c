#include "tests/t.h"

#include "calibrate/rdma/feed.h"

/* A rail that takes a second a message, one after the other on each queue pair,
 * and counts what it is asked for. */
struct slow {
    struct rail rail;
    double now, free[RAIL_QPS];
    struct {
        double at;
        uint32_t qp, n;
    } out[RAIL_QPS * RAIL_DEPTH];
    size_t n_out;
    uint32_t flying[RAIL_QPS], most[RAIL_QPS], longest;
    bool stuck, broken;
};

static double slow_now(struct rail *r)
{
    return ((struct slow *)r)->now;
}

static bool slow_post(struct rail *r, const struct rail_chain *c, struct err *e)
{
    struct slow *s = (struct slow *)r;
    double *at = &s->free[c->qp];
    if (s->broken)
        return err_set(e, ERR_SYSTEM, "no");
    *at = fmax(*at, s->now) + c->n;
    s->out[s->n_out].at = *at;
    s->out[s->n_out].qp = c->qp;
    s->out[s->n_out++].n = c->n;
    s->flying[c->qp] += c->n;
    if (s->flying[c->qp] > s->most[c->qp])
        s->most[c->qp] = s->flying[c->qp];
    if (c->n > s->longest)
        s->longest = c->n;
    r->post_s += 0.25;
    return true;
}

static bool slow_wait(struct rail *r, double until, struct rail_done *d,
                      size_t room, size_t *n, struct err *e)
{
    struct slow *s = (struct slow *)r;
    size_t first = 0;
    (void)e;
    assert_true(room > 0);
    for (size_t i = 1; i < s->n_out; i++)
        if (s->out[i].at < s->out[first].at)
            first = i;
    *n = 0;
    if (s->stuck || s->n_out == 0 || s->out[first].at > until) {
        s->now = fmax(s->now, until);
        return true;
    }
    s->now = fmax(s->now, s->out[first].at);
    d[0] = (struct rail_done){s->out[first].qp, s->out[first].n};
    s->flying[d[0].qp] -= d[0].n;
    s->out[first] = s->out[--s->n_out];
    *n = 1;
    return true;
}

static const struct rail_ops slow_ops = {
    .now = slow_now, .post = slow_post, .wait = slow_wait};

static struct slow new_slow(void)
{
    return (struct slow){.rail.ops = &slow_ops, .now = 100};
}

static void messages_are_dealt_evenly(void **state)
{
    (void)state;
    struct slow s = new_slow();
    struct err e = {ERR_NONE, ""};
    struct feed_took took;
    struct feed_job j = {.bytes = 1, .messages = 1003, .first = 2, .qps = 4};
    OK(feed_run(&s.rail, &j, 1, &took, &e), e);
    NEAR(took.seconds, 251, 1e-9); /* 1003 over four */
    NEAR(j.begun_s, 0, 0);
    NEAR(j.ended_s, 251, 1e-9);
    NEAR(s.free[2], 351, 1e-9);
    NEAR(s.free[5], 350, 1e-9);
    NEAR(s.free[0], 0, 0);
    EQ(s.n_out, 0);
    EQ(s.longest, RAIL_CHAIN);
    NEAR(took.post_s, s.rail.post_s, 1e-9);
}

static void a_window_is_kept(void **state)
{
    (void)state;
    for (uint32_t depth = 0; depth <= 200; depth += 7) {
        struct slow s = new_slow();
        struct err e = {ERR_NONE, ""};
        struct feed_took took;
        struct feed_job j = {
            .bytes = 1, .messages = 500, .qps = 1, .depth = depth};
        uint32_t most = depth && depth < RAIL_DEPTH ? depth : RAIL_DEPTH;
        OK(feed_run(&s.rail, &j, 1, &took, &e), e);
        NEAR(took.seconds, 500, 1e-9);
        assert_true(s.most[0] <= most);
        assert_true(s.most[0] > most / 2); /* and used */
        assert_true(s.longest <= (most < 4 ? 1 : most / 4));
    }
}

static void jobs_begin_when_they_should(void **state)
{
    (void)state;
    struct slow s = new_slow();
    struct err e = {ERR_NONE, ""};
    struct feed_took took;
    struct feed_job j[] = {
        {.bytes = 1, .messages = 10, .first = 0, .qps = 1, .start_s = 400},
        {.bytes = 1, .messages = 7, .first = 1, .qps = 1},
        {.bytes = 1, .messages = 4, .first = 2, .qps = 2, .start_s = 3.5},
    };
    OK(feed_run(&s.rail, j, 3, &took, &e), e);
    NEAR(j[0].begun_s, 400, 1e-9);
    NEAR(j[0].ended_s, 410, 1e-9);
    NEAR(j[1].begun_s, 0, 0);
    NEAR(j[1].ended_s, 7, 1e-9);
    NEAR(j[2].begun_s, 3.5, 1e-9);
    NEAR(j[2].ended_s, 5.5, 1e-9);
    NEAR(took.seconds, 410, 1e-9);
}

static void silence_is_an_error(void **state)
{
    (void)state;
    struct slow s = new_slow();
    struct err e = {ERR_NONE, ""};
    struct feed_took took;
    struct feed_job j = {.bytes = 1, .messages = 1, .qps = 1};
    s.stuck = true;
    assert_false(feed_run(&s.rail, &j, 1, &took, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "no completion");
    s = new_slow();
    s.broken = true;
    assert_false(feed_run(&s.rail, &j, 1, &took, &e));
    EQ(e.kind, ERR_SYSTEM);
    struct feed_job both[] = {
        {.bytes = 1, .messages = 1, .qps = 2},
        {.bytes = 1, .messages = 1, .first = 1, .qps = 1}};
    DIES(feed_run(&s.rail, both, 2, &took, &e)); /* one pair, two jobs */
}

T_MAIN(cmocka_unit_test(messages_are_dealt_evenly),
       cmocka_unit_test(a_window_is_kept),
       cmocka_unit_test(jobs_begin_when_they_should),
       cmocka_unit_test(silence_is_an_error))
