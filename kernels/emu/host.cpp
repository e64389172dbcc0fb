/* The emulated runtime's host side: memory, graphs, a clock. */
#include <hip/hip_runtime.h>

#include <chrono>
#include <memory>
#include <stdio.h>
#include <stdlib.h>
#include <vector>

struct emu_graph {
    std::vector<emu_work> node;
};
struct emu_stream {
    std::vector<emu_work> queue;
    emu_graph *recording;
};
struct emu_event {
    std::chrono::steady_clock::time_point at;
};

static std::vector<emu_stream *> streams;

static int devices(void)
{
    const char *n = getenv("EMU_DEVICES");
    return n ? atoi(n) : 1;
}

/* Until every stream's queue is empty. */
static void drain(void)
{
    for (;;) {
        std::vector<emu_work> kernels;
        for (emu_stream *s : streams) {
            while (!s->queue.empty() && s->queue.front().grid.x == 0) {
                s->queue.front().what();
                s->queue.erase(s->queue.begin());
            }
            if (s->queue.empty())
                continue;
            kernels.push_back(s->queue.front());
            s->queue.erase(s->queue.begin());
        }
        if (kernels.empty())
            return;
        emu_run(kernels);
    }
}

void emu_queue(hipStream_t s, const emu_work &w)
{
    if (s->recording) {
        s->recording->node.push_back(w);
        return;
    }
    s->queue.push_back(w);
    if (devices() == 1)
        drain();
}

hipError_t hipGetDeviceCount(int *n)
{
    *n = devices();
    return hipSuccess;
}

/* Claims to be what the plug-in looks for. */
hipError_t hipDeviceGetAttribute(int *v, hipDeviceAttribute_t a, int)
{
    switch (a) {
    case hipDeviceAttributeComputeCapabilityMajor:
        *v = 9;
        break;
    case hipDeviceAttributeComputeCapabilityMinor:
        *v = EMU_LANES == 64 ? 4 : 0;
        break;
    case hipDeviceAttributeMultiprocessorCount:
        *v = 4;
        break;
    case hipDeviceAttributeL2CacheSize:
        *v = 1 << 20;
        break;
    }
    return hipSuccess;
}

hipError_t hipGetDeviceProperties(hipDeviceProp_t *p, int)
{
    snprintf(p->name, sizeof p->name, "emulator of waves of %d", EMU_LANES);
    return hipSuccess;
}

hipError_t hipMemGetInfo(size_t *free, size_t *total)
{
    *free = *total = (size_t)1 << 30;
    return hipSuccess;
}

hipError_t hipDriverGetVersion(int *v)
{
    *v = 0;
    return hipSuccess;
}

hipError_t hipRuntimeGetVersion(int *v)
{
    *v = 0;
    return hipSuccess;
}

hipError_t hipDeviceGetPCIBusId(char *text, int n, int)
{
    snprintf(text, (size_t)n, "none");
    return hipSuccess;
}

hipError_t hipSetDevice(int)
{
    return hipSuccess;
}

hipError_t hipMalloc(void **p, size_t n)
{
    *p = aligned_alloc(1024, (n + 1023) / 1024 * 1024);
    return *p ? hipSuccess : hipErrorOutOfMemory;
}

hipError_t hipFree(void *p)
{
    free(p);
    return hipSuccess;
}

hipError_t hipHostMalloc(void **p, size_t n, unsigned)
{
    return hipMalloc(p, n);
}

hipError_t hipHostFree(void *p)
{
    return hipFree(p);
}

hipError_t hipMemcpyAsync(void *to, const void *from, size_t n, hipMemcpyKind,
                          hipStream_t s)
{
    emu_do(s, [=] { memcpy(to, from, n); });
    return hipSuccess;
}

hipError_t hipMemsetAsync(void *p, int byte, size_t n, hipStream_t s)
{
    emu_do(s, [=] { memset(p, byte, n); });
    return hipSuccess;
}

hipError_t hipStreamCreateWithFlags(hipStream_t *s, unsigned)
{
    *s = new emu_stream();
    streams.push_back(*s);
    return hipSuccess;
}

hipError_t hipStreamDestroy(hipStream_t s)
{
    for (size_t i = 0; i < streams.size(); i++)
        if (streams[i] == s)
            streams.erase(streams.begin() + (long)i);
    delete s;
    return hipSuccess;
}

hipError_t hipStreamSynchronize(hipStream_t)
{
    drain();
    return hipSuccess;
}

hipError_t hipStreamBeginCapture(hipStream_t s, int)
{
    s->recording = new emu_graph();
    return hipSuccess;
}

hipError_t hipStreamEndCapture(hipStream_t s, hipGraph_t *g)
{
    *g = s->recording;
    s->recording = nullptr;
    return *g ? hipSuccess : hipErrorInvalidValue;
}

hipError_t hipGraphInstantiate(hipGraphExec_t *e, hipGraph_t g, void *, char *,
                               size_t)
{
    *e = new emu_graph(*g);
    return hipSuccess;
}

hipError_t hipGraphDestroy(hipGraph_t g)
{
    delete g;
    return hipSuccess;
}

hipError_t hipGraphExecDestroy(hipGraphExec_t e)
{
    delete e;
    return hipSuccess;
}

hipError_t hipGraphLaunch(hipGraphExec_t e, hipStream_t s)
{
    for (auto &w : e->node)
        emu_queue(s, w);
    return hipSuccess;
}

hipError_t hipEventCreate(hipEvent_t *e)
{
    *e = new emu_event();
    return hipSuccess;
}

hipError_t hipEventDestroy(hipEvent_t e)
{
    delete e;
    return hipSuccess;
}

hipError_t hipEventRecord(hipEvent_t e, hipStream_t s)
{
    emu_do(s, [=] { e->at = std::chrono::steady_clock::now(); });
    return hipSuccess;
}

hipError_t hipEventSynchronize(hipEvent_t)
{
    drain();
    return hipSuccess;
}

hipError_t hipEventElapsedTime(float *ms, hipEvent_t from, hipEvent_t to)
{
    *ms = std::chrono::duration<float, std::milli>(to->at - from->at).count();
    return hipSuccess;
}

hipError_t hipDeviceCanAccessPeer(int *can, int, int)
{
    *can = 1;
    return hipSuccess;
}

hipError_t hipDeviceEnablePeerAccess(int, unsigned)
{
    return hipSuccess;
}

hipError_t hipGetLastError(void)
{
    return hipSuccess;
}

const char *hipGetErrorString(hipError_t e)
{
    switch (e) {
    case hipSuccess:
        return "no error";
    case hipErrorOutOfMemory:
        return "out of memory";
    case hipErrorInvalidValue:
        return "invalid value";
    case hipErrorPeerAccessAlreadyEnabled:
        return "peer access is on already";
    case hipErrorNotSupported:
        break;
    }
    return "not supported";
}
