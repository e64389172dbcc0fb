#include "sim/plan/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_MAGIC 0x6c6e726a6d646e74ULL /* "tndmjrnl" */

/* The head is record 0, so that 0 can say "not there". */
struct head {
    uint64_t magic, size, mark, trials;
};

struct record {
    uint64_t sum; /* of the rest */
    uint64_t index;
    bool ok;
    char why[sizeof((struct trial *)0)->why];
    struct outcome out;
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t fnv(const void *p, size_t n)
{
    const unsigned char *c = p;
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < n; i++)
        h = (h ^ c[i]) * 0x100000001b3ULL;
    return h;
}

static uint64_t sum_of(const struct record *r)
{
    const char *p = (const char *)r;
    return fnv(p + sizeof r->sum, sizeof *r - sizeof r->sum);
}

uint64_t journal_mark(const char *text)
{
    return fnv(text, strlen(text));
}

static bool complain(struct journal *j, struct err *e)
{
    err_set(e, ERR_SYSTEM, "%s: %s", j->path, strerror(errno));
    journal_close(j, false);
    return false;
}

static off_t place_of(size_t record)
{
    return (off_t)(record * sizeof(struct record));
}

/* Notes the whole records; what follows them is cut off. */
static bool scan(struct journal *j, size_t trials, struct err *e)
{
    struct record r;
    size_t n = 1;
    while (pread(j->fd, &r, sizeof r, place_of(n)) == (ssize_t)sizeof r) {
        if (r.sum != sum_of(&r) || r.index >= trials)
            break;
        j->found += !j->place[r.index];
        j->place[r.index] = n++;
    }
    return ftruncate(j->fd, place_of(n)) == 0 || complain(j, e);
}

static bool begin(struct journal *j, const struct head *h, struct err *e)
{
    struct record r;
    memset(&r, 0, sizeof r);
    memcpy(&r, h, sizeof *h);
    if (ftruncate(j->fd, 0) != 0
        || write(j->fd, &r, sizeof r) != (ssize_t)sizeof r)
        return complain(j, e);
    return true;
}

bool journal_open(struct journal *j, const struct journal_ask *ask,
                  struct arena *a, struct err *e)
{
    size_t trials = ask->sp->n * ask->sp->points;
    struct head want = {JOURNAL_MAGIC, sizeof(struct record), ask->mark,
                        trials};
    struct head got = {0};
    *j = (struct journal){.path = arena_str(a, ask->path), .sp = ask->sp};
    j->place = ARENA_ARRAY(a, size_t, trials);
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (j->fd < 0)
        return complain(j, e);
    ssize_t n = ask->resume ? pread(j->fd, &got, sizeof got, 0) : 0;
    if (n < 0)
        return complain(j, e);
    if (n < (ssize_t)sizeof got) /* killed before it had begun */
        return begin(j, &want, e);
    if (memcmp(&want, &got, sizeof got) == 0)
        return scan(j, trials, e);
    journal_close(j, false);
    return err_set(e, ERR_INPUT,
                   "%s: belongs to another sweep, or to another build of "
                   "tandem; remove it or leave out --resume",
                   j->path);
}

bool journal_find(const struct journal *j, size_t i, struct trial *t)
{
    struct record r;
    if (j->fd < 0 || !j->place[i]
        || pread(j->fd, &r, sizeof r, place_of(j->place[i]))
               != (ssize_t)sizeof r
        || r.sum != sum_of(&r))
        return false;
    trial_plan(j->sp, i, t);
    t->ok = r.ok;
    t->out = r.out;
    memcpy(t->why, r.why, sizeof t->why);
    return true;
}

void journal_add(struct journal *j, size_t i, const struct trial *t)
{
    struct record r;
    if (j->fd < 0)
        return;
    memset(&r, 0, sizeof r);
    r.index = i;
    r.ok = t->ok;
    memcpy(r.why, t->why, sizeof r.why);
    memcpy(&r.out, &t->out, sizeof r.out);
    r.sum = sum_of(&r);
    errno = ENOSPC; /* what a short write means */
    if (write(j->fd, &r, sizeof r) != (ssize_t)sizeof r)
        atomic_store(&j->failed, errno);
}

bool journal_ok(const struct journal *j, struct err *e)
{
    int why = atomic_load(&j->failed);
    return !why || err_set(e, ERR_SYSTEM, "%s: %s", j->path, strerror(why));
}

void journal_close(struct journal *j, bool done)
{
    if (j->fd < 0 || !j->path)
        return;
    close(j->fd);
    j->fd = -1;
    if (done)
        unlink(j->path);
}
