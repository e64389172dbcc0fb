/* tile - products of 16 x 16 by one wave's matrix unit: all matrix instructions
 * of the portable kernels stand here, behind one #if.
 *
 * An operand is 16 rows of 64 bytes (32 numbers of 16 bit or 64 of 8), of which
 * a lane holds 16 bytes of TILE_ROWS rows: row tile_row(i), bytes 16
 * tile_chunk() and on.  Instructions want other bytes in a lane, but a product
 * does not mind in which order it is summed: both operands are permuted alike,
 * and a lane's loads are 16 bytes wide.
 *
 *   tile_mma<T>(c, a, b):  c[row of a][row of b] += a b^T
 *
 * Attention needs the scores of one product as an operand of the next.  With
 * keys and queries in the right places the accumulators' layout is the
 * operand's, and no data move:
 *   NVIDIA: scores = Q K^T,  out   = P V      (mma m16n8k16)
 *   AMD:    scores = K Q^T,  out^T = V^T P^T  (mfma 16x16x16)
 * Element e of scores belongs to query tile_query(e) and key tile_key(e) of
 * 16. A lane holds V's rows of keys tile_value_key(0 to 3), and of them the 1
 * in TILE_PARTS of the dimensions that begins at tile_part().  Element e of
 * out accumulator j belongs to query tile_value_query(e) and dimension
 * tile_dim<D>(j, e). For at most 8 queries NVIDIA's second product is better
 * turned round, too (out^T = V^T P^T: no row of the unit idles, half the
 * registers): TILE_FEW queries, and the functions with `few`.  The first
 * leaves rows 8 to 15 idle.
 *
 * Sources of the layouts: PTX ISA 8.x, "Matrix Fragments for mma.m16n8k16 and
 * .m16n8k32"; AMD Instinct MI300 ISA guide, chapter 7, and AMD's matrix
 * instruction calculator. */
#ifndef KERNELS_TILE_H
#define KERNELS_TILE_H

#include "kernels/device.h"

enum tile_type { TILE_BF16, TILE_F16, TILE_FP8 };

enum {
    TILE_ROWS = DEVICE_AMD ? 1 : 2,
    TILE_ACC = DEVICE_AMD ? 4 : 8,
    TILE_PARTS = DEVICE_AMD ? 16 : 8, /* lanes that share a row of V */
};

struct tile_frag {
    uint4 r[TILE_ROWS];
};

struct tile_acc {
    float v[TILE_ACC];
};

DEVICE_FN int tile_lane()
{
    return (int)threadIdx.x & (DEVICE_LANES - 1);
}

#if DEVICE_AMD /* ---------------------------------------------------------- */

DEVICE_FN int tile_row(int)
{
    return tile_lane() & 15;
}

DEVICE_FN int tile_chunk()
{
    return tile_lane() >> 4;
}

DEVICE_FN int tile_acc_row(int e)
{
    return (tile_lane() >> 4) * 4 + e;
}

DEVICE_FN int tile_acc_col(int)
{
    return tile_lane() & 15;
}

typedef short tile_bf16x4 __attribute__((vector_size(8)));
typedef float tile_f32x4 __attribute__((vector_size(16)));

template <tile_type T>
DEVICE_FN void tile_step(float *c, uint32_t a0, uint32_t a1, uint32_t b0,
                         uint32_t b1)
{
#if DEVICE_EMU
    const uint32_t a[2] = {a0, a1}, b[2] = {b0, b1};
    emu_mfma(T == TILE_FP8, c, a, b);
#elif DEVICE_PASS
    union {
        uint32_t u[2];
        tile_bf16x4 h;
        long b;
    } x = {{a0, a1}}, y = {{b0, b1}};
    tile_f32x4 d = {c[0], c[1], c[2], c[3]};
    if (T == TILE_FP8)
        d = __builtin_amdgcn_mfma_f32_16x16x32_fp8_fp8(x.b, y.b, d, 0, 0, 0);
    else
        d = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(x.h, y.h, d, 0, 0, 0);
    for (int i = 0; i < 4; i++)
        c[i] = d[i];
#endif
}

template <tile_type T>
DEVICE_FN void tile_mma(tile_acc &c, const tile_frag &a, const tile_frag &b)
{
    tile_step<T>(c.v, a.r[0].x, a.r[0].y, b.r[0].x, b.r[0].y);
    tile_step<T>(c.v, a.r[0].z, a.r[0].w, b.r[0].z, b.r[0].w);
}

