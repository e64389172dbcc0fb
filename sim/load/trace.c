#include "sim/load/trace.h"

#include "sim/base/csv.h"
#include "sim/base/json.h"
#include "sim/base/must.h"
#include "sim/base/str.h"
#include "sim/load/load.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define MAX_SPAN_S 1e8           /* three years */
#define EXACT 9007199254740992.0 /* 2^53: JSON numbers are doubles */

enum {
    MAX_ROWS = 100000000,
    MAX_LINE = 1 << 24, /* 10^7 tokens are 19,532 ids: far less than this */
    LINE_BYTES = 1 << 12,
};

/* A trace being read, in a scratch arena. */
struct reader {
    const char *path;
    struct arena *a;
    struct err *e;
    long line;
    size_t n, cap;
    struct row {
        ns_t at;
        int32_t isl, osl;
        uint32_t first;
    } * rows;
    size_t n_text, cap_text;
    uint64_t *text;
};

static bool bad(struct reader *r, const char *what)
{
    return err_set(r->e, ERR_INPUT, "%s:%ld: %s", r->path, r->line, what);
}

static bool add(struct reader *r, double at_s, double isl, double osl)
{
    if (!(at_s >= 0 && at_s <= MAX_SPAN_S))
        return err_set(r->e, ERR_INPUT,
                       "%s:%ld: time must be in [0, %g] s, got %.15g", r->path,
                       r->line, MAX_SPAN_S, at_s);
    bool whole = isl == floor(isl) && osl == floor(osl);
    bool sane = isl >= 1 && isl <= LOAD_MAX_TOKENS && osl >= 1
             && osl <= LOAD_MAX_TOKENS;
    if (!whole || !sane)
        return err_set(r->e, ERR_INPUT,
                       "%s:%ld: lengths must be integers in [1, %d], got "
                       "%.15g and %.15g",
                       r->path, r->line, LOAD_MAX_TOKENS, isl, osl);
    ns_t at = units_ns(at_s);
    if (r->n && at < r->rows[r->n - 1].at)
        return bad(r, "time goes back");
    if (r->n == MAX_ROWS)
        return bad(r, "too many rows");
    ARENA_ROOM(r->a, r->rows, r->n, r->cap);
    r->rows[r->n++] = (struct row){at, (int32_t)isl, (int32_t)osl,
                                   (uint32_t)r->n_text};
    return true;
}

/* ---- CSV ---- */

static bool digits(const char **s, size_t n, int64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < n; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        *v = 10 * *v + (**s - '0');
    }
    return true;
}

