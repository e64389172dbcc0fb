#define _GNU_SOURCE /* POLLRDHUP */
#include "calibrate/rdma/side.h"

#include "sim/base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 200,      /* between looks at the stop flag */
    ANSWER_MS = 120000, /* a rung of large messages on a slow wire */
    HELLO_MS = 10000,
    /* A host that vanishes is noticed after IDLE + TRIES x EVERY seconds. */
    KEEP_IDLE_S = 5,
    KEEP_EVERY_S = 2,
    KEEP_TRIES = 4,
    HEAD = 8, /* kind and length, 32 bits each */
};

static const uint8_t magic[8] = {'t', 'n', 'd', 'm', 'r', 'd', 'm', 'a'};

/* ---- numbers ---- */

static void store(uint8_t *b, uint64_t v, int n)
{
    for (int i = n; i-- > 0; v >>= 8)
        b[i] = (uint8_t)v;
}

static uint64_t fetch(const uint8_t *b, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}

void side_begin(struct side_frame *f, enum side_kind kind)
{
    f->kind = kind;
    f->n = f->at = 0;
    f->torn = false;
}

void side_bytes(struct side_frame *f, const void *b, size_t n)
{
    f->torn = f->torn || n > SIDE_BYTES - f->n;
    if (f->torn || n == 0)
        return;
    memcpy(f->b + f->n, b, n);
    f->n += n;
}

void side_u64(struct side_frame *f, uint64_t v)
{
    uint8_t b[8];
    store(b, v, 8);
    side_bytes(f, b, 8);
}

void side_f64(struct side_frame *f, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    side_u64(f, bits);
}

void side_get_bytes(struct side_frame *f, void *b, size_t n)
{
    f->torn = f->torn || n > f->n - f->at;
    if (f->torn) {
        memset(b, 0, n);
        return;
    }
    memcpy(b, f->b + f->at, n);
    f->at += n;
}

uint64_t side_get_u64(struct side_frame *f)
{
    uint8_t b[8];
    side_get_bytes(f, b, 8);
    return fetch(b, 8);
}

