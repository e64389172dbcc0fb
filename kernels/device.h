/* device - HIP for all kernels, and the few things that HIP names differently
 * on its two platforms or not at all. Three targets share each source:
 *   AMD CDNA3   clang++ -x hip --offload-arch=gfx942
 *   NVIDIA      nvcc -x cu; HIP's own NVIDIA headers over CUDA
 *   emulator    g++ with kernels/emu first among the includes: one thread at
 *               a time on the host; waves of EMU_LANES, that platform's layouts
 * DEVICE_AMD says whose layouts hold; DEVICE_EMU that there is no device. */
#ifndef KERNELS_DEVICE_H
#define KERNELS_DEVICE_H

#if defined(__NVCC__)
#include "tools/hip/hip_cuda13_compat.h"
#endif
#include <hip/hip_runtime.h>

#include "kernels/plugin.h"

#if defined(EMU_LANES)
#define DEVICE_EMU 1
#define DEVICE_AMD (EMU_LANES == 64)
#else
#define DEVICE_EMU 0
#ifdef __HIP_PLATFORM_AMD__
#define DEVICE_AMD 1
#else
#define DEVICE_AMD 0
#endif
#endif

/* Device code is compiled now (and not the host's half of the same file). */
#if DEVICE_EMU || defined(__CUDA_ARCH__) ||                                    \
    (defined(__HIP_DEVICE_COMPILE__) && __HIP_DEVICE_COMPILE__)
#define DEVICE_PASS 1
#else
#define DEVICE_PASS 0
#endif

/* Instructions of Hopper alone (sm_90a), or their emulation. */
#if DEVICE_EMU
#define DEVICE_HOPPER (!DEVICE_AMD)
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define DEVICE_HOPPER 1
#else
#define DEVICE_HOPPER 0
#endif

enum {
    DEVICE_LANES = DEVICE_AMD ? 64 : 32,
    DEVICE_FNUZ = DEVICE_AMD, /* FP8 format, kernels/fill.h */
};

#define DEVICE_FN static __device__ __forceinline__

/* Shared memory whose size the launch gives; 1024-aligned. */
#if DEVICE_EMU
#define DEVICE_SHARED(name) unsigned char *const name = emu_shared()
#else
#define DEVICE_SHARED(name)                                                    \
    extern __shared__ __attribute__((aligned(1024))) unsigned char name[]
#endif

/* The other lane's value; all lanes of a wave take part. */
template <class T> DEVICE_FN T device_xor(T v, int mask)
{
#if DEVICE_EMU
    return emu_xor(v, mask);
#elif DEVICE_AMD
    return __shfl_xor(v, mask);
#else
    return __shfl_xor_sync(0xffffffffu, v, mask);
#endif
}

/* The value of lane `from`. */
template <class T> DEVICE_FN T device_of(T v, int from)
{
#if DEVICE_EMU
    return emu_of(v, from);
#elif DEVICE_AMD
    return __shfl(v, from);
#else
    return __shfl_sync(0xffffffffu, v, from);
#endif
}

/* Lanes of one wave wait for each other's shared memory. */
DEVICE_FN void device_wave_sync()
{
#if DEVICE_EMU
    emu_wave_sync();
#elif DEVICE_AMD
    __builtin_amdgcn_wave_barrier();
    __threadfence_block();
#else
    __syncwarp();
#endif
}

/* Inside a loop that waits for another block or device. */
DEVICE_FN void device_spin()
{
#if DEVICE_EMU
    emu_spin();
#elif DEVICE_AMD && DEVICE_PASS
    __builtin_amdgcn_s_sleep(1);
#endif
}

/* 2^x by the unit for it, to about 22 bits. */
DEVICE_FN float device_exp2(float x)
{
#if DEVICE_EMU
    return exp2f(x);
#elif DEVICE_AMD
    return __builtin_amdgcn_exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

DEVICE_FN uint16_t device_bf16(float f)
{
    return fill_to_bf16(f);
}

/* Two values as bf16, a in the lower half. */
DEVICE_FN uint32_t device_bf16x2(float a, float b)
{
#if DEVICE_EMU || DEVICE_AMD
    return device_bf16(a) | (uint32_t)device_bf16(b) << 16;
#else
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(b), "f"(a));
    return r;
#endif
}

