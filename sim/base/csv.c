#include "sim/base/csv.h"

#include "sim/base/must.h"
#include "sim/base/str.h"

#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BUF_BYTES = 1 << 16 };

/* Where a field of the row begins in the row's text. */
struct fields {
    size_t *at;
    int n, cap;
    struct str text;
};

struct csv {
    char *path;
    gzFile gz;
    struct csv_parser parser;
    struct fields head, row;
    long lines;    /* line ends fed to the parser */
    long row_line; /* line on which the row begins */
    bool begun;    /* the row has text already */
    bool whole;    /* the row is complete */
    bool bad;      /* a NUL byte, or two rows on one line */
    bool ended;
    char *buf;
    size_t pos, end;
};

static void *checked(void *p)
{
    if (!p) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

static void on_field(void *text, size_t n, void *ctx)
{
    struct csv *c = ctx;
    struct fields *r = &c->row;
    if (c->whole || (n && memchr(text, 0, n)))
        c->bad = true;
    if (c->bad)
        return;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 16;
        r->at = checked(realloc(r->at, (size_t)r->cap * sizeof *r->at));
    }
    r->at[r->n++] = r->text.n;
    str_addn(&r->text, text, n);
    str_addn(&r->text, "", 1);
}

static void on_row(int end, void *ctx)
{
    (void)end;
    ((struct csv *)ctx)->whole = true;
}

static bool bad_row(const struct csv *c, struct err *e, const char *what)
{
    return err_set(e, ERR_INPUT, "%s:%ld: %s", c->path, c->row_line, what);
}

/* false with e untouched at the end of the file. */
static bool fill(struct csv *c, struct err *e)
{
    int n = gzread(c->gz, c->buf, BUF_BYTES);
    int code;
    const char *why = gzerror(c->gz, &code);
    if (code == Z_BUF_ERROR)
        return err_set(e, ERR_INPUT, "%s:%ld: torn gzip: unexpected end",
                       c->path, c->lines + 1);
    if (n < 0 || code != Z_OK)
        return err_set(e, ERR_INPUT, "%s:%ld: cannot be read: %s", c->path,
                       c->lines + 1, code == Z_ERRNO ? strerror(errno) : why);
    c->pos = 0;
    c->end = (size_t)n;
    return n > 0;
}

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", s[i]) || !s[i])
            return false;
    return true;
}

/* Feeds up to the next line end, so that at most one row becomes whole. */
static bool feed(struct csv *c, struct err *e)
{
    const char *s = c->buf + c->pos;
    const char *nl = memchr(s, '\n', c->end - c->pos);
    size_t n = nl ? (size_t)(nl - s) + 1 : c->end - c->pos;
    if (!c->begun && !is_blank(s, n)) {
        c->begun = true;
        c->row_line = c->lines + 1;
    }
    size_t ate = csv_parse(&c->parser, s, n, on_field, on_row, c);
    c->pos += n;
    c->lines += nl != NULL;
    if (ate != n)
        return bad_row(c, e,
                       csv_error(&c->parser) == CSV_EPARSE
                           ? "a quote where none may be"
                           : "a field too long to hold");
    if (c->bad)
        return bad_row(c, e, "a NUL byte or a bare carriage return");
    return true;
}

static bool finish(struct csv *c, struct err *e)
{
    c->ended = true;
    if (csv_fini(&c->parser, on_field, on_row, c) != 0)
        return bad_row(c, e, "torn: the file ends inside quotes");
    if (c->bad)
        return bad_row(c, e, "a NUL byte");
    return c->whole;
}

/* Reads one row into c->row; false with e untouched at the end. */
static bool read_row(struct csv *c, struct err *e)
{
    c->row.n = 0;
    c->row.text.n = 0;
    c->begun = c->whole = false;
    while (!c->whole) {
        if (c->ended)
            return false;
        struct err now = {0};
        if (c->pos == c->end && !fill(c, &now)) {
            if (now.kind == ERR_NONE)
                return finish(c, e);
            *e = now;
            c->ended = true;
            return false;
        }
        if (!feed(c, e)) {
            c->ended = true;
            return false;
        }
    }
    return true;
}

