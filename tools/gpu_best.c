#include "tools/gpu_best.h"

#include <math.h>
#include <string.h>

enum { NAME = 48 };
#define TERA 1e12

struct kind {
    char name[NAME];
    bool bytes; /* else operations */
    double rate;
    char where[GRID_ID];
    size_t n;
    bool fp8;
};

struct gpu_best {
    struct arena *a;
    struct kind *kind;
    size_t n, cap;
};

struct gpu_best *gpu_best_new(struct arena *a)
{
    struct gpu_best *b = ARENA_NEW(a, struct gpu_best);
    b->a = a;
    return b;
}

static const char *type(enum call_type t)
{
    return t == CALL_FP8 ? "FP8" : "BF16";
}

/* What a point says something about; false: nothing worth a line. */
static bool kind_of(const struct grid_table *t, const struct grid_point *p,
                    struct kind *k)
{
    const struct call *c = &p->call;
    const char *who = p->vendor ? "vendor" : "own";
    *k = (struct kind){.bytes = true};
    switch (c->op) {
    case CALL_SKINNY:
    case CALL_GEMM:
        k->bytes = c->gemm.m <= CALL_SKINNY_M;
        k->fp8 = c->gemm.type == CALL_FP8;
        snprintf(k->name, NAME, "GEMM %s, %s, %s", type(c->gemm.type), who,
                 k->bytes ? "weights streamed" : "rate");
        return true;
    case CALL_PREFILL:
        k->bytes = false;
        snprintf(k->name, NAME, "prefill attention %d, %s cache%s",
                 c->attn.head_dim, type(c->attn.kv),
                 c->attn.window ? ", window" : "");
        return true;
    case CALL_DECODE:
        snprintf(k->name, NAME, "decode attention %d, %s cache%s",
                 c->attn.head_dim, type(c->attn.kv),
                 c->attn.window ? ", window" : "");
        return true;
    case CALL_MOE:
        k->bytes = c->moe.tokens <= CALL_SKINNY_M;
        snprintf(k->name, NAME, "experts MXFP4, %s",
                 k->bytes ? "streamed" : "rate");
        return strcmp(t->name, "moe") == 0;
    case CALL_NORM:
    case CALL_GATHER:
        snprintf(k->name, NAME, "%s", t->name);
        return true;
    case CALL_COPY:
        snprintf(k->name, NAME, "copy, %.*s", (int)strcspn(p->id, ","), p->id);
        return true;
    case CALL_REDUCE:
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    return false;
}

void gpu_best_add(struct gpu_best *b, const struct grid_table *t,
                  const struct grid_point *p, const struct table_row *r)
{
    struct kind k;
    size_t i = 0;
    if (!kind_of(t, p, &k))
        return;
    while (i < b->n && strcmp(b->kind[i].name, k.name) != 0)
        i++;
    if (i == b->n) {
        ARENA_ROOM(b->a, b->kind, b->n, b->cap);
        b->kind[b->n++] = k;
    }
    struct kind *best = &b->kind[i];
    double rate = (k.bytes ? p->bytes : p->operations) / (r->time_us * 1e-6);
    best->n++;
    if (rate <= best->rate)
        return;
    best->rate = rate;
    snprintf(best->where, sizeof best->where, "%s", p->id);
}

/* The data sheet's line for a kind; NAN: none. */
static double sheet(const struct kind *k, const struct gpu_card *c)
{
    if (!c)
        return NAN;
    if (strstr(k->name, "host_to"))
        return c->pcie_Bps;
    if (k->bytes)
        return c->hbm_Bps;
    return k->fp8 ? c->fp8_flops : c->bf16_flops;
}

void gpu_best_print(FILE *f, const struct gpu_best *b,
                    const struct gpu_card *card)
{
    if (b->n == 0)
        return;
    fprintf(f, "%-38s %5s %14s %7s  %s\n", "best of", "rows", "reached",
            "sheet", "at");
    for (size_t i = 0; i < b->n; i++) {
        const struct kind *k = &b->kind[i];
        double of = k->rate / sheet(k, card);
        char share[16] = "-";
        if (!isnan(of))
            snprintf(share, sizeof share, "%.0f %%", 100 * of);
        fprintf(f, "%-38s %5zu %8.3f %s %7s  %s\n", k->name, k->n,
                k->rate / TERA, k->bytes ? "TB/s " : "TFLOP", share, k->where);
    }
}
