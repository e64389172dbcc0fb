#include "sim/base/file.h"

#include "sim/base/must.h"
#include "sim/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 1 << 16,
    TMP_TRIES = 100, /* names of one process id that may be left behind */
};

static bool refused(struct err *e, const char *path)
{
    return err_set(e, ERR_SYSTEM, "%s: %s", path, strerror(errno));
}

static bool read_all(FILE *f, size_t max, struct arena *a, char **text,
                     size_t *n)
{
    struct stat st;
    size_t cap = READ_BYTES, used = 0;
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        cap = (size_t)st.st_size + 2;
    if (cap > max + 2)
        cap = max + 2;
    char *s = arena_get(a, cap, 1);
    for (;;) {
        size_t got = fread(s + used, 1, cap - used - 1, f);
        used += got;
        if (got == 0 || used > max)
            break;
        if (used == cap - 1) {
            size_t want = cap < max / 2 ? 2 * cap : max + 2;
            s = arena_grow(a, s, used, want, 1);
            cap = want;
        }
    }
    s[used] = '\0';
    *text = s;
    *n = used;
    return !ferror(f);
}

bool file_read(const char *path, size_t max, struct arena *a, char **text,
               size_t *n, struct err *e)
{
    must(max < SIZE_MAX / 4);
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_set(e, ERR_INPUT, "%s: %s", path, strerror(errno));
    char *s;
    size_t used;
    bool ok = read_all(f, max, a, &s, &used);
    int why = errno;
    fclose(f);
    if (!ok) {
        enum err_kind kind = why == EISDIR ? ERR_INPUT : ERR_SYSTEM;
        return err_set(e, kind, "%s: %s", path, strerror(why));
    }
    if (used > max)
        return err_set(e, ERR_INPUT, "%s: larger than %zu bytes", path, max);
    *text = s;
    *n = used;
    return true;
}

/* A new file beside the target, with the rights a plain fopen gives. */
static FILE *open_tmp(struct file_out *o)
{
    for (int i = 0; i < TMP_TRIES; i++) {
        struct str name = {0};
        str_fmt(&name, "%s.%ld-%d.tmp", o->path, (long)getpid(), i);
        int fd = open(name.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            o->tmp = name.s;
            return fdopen(fd, "wb");
        }
        int why = errno;
        str_free(&name);
        errno = why;
        if (why != EEXIST)
            return NULL;
    }
    return NULL;
}

/* A link stays a link: what it points to is replaced. */
static char *target_of(const char *path)
{
    char *real = realpath(path, NULL);
    if (real)
        return real;
    struct str copy = {0};
    str_add(&copy, path);
    return copy.s;
}

bool file_out_open(struct file_out *o, const char *path, struct err *e)
{
    *o = (struct file_out){0};
    if (strcmp(path, "-") == 0) {
        o->f = stdout;
        return true;
    }
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode))
        return err_set(e, ERR_SYSTEM, "%s: %s", path, strerror(EISDIR));
    o->path = target_of(path);
    if (there && !S_ISREG(st.st_mode))
        o->f = fopen(path, "wb"); /* a pipe or device cannot be replaced */
    else
        o->f = open_tmp(o);
    if (o->f)
        return true;
    refused(e, path);
    file_out_drop(o);
    return false;
}

/* The new name is durable once its folder is; a file system that cannot sync
 * a folder is no reason to fail. */
static void sync_folder(const char *path)
{
    struct str dir = {0};
    const char *slash = strrchr(path, '/');
    if (slash)
        str_addn(&dir, path, (size_t)(slash - path) + 1);
    else
        str_add(&dir, ".");
    int fd = open(dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    str_free(&dir);
}

static bool flush(FILE *f)
{
    errno = 0;
    if (ferror(f) || fflush(f) != 0) {
        if (!errno)
            errno = EIO; /* an earlier write failed and its reason is gone */
        return false;
    }
    return true;
}

bool file_out_done(struct file_out *o, struct err *e)
{
    must(o->f);
    const char *name = o->path ? o->path : "stdout";
    bool ok = flush(o->f) && (!o->tmp || fsync(fileno(o->f)) == 0);
    if (ok && o->path) {
        ok = fclose(o->f) == 0;
        o->f = NULL;
    }
    if (ok && o->tmp)
        ok = rename(o->tmp, o->path) == 0;
    if (!ok) {
        refused(e, name);
    } else if (o->tmp) {
        sync_folder(o->path);
        free(o->tmp);
        o->tmp = NULL;
    }
    file_out_drop(o);
    return ok;
}

void file_out_drop(struct file_out *o)
{
    if (o->f && o->path)
        fclose(o->f);
    if (o->tmp)
        unlink(o->tmp);
    free(o->tmp);
    free(o->path);
    *o = (struct file_out){0};
}

static bool one_dir(const char *path, struct err *e)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return true;
    int why = errno;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    errno = why;
    return refused(e, path);
}

bool file_dirs(const char *path, struct err *e)
{
    struct str part = {0};
    bool ok = true;
    for (const char *p = path; ok && *p;) {
        size_t n = strspn(p, "/");
        n += strcspn(p + n, "/");
        str_addn(&part, p, n);
        p += n;
        ok = one_dir(part.s, e);
    }
    str_free(&part);
    return ok;
}
