/* hip_cuda13_compat - lets HIP's NVIDIA headers (5.2, 6.0) stand over CUDA 13.
 * They are inline wrappers over the CUDA runtime, and CUDA 13 dropped or
 * changed some of what they wrap: a header that a program does not use in full
 * still has to compile in full.  This comes before hip/hip_runtime.h; for
 * other platforms and for older CUDA it is empty.  C needs -fms-extensions.
 *
 * Mended: fields of the properties struct that are attributes now, memory
 * advice and prefetch (a location instead of an ordinal), graph edges (one
 * argument more), context creation.  Answering "not supported", because
 * nothing is left of them: texture references, cooperative launches over
 * several devices. Not mended: HIP's device-side assert() never fires on this
 * platform. */
#ifndef TOOLS_HIP_CUDA13_COMPAT_H
#define TOOLS_HIP_CUDA13_COMPAT_H

#if defined(__NVCC__) || defined(__HIP_PLATFORM_NVIDIA__)
#ifndef __HIP_PLATFORM_NVIDIA__
#define __HIP_PLATFORM_NVIDIA__ 1
#endif

#ifdef __CUDACC__
#include <cuda_runtime.h>
#endif
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <string.h>

#if CUDART_VERSION >= 13000

/* CUDA's properties and, after them, the fields that HIP's header reads. */
#ifdef __cplusplus
struct compat_properties : public cudaDeviceProp {
#else
struct compat_properties {
    struct cudaDeviceProp;
#endif
    int clockRate, memoryClockRate; /* kHz */
    int computeMode, kernelExecTimeoutEnabled, deviceOverlap;
    int singleToDoublePrecisionPerfRatio;
    int cooperativeMultiDeviceLaunch, maxTexture1DLinear; /* gone: 0 */
};

static inline cudaError_t compat_get_properties(struct compat_properties *p,
                                                int device)
{
    cudaError_t e;
    memset((void *)p, 0, sizeof *p);
    e = cudaGetDeviceProperties((struct cudaDeviceProp *)p, device);
#define COMPAT_FIELD(field, attribute)                                         \
    if (e == cudaSuccess)                                                      \
    e = cudaDeviceGetAttribute(&p->field, cudaDevAttr##attribute, device)
    COMPAT_FIELD(clockRate, ClockRate);
    COMPAT_FIELD(memoryClockRate, MemoryClockRate);
    COMPAT_FIELD(computeMode, ComputeMode);
    COMPAT_FIELD(kernelExecTimeoutEnabled, KernelExecTimeout);
    COMPAT_FIELD(deviceOverlap, GpuOverlap);
    COMPAT_FIELD(singleToDoublePrecisionPerfRatio,
                 SingleToDoublePrecisionPerfRatio);
#undef COMPAT_FIELD
    return e;
}

static inline cudaError_t compat_choose(int *device,
                                        const struct compat_properties *p)
{
    return cudaChooseDevice(device, (const struct cudaDeviceProp *)p);
}

/* HIP says -1 for the host. */
static inline struct cudaMemLocation compat_place(int device)
{
    struct cudaMemLocation where;
    memset(&where, 0, sizeof where);
    where.id = device < 0 ? 0 : device;
    where.type = device < 0 ? cudaMemLocationTypeHost
                            : cudaMemLocationTypeDevice;
    return where;
}

static inline cudaError_t compat_advise(const void *p, size_t bytes,
                                        enum cudaMemoryAdvise advice,
                                        int device)
{
    return cudaMemAdvise(p, bytes, advice, compat_place(device));
}

static inline cudaError_t compat_prefetch(const void *p, size_t bytes,
                                          int device, cudaStream_t stream)
{
    return cudaMemPrefetchAsync(p, bytes, compat_place(device), 0, stream);
}

/* From here on HIP's header means the ones above. */
#define cudaDeviceProp compat_properties
#define cudaGetDeviceProperties(p, device) compat_get_properties(p, device)
#define cudaChooseDevice(device, p) compat_choose(device, p)
#define cudaMemAdvise(p, bytes, advice, device)                                \
    compat_advise(p, bytes, advice, device)
#define cudaMemPrefetchAsync(p, bytes, device, stream)                         \
    compat_prefetch(p, bytes, device, stream)

/* Edge data: none. */
#define cudaGraphAddDependencies(g, from, to, n)                               \
    cudaGraphAddDependencies(g, from, to, NULL, n)
#define cudaGraphRemoveDependencies(g, from, to, n)                            \
    cudaGraphRemoveDependencies(g, from, to, NULL, n)
#define cudaGraphGetEdges(g, from, to, n)                                      \
    cudaGraphGetEdges(g, from, to, NULL, n)
#define cudaGraphNodeGetDependencies(node, list, n)                            \
    cudaGraphNodeGetDependencies(node, list, NULL, n)
#define cudaGraphNodeGetDependentNodes(node, list, n)                          \
    cudaGraphNodeGetDependentNodes(node, list, NULL, n)
#define cudaStreamUpdateCaptureDependencies(s, list, n, flags)                 \
    cudaStreamUpdateCaptureDependencies(s, list, NULL, n, flags)
#define cudaStreamGetCaptureInfo_v2(s, status, id, graph, list, n)             \
    cudaStreamGetCaptureInfo(s, status, id, graph, list, NULL, n)
#define cuStreamGetCaptureInfo_v2(s, status, id, graph, list, n)               \
    cuStreamGetCaptureInfo(s, status, id, graph, list, NULL, n)

#undef cuCtxCreate
#define cuCtxCreate(context, flags, device)                                    \
    cuCtxCreate_v4(context, NULL, flags, device)

/* Nothing left of these. */
#define cudaDevAttrCooperativeMultiDeviceLaunch ((enum cudaDeviceAttr)96)
#define cudaLaunchCooperativeKernelMultiDevice(list, n, flags)                 \
    ((void)(list), (void)(n), (void)(flags), cudaErrorNotSupported)
#define cudaBindTexture(...) cudaErrorNotSupported
#define cudaBindTexture2D(...) cudaErrorNotSupported
#define cudaBindTextureToArray(...) cudaErrorNotSupported
#define cudaUnbindTexture(...) cudaErrorNotSupported
#define cudaGetTextureAlignmentOffset(...) cudaErrorNotSupported
struct textureReference;
#ifdef __cplusplus
template <class T, int dim, enum cudaTextureReadMode mode> struct texture;
#endif

#endif /* CUDA 13 */
#endif /* NVIDIA */
#endif
