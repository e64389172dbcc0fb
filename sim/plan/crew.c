#include "sim/plan/crew.h"

#include "sim/base/must.h"

#include <pthread.h>
#include <stdint.h>

enum { CREW_AHEAD = 4096, CREW_MAX = 256 };

struct crew {
    const struct crew_job *job;
    struct arena *arena; /* of the results */
    pthread_mutex_t lock;
    pthread_cond_t done, room;
    size_t next, emitted, finished;
    bool stopping;
    char *result; /* ring of CREW_AHEAD results */
    bool *ready;
    size_t ring;
};

static bool crew_stopped(const struct crew *c)
{
    return c->stopping || (c->job->stop && *c->job->stop);
}

/* The next index to work on; false: no more. */
static bool crew_take(struct crew *c, size_t *i)
{
    pthread_mutex_lock(&c->lock);
    while (!crew_stopped(c) && c->next < c->job->n
           && c->next >= c->emitted + c->ring)
        pthread_cond_wait(&c->room, &c->lock);
    bool more = !crew_stopped(c) && c->next < c->job->n;
    if (more)
        *i = c->next++;
    pthread_mutex_unlock(&c->lock);
    return more;
}

static void *crew_worker(void *arg)
{
    struct crew *c = arg;
    struct arena *a = arena_open();
    size_t i;
    while (crew_take(c, &i)) {
        size_t at = i % c->ring;
        c->job->work(c->job->ctx, i, a, c->result + at * c->job->size);
        arena_reset(a);
        pthread_mutex_lock(&c->lock);
        c->ready[at] = true;
        c->finished++;
        pthread_cond_signal(&c->done);
        pthread_mutex_unlock(&c->lock);
    }
    arena_close(a);
    pthread_mutex_lock(&c->lock);
    pthread_cond_signal(&c->done);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Hands out results in order until all are, or the crew stops and what is
 * finished in front is out. */
static bool crew_emit(struct crew *c, struct err *e)
{
    const struct crew_job *job = c->job;
    bool ok = true;
    pthread_mutex_lock(&c->lock);
    while (ok && c->emitted < job->n) {
        size_t at = c->emitted % c->ring;
        if (!c->ready[at]) {
            if (crew_stopped(c) && c->emitted == c->next)
                break;
            if (crew_stopped(c) && c->finished == c->next)
                break;
            pthread_cond_wait(&c->done, &c->lock);
            continue;
        }
        size_t i = c->emitted;
        pthread_mutex_unlock(&c->lock);
        ok = job->emit(job->ctx, i, c->result + at * job->size, e);
        pthread_mutex_lock(&c->lock);
        c->ready[at] = false;
        c->emitted++;
        pthread_cond_broadcast(&c->room);
    }
    c->stopping = true;
    pthread_cond_broadcast(&c->room);
    pthread_mutex_unlock(&c->lock);
    return ok;
}

bool crew_run(const struct crew_job *job, struct err *e)
{
    struct crew c = {.job = job, .arena = arena_open()};
    pthread_t thread[CREW_MAX];
    int n = 0, want = job->workers < CREW_MAX ? job->workers : CREW_MAX;
    must(job->workers >= 1);
    c.ring = job->n < CREW_AHEAD ? job->n + 1 : CREW_AHEAD;
    c.result = arena_get(c.arena, c.ring, job->size);
    c.ready = ARENA_ARRAY(c.arena, bool, c.ring);
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.done, NULL);
    pthread_cond_init(&c.room, NULL);
    while (n < want && pthread_create(&thread[n], NULL, crew_worker, &c) == 0)
        n++;
    bool ok = n > 0 ? crew_emit(&c, e)
                    : err_set(e, ERR_SYSTEM, "no thread could be started");
    for (int i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    if (ok && c.emitted < job->n)
        ok = err_set(e, ERR_SYSTEM, "interrupted after %zu of %zu trials",
                     c.emitted, job->n);
    pthread_cond_destroy(&c.room);
    pthread_cond_destroy(&c.done);
    pthread_mutex_destroy(&c.lock);
    arena_close(c.arena);
    return ok;
}
