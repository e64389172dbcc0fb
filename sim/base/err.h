/* err - what went wrong in the world: a kind and one sentence fit to print.
 * A function that can fail takes `struct err *e` last and returns false; e is
 * untouched on success.  Each layer adds where it was, outermost first:
 * "scenarios/chat.json: load.arrival.rate_rps: must be > 0, got -3".
 * Kinds are the exit codes of the program.  No allocation; any thread. */
#ifndef SIM_BASE_ERR_H
#define SIM_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_NO = 1,     /* the answer is no */
    ERR_USAGE = 2,  /* wrong command line */
    ERR_INPUT = 3,  /* bad file or value */
    ERR_ABSENT = 4, /* device, store, endpoint or package not there */
    ERR_SYSTEM = 5, /* the operating system refused */
};

enum { ERR_TEXT = 1024 };

struct err {
    enum err_kind kind;
    char text[ERR_TEXT];
};

/* Sets kind and sentence; always returns false.  Long texts are cut. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the sentence; always returns false. */
bool err_in(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
