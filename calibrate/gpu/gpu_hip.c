#include "calibrate/gpu/gpu.h"

#include "sim/base/must.h"
#include "sim/base/str.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>

typedef const struct plugin *table_fn(void);

/* Loads one plug-in and opens its first device; why gets what was missing. */
static bool try_one(struct gpu *g, const char *path, struct str *why)
{
    const char *said = "no reason given";
    table_fn *table;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    str_fmt(why, "%s%s: ", why->n ? "; " : "", path);
    if (!library) {
        const char *text = dlerror();
        str_add(why, text ? text : "does not load");
        return false;
    }
    *(void **)&table = dlsym(library, "plugin_table");
    *g = (struct gpu){.p = table ? table() : NULL, .library = library};
    if (!g->p || g->p->version != PLUGIN_VERSION) {
        str_add(why, "not a plug-in of this version; build it again");
    } else {
        g->devices = g->p->count(&said);
        if (g->devices > 0 && g->p->open(0, &g->d, &said) == 0) {
            if (g->p->info(g->d, &g->info, &said) == 0)
                return true;
            g->p->close(g->d);
        }
        str_add(why, said);
    }
    dlclose(library);
    *g = (struct gpu){0};
    return false;
}

static bool try_folder(struct gpu *g, const char *folder, struct str *why)
{
    char pattern[4096];
    glob_t found;
    bool ok = false;
    snprintf(pattern, sizeof pattern, "%s/hip-*.so", folder);
    if (glob(pattern, 0, NULL, &found) != 0) {
        str_fmt(why, "%sno %s", why->n ? "; " : "", pattern);
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc && !ok; i++)
        ok = try_one(g, found.gl_pathv[i], why);
    globfree(&found);
    return ok;
}

bool gpu_hip_open(struct gpu *g, const char *path, const char *const *folders,
                  struct err *e)
{
    struct str why = {0};
    bool ok = false;
    if (path)
        ok = try_one(g, path, &why);
    for (; !path && *folders && !ok; folders++)
        ok = try_folder(g, *folders, &why);
    if (!ok)
        err_set(e, ERR_ABSENT,
                "no GPU to measure: %s (`make kernels` builds "
                "plug-ins)",
                why.s ? why.s : "no folder to look in");
    str_free(&why);
    return ok;
}

bool gpu_hip_another(const struct gpu *g, int index, struct gpu *other,
                     struct err *e)
{
    *other = (struct gpu){.p = g->p, .devices = g->devices};
    if (g->p->open(index, &other->d, &other->why) != 0)
        return err_set(e, ERR_ABSENT, "device %d: %s", index, other->why);
    if (GPU_DO(other, e, info, &other->info))
        return true;
    g->p->close(other->d);
    return false;
}

void gpu_hip_close(struct gpu *g)
{
    if (g->d)
        g->p->close(g->d);
    if (g->library)
        dlclose(g->library);
    *g = (struct gpu){0};
}
