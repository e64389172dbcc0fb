#include "calibrate/rdma/lanes.h"

#include "sim/base/must.h"

#include <math.h>
#include <pthread.h>

struct runner {
    struct lanes *all;
    struct partner_lane *lane;
    struct feed_took took;
    struct err e;
    bool ok;
    pthread_t thread;
};

struct lanes {
    struct runner *runner;
    size_t n;
    struct feed_job job;
    bool stop;
    pthread_barrier_t begin, end; /* the caller takes part in both */
};

static void run(struct runner *r)
{
    struct feed_job j = r->all->job;
    r->ok = feed_run(r->lane->rail, &j, 1, &r->took, &r->e);
}

static void *work(void *arg)
{
    struct runner *r = arg;
    for (;;) {
        pthread_barrier_wait(&r->all->begin);
        if (r->all->stop)
            return NULL;
        run(r);
        pthread_barrier_wait(&r->all->end);
    }
}

struct lanes *lanes_open(struct partner_lane *const *lane, size_t n,
                         const struct feed_job *job,
                         const struct rail_crowd *crowd, struct arena *a)
{
    must(n > 0);
    struct lanes *l = ARENA_NEW(a, struct lanes);
    l->runner = ARENA_ARRAY(a, struct runner, n);
    l->n = n;
    l->job = *job;
    for (size_t i = 0; i < n; i++) {
        struct rail *r = lane[i]->rail;
        l->runner[i] = (struct runner){.all = l, .lane = lane[i]};
        r->ops->begin(r, crowd);
    }
    if (n == 1)
        return l;
    must(pthread_barrier_init(&l->begin, NULL, (unsigned)n + 1) == 0);
    must(pthread_barrier_init(&l->end, NULL, (unsigned)n + 1) == 0);
    for (size_t i = 0; i < n; i++)
        must(pthread_create(&l->runner[i].thread, NULL, work, &l->runner[i])
             == 0);
    return l;
}

bool lanes_run(struct lanes *l, struct feed_took *took, struct err *e)
{
    if (l->n == 1) {
        run(&l->runner[0]);
    } else {
        pthread_barrier_wait(&l->begin);
        pthread_barrier_wait(&l->end);
    }
    *took = l->runner[0].took;
    for (size_t i = 0; i < l->n; i++) {
        struct runner *r = &l->runner[i];
        if (!r->ok) {
            *e = r->e;
            partner_why(r->lane->p, e);
            return false;
        }
        took->seconds = fmax(took->seconds, r->took.seconds);
    }
    return true;
}

void lanes_close(struct lanes *l)
{
    if (l->n == 1)
        return;
    l->stop = true;
    pthread_barrier_wait(&l->begin);
    for (size_t i = 0; i < l->n; i++)
        pthread_join(l->runner[i].thread, NULL);
    pthread_barrier_destroy(&l->begin);
    pthread_barrier_destroy(&l->end);
}
