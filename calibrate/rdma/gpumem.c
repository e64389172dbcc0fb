#include "calibrate/rdma/gpumem.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

/* Runtimes with threads of their own do not survive being unmapped. */
#define LOAD (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)

/* Signatures as in the vendors' headers (cuda.h, hip_runtime_api.h,
 * hsa_ext_amd.h), which are not needed to build. */
struct gpumem_maker {
    const char *lib[2];
    int (*count)(void *const *lib);
    bool (*open)(struct gpumem *m, struct err *e);
    void (*close)(struct gpumem *m);
    bool (*copy)(struct gpumem *m, void *host, size_t n, bool to_gpu);
};

/* ISO C has no cast from an object's to a function's address. */
#define FIND(lib, fn, name)                                                    \
    do {                                                                       \
        void *found = dlsym((lib), (name));                                    \
        memcpy(&(fn), &found, sizeof found);                                   \
    } while (0)

/* ---- NVIDIA: the driver's interface ---- */

enum { CU_RANGE_DMA_BUF = 1 }; /* CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD */

static int cuda_count(void *const *lib)
{
    int (*init)(unsigned), (*count)(int *), n = 0;
    FIND(lib[0], init, "cuInit");
    FIND(lib[0], count, "cuDeviceGetCount");
    return init && count && init(0) == 0 && count(&n) == 0 ? n : 0;
}

static bool cuda_current(struct gpumem *m)
{
    int (*device)(int *, int), (*retain)(void **, int), (*set)(void *);
    int dev;
    void *context;
    FIND(m->lib[0], device, "cuDeviceGet");
    FIND(m->lib[0], retain, "cuDevicePrimaryCtxRetain");
    FIND(m->lib[0], set, "cuCtxSetCurrent");
    return device && retain && set && device(&dev, m->gpu) == 0
        && retain(&context, dev) == 0 && set(context) == 0;
}

static bool cuda_open(struct gpumem *m, struct err *e)
{
    int (*alloc)(uint64_t *, size_t);
    int (*range)(void *, uint64_t, size_t, int, unsigned long long);
    FIND(m->lib[0], alloc, "cuMemAlloc_v2");
    FIND(m->lib[0], range, "cuMemGetHandleForAddressRange");
    if (!cuda_current(m))
        return err_set(e, ERR_SYSTEM, "GPU %d: no context", m->gpu);
    if (!alloc || alloc(&m->at, m->bytes) != 0)
        return err_set(e, ERR_SYSTEM, "GPU %d: no %zu bytes of memory", m->gpu,
                       m->bytes);
    if (!range || range(&m->fd, m->at, m->bytes, CU_RANGE_DMA_BUF, 0) != 0)
        m->fd = -1;
    return true;
}

static void cuda_close(struct gpumem *m)
{
    int (*drop)(uint64_t), (*release)(int);
    FIND(m->lib[0], drop, "cuMemFree_v2");
    FIND(m->lib[0], release, "cuDevicePrimaryCtxRelease");
    if (drop && m->at)
        drop(m->at);
    if (release)
        release(m->gpu);
}

static bool cuda_copy(struct gpumem *m, void *host, size_t n, bool to_gpu)
{
    int (*put)(uint64_t, const void *, size_t);
    int (*get)(void *, uint64_t, size_t);
    FIND(m->lib[0], put, "cuMemcpyHtoD_v2");
    FIND(m->lib[0], get, "cuMemcpyDtoH_v2");
    if (!put || !get || !cuda_current(m))
        return false;
    return (to_gpu ? put(m->at, host, n) : get(host, m->at, n)) == 0;
}

/* ---- AMD: HIP for the memory, HSA for the dma-buf ---- */

enum { HIP_TO_DEVICE = 1, HIP_TO_HOST = 2 }; /* hipMemcpyKind */

static int hip_count(void *const *lib)
{
    int (*count)(int *), n = 0;
    FIND(lib[0], count, "hipGetDeviceCount");
    return count && count(&n) == 0 ? n : 0;
}