DEVICE_FN float device_low(uint32_t bf16x2)
{
    return __uint_as_float(bf16x2 << 16);
}

DEVICE_FN float device_high(uint32_t bf16x2)
{
    return __uint_as_float(bf16x2 & 0xffff0000u);
}

/* Four values as FP8, a in the lowest byte; too large becomes the largest. */
DEVICE_FN uint32_t device_fp8x4(float a, float b, float c, float d)
{
#if DEVICE_EMU
    return fill_to_fp8(a, DEVICE_FNUZ) | fill_to_fp8(b, DEVICE_FNUZ) << 8 |
           fill_to_fp8(c, DEVICE_FNUZ) << 16 |
           (uint32_t)fill_to_fp8(d, DEVICE_FNUZ) << 24;
#elif DEVICE_AMD && DEVICE_PASS
    const float top = 240.0f; /* the unit does not stop there by itself */
    int r = 0;
    r = __builtin_amdgcn_cvt_pk_fp8_f32(fminf(fmaxf(a, -top), top),
                                        fminf(fmaxf(b, -top), top), r, false);
    r = __builtin_amdgcn_cvt_pk_fp8_f32(fminf(fmaxf(c, -top), top),
                                        fminf(fmaxf(d, -top), top), r, true);
    return (uint32_t)r;
#elif DEVICE_PASS
    uint16_t low, high;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(low) : "f"(b), "f"(a));
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;"
        : "=h"(high)
        : "f"(d), "f"(c));
    return low | (uint32_t)high << 16;
#else
    return 0;
#endif
}

/* Loads and stores that ask no cache to keep them. */
DEVICE_FN uint4 device_load_once(const uint4 *p)
{
#if DEVICE_EMU
    return *p;
#elif DEVICE_AMD
    typedef uint32_t vec __attribute__((ext_vector_type(4)));
    vec v = __builtin_nontemporal_load((const vec *)p);
    return make_uint4(v.x, v.y, v.z, v.w);
#else
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(p));
    return v;
#endif
}

DEVICE_FN void device_store_once(uint4 *p, uint4 v)
{
#if DEVICE_EMU
    *p = v;
#elif DEVICE_AMD
    typedef uint32_t vec __attribute__((ext_vector_type(4)));
    vec w = {v.x, v.y, v.z, v.w};
    __builtin_nontemporal_store(w, (vec *)p);
#else
    asm volatile("st.global.cs.v4.u32 [%0], {%1,%2,%3,%4};" ::"l"(p), "r"(v.x),
                 "r"(v.y), "r"(v.z), "r"(v.w)
                 : "memory");
#endif
}

/* Sum and maximum over the lanes of a wave. */
DEVICE_FN float device_wave_sum(float v)
{
    for (int mask = DEVICE_LANES / 2; mask; mask >>= 1)
        v += device_xor(v, mask);
    return v;
}

DEVICE_FN float device_wave_max(float v)
{
    for (int mask = DEVICE_LANES / 2; mask; mask >>= 1)
        v = fmaxf(v, device_xor(v, mask));
    return v;
}

/* ---- host: what a kernel file shows, as one function device_NAME() ---- */

struct device_op {
    const char *(*lacks)(const struct call *c); /* NULL: has it */
    size_t (*work)(const struct call *c, int units);
    /* queues kernels on the stream */
    hipError_t (*launch)(const struct call *c, int units, hipStream_t s);
};
typedef const struct device_op *device_op_of(void);

/* At the foot of a kernel file with its lacks, work and launch. */
#define DEVICE_OP(name)                                                        \
    device_op_of device_##name;                                                \
    const struct device_op *device_##name(void)                                \
    {                                                                          \
        static const struct device_op op = {lacks, work, launch};              \
        return &op;                                                            \
    }

/* Raises a kernel's limit of shared memory to what a launch needs. */
template <class K> static hipError_t device_allow(K kernel, size_t bytes)
{
#if DEVICE_EMU || DEVICE_AMD
    (void)kernel;
    (void)bytes;
    return hipSuccess;
#else
    return hipFuncSetAttribute((const void *)kernel,
                               hipFuncAttributeMaxDynamicSharedMemorySize,
                               (int)bytes);
#endif
}

static inline __host__ __device__ int device_ceil(int a, int b)
{
    return (a + b - 1) / b;
}

#endif
