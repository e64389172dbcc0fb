#include "sim/base/must.h"
#include "sim/serve/sched_int.h"

/* Source: vLLM v1/core/sched/request_queue.py.  FCFS: a doubly linked list
 * through the requests, every operation O(1).  Priority: a binary heap on
 * (priority, arrival), a total order, so any heap yields vLLM's sequence. */

enum { NOWHERE = SCHED_QUEUES };

bool sched_queue_before(const struct sched *s, uint32_t x, uint32_t y)
{
    const struct sched_cold *a = &s->cold[x], *b = &s->cold[y];

    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->serial < b->serial;
}

void sched_queue_init(struct sched *s)
{
    for (int q = 0; q < SCHED_QUEUES; q++)
        s->q[q] = (struct sched_queue){.head = SCHED_NONE, .tail = SCHED_NONE};
}

/* Puts r at place i of the heap. */
static void place(struct sched *s, struct sched_queue *q, uint32_t i,
                  uint32_t r)
{
    q->heap[i] = r;
    s->cold[r].at = i;
}

static void sift_up(struct sched *s, struct sched_queue *q, uint32_t i)
{
    uint32_t r = q->heap[i];

    while (i && sched_queue_before(s, r, q->heap[(i - 1) / 2])) {
        place(s, q, i, q->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(s, q, i, r);
}

static void sift_down(struct sched *s, struct sched_queue *q, uint32_t i)
{
    uint32_t r = q->heap[i];

    for (;;) {
        uint32_t c = 2 * i + 1;

        if (c + 1 < q->n && sched_queue_before(s, q->heap[c + 1], q->heap[c]))
            c++;
        if (c >= q->n || !sched_queue_before(s, q->heap[c], r))
            break;
        place(s, q, i, q->heap[c]);
        i = c;
    }
    place(s, q, i, r);
}

static void heap_push(struct sched *s, struct sched_queue *q, uint32_t r)
{
    ARENA_ROOM(s->a, q->heap, q->n, q->cap);
    q->heap[q->n++] = r;
    sift_up(s, q, q->n - 1);
}

static void heap_remove(struct sched *s, struct sched_queue *q, uint32_t i)
{
    uint32_t last = q->heap[--q->n];

    if (i == q->n)
        return;
    place(s, q, i, last);
    sift_up(s, q, i);
    sift_down(s, q, s->cold[last].at);
}

/* Links r between two neighbours, either of which may be absent. */
static void link_between(struct sched *s, struct sched_queue *q, uint32_t r,
                         uint32_t prev, uint32_t next)
{
    s->cold[r].prev = prev;
    s->cold[r].next = next;
    if (prev == SCHED_NONE)
        q->head = r;
    else
        s->cold[prev].next = r;
    if (next == SCHED_NONE)
        q->tail = r;
    else
        s->cold[next].prev = r;
    q->n++;
}

void sched_queue_push(struct sched *s, int i, uint32_t r)
{
    struct sched_queue *q = &s->q[i];

    s->cold[r].queue = (uint8_t)i;
    if (s->o.policy == SCHED_PRIORITY)
        heap_push(s, q, r);
    else
        link_between(s, q, r, q->tail, SCHED_NONE);
}

void sched_queue_prepend(struct sched *s, int i, uint32_t r)
{
    struct sched_queue *q = &s->q[i];

    s->cold[r].queue = (uint8_t)i;
    if (s->o.policy == SCHED_PRIORITY)
        heap_push(s, q, r);
    else
        link_between(s, q, r, SCHED_NONE, q->head);
}

void sched_queue_remove(struct sched *s, uint32_t r)
{
    struct sched_cold *c = &s->cold[r];
    struct sched_queue *q;

    must(c->queue < SCHED_QUEUES);
    q = &s->q[c->queue];
    c->queue = NOWHERE;
    if (s->o.policy == SCHED_PRIORITY) {
        heap_remove(s, q, c->at);
        return;
    }
    if (c->prev == SCHED_NONE)
        q->head = c->next;
    else
        s->cold[c->prev].next = c->next;
    if (c->next == SCHED_NONE)
        q->tail = c->prev;
    else
        s->cold[c->next].prev = c->prev;
    q->n--;
}

uint32_t sched_queue_peek(const struct sched *s, int i)
{
    const struct sched_queue *q = &s->q[i];

    if (!q->n)
        return SCHED_NONE;
    return s->o.policy == SCHED_PRIORITY ? q->heap[0] : q->head;
}

/* The j-th of a heap without disturbing it: j + 1 passes, each for the next in
 * order.  O(j n). */
static bool heap_peek(const struct sched *s, const struct sched_queue *q,
                      uint32_t j, uint32_t *req)
{
    uint32_t last = SCHED_NONE;

    if (j >= q->n)
        return false;
    for (uint32_t k = 0; k <= j; k++) {
        uint32_t best = SCHED_NONE;

        for (uint32_t i = 0; i < q->n; i++) {
            uint32_t r = q->heap[i];

            if (last != SCHED_NONE && !sched_queue_before(s, last, r))
                continue;
            if (best == SCHED_NONE || sched_queue_before(s, r, best))
                best = r;
        }
        last = best;
    }
    *req = last;
    return true;
}

bool sched_queue_at(const struct sched *s, int i, uint32_t j, uint32_t *req)
{
    const struct sched_queue *q = &s->q[i];
    uint32_t r;

    if (s->o.policy == SCHED_PRIORITY)
        return heap_peek(s, q, j, req);
    for (r = q->head; r != SCHED_NONE && j; j--)
        r = s->cold[r].next;
    *req = r;
    return r != SCHED_NONE;
}
