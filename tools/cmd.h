/* cmd - what every command shares: its options, the store, scenarios, progress
 * and exit codes.  The only floor that prints or exits.
 * To add a command: tools/cmd_x.c with `const struct cmd cmd_x` at its foot;
 * the table is generated from the directory. */
#ifndef TOOLS_CMD_H
#define TOOLS_CMD_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/base/file.h"
#include "sim/plan/scenario.h"
#include "sim/store/db.h"

#include <argp.h>
#include <signal.h>
#include <stdbool.h>

struct cmd {
    const char *name;
    const char *what; /* one line of `tandem --help` */
    /* argv[0] is "tandem NAME"; returns an exit code (enum err_kind) */
    int (*run)(int argc, char **argv);
};

extern const struct cmd *const cmd_table[]; /* NULL at the end */

/* Options that every command takes. */
struct cmd_common {
    const char *json, *csv, *seed, *store;
    const char **set; /* NULL at the end, or NULL */
    size_t n_set;
    bool quiet;
    int jobs; /* 0: one a processor */
};

/* Adds one --set, as the option does. */
void cmd_set(struct cmd_common *c, const char *assignment);
/* What is left of a command's parser that takes one scenario: the argument
 * itself, into *path. */
error_t cmd_path(int key, char *arg, struct argp_state *state,
                 const char **path);

/* Child parser for struct cmd_common; the parent's ARGP_KEY_INIT hands it over
 * through state->child_inputs[0]. */
extern const struct argp cmd_argp;

/* Open session of a command: arena, data folder, store. */
struct cmd_session {
    const struct cmd_common *c;
    struct arena *a;
    const char *data; /* folder that holds models, scenarios, results */
    const char *models;
    struct db db;
    const char *store_name; /* for messages */
};

bool cmd_open(struct cmd_session *s, const struct cmd_common *c, struct err *e);
void cmd_close(struct cmd_session *s);

/* Reads a scenario with the session's --set and --seed. */
bool cmd_scenario(struct cmd_session *s, const char *path, struct scenario *out,
                  struct err *e);
/* Opens a session, reads the scenario, does the work, closes; prints what went
 * wrong.  Returns the exit code.  options is handed to work. */
int cmd_work(const struct cmd_common *c, const char *path,
             bool (*work)(struct cmd_session *, const void *options,
                          struct scenario *, struct err *),
             const void *options);
int cmd_jobs(const struct cmd_common *c);

/* Prints "tandem: sentence" and returns the exit code. */
int cmd_fail(const struct err *e);

/* Set by SIGINT and SIGTERM. */
const volatile sig_atomic_t *cmd_stop(void);

/* A live line on a terminal, one line every few seconds otherwise. */
struct cmd_progress {
    const char *what;
    double total, begun, shown;
    bool quiet, live;
};
void cmd_progress_begin(struct cmd_progress *p, const struct cmd_common *c,
                        const char *what, double total);
void cmd_progress_at(struct cmd_progress *p, double done, const char *more);
/* The same as a callback of the planning floor: to is the cmd_progress. */
void cmd_progress_step(void *to, size_t done, size_t total);
void cmd_progress_end(struct cmd_progress *p);

/* Flushes stdout; a closed pipe or a full disk is ERR_SYSTEM. */
bool cmd_flush(struct err *e);
/* Writes a JSON tree to --json when given. */
bool cmd_json(const struct cmd_common *c, const cJSON *root, struct err *e);

#endif