static bool hip_open(struct gpumem *m, struct err *e)
{
    int (*set)(int), (*alloc)(void **, size_t);
    int (*export)(const void *, size_t, int *, uint64_t *) = NULL;
    void *at = NULL;
    FIND(m->lib[0], set, "hipSetDevice");
    FIND(m->lib[0], alloc, "hipMalloc");
    if (m->lib[1])
        FIND(m->lib[1], export, "hsa_amd_portable_export_dmabuf");
    if (!set || set(m->gpu) != 0)
        return err_set(e, ERR_SYSTEM, "GPU %d: cannot be selected", m->gpu);
    if (!alloc || alloc(&at, m->bytes) != 0)
        return err_set(e, ERR_SYSTEM, "GPU %d: no %zu bytes of memory", m->gpu,
                       m->bytes);
    m->at = (uint64_t)(uintptr_t)at;
    if (!export || export(at, m->bytes, &m->fd, &m->offset) != 0)
        m->fd = -1;
    return true;
}

static void hip_close(struct gpumem *m)
{
    int (*drop)(void *);
    FIND(m->lib[0], drop, "hipFree");
    if (drop && m->at)
        drop((void *)(uintptr_t)m->at);
}

static bool hip_copy(struct gpumem *m, void *host, size_t n, bool to_gpu)
{
    int (*copy)(void *, const void *, size_t, int);
    void *at = (void *)(uintptr_t)m->at;
    FIND(m->lib[0], copy, "hipMemcpy");
    if (!copy)
        return false;
    return (to_gpu ? copy(at, host, n, HIP_TO_DEVICE)
                   : copy(host, at, n, HIP_TO_HOST))
        == 0;
}

/* ---- whichever is there ---- */

static const struct gpumem_maker makers[] = {
    {{"libcuda.so.1", NULL}, cuda_count, cuda_open, cuda_close, cuda_copy},
    {{"libamdhip64.so", "libhsa-runtime64.so.1"},
     hip_count,
     hip_open,
     hip_close,
     hip_copy},
};
enum { MAKERS = sizeof makers / sizeof *makers };

static void close_libs(void **lib)
{
    for (int i = 2; i-- > 0;)
        if (lib[i])
            dlclose(lib[i]);
    lib[0] = lib[1] = NULL;
}

/* GPUs of a maker; its libraries stay open when there are any. */
static int open_libs(const struct gpumem_maker *k, void **lib)
{
    lib[0] = dlopen(k->lib[0], LOAD);
    lib[1] = lib[0] && k->lib[1] ? dlopen(k->lib[1], LOAD) : NULL;
    int n = lib[0] ? k->count(lib) : 0;
    if (n == 0)
        close_libs(lib);
    return n;
}

int gpumem_count(void)
{
    int n = 0;
    for (int i = 0; i < MAKERS && n == 0; i++) {
        void *lib[2];
        n = open_libs(&makers[i], lib);
        close_libs(lib);
    }
    return n;
}

bool gpumem_open(struct gpumem *m, int gpu, size_t bytes, struct err *e)
{
    *m = (struct gpumem){.gpu = gpu, .bytes = bytes, .fd = -1};
    int n = 0;
    for (int i = 0; i < MAKERS && n == 0; i++) {
        m->maker = &makers[i];
        n = open_libs(m->maker, m->lib);
    }
    if (n == 0) {
        m->maker = NULL;
        return err_set(e, ERR_ABSENT, "no GPU: looked for %s and %s",
                       makers[0].lib[0], makers[1].lib[0]);
    }
    if (gpu >= n)
        err_set(e, ERR_ABSENT, "GPU %d: there are %d", gpu, n);
    else if (m->maker->open(m, e))
        return true;
    gpumem_close(m);
    return false;
}

void gpumem_close(struct gpumem *m)
{
    if (!m->maker)
        return;
    if (m->fd >= 0)
        close(m->fd);
    m->maker->close(m);
    close_libs(m->lib);
    m->maker = NULL;
}

bool gpumem_put(struct gpumem *m, const void *from, size_t n)
{
    void *host = (void *)(uintptr_t)from; /* read only, this way round */
    return n <= m->bytes && m->maker->copy(m, host, n, true);
}

bool gpumem_get(struct gpumem *m, void *to, size_t n)
{
    return n <= m->bytes && m->maker->copy(m, to, n, false);
}
