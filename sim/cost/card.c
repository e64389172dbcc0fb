/* A GPU or wire card is refused when a number stands in it without a line in
 * its "sources" object: a figure nobody can trace is worse than none.  Model
 * cards are read in card_llm.c. */
#include "sim/cost/card.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/json.h"
#include "sim/base/must.h"
#include "sim/base/str.h"

static const char *const dtype_names[DT_N] = {
    [DT_BF16] = "bf16",
    [DT_FP8] = "fp8",
    [DT_FP8_BLOCK] = "fp8_block",
    [DT_MXFP4] = "mxfp4",
};

const char *card_dtype_name(enum dtype d)
{
    must(d >= 0 && d < DT_N);
    return dtype_names[d];
}

double card_dtype_bytes(enum dtype d)
{
    switch (d) {
    case DT_BF16:
        return 2.0;
    case DT_FP8: /* one scale a tensor or channel: under 0.1 % */
        return 1.0;
    case DT_FP8_BLOCK: /* one float per 128 x 128 */
        return 1.0 + 4.0 / (128.0 * 128.0);
    case DT_MXFP4: /* 4 bits and an 8-bit scale per 32 (OCP MX v1.0) */
        return 0.5 + 1.0 / 32.0;
    case DT_N:
        break;
    }
    must(d < DT_N);
    return 0.0;
}

/* ---- files ---- */

static bool json_stem(const char *file, size_t *n)
{
    size_t len = strlen(file);
    if (len <= 5 || strcmp(file + len - 5, ".json") != 0)
        return false;
    *n = len - 5;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
    const char **all;
    size_t n, cap;
};

static void add_name(struct names *l, const char *name, struct arena *a)
{
    ARENA_ROOM(a, l->all, l->n, l->cap);
    l->all[l->n++] = name;
}

bool card_list(const char *dir, const char *kind, struct arena *a,
               const char ***names, struct err *e)
{
    const char *path = arena_fmt(a, "%s/%s", dir, kind);
    DIR *d = opendir(path);
    if (!d)
        return err_set(e, ERR_INPUT, "%s: %s", path, strerror(errno));
    struct names l = {.all = NULL};
    size_t len;
    for (struct dirent *f = readdir(d); f; f = readdir(d))
        if (json_stem(f->d_name, &len))
            add_name(&l, arena_fmt(a, "%.*s", (int)len, f->d_name), a);
    closedir(d);
    if (l.n > 1)
        qsort(l.all, l.n, sizeof *l.all, by_text);
    add_name(&l, NULL, a);
    *names = l.all;
    return true;
}

static bool known(const char *const *all, const char *name)
{
    for (; *all; all++)
        if (strcmp(*all, name) == 0)
            return true;
    return false;
}

bool card_file(struct card_at *at, struct arena *a, cJSON **root, struct err *e)
{
    const char **all;
    if (strchr(at->name, '/')) { /* a file outside the folders */
        at->path = arena_str(a, at->name);
        return json_load(at->path, root, e);
    }
    if (!card_list(at->dir, at->kind, a, &all, e))
        return false;
    if (!known(all, at->name)) {
        const char *near = str_nearest(at->name, all);
        if (near)
            return err_set(e, ERR_INPUT,
                           "no %s card \"%s\" in %s; did you mean \"%s\"?",
                           at->kind, at->name, at->dir, near);
        return err_set(e, ERR_INPUT, "no %s card \"%s\" in %s", at->kind,
                       at->name, at->dir);
    }
    at->path = arena_fmt(a, "%s/%s/%s.json", at->dir, at->kind, at->name);
    return json_load(at->path, root, e);
}

/* Each number of the card needs a line in "sources". */
static bool sourced(const cJSON *obj, const struct json_row *rows,
                    struct err *e)
{
    const cJSON *src = cJSON_GetObjectItemCaseSensitive(obj, "sources");
    for (; rows->key; rows++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, rows->key);
        if (!cJSON_IsNumber(v))
            continue;
        const cJSON *s = cJSON_GetObjectItemCaseSensitive(src, rows->key);
        if (!cJSON_IsString(s) || !*s->valuestring)
            return err_set(e, ERR_INPUT,
                           "%s: no source; add sources.%s to the card",
                           rows->key, rows->key);
    }
    return true;
}

static bool read_card(struct card_at at, const struct json_row *rows,
                      void *into, struct arena *a, struct err *e)
{
    cJSON *root;
    if (!card_file(&at, a, &root, e))
        return false;
    bool ok = json_read(root, rows, into, "", a, e) && sourced(root, rows, e);
    json_free(root);
    return ok || err_in(e, "%s", at.path);
}

/* ---- GPUs ---- */

struct gpu_raw {
    struct gpu_card c;
    int vendor;
    int64_t cus;
};

enum { VENDOR_AMD, VENDOR_NVIDIA };
static const char *const vendors[] = {"amd", "nvidia", NULL};

