/* plugin - one device's memory, stream, events and graphs through HIP, and the
 * kernels' launchers, as the table of plugin.h. */
#include "kernels/device.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef PLUGIN_NAME
#define PLUGIN_NAME "hip-unknown"
#endif

device_op_of device_gemm, device_stream, device_attn_prefill,
    device_attn_decode, device_moe, device_norm, device_copy, device_reduce;

struct plugin_device {
    int index, units;
    hipStream_t stream;
    hipEvent_t event[16];
};

struct plugin_graph {
    hipGraphExec_t exec;
};

namespace
{

const struct device_op *op_of(const struct call *c)
{
    switch (c->op) {
    case CALL_SKINNY:
        return device_stream();
    case CALL_GEMM:
        return device_gemm();
    case CALL_PREFILL:
        return device_attn_prefill();
    case CALL_DECODE:
        return device_attn_decode();
    case CALL_MOE:
        return device_moe();
    case CALL_NORM:
        return device_norm();
    case CALL_REDUCE:
        return device_reduce();
    case CALL_GATHER:
    case CALL_COPY:
    case CALL_EMPTY:
    case CALL_N:
        break;
    }
    return device_copy();
}

/* 0, or 1 with the runtime's own words. */
int told(hipError_t e, const char **why)
{
    if (e == hipSuccess)
        return 0;
    *why = hipGetErrorString(e);
    return 1;
}

#define TRY(x)                                                                 \
    do {                                                                       \
        const hipError_t e_ = (x);                                             \
        if (e_ != hipSuccess)                                                  \
            return told(e_, why);                                              \
    } while (0)

int attribute(hipDeviceAttribute_t a, int index)
{
    int v = 0;
    return hipDeviceGetAttribute(&v, a, index) == hipSuccess ? v : 0;
}

/* The only architecture this plug-in holds code for. */
bool fits(int index)
{
    const int major =
        attribute(hipDeviceAttributeComputeCapabilityMajor, index);
    const int minor =
        attribute(hipDeviceAttributeComputeCapabilityMinor, index);
    return DEVICE_AMD ? major == 9 && minor == 4 : major == 9 && minor == 0;
}

int count(const char **why)
{
    int n = 0, good = 0;
    if (told(hipGetDeviceCount(&n), why))
        return 0;
    *why = "no device of this plug-in's architecture";
    while (good < n && fits(good))
        good++;
    return good;
}

int open_events(struct plugin_device *d, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipStreamCreateWithFlags(&d->stream, hipStreamNonBlocking));
    for (int i = 0; i < 16; i++)
        TRY(hipEventCreate(&d->event[i]));
    d->units = attribute(hipDeviceAttributeMultiprocessorCount, d->index);
    return 0;
}

void close(struct plugin_device *d)
{
    for (int i = 0; i < 16; i++)
        if (d->event[i])
            (void)hipEventDestroy(d->event[i]);
    if (d->stream)
        (void)hipStreamDestroy(d->stream);
    free(d);
}

int open(int index, struct plugin_device **out, const char **why)
{
    struct plugin_device *d =
        (struct plugin_device *)calloc(1, sizeof(struct plugin_device));
    if (!d)
        abort();
    d->index = index;
    if (open_events(d, why)) {
        close(d);
        return 1;
    }
    *out = d;
    return 0;
}

int info(struct plugin_device *d, struct plugin_info *i, const char **why)
{
    hipDeviceProp_t p;
    int driver = 0;
    memset(i, 0, sizeof *i);
    TRY(hipSetDevice(d->index));
    TRY(hipGetDeviceProperties(&p, d->index));
    TRY(hipMemGetInfo(&i->free_bytes, &i->memory_bytes));
    TRY(hipDriverGetVersion(&driver));
    snprintf(i->name, sizeof i->name, "%.*s", PLUGIN_TEXT - 1, p.name);
    snprintf(i->arch, sizeof i->arch, "%s", &PLUGIN_NAME[4]);
    TRY(hipDeviceGetPCIBusId(i->pci, (int)sizeof i->pci, d->index));
    const int major = DEVICE_AMD ? driver / 10000000 : driver / 1000;
    const int minor = DEVICE_AMD ? driver / 100000 % 100 : driver % 1000 / 10;
    snprintf(i->driver, sizeof i->driver, "%s %d.%d",
             DEVICE_AMD ? "HIP" : "CUDA", major, minor);
    i->units = d->units;
    i->lanes = DEVICE_LANES;
    i->fnuz = DEVICE_FNUZ;
    i->llc_bytes = (size_t)attribute(hipDeviceAttributeL2CacheSize, d->index);
    return 0;
}

int take(struct plugin_device *d, size_t bytes, void **p, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipMalloc(p, bytes));
    return 0;
}

int take_shared(struct plugin_device *d, size_t bytes, void **p,
                const char **why)
{
    TRY(hipSetDevice(d->index));
#if DEVICE_AMD && !DEVICE_EMU
    TRY(hipExtMallocWithFlags(p, bytes, hipDeviceMallocFinegrained));
#else
    TRY(hipMalloc(p, bytes));
#endif
    return 0;
}

void give(struct plugin_device *, void *p)
{
    (void)hipFree(p);
}

int pinned(struct plugin_device *d, size_t bytes, void **p, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipHostMalloc(p, bytes, 0));
    return 0;
}

void unpin(struct plugin_device *, void *p)
{
    (void)hipHostFree(p);
}

