/* hip_runtime - as much of HIP as the kernels here use, on the host. Every
 * thread of a block is a fiber; one runs at a time, until it waits for its
 * wave, its block or another block.  So results are reproducible, waits that
 * nobody ends are found, and matrix instructions and layouts can be checked
 * where there is no device.  Time means nothing here. EMU_LANES (32 or 64) is
 * the size of a wave.  Memory is the host's.  With one device a stream does at
 * once what it is given; with several (environment EMU_DEVICES) streams keep
 * it until somebody waits, and then the kernels at their heads run together,
 * so that devices can meet each other. */
#ifndef EMU_HIP_RUNTIME_H
#define EMU_HIP_RUNTIME_H

#include <functional>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <vector>

#ifndef __forceinline__
#define __forceinline__ inline
#endif
#define __host__
#define __device__
#define __global__ static
#define __shared__ static
#define __constant__ static const
#define __launch_bounds__(...)
#define __restrict__ __restrict

struct uint2 {
    uint32_t x, y;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
static inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w)
{
    return {x, y, z, w};
}
static inline uint2 make_uint2(uint32_t x, uint32_t y)
{
    return {x, y};
}

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

/* ---- what a fiber asks of the emulator ---- */

void __syncthreads(void);
void emu_spin(void);
void emu_wave_sync(void);
unsigned char *emu_shared(void);
/* Hands on `bytes` (at most 64) and returns everybody's, 64 bytes apart, once
 * all lanes of the wave (of the four waves of 32: a warpgroup) have done so. */
const unsigned char *emu_exchange(const void *mine, size_t bytes);
const unsigned char *emu_exchange_group(const void *mine, size_t bytes);
int emu_lane(void);

template <class T> static inline T emu_of(T v, int from)
{
    T other;
    memcpy(&other, emu_exchange(&v, sizeof v) + 64 * from, sizeof other);
    return other;
}
template <class T> static inline T emu_xor(T v, int mask)
{
    return emu_of(v, emu_lane() ^ mask);
}

/* Matrix instructions by their documented layouts.  type: 0 bf16, 1 f16, 2 fp8
 */
void emu_mma(int type, float *c, const uint32_t *a, const uint32_t *b);
void emu_mfma(bool fp8, float *c, const uint32_t *a, const uint32_t *b);
/* wgmma m64 n k16, bf16: b, and a when regs is NULL, by matrix descriptors */
void emu_wgmma(float *c, int n, const uint32_t *regs, uint64_t a, uint64_t b,
               bool keep, bool b_by_k);
uint64_t emu_shared_address(const void *p); /* bytes from the block's begin */
uint32_t emu_f16x2(float a, float b);
float emu_of_f16(uint16_t h);

/* A barrier in shared memory as Hopper has it. */
struct emu_mbar {
    uint16_t count, left;
    uint32_t phase;
};
void emu_mbar_init(void *bar, int count);
void emu_mbar_arrive(void *bar);
void emu_mbar_wait(void *bar, int parity);

/* ---- device functions of HIP ---- */

static inline void __syncwarp(void)
{
    emu_wave_sync();
}
static inline void __threadfence(void) {}
static inline void __threadfence_block(void) {}
static inline void __threadfence_system(void) {}
static inline float __uint_as_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
static inline uint32_t __float_as_uint(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline int __clz(int x)
{
    return x ? __builtin_clz((unsigned)x) : 32;
}
template <class T> static inline T min(T a, T b)
{
    return a < b ? a : b;
}
template <class T> static inline T max(T a, T b)
{
    return a > b ? a : b;
}
static inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}
template <class T> static inline T atomicAdd(T *p, T v)
{
    T old = *p;
    *p = old + v;
    return old;
}

/* ---- host functions of HIP ---- */

