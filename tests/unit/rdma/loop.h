/* loop - both ends of a side channel in one process: a listener on a free port
 * with a thread that serves it once. */
#ifndef TESTS_UNIT_RDMA_LOOP_H
#define TESTS_UNIT_RDMA_LOOP_H

#include "tests/t.h"

#include "calibrate/rdma/partner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

struct loop {
    int fd;
    char peer[32]; /* what to call */
    struct partner_ask ask;
    struct err e; /* of the serving end */
    bool ok;
    char line[ERR_TEXT + 200];
    pthread_t thread;
};

static inline int loop_port(int fd)
{
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    EQ(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

static inline void loop_listen(struct loop *l)
{
    struct err e = {ERR_NONE, ""};
    OK(side_listen("127.0.0.1", 0, &l->fd, &e), e);
    snprintf(l->peer, sizeof l->peer, "127.0.0.1:%d", loop_port(l->fd));
}

static inline void loop_said(void *to, const char *line)
{
    struct loop *l = to;
    snprintf(l->line, sizeof l->line, "%s", line);
}

static inline void *loop_work(void *arg)
{
    struct loop *l = arg;
    const struct partner_door door = {l->fd, true, NULL, loop_said, l};
    l->ok = partner_serve(&door, &l->ask, &l->e);
    return NULL;
}

/* Serves one caller with the rail. */
static inline void loop_open(struct loop *l, const struct rail_ops *rail,
                             const struct rail_law *law)
{
    *l = (struct loop){
        .ask = {
            .rail = rail, .gid = -1, .host = true, .law = law, .seed = 1000}};
    loop_listen(l);
    EQ(pthread_create(&l->thread, NULL, loop_work, l), 0);
}

static inline void loop_close(struct loop *l)
{
    pthread_join(l->thread, NULL);
    close(l->fd);
}

#endif