DEVICE_FN int tile_query(int)
{
    return tile_lane() & 15;
}

DEVICE_FN int tile_key(int e)
{
    return (tile_lane() >> 4) * 4 + e;
}

template <tile_type T>
DEVICE_FN void tile_scores(tile_acc &s, const tile_frag &q, const tile_frag &k)
{
    tile_mma<T>(s, k, q);
}

/* Over the keys of a query: all lanes with the same query. */
DEVICE_FN float tile_max_keys(float v)
{
    v = fmaxf(v, device_xor(v, 16));
    return fmaxf(v, device_xor(v, 32));
}

DEVICE_FN float tile_sum_keys(float v)
{
    v += device_xor(v, 16);
    return v + device_xor(v, 32);
}

/* Key i (of 4) whose row of V this lane holds. */
DEVICE_FN int tile_value_key(int i)
{
    return (tile_lane() >> 4) * 4 + i;
}

DEVICE_FN int tile_part()
{
    return tile_lane() & 15;
}

enum { TILE_VALUES = 4 /* floats of an out accumulator */ };

template <int D> DEVICE_FN int tile_dim(int j, int e)
{
    return ((tile_lane() >> 4) * 4 + e) * (D / 16) + j;
}

DEVICE_FN int tile_value_query(int)
{
    return tile_lane() & 15;
}

/* p: scores of 16 keys as 16-bit numbers; v: dimension j of 4 keys. */
template <tile_type T>
DEVICE_FN void tile_values(float *out, const uint32_t *p, const uint32_t *v)
{
    tile_step<T>(out, v[0], v[1], p[0], p[1]);
}

enum { TILE_FEW = 16, TILE_FEW_TURNED = 0 };

template <int D> DEVICE_FN int tile_few_dim(int j, int e)
{
    return tile_dim<D>(j, e);
}

DEVICE_FN int tile_few_query(int e)
{
    return tile_value_query(e);
}

DEVICE_FN float tile_few_of(float v, int)
{
    return v;
}

/* lo, hi: two neighbouring dimensions of 4 keys; they take two accumulators. */
template <tile_type T>
DEVICE_FN void tile_few_values(float *out, const uint32_t *p,
                               const uint32_t *lo, const uint32_t *hi)
{
    tile_values<T>(out, p, lo);
    tile_values<T>(out + TILE_VALUES, p, hi);
}

#else /* NVIDIA ------------------------------------------------------------ */

DEVICE_FN int tile_row(int i)
{
    return (tile_lane() >> 2) + 8 * i;
}

DEVICE_FN int tile_chunk()
{
    return tile_lane() & 3;
}

DEVICE_FN int tile_acc_row(int e)
{
    return (tile_lane() >> 2) + 8 * (e >> 1 & 1);
}

DEVICE_FN int tile_acc_col(int e)
{
    return 8 * (e >> 2) + 2 * (tile_lane() & 3) + (e & 1);
}

#define TILE_ASM(shape)                                                        \
    asm volatile("mma.sync.aligned." shape " {%0,%1,%2,%3}, {%4,%5,%6,%7}, "   \
                 "{%8,%9}, {%0,%1,%2,%3};"                                     \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])              \
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1))

template <tile_type T>
DEVICE_FN void tile_step(float *c, uint32_t a0, uint32_t a1, uint32_t a2,
                         uint32_t a3, uint32_t b0, uint32_t b1)
{
#if DEVICE_EMU
    const uint32_t a[4] = {a0, a1, a2, a3}, b[2] = {b0, b1};
    emu_mma((int)T, c, a, b);
#elif DEVICE_PASS
    if (T == TILE_BF16)
        TILE_ASM("m16n8k16.row.col.f32.bf16.bf16.f32");
    else if (T == TILE_F16)
        TILE_ASM("m16n8k16.row.col.f32.f16.f16.f32");
    else
        TILE_ASM("m16n8k32.row.col.f32.e4m3.e4m3.f32");
#endif
}

template <tile_type T>
DEVICE_FN void tile_mma(tile_acc &c, const tile_frag &a, const tile_frag &b)
{
#pragma unroll
    for (int i = 0; i < 2; i++) {
        tile_step<T>(c.v + 4 * i, a.r[0].x, a.r[1].x, a.r[0].y, a.r[1].y,
                     b.r[i].x, b.r[i].y);
        tile_step<T>(c.v + 4 * i, a.r[0].z, a.r[1].z, a.r[0].w, a.r[1].w,
                     b.r[i].z, b.r[i].w);
    }
}

