/* journal - the finished trials of a sweep on disk, so that an interrupted one
 * goes on from there.  Trials are appended in the order in which they finish,
 * one write(2) each: whatever kills the process, only trials in flight are
 * lost, and a torn last record is not counted.  A journal belongs to one sweep
 * (mark) and one build's struct outcome; records are raw memory, so it is a
 * file for the same machine, to be removed when the sweep is complete.
 * find and add may be called by many threads at once, the rest by one. */
#ifndef SIM_PLAN_JOURNAL_H
#define SIM_PLAN_JOURNAL_H

#include "sim/plan/trial.h"

#include <stdatomic.h>

struct journal {
    char *path;
    int fd; /* -1: none */
    const struct space *sp;
    size_t *place;     /* of each trial: its record, 0 = not there */
    size_t found;      /* trials on disk when it was opened */
    atomic_int failed; /* errno of a write that failed, 0 = none */
};

/* What makes two sweeps one: a hash of a text that names everything they
 * depend on. */
uint64_t journal_mark(const char *text);
struct journal_ask {
    const char *path;
    uint64_t mark;
    const struct space *sp;
    bool resume;
};
/* Opens the path, or makes it anew unless resume is set and it belongs to this
 * mark; then its trials are found.  ERR_INPUT when it belongs to another
 * sweep, ERR_SYSTEM when it cannot be read or made. */
bool journal_open(struct journal *j, const struct journal_ask *ask,
                  struct arena *a, struct err *e);
/* Trial i as it was found on disk; false: it is not there.  One pread. */
bool journal_find(const struct journal *j, size_t i, struct trial *t);
/* Appends a finished trial. */
void journal_add(struct journal *j, size_t i, const struct trial *t);
/* ERR_SYSTEM when a trial could not be written. */
bool journal_ok(const struct journal *j, struct err *e);
/* Closes it; removes the file too when the sweep is done.  Fine on one that
 * is not open. */
void journal_close(struct journal *j, bool done);

#endif
