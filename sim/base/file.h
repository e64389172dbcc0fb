/* file - whole files in, and files that appear whole or not at all.
 * file_out writes to a temporary name in the target's folder; file_out_done
 * flushes, fsyncs and renames; file_out_drop removes it.  "-" is stdout, which
 * is flushed and checked only.  A full disk or a closed pipe is ERR_SYSTEM.
 * One thread. */
#ifndef SIM_BASE_FILE_H
#define SIM_BASE_FILE_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stdio.h>

/* The file's bytes, terminated by a NUL that is not counted; at most max
 * bytes.  Missing file: ERR_INPUT. */
bool file_read(const char *path, size_t max, struct arena *a, char **text,
               size_t *n, struct err *e);

struct file_out {
    FILE *f; /* write here */
    char *tmp;
    char *path;
};

bool file_out_open(struct file_out *o, const char *path, struct err *e);
bool file_out_done(struct file_out *o, struct err *e);
void file_out_drop(struct file_out *o); /* fine after done */

/* mkdir -p */
bool file_dirs(const char *path, struct err *e);

#endif