enum hipError_t {
    hipSuccess,
    hipErrorInvalidValue = 1,
    hipErrorOutOfMemory = 2,
    hipErrorPeerAccessAlreadyEnabled = 704,
    hipErrorNotSupported = 801
};
enum hipMemcpyKind {
    hipMemcpyHostToDevice,
    hipMemcpyDeviceToHost,
    hipMemcpyDeviceToDevice
};
enum hipDeviceAttribute_t {
    hipDeviceAttributeComputeCapabilityMajor,
    hipDeviceAttributeComputeCapabilityMinor,
    hipDeviceAttributeMultiprocessorCount,
    hipDeviceAttributeL2CacheSize
};
enum { hipStreamNonBlocking = 1, hipStreamCaptureModeThreadLocal = 1 };

struct hipDeviceProp_t {
    char name[256];
};
struct emu_stream;
struct emu_event;
struct emu_graph;
typedef emu_stream *hipStream_t;
typedef emu_event *hipEvent_t;
typedef emu_graph *hipGraph_t;
typedef emu_graph *hipGraphExec_t;

/* Something queued: a kernel, or (grid.x 0) something done in one go. */
struct emu_work {
    dim3 grid, block;
    size_t shared;
    std::function<void(void)> what;
};
void emu_queue(hipStream_t s, const emu_work &w);
/* Runs kernels side by side until all are done. */
void emu_run(const std::vector<emu_work> &kernels);

static inline void emu_do(hipStream_t s, const std::function<void(void)> &what)
{
    emu_queue(s, {dim3(0), dim3(), 0, what});
}
#define hipLaunchKernelGGL(kernel, grid, block, shared, stream, ...)           \
    emu_queue((stream),                                                        \
              {(grid), (block), (shared), [=] { kernel(__VA_ARGS__); }})

hipError_t hipGetDeviceCount(int *n);
hipError_t hipDeviceGetAttribute(int *v, hipDeviceAttribute_t a, int device);
hipError_t hipGetDeviceProperties(hipDeviceProp_t *p, int device);
hipError_t hipMemGetInfo(size_t *free, size_t *total);
hipError_t hipDriverGetVersion(int *v);
hipError_t hipRuntimeGetVersion(int *v);
hipError_t hipDeviceGetPCIBusId(char *text, int n, int device);
hipError_t hipSetDevice(int device);
hipError_t hipMalloc(void **p, size_t n);
hipError_t hipFree(void *p);
hipError_t hipHostMalloc(void **p, size_t n, unsigned flags);
hipError_t hipHostFree(void *p);
hipError_t hipMemcpyAsync(void *to, const void *from, size_t n, hipMemcpyKind,
                          hipStream_t);
hipError_t hipMemsetAsync(void *p, int byte, size_t n, hipStream_t);
hipError_t hipStreamCreateWithFlags(hipStream_t *s, unsigned flags);
hipError_t hipStreamDestroy(hipStream_t s);
hipError_t hipStreamSynchronize(hipStream_t s);
hipError_t hipStreamBeginCapture(hipStream_t s, int mode);
hipError_t hipStreamEndCapture(hipStream_t s, hipGraph_t *g);
hipError_t hipGraphInstantiate(hipGraphExec_t *e, hipGraph_t g, void *, char *,
                               size_t);
hipError_t hipGraphDestroy(hipGraph_t g);
hipError_t hipGraphExecDestroy(hipGraphExec_t e);
hipError_t hipGraphLaunch(hipGraphExec_t e, hipStream_t s);
hipError_t hipEventCreate(hipEvent_t *e);
hipError_t hipEventDestroy(hipEvent_t e);
hipError_t hipEventRecord(hipEvent_t e, hipStream_t s);
hipError_t hipEventSynchronize(hipEvent_t e);
hipError_t hipEventElapsedTime(float *ms, hipEvent_t from, hipEvent_t to);
hipError_t hipDeviceCanAccessPeer(int *can, int a, int b);
hipError_t hipDeviceEnablePeerAccess(int peer, unsigned flags);
hipError_t hipGetLastError(void);
const char *hipGetErrorString(hipError_t e);

#endif
