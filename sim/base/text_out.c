#include "sim/base/text_out.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { TEXT_OUT_LINE = 4096 };

bool text_out_open(struct text_out *o, const char *path, struct err *e)
{
    size_t n = strlen(path);

    *o = (struct text_out){.gz = NULL};
    if (!file_out_open(&o->file, path, e))
        return false;
    if (n < 3 || strcmp(path + n - 3, ".gz") != 0)
        return true;
    int fd = dup(fileno(o->file.f));
    o->gz = fd < 0 ? NULL : gzdopen(fd, "wb");
    if (o->gz)
        return true;
    if (fd >= 0)
        close(fd);
    file_out_drop(&o->file);
    return err_set(e, ERR_SYSTEM, "%s: cannot be compressed", path);
}

void text_out_fmt(struct text_out *o, const char *fmt, ...)
{
    char line[TEXT_OUT_LINE];
    va_list ap;

    va_start(ap, fmt);
    if (!o->gz) {
        o->failed |= vfprintf(o->file.f, fmt, ap) < 0;
    } else {
        int n = vsnprintf(line, sizeof line, fmt, ap);
        o->failed |= n < 0 || n >= TEXT_OUT_LINE
                  || gzwrite(o->gz, line, (unsigned)n) != n;
    }
    va_end(ap);
}

bool text_out_done(struct text_out *o, struct err *e)
{
    if (o->gz && gzclose(o->gz) != Z_OK)
        o->failed = true;
    o->gz = NULL;
    if (!o->failed)
        return file_out_done(&o->file, e);
    err_set(e, ERR_SYSTEM, "%s: cannot be written", o->file.path);
    file_out_drop(&o->file);
    return false;
}

void text_out_drop(struct text_out *o)
{
    if (o->gz)
        gzclose(o->gz);
    o->gz = NULL;
    file_out_drop(&o->file);
}
