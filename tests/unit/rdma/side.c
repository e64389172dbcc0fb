#include "tests/unit/rdma/loop.h"

#include <math.h>
#include <poll.h>

/* A peer that says what it is told to, byte for byte, and hangs up. */
struct rude {
    int fd;
    const void *says;
    size_t n;
    pthread_t thread;
};

static void *be_rude(void *arg)
{
    struct rude *r = arg;
    int s = accept(r->fd, NULL, NULL);
    ssize_t sent = send(s, r->says, r->n, MSG_NOSIGNAL);
    char sink[64]; /* what it is sent: unread bytes would reset the call */
    while (sent >= 0 && recv(s, sink, sizeof sink, MSG_DONTWAIT) > 0)
        ;
    shutdown(s, SHUT_WR);
    while (recv(s, sink, sizeof sink, 0) > 0)
        ;
    close(s);
    return NULL;
}

static void call_rude(const void *says, size_t n, struct err *e)
{
    struct loop l = {.fd = -1};
    loop_listen(&l);
    struct rude r = {.fd = l.fd, .says = says, .n = n};
    struct side s = {.fd = -1};
    EQ(pthread_create(&r.thread, NULL, be_rude, &r), 0);
    assert_false(side_call(l.peer, 0, &s, e));
    EQ(s.fd, -1);
    pthread_join(r.thread, NULL);
    close(l.fd);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    static const uint8_t hello[] = {0,   0,   0,   1,   0,   0,   0,   16,
                                    't', 'n', 'd', 'm', 'r', 'd', 'm', 'a',
                                    0,   0,   0,   0,   0,   0,   0,   99};
    call_rude(hello, sizeof hello, &e);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "speaks version 99");
    STR_HAS(e.text, "this program version 1");
}

static void another_protocol_is_refused(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    call_rude(http, sizeof http - 1, &e);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "does not speak this protocol");
    static const uint8_t magic[] = {0,   0,   0,   1,   0,   0,   0,   16,
                                    'x', 'n', 'd', 'm', 'r', 'd', 'm', 'a',
                                    0,   0,   0,   0,   0,   0,   0,   1};
    call_rude(magic, sizeof magic, &e);
    EQ(e.kind, ERR_INPUT);
    STR_HAS(e.text, "no listener of this program");
}

static void a_peer_that_hangs_up_has_gone(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    call_rude("", 0, &e);
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "went away");
    static const uint8_t half[] = {0, 0, 0, 1, 0};
    call_rude(half, sizeof half, &e);
    STR_HAS(e.text, "went away");
}

