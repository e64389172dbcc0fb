#include "calibrate/rdma/feed.h"

#include "sim/base/must.h"

#include <math.h>

/* A wait without completions this long means that the path is dead; queue pairs
 * give up by themselves much earlier. */
#define PATIENCE_S 120.0

enum { DONES = 64 };

struct lane {                /* a queue pair */
    uint32_t job, left, out; /* messages to post, outstanding */
    bool used;
};

struct feed {
    struct rail *r;
    struct feed_job *job;
    size_t n;
    uint32_t *left; /* of each job, messages not complete */
    struct lane qp[RAIL_QPS];
    double begun;
    uint32_t open; /* jobs not done */
};

/* Messages of a job are dealt as evenly as they go. */
static void deal(struct feed *f, uint32_t j)
{
    const struct feed_job *x = &f->job[j];
    must(x->messages > 0 && x->qps > 0 && x->first + x->qps <= RAIL_QPS);
    for (uint32_t k = 0; k < x->qps; k++) {
        struct lane *q = &f->qp[x->first + k];
        must(!q->used);
        q->used = true;
        q->job = j;
        q->left = x->messages / x->qps + (k < x->messages % x->qps);
    }
    f->left[j] = x->messages;
}

static uint32_t depth_of(const struct feed_job *j)
{
    return j->depth == 0 || j->depth > RAIL_DEPTH ? RAIL_DEPTH : j->depth;
}

/* A chain completes as one: with a quarter of the window each, three keep the
 * path busy while one is turned round. */
static uint32_t chain_of(const struct feed *f, const struct lane *q)
{
    uint32_t part = depth_of(&f->job[q->job]) / 4;
    uint32_t most = part < 1 ? 1 : part > RAIL_CHAIN ? RAIL_CHAIN : part;
    return q->left < most ? q->left : most;
}

static bool post_one(struct feed *f, uint32_t qp, uint32_t n, struct err *e)
{
    struct lane *q = &f->qp[qp];
    struct feed_job *j = &f->job[q->job];
    struct rail_chain c = {j->op, j->bytes, n, qp};
    if (j->begun_s < 0)
        j->begun_s = f->r->ops->now(f->r) - f->begun;
    q->left -= n;
    q->out += n;
    return f->r->ops->post(f->r, &c, e);
}

/* Is there room for a whole chain? */
static bool is_due(const struct feed *f, const struct lane *q, double now)
{
    const struct feed_job *j = &f->job[q->job];
    return q->used && q->left > 0 && j->start_s <= now
        && q->out + chain_of(f, q) <= depth_of(j);
}

static bool post_all(struct feed *f, struct err *e)
{
    for (bool any = true; any;) {
        any = false;
        double now = f->r->ops->now(f->r) - f->begun;
        for (uint32_t k = 0; k < RAIL_QPS; k++) {
            if (!is_due(f, &f->qp[k], now))
                continue;
            if (!post_one(f, k, chain_of(f, &f->qp[k]), e))
                return false;
            any = true;
        }
    }
    return true;
}

/* When a job that has not begun is due, else never. */
static double next_start(const struct feed *f)
{
    double at = INFINITY;
    for (size_t j = 0; j < f->n; j++)
        if (f->job[j].begun_s < 0 && f->job[j].start_s < at)
            at = f->job[j].start_s;
    return at;
}

static void count(struct feed *f, const struct rail_done *d, double now)
{
    struct lane *q = &f->qp[d->qp];
    must(d->qp < RAIL_QPS && q->used && q->out >= d->n);
    q->out -= d->n;
    f->left[q->job] -= d->n;
    if (f->left[q->job] > 0)
        return;
    f->job[q->job].ended_s = now - f->begun;
    f->open--;
}

static uint32_t outstanding(const struct feed *f)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < RAIL_QPS; k++)
        n += f->qp[k].out;
    return n;
}

static bool reap(struct feed *f, struct err *e)
{
    struct rail_done d[DONES];
    size_t got;
    double now = f->r->ops->now(f->r), start = next_start(f);
    double until = fmin(now + PATIENCE_S, f->begun + start);
    if (!f->r->ops->wait(f->r, until, d, DONES, &got, e))
        return false;
    now = f->r->ops->now(f->r);
    for (size_t i = 0; i < got; i++)
        count(f, &d[i], now);
    bool waited = now >= f->begun + start || outstanding(f) == 0;
    if (got == 0 && !waited)
        return err_set(e, ERR_ABSENT, "no completion for %.0f s", PATIENCE_S);
    return true;
}

bool feed_run(struct rail *r, struct feed_job *job, size_t n,
              struct feed_took *took, struct err *e)
{
    uint32_t left[RAIL_QPS];
    struct feed f = {.r = r, .job = job, .n = n, .left = left};
    must(n > 0 && n <= RAIL_QPS);
    for (size_t j = 0; j < n; j++) {
        deal(&f, (uint32_t)j);
        job[j].begun_s = job[j].ended_s = -1;
    }
    double post_s = r->post_s;
    f.open = (uint32_t)n;
    f.begun = r->ops->now(r);
    while (f.open > 0)
        if (!post_all(&f, e) || !reap(&f, e))
            return false;
    took->seconds = 0;
    for (size_t j = 0; j < n; j++)
        took->seconds = fmax(took->seconds, job[j].ended_s);
    took->post_s = r->post_s - post_s;
    return true;
}
