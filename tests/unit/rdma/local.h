/* local - a rail between two ends of one process: WRITE and READ copy between
 * their memories at once.  It can do harm when it is told to. */
#ifndef TESTS_UNIT_RDMA_LOCAL_H
#define TESTS_UNIT_RDMA_LOCAL_H

#include "calibrate/rdma/rail.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct local {
    struct rail rail;
    struct rail_end its;
    uint8_t *memory;
    uint64_t bytes;
    uint32_t qps;
    struct rail_done done[RAIL_QPS * RAIL_DEPTH];
    size_t n;
    uint32_t chains; /* posted so far */
};

/* What goes wrong, for whoever opens next.  One test at a time. */
static struct {
    bool spoils[2];       /* by enum rail_op: a byte changes on the way */
    const char *refuses;  /* open of this device fails */
    const char *inactive; /* this port is down */
    uint32_t dies_after;  /* chains, 0: never */
    atomic_int open;      /* rails alive */
} local_mood;

/* An adapter reaches memory behind the processor's back; threads may not. */
static pthread_mutex_t local_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct rail_ops local_ops;

static inline bool local_list(struct arena *a, struct rail_port **port,
                              size_t *n, struct err *e)
{
    (void)e;
    *n = 3;
    *port = ARENA_ARRAY(a, struct rail_port, *n);
    for (size_t i = 0; i < *n; i++) {
        struct rail_port *p = &(*port)[i];
        snprintf(p->name, sizeof p->name, "local%zu", i);
        p->active = !local_mood.inactive
                 || strcmp(local_mood.inactive, p->name) != 0;
        snprintf(p->state, sizeof p->state, p->active ? "ACTIVE" : "DOWN");
        p->mtu = 1024;
        p->Bps = 1e9;
    }
    return true;
}

static inline bool local_open(const struct rail_ask *ask, struct rail **r,
                              struct err *e)
{
    if (local_mood.refuses && strcmp(local_mood.refuses, ask->device) == 0)
        return err_set(e, ERR_SYSTEM, "%s: refused", ask->device);
    struct local *x = calloc(1, sizeof *x);
    x->rail.ops = &local_ops;
    x->bytes = ask->bytes;
    x->qps = ask->qps;
    x->memory = calloc(1, ask->bytes);
    local_mood.open++;
    *r = &x->rail;
    return true;
}

static inline void local_close(struct rail *r)
{
    struct local *x = (struct local *)r;
    if (!x)
        return;
    pthread_mutex_lock(&local_lock);
    free(x->memory);
    free(x);
    pthread_mutex_unlock(&local_lock);
    local_mood.open--;
}

static inline void local_end(const struct rail *r, struct rail_end *mine)
{
    const struct local *x = (const struct local *)r;
    *mine = (struct rail_end){.mtu = 1024,
                              .bytes = x->bytes,
                              .qps = x->qps,
                              .addr = (uintptr_t)x->memory};
    snprintf(mine->name, sizeof mine->name, "local");
}

static inline bool local_join(struct rail *r, const struct rail_end *its,
                              struct err *e)
{
    (void)e;
    ((struct local *)r)->its = *its;
    return true;
}

static inline bool local_get(struct rail *r, void *to, size_t n)
{
    pthread_mutex_lock(&local_lock);
    memcpy(to, ((struct local *)r)->memory, n);
    pthread_mutex_unlock(&local_lock);
    return true;
}

static inline bool local_put(struct rail *r, const void *from, size_t n)
{
    pthread_mutex_lock(&local_lock);
    memcpy(((struct local *)r)->memory, from, n);
    pthread_mutex_unlock(&local_lock);
    return true;
}

static inline double local_now(struct rail *r)
{
    struct timespec t;
    (void)r;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void local_begin(struct rail *r, const struct rail_crowd *c)
{
    (void)r, (void)c;
}

static inline bool local_post(struct rail *r, const struct rail_chain *c,
                              struct err *e)
{
    struct local *x = (struct local *)r;
    uint8_t *its = (uint8_t *)(uintptr_t)x->its.addr;
    uint8_t *from = c->op == RAIL_WRITE ? x->memory : its;
    uint8_t *to = c->op == RAIL_WRITE ? its : x->memory;
    if (local_mood.dies_after && ++x->chains > local_mood.dies_after)
        return err_set(e, ERR_ABSENT, "the path died");
    pthread_mutex_lock(&local_lock);
    memmove(to, from, c->bytes);
    if (local_mood.spoils[c->op])
        to[c->bytes / 2] ^= 1;
    pthread_mutex_unlock(&local_lock);
    x->done[x->n++] = (struct rail_done){c->qp, c->n};
    return true;
}

static inline bool local_wait(struct rail *r, double until, struct rail_done *d,
                              size_t room, size_t *n, struct err *e)
{
    struct local *x = (struct local *)r;
    (void)until, (void)e;
    *n = x->n < room ? x->n : room;
    memcpy(d, x->done, *n * sizeof *d);
    memmove(x->done, x->done + *n, (x->n - *n) * sizeof *d);
    x->n -= *n;
    return true;
}

static const struct rail_ops local_ops = {
    .name = "local",
    .real = true,
    .list = local_list,
    .open = local_open,
    .close = local_close,
    .end = local_end,
    .join = local_join,
    .get = local_get,
    .put = local_put,
    .now = local_now,
    .begin = local_begin,
    .post = local_post,
    .wait = local_wait,
};

#endif