static void nobody_there(void **state)
{
    (void)state;
    struct err e = {ERR_NONE, ""};
    struct loop l = {.fd = -1};
    struct side s = {.fd = -1};
    loop_listen(&l);
    close(l.fd);
    assert_false(side_call(l.peer, 0, &s, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "refused");
    assert_false(side_call("no-such-host.invalid", 0, &s, &e));
    EQ(e.kind, ERR_ABSENT);
    assert_false(side_call("[::1", 0, &s, &e));
    EQ(e.kind, ERR_USAGE);
    assert_false(side_call(":7", 0, &s, &e));
    EQ(e.kind, ERR_USAGE);
    int fd;
    assert_false(side_listen("203.0.113.1", 0, &fd, &e)); /* not ours */
    EQ(e.kind, ERR_SYSTEM);
}

/* ---- both ends ours ---- */

struct other { /* the accepting end */
    int fd;
    struct side s;
    struct err e;
    bool ok;
    pthread_t thread;
};

static void *accept_one(void *arg)
{
    struct other *o = arg;
    o->ok = side_accept(o->fd, &o->s, &o->e);
    return NULL;
}

static void open_both(struct other *o, struct side *mine)
{
    struct loop l = {.fd = -1};
    struct err e = {ERR_NONE, ""};
    loop_listen(&l);
    *o = (struct other){.fd = l.fd, .s = {.fd = -1}};
    *mine = (struct side){.fd = -1};
    EQ(pthread_create(&o->thread, NULL, accept_one, o), 0);
    OK(side_call(l.peer, 1, mine, &e), e);
    pthread_join(o->thread, NULL);
    OK(o->ok, o->e);
    close(l.fd);
}

static void frames_arrive_as_they_were(void **state)
{
    (void)state;
    struct other o;
    struct side mine;
    struct side_frame f;
    struct err e = {ERR_NONE, ""};
    char text[8];
    open_both(&o, &mine);
    assert_false(side_has(&o.s));
    side_begin(&f, SIDE_TOOK);
    side_u64(&f, 0x0123456789abcdef);
    side_f64(&f, -1e-300);
    side_f64(&f, INFINITY);
    side_bytes(&f,
               "ab\x01\xff"
               "cdefgh",
               8);
    OK(side_put(&mine, &f, &e), e);
    OK(side_want(&o.s, SIDE_TOOK, &f, &e), e);
    EQ(side_get_u64(&f), 0x0123456789abcdef);
    NEAR(side_get_f64(&f), -1e-300, 0);
    assert_true(isinf(side_get_f64(&f)));
    side_get_text(&f, text, sizeof text);
    STR_EQ(text, "ab??cde");
    OK(side_end(&o.s, &f, &e), e);
    EQ(side_get_u64(&f), 0); /* beyond its end */
    assert_false(side_end(&o.s, &f, &e));
    EQ(e.kind, ERR_INPUT);
    side_close(&mine);
    side_close(&mine);
    assert_true(side_has(&o.s));
    assert_false(side_get(&o.s, &f, &e));
    EQ(e.kind, ERR_ABSENT);
    side_close(&o.s);
}

static void a_frame_has_an_end(void **state)
{
    (void)state;
    struct other o;
    struct side mine;
    struct side_frame f;
    struct err e = {ERR_NONE, ""};
    open_both(&o, &mine);
    side_begin(&f, SIDE_OK);
    for (int i = 0; i < SIDE_BYTES / 8; i++)
        side_u64(&f, (uint64_t)i);
    OK(side_put(&mine, &f, &e), e);
    OK(side_get(&o.s, &f, &e), e);
    EQ(f.n, SIDE_BYTES);
    EQ(side_get_u64(&f), 0);
    assert_false(side_end(&o.s, &f, &e)); /* more is there */
    side_begin(&f, SIDE_OK);
    for (int i = 0; i <= SIDE_BYTES / 8; i++)
        side_u64(&f, 0);
    DIES(side_put(&mine, &f, &e));
    side_begin(&f, SIDE_OK);
    OK(side_put(&mine, &f, &e), e);
    assert_false(side_want(&o.s, SIDE_TOOK, &f, &e));
    STR_HAS(e.text, "in place of");
    side_close(&mine);
    side_close(&o.s);
}

static void why_one_gives_up_is_told(void **state)
{
    (void)state;
    struct other o;
    struct side mine;
    struct side_frame f;
    struct err e = {ERR_NONE, ""}, why;
    open_both(&o, &mine);
    err_set(&why, ERR_ABSENT, "rxe0 is DOWN");
    side_sorry(&mine, &why);
    assert_false(side_get(&o.s, &f, &e));
    EQ(e.kind, ERR_ABSENT);
    STR_HAS(e.text, "rxe0 is DOWN");
    side_close(&mine);
    side_sorry(&mine, &why); /* to nobody */
    side_close(&o.s);
}

static void a_stop_ends_a_wait(void **state)
{
    (void)state;
    volatile sig_atomic_t stop = 1;
    struct loop l = {.fd = -1};
    struct side s = {.fd = -1, .stop = &stop};
    struct err e = {ERR_NONE, ""};
    loop_listen(&l);
    assert_false(side_accept(l.fd, &s, &e));
    EQ(e.kind, ERR_NO);
    close(l.fd);
}

T_MAIN(cmocka_unit_test(another_version_is_refused),
       cmocka_unit_test(another_protocol_is_refused),
       cmocka_unit_test(a_peer_that_hangs_up_has_gone),
       cmocka_unit_test(nobody_there),
       cmocka_unit_test(frames_arrive_as_they_were),
       cmocka_unit_test(a_frame_has_an_end),
       cmocka_unit_test(why_one_gives_up_is_told),
       cmocka_unit_test(a_stop_ends_a_wait))