static const char *field(const struct fields *f, int i)
{
    return f->text.s + f->at[i];
}

static bool read_head(struct csv *c, struct err *e)
{
    struct err now = {0};
    if (!read_row(c, &now)) {
        if (now.kind == ERR_NONE)
            return err_set(e, ERR_INPUT, "%s: empty, no header", c->path);
        *e = now;
        return false;
    }
    c->head = c->row;
    c->row = (struct fields){0};
    for (int i = 0; i < c->head.n; i++)
        if (csv_col(c, field(&c->head, i)) != i)
            return err_set(e, ERR_INPUT, "%s:%ld: two columns named \"%s\"",
                           c->path, c->row_line, field(&c->head, i));
    return true;
}

/* Some spreadsheets begin a file with this mark of UTF-8. */
static void skip_mark(struct csv *c)
{
    static const char mark[3] = "\xef\xbb\xbf";
    if (c->end - c->pos >= sizeof mark
        && memcmp(c->buf + c->pos, mark, sizeof mark) == 0)
        c->pos += sizeof mark;
}

bool csv_open(struct csv **out, const char *path, struct err *e)
{
    errno = 0;
    gzFile gz = gzopen(path, "rb");
    if (!gz)
        return err_set(e, errno ? ERR_INPUT : ERR_SYSTEM, "%s: %s", path,
                       errno ? strerror(errno) : "out of memory");
    struct csv *c = checked(calloc(1, sizeof *c));
    c->gz = gz;
    c->path = checked(strdup(path));
    c->buf = checked(malloc(BUF_BYTES));
    must(csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI) == 0);
    struct err now = {0};
    if (fill(c, &now))
        skip_mark(c);
    if (now.kind != ERR_NONE)
        *e = now;
    if (now.kind != ERR_NONE || !read_head(c, e)) {
        csv_close(c);
        return false;
    }
    *out = c;
    return true;
}

void csv_close(struct csv *c)
{
    if (!c)
        return;
    gzclose_r(c->gz);
    csv_free(&c->parser);
    str_free(&c->head.text);
    str_free(&c->row.text);
    free(c->head.at);
    free(c->row.at);
    free(c->buf);
    free(c->path);
    free(c);
}

int csv_col(const struct csv *c, const char *name)
{
    for (int i = 0; i < c->head.n; i++)
        if (strcmp(field(&c->head, i), name) == 0)
            return i;
    return -1;
}

bool csv_next(struct csv *c, struct err *e)
{
    if (!read_row(c, e))
        return false;
    if (c->row.n == c->head.n)
        return true;
    c->ended = true;
    return err_set(e, ERR_INPUT, "%s:%ld: %d fields where the header has %d",
                   c->path, c->row_line, c->row.n, c->head.n);
}

long csv_line(const struct csv *c)
{
    return c->row_line;
}

const char *csv_path(const struct csv *c)
{
    return c->path;
}

const char *csv_text(const struct csv *c, int col)
{
    if (col < 0)
        return "";
    must(col < c->row.n);
    return field(&c->row, col);
}

bool csv_num(const struct csv *c, int col, double *out, struct err *e)
{
    const char *text = csv_text(c, col);
    if (str_double(text, out))
        return true;
    const char *name = col < 0 ? "(missing)" : field(&c->head, col);
    return err_set(e, ERR_INPUT,
                   "%s:%ld: column %s: must be a finite number, got \"%s\"",
                   c->path, c->row_line, name, text);
}

void csv_put(FILE *f, const char *text)
{
    size_t n = strlen(text);
    bool plain = !strpbrk(text, ",\"\r\n")
              && (n == 0
                  || (!strchr(" \t", text[0]) && !strchr(" \t", text[n - 1])));
    if (plain)
        fputs(text, f);
    else
        csv_fwrite(f, text, n);
}
