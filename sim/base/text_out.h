/* text_out - a text file written line by line, gzip where its name ends in
 * ".gz"; it appears whole or not at all (file.h).  Equal text gives equal
 * bytes.  What goes wrong is told by text_out_done.  One thread. */
#ifndef SIM_BASE_TEXT_OUT_H
#define SIM_BASE_TEXT_OUT_H

#include "sim/base/file.h"

struct text_out {
    struct file_out file;
    void *gz; /* zlib's; NULL: plain */
    bool failed;
};

bool text_out_open(struct text_out *o, const char *path, struct err *e);
void text_out_fmt(struct text_out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool text_out_done(struct text_out *o, struct err *e);
void text_out_drop(struct text_out *o);

#endif