DEVICE_FN int tile_query(int e)
{
    return tile_acc_row(e);
}

DEVICE_FN int tile_key(int e)
{
    return tile_acc_col(e);
}

template <tile_type T>
DEVICE_FN void tile_scores(tile_acc &s, const tile_frag &q, const tile_frag &k)
{
    tile_mma<T>(s, q, k);
}

DEVICE_FN float tile_max_keys(float v)
{
    v = fmaxf(v, device_xor(v, 1));
    return fmaxf(v, device_xor(v, 2));
}

DEVICE_FN float tile_sum_keys(float v)
{
    v += device_xor(v, 1);
    return v + device_xor(v, 2);
}

DEVICE_FN int tile_value_key(int i)
{
    return 2 * (tile_lane() & 3) + (i & 1) + 8 * (i >> 1);
}

DEVICE_FN int tile_part()
{
    return tile_lane() >> 2;
}

enum { TILE_VALUES = 4 };

template <int D> DEVICE_FN int tile_dim(int j, int e)
{
    return (2 * (tile_lane() & 3) + (e & 1)) * (D / 8) + j;
}

DEVICE_FN int tile_value_query(int e)
{
    return (tile_lane() >> 2) + 8 * (e >> 1);
}

template <tile_type T>
DEVICE_FN void tile_values(float *out, const uint32_t *p, const uint32_t *v)
{
    tile_step<T>(out, p[0], p[1], p[2], p[3], v[0], v[1]);
}

enum { TILE_FEW = 8, TILE_FEW_TURNED = 1 };

template <int D> DEVICE_FN int tile_few_dim(int j, int e)
{
    return (tile_lane() >> 2) * (D / 8) + 2 * j + (e >> 1);
}

DEVICE_FN int tile_few_query(int e)
{
    return 2 * (tile_lane() & 3) + (e & 1);
}

/* Scores' queries are a lane's lane / 4, this product's are others: what the
 * lane that has query tile_few_query(e) says. */
DEVICE_FN float tile_few_of(float v, int e)
{
    return device_of(v, 4 * tile_few_query(e));
}

/* lo, hi: two neighbouring dimensions of 4 keys; they share an accumulator.
 * p: of eight queries, so registers 0 and 2. */
template <tile_type T>
DEVICE_FN void tile_few_values(float *out, const uint32_t *p,
                               const uint32_t *lo, const uint32_t *hi)
{
    tile_step<T>(out, lo[0], hi[0], lo[1], hi[1], p[0], p[2]);
}

#endif /* ------------------------------------------------------------------ */

/* Queries of which a lane holds elements: NVIDIA 2 (e bit 1), AMD 1. */
enum { TILE_QUERIES = DEVICE_AMD ? 1 : 2 };

DEVICE_FN int tile_which(int e)
{
    return DEVICE_AMD ? 0 : e >> 1 & 1;
}

/* Scores of 16 keys as an operand, two 16-bit numbers a register. */
template <tile_type T> DEVICE_FN uint32_t tile_pair(float a, float b)
{
#if !DEVICE_AMD
    if (T == TILE_F16) {
#if DEVICE_EMU
        return emu_f16x2(a, b);
#elif DEVICE_PASS
        uint32_t r;
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(b), "f"(a));
        return r;
#endif
    }
#endif
    return device_bf16x2(a, b);
}

template <tile_type T>
DEVICE_FN void tile_probs(uint32_t *p, const float *s)
{
#pragma unroll
    for (int i = 0; i < TILE_ACC / 2; i++)
        p[i] = tile_pair<T>(s[2 * i], s[2 * i + 1]);
}

/* Reads an operand: base points at the first byte of the 64-byte column, rows
 * lie `stride` bytes apart, those from `rows` on are zero. */
DEVICE_FN tile_frag tile_load(const void *base, size_t stride, int rows)
{
    tile_frag f;
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++) {
        const int r = tile_row(i);
        f.r[i] = make_uint4(0, 0, 0, 0);
        if (r < rows)
            f.r[i] = *(const uint4 *)((const char *)base + r * stride +
                                      16 * tile_chunk());
    }
    return f;
}

#endif
