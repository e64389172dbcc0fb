#include "calibrate/gpu/blaslt.h"

#include "sim/base/str.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKSPACE = 64 << 20, /* what PyTorch gives on Hopper is 32 MiB */
    PROPOSAL = 512,       /* bytes of a heuristic result, 96 at present */
};

/* Opaque pointers of the library. */
typedef int create_fn(void **handle);
typedef int destroy_fn(void *what);
typedef int desc_fn(void **desc, int compute, int scale);
typedef int set_fn(void *what, int attribute, const void *value, size_t bytes);
typedef int layout_fn(void **layout, int type, uint64_t rows, uint64_t cols,
                      int64_t ld);
typedef int pref_fn(void **pref);
typedef int heuristic_fn(void *handle, void *desc, void *a, void *b, void *c,
                         void *d, void *pref, int want, void *proposals,
                         int *found);
typedef int matmul_fn(void *handle, void *desc, const void *alpha,
                      const void *a, void *la, const void *b, void *lb,
                      const void *beta, const void *c, void *lc, void *d,
                      void *ld, const void *algo, void *work, size_t bytes,
                      void *stream);
typedef size_t version_fn(void);

struct functions {
    create_fn *create;
    destroy_fn *destroy, *desc_destroy, *layout_destroy, *pref_destroy;
    desc_fn *desc_create;
    set_fn *desc_set, *pref_set;
    layout_fn *layout_create;
    pref_fn *pref_create;
    heuristic_fn *heuristic;
    matmul_fn *matmul;
};

struct vendor_handle {
    const struct blaslt_kind *kind;
    struct gpu *g;
    void *library, *handle, *work;
    struct functions f;
    char version[64];
    void *desc, *la, *lb, *ld, *pref; /* of the planned call */
    _Alignas(16) unsigned char proposal[PROPOSAL];
};

static void *symbol(struct vendor_handle *h, const char *name, struct err *e,
                    bool *ok)
{
    char full[96];
    snprintf(full, sizeof full, "%s%s", h->kind->prefix, name);
    void *p = dlsym(h->library, full);
    if (!p && *ok)
        *ok = err_set(e, ERR_ABSENT, "%s has no %s", h->kind->name, full);
    return p;
}

/* A function pointer from dlsym's object pointer, as POSIX asks for it. */
#define TAKE(field, name) *(void **)&h->f.field = symbol(h, name, e, &ok)

static bool functions(struct vendor_handle *h, struct err *e)
{
    bool ok = true;
    TAKE(create, "Create");
    TAKE(destroy, "Destroy");
    TAKE(desc_create, "MatmulDescCreate");
    TAKE(desc_destroy, "MatmulDescDestroy");
    TAKE(desc_set, "MatmulDescSetAttribute");
    TAKE(layout_create, "MatrixLayoutCreate");
    TAKE(layout_destroy, "MatrixLayoutDestroy");
    TAKE(pref_create, "MatmulPreferenceCreate");
    TAKE(pref_destroy, "MatmulPreferenceDestroy");
    TAKE(pref_set, "MatmulPreferenceSetAttribute");
    TAKE(heuristic, "MatmulAlgoGetHeuristic");
    TAKE(matmul, "Matmul");
    return ok;
}

static bool load(struct vendor_handle *h, struct err *e)
{
    struct str tried = {0};
    const char *path = getenv(h->kind->env);
    if (path)
        h->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    str_add(&tried, path ? path : "");
    for (int i = 0; h->kind->sonames[i] && !h->library; i++) {
        h->library = dlopen(h->kind->sonames[i], RTLD_NOW | RTLD_LOCAL);
        str_fmt(&tried, "%s%s", tried.n ? ", " : "", h->kind->sonames[i]);
    }
    if (!h->library)
        err_set(e, ERR_ABSENT, "no %s library: tried %s (%s names another)",
                h->kind->name, tried.s, h->kind->env);
    str_free(&tried);
    return h->library != NULL;
}

static void name_version(struct vendor_handle *h)
{
    version_fn *get = NULL;
    char full[96];
    snprintf(full, sizeof full, "%sGetVersion", h->kind->prefix);
    /* hipBLASLt's takes arguments; it is not asked. */
    if (strcmp(h->kind->prefix, "cublasLt") == 0)
        *(void **)&get = dlsym(h->library, full);
    size_t v = get ? get() : 0;
    if (v)
        snprintf(h->version, sizeof h->version, "%s %zu.%zu.%zu", h->kind->name,
                 v / 10000, v / 100 % 100, v % 100);
    else
        snprintf(h->version, sizeof h->version, "%s", h->kind->name);
}

bool blaslt_open(const struct blaslt_kind *kind, struct gpu *g, struct arena *a,
                 struct vendor_handle **out, struct err *e)
{
    struct vendor_handle *h = ARENA_NEW(a, struct vendor_handle);
    h->kind = kind;
    h->g = g;
    if (!load(h, e))
        return false;
    if (!functions(h, e))
        goto library;
    int rc = h->f.create(&h->handle);
    if (rc != 0) {
        err_set(e, ERR_ABSENT, "%s does not start: status %d", kind->name, rc);
        goto library;
    }
    if (!GPU_DO(g, e, take, WORKSPACE, &h->work))
        goto handle;
    name_version(h);
    *out = h;
    return true;
handle:
    h->f.destroy(h->handle);
library:
    dlclose(h->library);
    return false;
}

