/* fill - numbers by formula, the same on a device and on the host. Element i
 * of a buffer is a pure function of (kind, exp2, seed, first + i): a kernel
 * fills gigabytes at memory speed, and a reference makes again just the
 * elements that it needs.  Magnitudes are a model's: bell-shaped about zero
 * with a deviation of 1.15 * 2^exp2; constant or zero data would draw less
 * power and run at a higher clock than a model does. All integer arithmetic
 * but for one multiplication by a power of two, so both sides agree bit for
 * bit.  Plain C, and C++ for device code.
 *
 * FP8 is e4m3: OCP's (bias 7) on NVIDIA, "fnuz" (bias 8, one zero) on CDNA3. */
#ifndef KERNELS_FILL_H
#define KERNELS_FILL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__CUDACC__) || defined(__HIP__)
#define FILL_FN static inline __host__ __device__
#else
#define FILL_FN static inline
#endif

enum fill_kind {
    FILL_BF16,
    FILL_FP8,
    FILL_FP4,  /* e2m1, two in a byte, the lower nibble first; exp2 unused */
    FILL_E8M0, /* a power of two near 2^exp2, one byte */
    FILL_F32,  /* in [2^exp2, 2^(exp2 + 1)) */
};

struct fill {
    enum fill_kind kind;
    int exp2;
    uint32_t seed;
    uint64_t first; /* number of the element at the buffer's begin */
};

/* C. Wellons' lowbias32: every bit of the result hangs on every bit of x. */
FILL_FN uint32_t fill_mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

FILL_FN uint32_t fill_hash(uint32_t seed, uint64_t i)
{
    return fill_mix((uint32_t)i ^ fill_mix(seed + (uint32_t)(i >> 32)));
}

FILL_FN float fill_pow2(int e)
{
    uint32_t u = (uint32_t)(e + 127) << 23;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* The sum of four bytes, 510 in the mean, 148 its deviation. */
FILL_FN float fill_bell(uint32_t h, int exp2)
{
    int sum = (int)((h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24));
    return (float)(sum - 510) * fill_pow2(exp2 - 7);
}

/* Nearest, ties to even. */
FILL_FN uint16_t fill_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

FILL_FN float fill_of_bf16(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Nearest, ties to even; too large becomes the largest, 448 (fnuz: 240). */
FILL_FN uint8_t fill_to_fp8(float f, bool fnuz)
{
    uint32_t u, sign, a;
    float x = fnuz ? f * 2 : f; /* fnuz holds half of what OCP's bits say */
    memcpy(&u, &x, sizeof u);
    sign = u >> 24 & 0x80u;
    a = u & 0x7fffffffu;
    if (a >= 0x43e00000u + (fnuz ? 0x100000u : 0u)) /* 448, or 480 */
        return (uint8_t)(sign | (fnuz ? 0x7fu : 0x7eu));
    if (a < 0x3c800000u) { /* below 2^-6: steps of 2^-9 */
        float m, big = 16384.0f; /* 2^23 2^-9: adding rounds to a step */
        memcpy(&m, &a, sizeof m);
        m = (m + big) - big;
        a = (uint32_t)(m * 512.0f);
        return (uint8_t)(fnuz && a == 0 ? 0 : sign | a);
    }
    a += 0x7ffffu + (a >> 20 & 1u);
    return (uint8_t)(sign | ((a >> 20) - (120u << 3)));
}

/* OCP's value of the bits; fnuz halves it.  Not-a-number is not made here. */
FILL_FN float fill_of_fp8(uint8_t b, bool fnuz)
{
    uint32_t m = b & 7u, e = b >> 3 & 15u;
    float f = e ? (float)(8 + m) * fill_pow2((int)e - 10)
                : (float)m * fill_pow2(-9);
    if (fnuz)
        f *= 0.5f;
    return b & 0x80u ? -f : f;
}

/* 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives. */
FILL_FN float fill_of_fp4(uint8_t nibble)
{
    uint32_t m = nibble & 1u, e = nibble >> 1 & 3u;
    float f = e ? (float)(2 + m) * fill_pow2((int)e - 2) : (float)m * 0.5f;
    return nibble & 8u ? -f : f;
}

FILL_FN float fill_of_e8m0(uint8_t b)
{
    return fill_pow2((int)b - 127);
}

/* Bits of element i, in the lowest bits of the result. */
FILL_FN uint32_t fill_bits(const struct fill *f, uint64_t i, bool fnuz)
{
    uint32_t h = fill_hash(f->seed, f->first + i), u;
    float x;
    switch (f->kind) {
    case FILL_BF16:
        return fill_to_bf16(fill_bell(h, f->exp2));
    case FILL_FP8:
        return fill_to_fp8(fill_bell(h, f->exp2), fnuz);
    case FILL_FP4:
        return h & 15u;
    case FILL_E8M0:
        return (uint32_t)(126 + f->exp2) + (h & 3u);
    case FILL_F32:
        break;
    }
    x = (float)(256 + (h & 255)) * fill_pow2(f->exp2 - 8);
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Value of element i. */
FILL_FN float fill_value(const struct fill *f, uint64_t i, bool fnuz)
{
    uint32_t bits = fill_bits(f, i, fnuz);
    float x;
    switch (f->kind) {
    case FILL_BF16:
        return fill_of_bf16((uint16_t)bits);
    case FILL_FP8:
        return fill_of_fp8((uint8_t)bits, fnuz);
    case FILL_FP4:
        return fill_of_fp4((uint8_t)bits);
    case FILL_E8M0:
        return fill_of_e8m0((uint8_t)bits);
    case FILL_F32:
        break;
    }
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