double side_get_f64(struct side_frame *f)
{
    uint64_t bits = side_get_u64(f);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

void side_get_text(struct side_frame *f, char *text, size_t n)
{
    must(n > 0);
    side_get_bytes(f, text, n);
    text[n - 1] = '\0';
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?'; /* it may be printed */
}

bool side_end(const struct side *s, const struct side_frame *f, struct err *e)
{
    if (!f->torn && f->at == f->n)
        return true;
    return err_set(e, ERR_INPUT,
                   "%s: a frame of kind %d has %zu bytes: not "
                   "what this version sends",
                   s->who, (int)f->kind, f->n);
}

/* ---- bytes ---- */

static bool stopped(const struct side *s, struct err *e)
{
    if (!s->stop || !*s->stop)
        return false;
    err_set(e, ERR_NO, "interrupted");
    return true;
}

static bool went(const struct side *s, struct err *e)
{
    return err_set(e, ERR_ABSENT, "%s went away", s->who);
}

/* Waits until the socket is ready for what is asked. */
static bool ready(const struct side *s, short what, int ms, struct err *e)
{
    for (; ms > 0; ms -= s->patient ? 0 : TICK_MS) {
        struct pollfd p = {.fd = s->fd, .events = what};
        if (stopped(s, e))
            return false;
        int n = poll(&p, 1, TICK_MS);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_set(e, ERR_SYSTEM, "poll: %s", strerror(errno));
    }
    return err_set(e, ERR_ABSENT, "%s does not answer", s->who);
}

static bool is_gone(int why)
{
    return why == EPIPE || why == ECONNRESET || why == ETIMEDOUT
        || why == EHOSTUNREACH || why == ENETUNREACH;
}

static bool put_all(struct side *s, const uint8_t *b, size_t n, struct err *e)
{
    while (n > 0) {
        ssize_t k = send(s->fd, b, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k >= 0) {
            b += k;
            n -= (size_t)k;
        } else if (is_gone(errno)) {
            return went(s, e);
        } else if (errno != EINTR && errno != EAGAIN) {
            return err_set(e, ERR_SYSTEM, "%s: %s", s->who, strerror(errno));
        } else if (!ready(s, POLLOUT, ANSWER_MS, e)) {
            return false;
        }
    }
    return true;
}

static bool get_all(struct side *s, uint8_t *b, size_t n, int ms, struct err *e)
{
    while (n > 0) {
        if (!ready(s, POLLIN, ms, e))
            return false;
        ssize_t k = recv(s->fd, b, n, MSG_DONTWAIT);
        if (k > 0) {
            b += k;
            n -= (size_t)k;
        } else if (k == 0 || is_gone(errno)) {
            return went(s, e);
        } else if (errno != EINTR && errno != EAGAIN) {
            return err_set(e, ERR_SYSTEM, "%s: %s", s->who, strerror(errno));
        }
    }
    return true;
}

/* ---- frames ---- */

bool side_put(struct side *s, const struct side_frame *f, struct err *e)
{
    uint8_t head[HEAD];
    must(!f->torn);
    store(head, (uint64_t)f->kind, 4);
    store(head + 4, f->n, 4);
    return put_all(s, head, HEAD, e) && put_all(s, f->b, f->n, e);
}

static bool get_frame(struct side *s, struct side_frame *f, int ms,
                      struct err *e)
{
    uint8_t head[HEAD];
    if (!get_all(s, head, HEAD, ms, e))
        return false;
    uint64_t kind = fetch(head, 4), n = fetch(head + 4, 4);
    side_begin(f, (enum side_kind)kind);
    if (kind < SIDE_HELLO || kind > SIDE_BYE || n > SIDE_BYTES)
        return err_set(e, ERR_INPUT, "%s does not speak this protocol", s->who);
    f->n = (size_t)n;
    return get_all(s, f->b, f->n, ms, e);
}

/* What the other end says when it gives up; its kind of error is kept. */
static bool told(const struct side *s, struct side_frame *f, struct err *e)
{
    char text[ERR_TEXT];
    uint64_t kind = side_get_u64(f);
    side_get_text(f, text, sizeof text);
    if (!side_end(s, f, e))
        return false;
    if (kind < ERR_NO || kind > ERR_SYSTEM)
        kind = ERR_SYSTEM;
    return err_set(e, (enum err_kind)kind, "%s: %s", s->who, text);
}

bool side_get(struct side *s, struct side_frame *f, struct err *e)
{
    if (!get_frame(s, f, ANSWER_MS, e))
        return false;
    return f->kind != SIDE_SORRY || told(s, f, e);
}

bool side_want(struct side *s, enum side_kind kind, struct side_frame *f,
               struct err *e)
{
    if (!side_get(s, f, e))
        return false;
    if (f->kind == kind)
        return true;
    return err_set(e, ERR_INPUT, "%s sent a frame of kind %d in place of %d",
                   s->who, (int)f->kind, (int)kind);
}

void side_sorry(struct side *s, const struct err *e)
{
    struct side_frame f;
    struct err lost = {ERR_NONE, ""};
    char text[ERR_TEXT];
    if (s->fd < 0)
        return;
    memset(text, 0, sizeof text);
    snprintf(text, sizeof text, "%s", e->text);
    side_begin(&f, SIDE_SORRY);
    side_u64(&f, (uint64_t)e->kind);
    side_bytes(&f, text, sizeof text);
    (void)side_put(s, &f, &lost);
}

bool side_has(const struct side *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN | POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

/* ---- hello ---- */

static bool hello(struct side *s, struct err *e)
{
    struct side_frame f;
    uint8_t got[sizeof magic];
    side_begin(&f, SIDE_HELLO);
    side_bytes(&f, magic, sizeof magic);
    side_u64(&f, SIDE_VERSION);
    if (!side_put(s, &f, e) || !get_frame(s, &f, HELLO_MS, e))
        return false;
    if (f.kind == SIDE_SORRY)
        return told(s, &f, e);
    side_get_bytes(&f, got, sizeof got);
    uint64_t version = side_get_u64(&f);
    if (f.kind != SIDE_HELLO || memcmp(got, magic, sizeof magic) != 0)
        return err_set(e, ERR_INPUT, "%s is no listener of this program",
                       s->who);
    if (version == SIDE_VERSION && side_end(s, &f, e))
        return true;
    err_set(e, ERR_INPUT,
            "%s speaks version %llu of the side channel, this program "
            "version %d: run the same build at both ends",
            s->who, (unsigned long long)version, (int)SIDE_VERSION);
    side_sorry(s, e);
    return false;
}

/* ---- sockets ---- */

static void keep_watch(int fd)
{
    int on = 1, idle = KEEP_IDLE_S, every = KEEP_EVERY_S, tries = KEEP_TRIES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

static bool resolve(const char *host, const char *port, int flags,
                    struct addrinfo **list, struct err *e)
{
    struct addrinfo want = {.ai_family = AF_UNSPEC,
                            .ai_socktype = SOCK_STREAM,
                            .ai_flags = flags | AI_NUMERICSERV};
    int rc = getaddrinfo(host, port, &want, list);
    if (rc == 0)
        return true;
    return err_set(e, ERR_ABSENT, "%s: %s", host ? host : "*",
                   gai_strerror(rc));
}

bool side_listen(const char *address, int port, int *fd, struct err *e)
{
    struct addrinfo *list;
    char text[16];
    int on = 1, why = EADDRNOTAVAIL;
    snprintf(text, sizeof text, "%d", port);
    if (!resolve(address ? address : "0.0.0.0", text, AI_PASSIVE, &list, e))
        return false;
    *fd = -1;
    for (struct addrinfo *a = list; a && *fd < 0; a = a->ai_next) {
        int s = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
        if (s >= 0
            && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
            && bind(s, a->ai_addr, a->ai_addrlen) == 0 && listen(s, 8) == 0) {
            *fd = s;
            continue;
        }
        why = errno;
        if (s >= 0)
            close(s);
    }
    freeaddrinfo(list);
    if (*fd >= 0)
        return true;
    return err_set(e, ERR_SYSTEM, "port %d: %s", port, strerror(why));
}

static void name_peer(struct side *s)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[64], port[16];
    if (getpeername(s->fd, (struct sockaddr *)&a, &n) == 0
        && getnameinfo((struct sockaddr *)&a, n, host, sizeof host, port,
                       sizeof port, NI_NUMERICHOST | NI_NUMERICSERV)
               == 0)
        snprintf(s->who, sizeof s->who, "%s:%s", host, port);
    else
        snprintf(s->who, sizeof s->who, "the caller");
}

bool side_accept(int fd, struct side *s, struct err *e)
{
    struct side door = {.fd = fd, .stop = s->stop};
    int got = -1;
    while (got < 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (stopped(&door, e))
            return false;
        if (poll(&p, 1, TICK_MS) <= 0)
            continue;
        got = accept(fd, NULL, NULL);
        if (got < 0 && errno != EINTR && errno != ECONNABORTED)
            return err_set(e, ERR_SYSTEM, "accept: %s", strerror(errno));
    }
    fcntl(got, F_SETFD, FD_CLOEXEC);
    s->fd = got;
    keep_watch(got);
    name_peer(s);
    if (hello(s, e))
        return true;
    side_close(s);
    return false;
}

/* "host", "host:port", "[v6]:port"; a bare IPv6 address has many colons. */
static bool split(const char *peer, char host[128], char port[16],
                  struct err *e)
{
    const char *colon = strrchr(peer, ':'), *end = peer + strlen(peer);
    snprintf(port, 16, "%d", (int)SIDE_PORT);
    if (*peer == '[') {
        end = strchr(++peer, ']');
        if (!end)
            return err_set(e, ERR_USAGE, "peer [%s: no closing ]", peer);
        if (end[1] == ':')
            snprintf(port, 16, "%s", end + 2);
    } else if (colon && strchr(peer, ':') == colon) {
        end = colon;
        snprintf(port, 16, "%s", colon + 1);
    }
    if (end == peer || end - peer >= 128)
        return err_set(e, ERR_USAGE, "peer \"%s\": no host", peer);
    snprintf(host, 128, "%.*s", (int)(end - peer), peer);
    return true;
}

static int try_call(const struct addrinfo *a, int *why)
{
    int s = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, a->ai_addr, a->ai_addrlen) == 0)
        return s;
    *why = errno;
    close(s);
    return -1;
}

bool side_call(const char *peer, double patience_s, struct side *s,
               struct err *e)
{
    const struct timespec pause = {0, TICK_MS * 1000000L};
    struct addrinfo *list;
    char host[128], port[16];
    int why = 0, fd = -1;
    if (!split(peer, host, port, e) || !resolve(host, port, 0, &list, e))
        return false;
    for (double t = 0; fd < 0; t += TICK_MS / 1000.0) {
        for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
            fd = try_call(a, &why);
        if (fd >= 0 || t >= patience_s || (s->stop && *s->stop))
            break;
        nanosleep(&pause, NULL);
    }
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(e, ERR_ABSENT,
                       "%s port %s: %s; is a listener (--listen) running "
                       "there?",
                       host, port, strerror(why));
    s->fd = fd;
    snprintf(s->who, sizeof s->who, "%s:%s", host, port);
    keep_watch(fd);
    if (hello(s, e))
        return true;
    side_close(s);
    return false;
}

void side_close(struct side *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
