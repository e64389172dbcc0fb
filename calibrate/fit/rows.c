/* One reader a table: it turns a line into an op_call and a group.  What the
 * readers share is in struct table.
 *
 * FP8 GEMM rows with with_quant = 1 were timed together with the kernels that
 * quantise their activations; the form of such a fit has a part for those,
 * which a simulated GEMM leaves out.  host_us is the host's time in front of a
 * kernel that was timed eagerly; it is taken off. */
#include "calibrate/fit/rows.h"

#include "sim/base/csv.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define US 1e-6

struct table {
    struct csv *csv;
    struct arena *a;
    struct rows *out;
    size_t cap;
    const char *last_source;
    int time, host, source, version, suspect;
};

static bool num(struct table *t, const char *name, double *v, struct err *e)
{
    int col = csv_col(t->csv, name);
    if (col < 0)
        return err_set(e, ERR_INPUT, "%s: no column %s", csv_path(t->csv),
                       name);
    return csv_num(t->csv, col, v, e);
}

static const char *word(struct table *t, const char *name)
{
    return csv_text(t->csv, csv_col(t->csv, name));
}

static bool is(struct table *t, const char *name, const char *value)
{
    return strcmp(word(t, name), value) == 0;
}

static bool bad(struct table *t, const char *name, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s:%ld: %s: cannot use '%s'",
                   csv_path(t->csv), csv_line(t->csv), name, word(t, name));
}

static bool dtype_of(struct table *t, const char *name, enum dtype *d,
                     struct err *e)
{
    for (int i = 0; i < DT_N; i++)
        if (is(t, name, card_dtype_name((enum dtype)i))) {
            *d = (enum dtype)i;
            return true;
        }
    return bad(t, name, e);
}

