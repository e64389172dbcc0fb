/* hopper - instructions that only sm_90a has: warpgroup products (wgmma) out of
 * shared memory, barriers there, copies that do not pass through registers.
 * On the emulator the same names do the same things, so a kernel's use of
 * layouts and barriers is checked without a device.
 *
 * A warpgroup is four waves of 32 from a multiple of 128.  Accumulator i of a
 * thread belongs to row (lane / 4) + 8 (i / 2 % 2) of its wave's 16 and column
 * 8 (i / 4) + 2 (lane % 4) + i % 2.  Operands in shared memory are rows of 128
 * bytes, eight of them a kilobyte, with 16-byte units swizzled: unit u of row r
 * lies at u ^ (r % 8); a buffer begins at a multiple of 1024.
 * Sources: PTX ISA 8.x, "Asynchronous warpgroup level matrix instructions" and
 * "Matrix descriptor"; layouts as in CUTLASS, cute/arch/mma_sm90_desc.hpp. */
#ifndef KERNELS_HOPPER_H
#define KERNELS_HOPPER_H

#include "kernels/device.h"

#if DEVICE_HOPPER

DEVICE_FN uint32_t hopper_address(const void *p)
{
#if DEVICE_EMU
    return (uint32_t)emu_shared_address(p);
#else
    return (uint32_t)__cvta_generic_to_shared(p);
#endif
}

/* ---- barriers: `count` arrivals end a phase; phases have parities 0 1 0 ...
 */

DEVICE_FN void hopper_bar_init(void *bar, int count)
{
#if DEVICE_EMU
    emu_mbar_init(bar, count);
#else
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(
                     hopper_address(bar)),
                 "r"(count)
                 : "memory");
#endif
}

DEVICE_FN void hopper_bar_arrive(void *bar)
{
#if DEVICE_EMU
    emu_mbar_arrive(bar);
#else
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(
                     hopper_address(bar))
                 : "memory");
#endif
}

/* Until the phase of that parity is over. */
DEVICE_FN void hopper_bar_wait(void *bar, int parity)
{
#if DEVICE_EMU
    emu_mbar_wait(bar, parity);
#else
    asm volatile("{\n.reg .pred p;\nWAIT:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
                 "@p bra DONE;\nbra WAIT;\nDONE:\n}" ::"r"(hopper_address(bar)),
                 "r"(parity)
                 : "memory");
#endif
}

/* ---- copies from global memory: 16 bytes, or zeros where there are none ----
 */

DEVICE_FN void hopper_copy(void *to, const void *from, bool there)
{
#if DEVICE_EMU
    if (there)
        memcpy(to, from, 16);
    else
        memset(to, 0, 16);
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     hopper_address(to)),
                 "l"(from), "r"(there ? 16 : 0)
                 : "memory");
#endif
}

DEVICE_FN void hopper_copy_commit()
{
#if !DEVICE_EMU
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Until at most N of this thread's groups of copies are on their way. */
template <int N> DEVICE_FN void hopper_copy_wait()
{
#if !DEVICE_EMU
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

/* This thread's writes to shared memory become visible to wgmma. */
DEVICE_FN void hopper_fence()
{
#if !DEVICE_EMU
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

/* A warpgroup's registers a thread: fewer for who copies, more for who
 * multiplies. */
template <int N> DEVICE_FN void hopper_fewer()
{
#if !DEVICE_EMU
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
#endif
}

template <int N> DEVICE_FN void hopper_more()
{
#if !DEVICE_EMU
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
#endif
}

/* ---- products ---- */

/* Descriptor of an operand: bytes from one 64-number column to the next (used
 * where MN is contiguous), bytes from one group of eight rows to the next. */
DEVICE_FN uint64_t hopper_operand(const void *p, uint32_t column,
                                  uint32_t group)
{
    return (uint64_t)((hopper_address(p) & 0x3ffffu) >> 4) |
           (uint64_t)(column >> 4) << 16 | (uint64_t)(group >> 4) << 32 |
           (uint64_t)1 << 62; /* swizzle of 128 bytes */
}

DEVICE_FN void hopper_begin()
{
#if !DEVICE_EMU
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

DEVICE_FN void hopper_commit()
{
#if !DEVICE_EMU
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

/* Until at most N groups of products are on their way. */
template <int N> DEVICE_FN void hopper_wait()
{
#if !DEVICE_EMU
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
#endif
}

/* Keeps uses of accumulators on their side of a wait. */
template <int N> DEVICE_FN void hopper_settle(float (&v)[N])
{
#if !DEVICE_EMU
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+f"(v[i])::"memory");
#endif
}

#if !DEVICE_EMU
#define HOPPER_8(v, i)                                                         \
    "+f"(v[i]), "+f"(v[i + 1]), "+f"(v[i + 2]), "+f"(v[i + 3]),                \
        "+f"(v[i + 4]), "+f"(v[i + 5]), "+f"(v[i + 6]), "+f"(v[i + 7])
#define HOPPER_32(v, i)                                                        \
    HOPPER_8(v, i), HOPPER_8(v, i + 8), HOPPER_8(v, i + 16),                   \
        HOPPER_8(v, i + 24)
#define HOPPER_LIST_32                                                         \
    "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,"   \
    "%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define HOPPER_LIST_64                                                         \
    HOPPER_LIST_32                                                             \
    ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,"    \
    "%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#endif

/* c (64 x 128) = [c +] a b^T, both k-major in shared memory; 16 of k. */
DEVICE_FN void hopper_scores(float (&c)[64], uint64_t a, uint64_t b, int keep)
{
#if DEVICE_EMU
    emu_wgmma(c, 128, NULL, a, b, keep, true);
#else
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
        "{" HOPPER_LIST_64 "}, %64, %65, p, 1, 1, 0, 0;\n}"
        : HOPPER_32(c, 0), HOPPER_32(c, 32)
        : "l"(a), "l"(b), "r"(keep));
#endif
}

/* c (64 x 128, or 64 x 64) = [c +] a b: a in registers, b in shared memory with
 * its columns contiguous; 16 of k. */
DEVICE_FN void hopper_values(float (&c)[64], const uint32_t *a, uint64_t b,
                             int keep)
{
#if DEVICE_EMU
    emu_wgmma(c, 128, a, 0, b, keep, false);
#else
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
        "{" HOPPER_LIST_64 "}, {%64,%65,%66,%67}, %68, p, 1, 1, 1;\n}"
        : HOPPER_32(c, 0), HOPPER_32(c, 32)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(keep));
#endif
}

DEVICE_FN void hopper_values(float (&c)[32], const uint32_t *a, uint64_t b,
                             int keep)
{
#if DEVICE_EMU
    emu_wgmma(c, 64, a, 0, b, keep, false);
#else
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %37, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
        "{" HOPPER_LIST_32 "}, {%32,%33,%34,%35}, %36, p, 1, 1, 1;\n}"
        : HOPPER_32(c, 0)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(keep));
#endif
}

#endif /* DEVICE_HOPPER */
#endif