#define GPU(field) offsetof(struct gpu_raw, c.field)
static const struct json_row gpu_rows[] = {
    {"vendor", JSON_CHOICE, offsetof(struct gpu_raw, vendor), 0, 0, NULL,
     "amd (ROCm rules) or nvidia (CUDA rules)", vendors},
    {"product", JSON_STR, GPU(product), 0, 0, NULL, "Name on the box.", NULL},
    {"hbm_bytes", JSON_NUM, GPU(hbm_bytes), 1e9, 1e13, NULL,
     "Memory as the runtime reports it, bytes.", NULL},
    {"hbm_Bps", JSON_NUM, GPU(hbm_Bps), 1e10, 1e15, NULL,
     "Memory bandwidth by the data sheet, bytes/s.", NULL},
    {"llc_bytes", JSON_NUM, GPU(llc_bytes), 1e6, 1e12, NULL,
     "Last-level cache, bytes.", NULL},
    {"bf16_flops", JSON_NUM, GPU(bf16_flops), 1e12, 1e18, NULL,
     "Dense 16-bit peak by the data sheet, FLOP/s.", NULL},
    {"fp8_flops", JSON_NUM, GPU(fp8_flops), 1e12, 1e18, NULL,
     "Dense FP8 peak by the data sheet, FLOP/s.", NULL},
    {"cus", JSON_INT, offsetof(struct gpu_raw, cus), 1, 10000, NULL,
     "Compute units or streaming multiprocessors.", NULL},
    {"link_Bps", JSON_NUM, GPU(link_Bps), 1e8, 1e14, NULL,
     "Scale-up link of one peer pair, one direction, bytes/s.", NULL},
    {"fabric_Bps", JSON_NUM, GPU(fabric_Bps), 1e8, 1e14, NULL,
     "Scale-up, whole GPU, one direction, bytes/s.", NULL},
    {"pcie_Bps", JSON_NUM, GPU(pcie_Bps), 1e8, 1e13, NULL,
     "Host to device, one direction, bytes/s.", NULL},
    {"usd_per_hour", JSON_NUM, GPU(usd_per_hour), 0, 1000, JSON_ABSENT,
     "Price of one GPU, USD an hour.", NULL},
    {"donor", JSON_STR, GPU(donor), 0, 0, JSON_ABSENT,
     "Calibrated card whose fits are scaled by data sheet.", NULL},
    {.key = NULL},
};

bool card_gpu(const char *dir, const char *name, struct arena *a,
              struct gpu_card *c, struct err *e)
{
    struct gpu_raw raw = {.vendor = 0};
    if (!read_card((struct card_at){dir, "gpu", name, NULL}, gpu_rows, &raw, a,
                   e))
        return false;
    if (raw.c.donor && strcmp(raw.c.donor, name) == 0)
        return err_set(e, ERR_INPUT, "%s/gpu/%s.json: donor: names itself", dir,
                       name);
    raw.c.name = arena_str(a, name);
    raw.c.vendor = vendors[raw.vendor];
    raw.c.rocm = raw.vendor == VENDOR_AMD;
    raw.c.cus = (int)raw.cus;
    *c = raw.c;
    return true;
}

/* ---- wires ---- */

struct wire_raw {
    struct wire_card c;
    int64_t nics;
};

#define WIRE(field) offsetof(struct wire_raw, c.field)
static const struct json_row wire_rows[] = {
    {"nics_per_node", JSON_INT, offsetof(struct wire_raw, nics), 1, 64, NULL,
     "NICs of a node that carry KV.", NULL},
    {"nic_Bps", JSON_NUM, WIRE(nic_Bps), 1e5, 1e13, NULL,
     "Payload of one NIC, one direction, bytes/s.", NULL},
    {"read_s", JSON_NUM, WIRE(read_s), 0, 1, NULL,
     "Latency of one READ, seconds.", NULL},
    {"write_s", JSON_NUM, WIRE(write_s), 0, 1, NULL,
     "Latency of one WRITE, seconds.", NULL},
    {"read_Bps", JSON_NUM, WIRE(read_Bps), 1e5, 1e13, NULL,
     "Rate of a lone READ flow, bytes/s.", NULL},
    {"write_Bps", JSON_NUM, WIRE(write_Bps), 1e5, 1e13, NULL,
     "Rate of a lone WRITE flow, bytes/s.", NULL},
    {"read_gap_s", JSON_NUM, WIRE(read_gap_s), 0, 1, "0",
     "What each message of a READ takes beside its bytes, seconds.", NULL},
    {"write_gap_s", JSON_NUM, WIRE(write_gap_s), 0, 1, "0",
     "What each message of a WRITE takes beside its bytes, seconds.", NULL},
    {"post_s", JSON_NUM, WIRE(post_s), 0, 1, NULL,
     "Posting one descriptor on the engine's host, seconds.", NULL},
    {"post_base_s", JSON_NUM, WIRE(post_base_s), 0, 1, NULL,
     "Posting a transfer, descriptors apart, seconds.", NULL},
    {"intra_Bps", JSON_NUM, WIRE(intra_Bps), 1e7, 1e14, NULL,
     "GPU to GPU inside a node, one direction, bytes/s.", NULL},
    {"intra_s", JSON_NUM, WIRE(intra_s), 0, 1, NULL,
     "Latency inside a node, seconds.", NULL},
    {"incast", JSON_NUM, WIRE(incast), 0.01, 1, "1",
     "Receive efficiency under fan-in.", NULL},
    {"uplink_Bps", JSON_NUM, WIRE(uplink_Bps), 0, 1e15, "0",
     "Node to switch, bytes/s; 0 = not limiting.", NULL},
    {"calibrated", JSON_BOOL, WIRE(calibrated), 0, 0, "false",
     "Figures measured on this fabric.", NULL},
    {.key = NULL},
};

bool card_wire(const char *dir, const char *name, struct arena *a,
               struct wire_card *c, struct err *e)
{
    struct wire_raw raw = {.nics = 0};
    if (!read_card((struct card_at){dir, "wire", name, NULL}, wire_rows, &raw,
                   a, e))
        return false;
    raw.c.name = arena_str(a, name);
    raw.c.nics_per_node = (int)raw.nics;
    *c = raw.c;
    return true;
}