/* FNV-1a over the bytes of the numbers that make a shape. */
static uint32_t group_of(const double *v, size_t n)
{
    uint32_t h = 2166136261u;
    const unsigned char *p = (const unsigned char *)v;
    for (size_t i = 0; i < n * sizeof *v; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

static const char *source_of(struct table *t)
{
    const char *who = csv_text(t->csv, t->source);
    const char *version = csv_text(t->csv, t->version);
    char *s = *version ? arena_fmt(t->a, "%s %s", who, version)
                       : arena_str(t->a, who);
    if (!t->last_source || strcmp(s, t->last_source) != 0)
        t->last_source = s;
    return t->last_source;
}

static bool add(struct table *t, const struct op_call *c, double seconds,
                uint32_t group, struct err *e)
{
    if (!(seconds > 0))
        return bad(t, "time_us", e);
    struct rows *r = t->out;
    ARENA_ROOM(t->a, r->row, r->n, t->cap);
    r->row[r->n++] = (struct row){
        .call = *c,
        .time_s = seconds,
        .group = group,
        .source = source_of(t),
    };
    return true;
}

static bool time_of(struct table *t, double *seconds, struct err *e)
{
    double us;
    if (!csv_num(t->csv, t->time, &us, e))
        return false;
    double host = 0;
    if (*csv_text(t->csv, t->host) && !csv_num(t->csv, t->host, &host, e))
        return false;
    *seconds = (us - host) * US;
    return true;
}

static bool gemm(struct table *t, struct err *e)
{
    struct op_call c = {.kind = OP_GEMM};
    double s;
    if (!dtype_of(t, "dtype", &c.dtype, e) || !num(t, "m", &c.m, e)
        || !num(t, "n", &c.n, e) || !num(t, "k", &c.k, e) || !time_of(t, &s, e))
        return false;
    c.with_quant = is(t, "with_quant", "1");
    double shape[] = {c.n, c.k};
    return add(t, &c, s, group_of(shape, 2), e);
}

static bool quant(struct table *t, struct err *e)
{
    struct op_call c = {.kind = OP_QUANT, .dtype = DT_FP8};
    double s;
    if (!num(t, "m", &c.m, e) || !num(t, "k", &c.k, e) || !time_of(t, &s, e))
        return false;
    c.act_static = is(t, "scale", "static");
    if (is(t, "scale", "block"))
        c.dtype = DT_FP8_BLOCK;
    else if (!c.act_static && !is(t, "scale", "token"))
        return bad(t, "scale", e);
    return add(t, &c, s, group_of(&c.k, 1), e);
}

static bool norm(struct table *t, struct err *e)
{
    struct op_call c = {.kind = OP_NORM, .dtype = DT_BF16};
    double s;
    return num(t, "bytes", &c.bytes, e) && time_of(t, &s, e)
        && add(t, &c, s, group_of(&c.bytes, 1), e);
}

static bool attention(struct table *t, struct op_call *c, double *window,
                      struct err *e)
{
    bool ok = num(t, "batch", &c->seqs, e) && num(t, "num_heads", &c->heads, e)
           && num(t, "num_kv_heads", &c->kv_heads, e)
           && num(t, "head_dim", &c->head_dim, e) && num(t, "window", window, e)
           && dtype_of(t, "kv_dtype", &c->kv, e);
    c->window = ok && *window > 0;
    return ok;
}

static uint32_t attention_group(const struct op_call *c, double window)
{
    double shape[] = {c->heads, c->kv_heads, c->head_dim, window};
    return group_of(shape, 4);
}

/* Keys seen by s causal tokens of one sequence, each at most w of them (its
 * own included). */
static double causal_pairs(double s, double w)
{
    if (w <= 0 || w >= s)
        return s * (s + 1) / 2;
    return w * (w + 1) / 2 + (s - w) * w;
}

static bool attn_prefill(struct table *t, struct err *e)
{
    struct op_call c = {.kind = OP_ATTN_PREFILL, .dtype = DT_BF16};
    double window, seq, s;
    if (!attention(t, &c, &window, e) || !num(t, "seq_len", &seq, e)
        || !time_of(t, &s, e))
        return false;
    c.q_tokens = c.seqs * seq;
    c.kv_tokens = c.seqs * seq;
    c.pairs = c.seqs * causal_pairs(seq, window);
    return add(t, &c, s, attention_group(&c, window), e);
}

static bool attn_decode(struct table *t, struct err *e)
{
    struct op_call c = {.kind = OP_ATTN_DECODE, .dtype = DT_BF16};
    double window, len, s;
    if (!attention(t, &c, &window, e) || !num(t, "kv_len", &len, e)
        || !time_of(t, &s, e))
        return false;
    double seen = window > 0 && window < len ? window : len;
    c.q_tokens = c.seqs;
    c.kv_tokens = c.seqs * seen;
    c.pairs = c.kv_tokens;
    return add(t, &c, s, attention_group(&c, window), e);
}

/* Balanced routing deals the token copies out in turn, so the experts touched
 * are as many as there are copies, up to all. */
static bool moe(struct table *t, struct err *e)
{
    struct op_call c = {.kind = OP_MOE};
    double tp, s;
    if (!dtype_of(t, "dtype", &c.dtype, e) || !num(t, "tokens", &c.tokens, e)
        || !num(t, "hidden", &c.hidden, e) || !num(t, "inter", &c.inter, e)
        || !num(t, "topk", &c.topk, e) || !num(t, "experts", &c.experts, e)
        || !num(t, "tp", &tp, e) || !time_of(t, &s, e))
        return false;
    if (!is(t, "routing", "balanced"))
        return bad(t, "routing", e);
    c.even = true;
    c.inter /= tp;
    c.active = fmin(c.experts, c.tokens * c.topk);
    double shape[] = {c.hidden, c.inter, c.experts, c.topk};
    return add(t, &c, s, group_of(shape, 4), e);
}

static bool allreduce(struct table *t, struct err *e)
{
    struct op_call c = {.dtype = DT_BF16, .graph = true};
    double gpus, s;
    if (!num(t, "gpus", &gpus, e) || !num(t, "bytes", &c.bytes, e)
        || !time_of(t, &s, e))
        return false;
    c.gpus = (int)gpus;
    c.kind = is(t, "collective", "all_gather") ? OP_ALLGATHER : OP_ALLREDUCE;
    if (is(t, "algo", "rccl"))
        c.algo = COMM_RCCL;
    else if (is(t, "algo", "qr_int4"))
        c.algo = COMM_QR_INT4;
    else if (is(t, "algo", "custom"))
        c.algo = COMM_CUSTOM;
    else
        return bad(t, "algo", e);
    return add(t, &c, s, group_of(&c.bytes, 1), e);
}

static bool sample(struct table *t, struct err *e)
{
    struct op_call c = {.kind = OP_SAMPLE, .dtype = DT_BF16};
    double s;
    return num(t, "rows", &c.rows, e) && num(t, "vocab", &c.vocab, e)
        && time_of(t, &s, e) && add(t, &c, s, group_of(&c.rows, 1), e);
}

static bool host(struct table *t, struct err *e)
{
    static const char *const piece[HOST_N] = {
        [HOST_SCHEDULE] = "schedule",
        [HOST_PREPARE] = "prepare",
        [HOST_UPDATE] = "update",
        [HOST_LAUNCH] = "launch",
    };
    struct op_call c = {.kind = OP_HOST, .dtype = DT_BF16};
    double s;
    int i = 0;
    while (i < HOST_N && !is(t, "piece", piece[i]))
        i++;
    if (i == HOST_N)
        return bad(t, "piece", e);
    c.piece = (enum host_piece)i;
    return num(t, "requests", &c.seqs, e) && time_of(t, &s, e)
        && add(t, &c, s, group_of(&c.seqs, 1), e);
}

typedef bool reader(struct table *t, struct err *e);

/* Opens dir/name.csv or .csv.gz; *csv stays NULL when there is neither. */
static bool open_table(const char *dir, const char *name, struct arena *a,
                       struct csv **csv, struct err *e)
{
    static const char *const suffix[] = {".csv", ".csv.gz"};
    *csv = NULL;
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        const char *path = arena_fmt(a, "%s/%s%s", dir, name, suffix[i]);
        if (access(path, F_OK) == 0)
            return csv_open(csv, path, e);
    }
    return true;
}

static bool read_table(struct table *t, reader *read, struct err *e)
{
    struct err none = {ERR_NONE, ""};
    t->time = csv_col(t->csv, "time_us");
    t->host = csv_col(t->csv, "host_us");
    t->source = csv_col(t->csv, "source");
    t->version = csv_col(t->csv, "engine_version");
    t->suspect = csv_col(t->csv, "suspect");
    if (t->time < 0 || t->source < 0)
        return err_set(e, ERR_INPUT, "%s: no column time_us or source",
                       csv_path(t->csv));
    while (csv_next(t->csv, &none)) {
        if (strcmp(csv_text(t->csv, t->suspect), "1") == 0)
            t->out->left_out++;
        else if (!read(t, e))
            return false;
    }
    if (none.kind == ERR_NONE)
        return true;
    *e = none;
    return false;
}

bool rows_load(const char *dir, struct arena *a, struct rows *r, struct err *e)
{
    static const struct {
        const char *name;
        reader *read;
    } tables[] = {
        {"quant", quant},
        {"gemm", gemm},
        {"norm", norm},
        {"attention_prefill", attn_prefill},
        {"attention_decode", attn_decode},
        {"moe", moe},
        {"allreduce", allreduce},
        {"sample", sample},
        {"host", host},
    };
    struct table t = {.a = a, .out = r};
    *r = (struct rows){0};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!open_table(dir, tables[i].name, a, &t.csv, e))
            return false;
        if (!t.csv)
            continue;
        bool ok = read_table(&t, tables[i].read, e);
        csv_close(t.csv);
        if (!ok)
            return false;
    }
    return true;
}