static bool mark(const char **s, const char *any)
{
    if (!**s || !strchr(any, **s))
        return false;
    (*s)++;
    return true;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar (Hinnant,
 * "chrono-compatible low-level date algorithms", days_from_civil). */
static int64_t days(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t day = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * 146097 + day - 719468;
}

/* "2023-11-16 18:17:03.9799600", UTC, to ns since 1970; a zone of +00:00 may
 * follow. */
static bool stamp(const char *s, int64_t *ns)
{
    int64_t y, mo, d, h, mi, sec, frac = 0;
    bool ok = digits(&s, 4, &y) && mark(&s, "-") && digits(&s, 2, &mo)
           && mark(&s, "-") && digits(&s, 2, &d) && mark(&s, " T")
           && digits(&s, 2, &h) && mark(&s, ":") && digits(&s, 2, &mi)
           && mark(&s, ":") && digits(&s, 2, &sec);
    if (!ok || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59
        || sec > 60 || y < 1970 || y > 2200)
        return false;
    if (mark(&s, ".")) {
        size_t n = strspn(s, "0123456789");
        if (n < 1 || n > 9 || !digits(&s, n, &frac))
            return false;
        for (; n < 9; n++)
            frac *= 10;
    }
    if (*s && strcmp(s, "Z") != 0 && strcmp(s, "+00:00") != 0)
        return false;
    sec += 60 * (mi + 60 * (h + 24 * days(y, mo, d)));
    *ns = sec * 1000000000 + frac;
    return true;
}

static bool add_id(struct reader *r, uint64_t id)
{
    if (r->n_text == UINT32_MAX)
        return bad(r, "too many prefix ids");
    ARENA_ROOM(r->a, r->text, r->n_text, r->cap_text);
    r->text[r->n_text++] = id;
    return true;
}

static bool ids_fit(struct reader *r, int64_t n, int32_t isl)
{
    int32_t want = (isl + TRACE_TEXT_TOKENS - 1) / TRACE_TEXT_TOKENS;
    return n == want
        || err_set(r->e, ERR_INPUT,
                   "%s:%ld: %d tokens have %d prefix ids of %d, got %lld",
                   r->path, r->line, isl, want, TRACE_TEXT_TOKENS,
                   (long long)n);
}

/* "0-13 20 7": ids, runs of consecutive ones as first-last. */
static bool add_ids(struct reader *r, const char *s, int32_t isl)
{
    int64_t n = 0, most = isl / TRACE_TEXT_TOKENS + 1;
    while (*s) {
        uint64_t lo, hi;
        int used = 0;
        if (sscanf(s, "%" SCNu64 "%n", &lo, &used) != 1 || *s == '-')
            return bad(r, "prefix must be ids and runs, as \"0-13 20\"");
        s += used;
        hi = lo;
        if (*s == '-') {
            if (sscanf(++s, "%" SCNu64 "%n", &hi, &used) != 1 || *s == '-')
                return bad(r, "prefix must be ids and runs, as \"0-13 20\"");
            s += used;
        }
        if (hi < lo || hi > (uint64_t)EXACT || hi - lo > (uint64_t)(most - n))
            return ids_fit(r, hi < lo ? -1 : INT32_MAX, isl);
        for (uint64_t id = lo; id <= hi; id++, n++)
            if (!add_id(r, id))
                return false;
        s += strspn(s, " ");
    }
    return ids_fit(r, n, isl);
}

struct columns {
    int at, isl, osl, prefix;
    bool azure;
    int64_t zero_ns; /* azure: the first row's time */
};

static bool csv_row(struct reader *r, const struct csv *c, struct columns *k)
{
    double at_s, isl, osl;
    r->line = csv_line(c);
    if (!csv_num(c, k->isl, &isl, r->e) || !csv_num(c, k->osl, &osl, r->e))
        return false;
    if (!k->azure)
        return csv_num(c, k->at, &at_s, r->e) && add(r, at_s, isl, osl)
            && (k->prefix < 0
                || add_ids(r, csv_text(c, k->prefix), (int32_t)isl));
    int64_t ns;
    if (!stamp(csv_text(c, k->at), &ns))
        return err_set(r->e, ERR_INPUT,
                       "%s:%ld: TIMESTAMP must be a UTC date and time like "
                       "2023-11-16 18:17:03.97, got \"%.40s\"",
                       r->path, r->line, csv_text(c, k->at));
    if (r->n == 0)
        k->zero_ns = ns;
    if (ns < k->zero_ns)
        return bad(r, "time goes back");
    return add(r, (double)(ns - k->zero_ns) / NS_PER_S, isl, osl);
}

static bool find_columns(const struct csv *c, struct columns *k, struct err *e)
{
    k->azure = csv_col(c, "TIMESTAMP") >= 0;
    k->at = csv_col(c, k->azure ? "TIMESTAMP" : "arrival_s");
    k->isl = csv_col(c, k->azure ? "ContextTokens" : "isl");
    k->osl = csv_col(c, k->azure ? "GeneratedTokens" : "osl");
    k->prefix = k->azure ? -1 : csv_col(c, "prefix");
    if (k->at < 0 || k->isl < 0 || k->osl < 0)
        return err_set(e, ERR_INPUT,
                       "%s:1: a trace has the columns arrival_s, isl, osl, or "
                       "TIMESTAMP, ContextTokens, GeneratedTokens, or is "
                       "named .jsonl",
                       csv_path(c));
    return true;
}

static bool read_csv(struct reader *r)
{
    struct csv *c;
    struct columns k = {0};
    struct err now = {0};
    if (!csv_open(&c, r->path, r->e))
        return false;
    bool ok = find_columns(c, &k, r->e);
    while (ok && csv_next(c, &now))
        ok = csv_row(r, c, &k);
    csv_close(c);
    if (now.kind != ERR_NONE) {
        *r->e = now;
        return false;
    }
    return ok;
}

/* ---- JSON lines ---- */

struct line {
    double timestamp;
    double input_length, output_length;
    const cJSON *hash_ids;
};

static const struct json_row line_rows[] = {
    {.key = "timestamp",
     .type = JSON_NUM,
     .at = offsetof(struct line, timestamp),
     .help = "ms from the start"},
    {.key = "input_length",
     .type = JSON_NUM,
     .at = offsetof(struct line, input_length),
     .help = "prompt tokens"},
    {.key = "output_length",
     .type = JSON_NUM,
     .at = offsetof(struct line, output_length),
     .help = "answer tokens"},
    {.key = NULL},
};

static bool read_ids(struct reader *r, const cJSON *ids, int32_t isl)
{
    int64_t n = 0;
    if (!cJSON_IsArray(ids))
        return bad(r, "hash_ids must be a list");
    for (const cJSON *i = ids->child; i; i = i->next, n++) {
        double v = i->valuedouble;
        if (!cJSON_IsNumber(i) || v < 0 || v > EXACT || v != floor(v))
            return bad(r, "hash_ids must be integers from 0 to 2^53");
        if (!add_id(r, (uint64_t)v))
            return false;
    }
    return ids_fit(r, n, isl);
}

/* Other keys than these may stand in a line (sessions, models). */
static bool line_num(struct reader *r, const cJSON *obj,
                     const struct json_row *row, struct line *v)
{
    const cJSON *i = cJSON_GetObjectItemCaseSensitive(obj, row->key);
    if (!cJSON_IsNumber(i) || !isfinite(i->valuedouble))
        return err_set(r->e, ERR_INPUT, "%s:%ld: %s must be a number (%s)",
                       r->path, r->line, row->key, row->help);
    *(double *)((char *)v + row->at) = i->valuedouble;
    return true;
}

static bool json_line(struct reader *r, const char *text)
{
    cJSON *obj = cJSON_ParseWithOpts(text, NULL, 1);
    if (!cJSON_IsObject(obj)) {
        cJSON_Delete(obj);
        return bad(r, "not a JSON object: torn, or another format");
    }
    struct line v = {0};
    bool ok = true;
    for (const struct json_row *row = line_rows; ok && row->key; row++)
        ok = line_num(r, obj, row, &v);
    ok = ok && add(r, v.timestamp / 1000, v.input_length, v.output_length);
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(obj, "hash_ids");
    if (ok && ids)
        ok = read_ids(r, ids, (int32_t)v.input_length);
    cJSON_Delete(obj);
    return ok;
}

/* One line without its end into b.  false: no more; torn files end in an
 * error that gz_end finds. */
static bool get_line(gzFile gz, struct str *b)
{
    char piece[LINE_BYTES];
    b->n = 0;
    while (b->n <= MAX_LINE && gzgets(gz, piece, sizeof piece)) {
        size_t n = strlen(piece);
        bool ends = n && piece[n - 1] == '\n';
        str_addn(b, piece, ends ? n - 1 : n);
        if (ends)
            return true;
    }
    return b->n > 0;
}

static bool gz_end(struct reader *r, gzFile gz)
{
    int code;
    const char *why = gzerror(gz, &code);
    if (code == Z_BUF_ERROR)
        return bad(r, "torn gzip: unexpected end");
    if (code != Z_OK && code != Z_STREAM_END)
        return bad(r, code == Z_ERRNO ? strerror(errno) : why);
    return true;
}

static bool read_jsonl(struct reader *r)
{
    errno = 0;
    gzFile gz = gzopen(r->path, "rb");
    if (!gz)
        return err_set(r->e, errno ? ERR_INPUT : ERR_SYSTEM, "%s: %s", r->path,
                       errno ? strerror(errno) : "out of memory");
    struct str b = {0};
    bool ok = true;
    while (ok && get_line(gz, &b)) {
        r->line++;
        ok = gz_end(r, gz);
        if (ok && b.n > MAX_LINE)
            ok = bad(r, "line too long");
        if (ok && strspn(b.s, " \t\r") != b.n)
            ok = json_line(r, b.s);
    }
    ok = ok && gz_end(r, gz);
    str_free(&b);
    gzclose_r(gz);
    return ok;
}

static bool is_jsonl(const char *path)
{
    size_t n = strlen(path);
    if (n > 3 && strcmp(path + n - 3, ".gz") == 0)
        n -= 3;
    return (n > 6 && strncmp(path + n - 6, ".jsonl", 6) == 0)
        || (n > 5 && strncmp(path + n - 5, ".json", 5) == 0);
}

static void keep(const struct reader *r, struct trace *t, struct arena *a)
{
    ns_t *at = ARENA_ARRAY(a, ns_t, r->n);
    int32_t *isl = ARENA_ARRAY(a, int32_t, r->n);
    int32_t *osl = ARENA_ARRAY(a, int32_t, r->n);
    for (size_t i = 0; i < r->n; i++) {
        at[i] = r->rows[i].at;
        isl[i] = r->rows[i].isl;
        osl[i] = r->rows[i].osl;
    }
    *t = (struct trace){.path = arena_str(a, r->path),
                        .n = (int64_t)r->n,
                        .at = at,
                        .isl = isl,
                        .osl = osl};
    if (r->n_text == 0)
        return;
    uint32_t *first = ARENA_ARRAY(a, uint32_t, r->n + 1);
    for (size_t i = 0; i < r->n; i++)
        first[i] = r->rows[i].first;
    first[r->n] = (uint32_t)r->n_text;
    t->first = first;
    t->text = arena_grow(a, r->text, r->n_text, r->n_text, sizeof *r->text);
}

bool trace_read(const char *path, struct trace *t, struct arena *a,
                struct err *e)
{
    struct reader r = {.path = path, .a = arena_open(), .e = e};
    bool ok = is_jsonl(path) ? read_jsonl(&r) : read_csv(&r);
    if (ok && r.n == 0)
        ok = err_set(e, ERR_INPUT, "%s: no rows", path);
    if (ok)
        keep(&r, t, a);
    arena_close(r.a);
    return ok;
}