static void forget(struct vendor_handle *h)
{
    if (h->desc)
        h->f.desc_destroy(h->desc);
    if (h->la)
        h->f.layout_destroy(h->la);
    if (h->lb)
        h->f.layout_destroy(h->lb);
    if (h->ld)
        h->f.layout_destroy(h->ld);
    if (h->pref)
        h->f.pref_destroy(h->pref);
    h->desc = h->la = h->lb = h->ld = h->pref = NULL;
}

void blaslt_close(struct vendor_handle *h)
{
    forget(h);
    h->g->p->give(h->g->d, h->work);
    h->f.destroy(h->handle);
    dlclose(h->library);
}

const char *blaslt_version(const struct vendor_handle *h)
{
    return h->version;
}

static int set(struct vendor_handle *h, int attribute, int value)
{
    return h->f.desc_set(h->desc, attribute, &value, sizeof value);
}

static int scales(struct vendor_handle *h, const struct call_gemm *c)
{
    const struct blaslt_kind *k = h->kind;
    return h->f.desc_set(h->desc, k->desc_a_scale, &c->col_scale.at,
                         sizeof(void *))
         | h->f.desc_set(h->desc, k->desc_b_scale, &c->row_scale.at,
                         sizeof(void *));
}

static int describe(struct vendor_handle *h, const struct call_gemm *c)
{
    const struct blaslt_kind *k = h->kind;
    uint64_t m = (uint64_t)c->m, n = (uint64_t)c->n, depth = (uint64_t)c->k;
    size_t bytes = WORKSPACE;
    int in = c->type == CALL_BF16 ? k->type_bf16
           : h->g->info.fnuz      ? k->type_fp8_fnuz
                                  : k->type_fp8;
    int rc = h->f.desc_create(&h->desc, k->compute_f32, k->type_f32);
    rc = rc ? rc : set(h, k->desc_transa, k->op_t);
    rc = rc ? rc : set(h, k->desc_transb, k->op_n);
    rc = rc ? rc : h->f.layout_create(&h->la, in, depth, n, c->k);
    rc = rc ? rc : h->f.layout_create(&h->lb, in, depth, m, c->k);
    rc = rc ? rc : h->f.layout_create(&h->ld, k->type_bf16, n, m, c->n);
    rc = rc ? rc : h->f.pref_create(&h->pref);
    rc = rc ? rc
            : h->f.pref_set(h->pref, k->pref_workspace, &bytes, sizeof bytes);
    if (c->type == CALL_FP8) {
        rc = rc ? rc : scales(h, c);
        if (!rc && k->desc_fast >= 0) {
            int8_t yes = 1;
            rc = h->f.desc_set(h->desc, k->desc_fast, &yes, sizeof yes);
        }
    }
    return rc;
}

static bool propose(struct vendor_handle *h)
{
    int found = 0;
    int rc = h->f.heuristic(h->handle, h->desc, h->la, h->lb, h->ld, h->ld,
                            h->pref, 1, h->proposal, &found);
    return rc == 0 && found > 0;
}

/* Scales by row and column if the library can, else one for each matrix (their
 * first). */
bool blaslt_plan(struct vendor_handle *h, const struct call_gemm *c,
                 const char **scheme, struct err *e)
{
    const struct blaslt_kind *k = h->kind;
    forget(h);
    memset(h->proposal, 0, sizeof h->proposal);
    int rc = describe(h, c);
    if (rc)
        return err_set(e, ERR_NO, "%s refuses %d x %d x %d: status %d", k->name,
                       c->m, c->n, c->k, rc);
    *scheme = c->type == CALL_FP8 ? "row scales" : "plain";
    if (c->type == CALL_FP8
        && (set(h, k->desc_a_mode, k->mode_outer)
            || set(h, k->desc_b_mode, k->mode_outer)))
        *scheme = "tensor scales";
    if (propose(h))
        return true;
    if (c->type == CALL_FP8 && **scheme == 'r') {
        *scheme = "tensor scales";
        if (!set(h, k->desc_a_mode, 0) && !set(h, k->desc_b_mode, 0)
            && propose(h))
            return true;
    }
    return err_set(e, ERR_NO, "%s has no kernel for %d x %d x %d", k->name,
                   c->m, c->n, c->k);
}

bool blaslt_launch(struct vendor_handle *h, const struct call_gemm *c,
                   struct err *e)
{
    const float one = 1, zero = 0;
    if (c->type == CALL_FP8)
        scales(h, c);
    int rc = h->f.matmul(h->handle, h->desc, &one, c->w.at, h->la, c->x.at,
                         h->lb, &zero, c->y, h->ld, c->y, h->ld, h->proposal,
                         h->work, WORKSPACE, h->g->p->stream(h->g->d));
    return rc == 0
        || err_set(e, ERR_SYSTEM, "%s: status %d", h->kind->name, rc);
}