static bool stated_row(struct table *t, struct stated *s, struct err *e)
{
    s->op = arena_str(t->a, word(t, "op"));
    s->variant = arena_str(t->a, word(t, "variant"));
    s->form = arena_str(t->a, word(t, "form"));
    s->coef = arena_str(t->a, word(t, "coef"));
    s->source = arena_str(t->a, word(t, "source"));
    if (!*s->op || !*s->variant || !*s->form)
        return bad(t, "form", e);
    if (!*s->source)
        return err_set(e, ERR_INPUT,
                       "%s:%ld: a stated constant needs its "
                       "source",
                       csv_path(t->csv), csv_line(t->csv));
    return !*s->coef || num(t, "value", &s->value, e);
}

bool rows_stated(const char *dir, struct arena *a, struct stated_list *l,
                 struct err *e)
{
    struct table t = {.a = a};
    struct err none = {ERR_NONE, ""};
    size_t cap = 0;
    *l = (struct stated_list){0};
    if (!open_table(dir, "stated", a, &t.csv, e))
        return false;
    bool ok = true;
    while (t.csv && ok && csv_next(t.csv, &none)) {
        ARENA_ROOM(a, l->item, l->n, cap);
        ok = stated_row(&t, &l->item[l->n++], e);
    }
    csv_close(t.csv);
    if (ok && none.kind != ERR_NONE) {
        *e = none;
        return false;
    }
    return ok;
}
