/* copy - bytes moved: gathered blocks of a cache, plain copies, a pure read,
 * and a kernel that does nothing (what a launch costs). A thread has UNROLL
 * loads of 16 bytes in flight; caches are asked not to keep them. */
#include "kernels/device.h"

namespace
{

enum { THREADS = 512, UNROLL = 4, SPAN = THREADS * UNROLL };

DEVICE_FN void move(uint4 *to, const uint4 *from, size_t units, size_t first,
                    size_t stride)
{
    for (size_t base = first * SPAN; base < units; base += stride * SPAN) {
        uint4 v[UNROLL];
#pragma unroll
        for (int i = 0; i < UNROLL; i++) {
            const size_t at = base + threadIdx.x + (size_t)i * THREADS;
            if (at < units)
                v[i] = device_load_once(from + at);
        }
#pragma unroll
        for (int i = 0; i < UNROLL; i++) {
            const size_t at = base + threadIdx.x + (size_t)i * THREADS;
            if (at < units)
                device_store_once(to + at, v[i]);
        }
    }
}

__global__ __launch_bounds__(THREADS) void copy_plain(uint4 *to,
                                                      const uint4 *from,
                                                      size_t units)
{
    move(to, from, units, blockIdx.x, gridDim.x);
}

__global__ __launch_bounds__(THREADS) void copy_gather(call_gather g)
{
    const size_t units = g.block_bytes / 16;
    const uint4 *from = (const uint4 *)g.cache.at;
    const size_t page = (size_t)g.table[blockIdx.x];
    move((uint4 *)g.y + blockIdx.x * units, from + page * units, units,
         blockIdx.y, gridDim.y);
}

/* Every byte takes part in the sum, so no load can be left out. */
__global__ __launch_bounds__(THREADS) void copy_read(const uint4 *from,
                                                     size_t units, float *y)
{
    uint32_t bits = 0;
    for (size_t base = (size_t)blockIdx.x * SPAN; base < units;
         base += (size_t)gridDim.x * SPAN) {
        uint4 v[UNROLL];
#pragma unroll
        for (int i = 0; i < UNROLL; i++) {
            const size_t at = base + threadIdx.x + (size_t)i * THREADS;
            v[i] = at < units ? device_load_once(from + at)
                              : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < UNROLL; i++)
            bits ^= v[i].x ^ v[i].y ^ v[i].z ^ v[i].w;
    }
    if (bits == 0x7fc12345u) /* hardly ever; the compiler cannot know */
        y[1] = 1.0f;
    if (blockIdx.x == 0 && threadIdx.x == 0)
        y[0] = __uint_as_float(0x3f800000u);
}

__global__ void copy_nothing(int)
{
}

const char *lacks(const struct call *c)
{
    if (c->op == CALL_COPY && c->copy.bytes % 16)
        return "bytes are not a multiple of 16";
    if (c->op == CALL_GATHER && c->gather.block_bytes % 16)
        return "a block is not a multiple of 16 bytes";
    return NULL;
}

size_t work(const struct call *, int)
{
    return 0;
}

hipError_t launch_copy(const call_copy &c, int units, hipStream_t s)
{
    const size_t n = c.bytes / 16, spans = (n + SPAN - 1) / SPAN;
    const size_t most = (size_t)units * 4;
    const dim3 grid((unsigned)(spans < most ? spans : most));
    switch (c.kind) {
    case CALL_COPY_KERNEL:
        hipLaunchKernelGGL(copy_plain, grid, dim3(THREADS), 0, s, (uint4 *)c.y,
                           (const uint4 *)c.x.at, n);
        return hipGetLastError();
    case CALL_READ:
        hipLaunchKernelGGL(copy_read, grid, dim3(THREADS), 0, s,
                           (const uint4 *)c.x.at, n, (float *)c.y);
        return hipGetLastError();
    case CALL_COPY_DEVICE:
        return hipMemcpyAsync(c.y, c.x.at, c.bytes, hipMemcpyDeviceToDevice, s);
    case CALL_COPY_IN:
        return hipMemcpyAsync(c.y, c.x.at, c.bytes, hipMemcpyHostToDevice, s);
    case CALL_COPY_OUT:
        break;
    }
    return hipMemcpyAsync(c.y, c.x.at, c.bytes, hipMemcpyDeviceToHost, s);
}

hipError_t launch(const struct call *c, int units, hipStream_t s)
{
    if (c->op == CALL_COPY)
        return launch_copy(c->copy, units, s);
    if (c->op == CALL_EMPTY) {
        hipLaunchKernelGGL(copy_nothing, dim3(1), dim3(32), 0, s, 0);
        return hipGetLastError();
    }
    const call_gather g = c->gather;
    const unsigned parts =
        (unsigned)((g.block_bytes / 16 + SPAN - 1) / SPAN);
    hipLaunchKernelGGL(copy_gather, dim3((unsigned)g.blocks, parts),
                       dim3(THREADS), 0, s, g);
    return hipGetLastError();
}

} // namespace

DEVICE_OP(copy)