int wait(struct plugin_device *d, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipStreamSynchronize(d->stream));
    return 0;
}

int copy_in(struct plugin_device *d, void *to, const void *from, size_t bytes,
            const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipMemcpyAsync(to, from, bytes, hipMemcpyHostToDevice, d->stream));
    return wait(d, why);
}

int copy_out(struct plugin_device *d, void *to, const void *from, size_t bytes,
             const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToHost, d->stream));
    return wait(d, why);
}

int zero(struct plugin_device *d, void *p, int byte, size_t bytes,
         const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipMemsetAsync(p, byte, bytes, d->stream));
    return 0;
}

template <int BYTES> __global__ void fill_numbers(void *to, fill f, uint64_t n)
{
    const uint64_t stride = (uint64_t)gridDim.x * blockDim.x;
    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n;
         i += stride) {
        if (BYTES == 0) /* two in a byte */
            ((uint8_t *)to)[i] =
                (uint8_t)(fill_bits(&f, 2 * i, DEVICE_FNUZ) |
                          fill_bits(&f, 2 * i + 1, DEVICE_FNUZ) << 4);
        else if (BYTES == 1)
            ((uint8_t *)to)[i] = (uint8_t)fill_bits(&f, i, DEVICE_FNUZ);
        else if (BYTES == 2)
            ((uint16_t *)to)[i] = (uint16_t)fill_bits(&f, i, DEVICE_FNUZ);
        else
            ((uint32_t *)to)[i] = fill_bits(&f, i, DEVICE_FNUZ);
    }
}

int make(struct plugin_device *d, void *p, const struct fill *f, uint64_t n,
         const char **why)
{
    TRY(hipSetDevice(d->index));
    const dim3 grid(DEVICE_EMU ? 1 : 2048), block(256);
    const fill g = *f;
    if (n == 0)
        return 0;
    switch (f->kind) {
    case FILL_FP4:
        hipLaunchKernelGGL(fill_numbers<0>, grid, block, 0, d->stream, p, g,
                           n / 2);
        break;
    case FILL_FP8:
    case FILL_E8M0:
        hipLaunchKernelGGL(fill_numbers<1>, grid, block, 0, d->stream, p, g, n);
        break;
    case FILL_BF16:
        hipLaunchKernelGGL(fill_numbers<2>, grid, block, 0, d->stream, p, g, n);
        break;
    case FILL_F32:
        hipLaunchKernelGGL(fill_numbers<4>, grid, block, 0, d->stream, p, g, n);
        break;
    }
    return told(hipGetLastError(), why);
}

const char *lacks(const struct call *c)
{
    return op_of(c)->lacks(c);
}

size_t work(struct plugin_device *d, const struct call *c)
{
    return op_of(c)->work(c, d->units);
}

int launch(struct plugin_device *d, const struct call *c, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(op_of(c)->launch(c, d->units, d->stream));
    return 0;
}

int mark(struct plugin_device *d, int event, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipEventRecord(d->event[event], d->stream));
    return 0;
}

int between(struct plugin_device *d, int from, int to, double *seconds,
            const char **why)
{
    float ms = 0;
    TRY(hipEventSynchronize(d->event[to]));
    TRY(hipEventElapsedTime(&ms, d->event[from], d->event[to]));
    *seconds = ms * 1e-3;
    return 0;
}

int record(struct plugin_device *d, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipStreamBeginCapture(d->stream, hipStreamCaptureModeThreadLocal));
    return 0;
}

int keep(struct plugin_device *d, struct plugin_graph **g, const char **why)
{
    hipGraph_t graph;
    hipGraphExec_t exec;
    TRY(hipStreamEndCapture(d->stream, &graph));
    const hipError_t e = hipGraphInstantiate(&exec, graph, NULL, NULL, 0);
    (void)hipGraphDestroy(graph);
    TRY(e);
    *g = (struct plugin_graph *)calloc(1, sizeof(struct plugin_graph));
    if (!*g)
        abort();
    (*g)->exec = exec;
    return 0;
}

int replay(struct plugin_device *d, struct plugin_graph *g, const char **why)
{
    TRY(hipSetDevice(d->index));
    TRY(hipGraphLaunch(g->exec, d->stream));
    return 0;
}

void drop(struct plugin_device *, struct plugin_graph *g)
{
    if (!g)
        return;
    (void)hipGraphExecDestroy(g->exec);
    free(g);
}

void *stream(struct plugin_device *d)
{
    return d->stream;
}

int peer(struct plugin_device *a, struct plugin_device *b, const char **why)
{
    int can = 0;
    TRY(hipDeviceCanAccessPeer(&can, a->index, b->index));
    if (!can) {
        *why = "one device cannot reach the other's memory";
        return 1;
    }
    TRY(hipSetDevice(a->index));
    const hipError_t e = hipDeviceEnablePeerAccess(b->index, 0);
    return e == hipErrorPeerAccessAlreadyEnabled ? 0 : told(e, why);
}

} // namespace

extern "C" __attribute__((visibility("default"))) const struct plugin *
plugin_table(void)
{
    static const struct plugin table = {
        PLUGIN_VERSION, PLUGIN_NAME, count,    open,        close,
        info,           take,        take_shared, give,     pinned,
        unpin,          copy_in,     copy_out, zero,        make,
        lacks,          work,        launch,   wait,        mark,
        between,        record,      keep,     replay,      drop,
        stream,         peer,
    };
    return &table;
}
