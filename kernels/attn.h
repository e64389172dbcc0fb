/* attn - attention of 16 rows of queries over a paged cache, by one wave, out
 * of registers: the heart of the decode kernel and of the portable prefill
 * kernel.
 *
 * A row is one query head of one token; heads that share a KV head are
 * neighbours: row r of KV head h is token r / group, head h * group + r %
 * group. A wave takes KT * 16 keys at a time.  Keys and values come straight
 * from memory into the matrix unit's operands (tile.h); those of the next turn
 * are loaded as soon as the registers of this one are free, so about 4 to 8
 * KiB a wave are in flight.  Scores are kept in powers of two (the softmax
 * scale includes log2 e), with a running maximum and sum for each query
 * (online softmax: Milakov and Gimelshein, 2018). */
#ifndef KERNELS_ATTN_H
#define KERNELS_ATTN_H

#include "kernels/tile.h"

#define ATTN_LOG2E 1.4426950408889634f

/* D: head size; B: bytes of a cache element; KT: groups of 16 keys a turn;
 * QT: groups of 16 rows a wave, or 0: one of at most TILE_FEW. */
template <int D, int B, int KT, int QT> struct attn_shape {
    enum {
        FEW = QT == 0,
        TURNED = FEW && TILE_FEW_TURNED,
        GROUPS = FEW ? 1 : QT,
        ROWS = FEW ? (int)TILE_FEW : 16 * QT,
        Q_ROWS = TURNED ? 1 : (int)TILE_ROWS, /* of an operand in use */
        QUERIES = TURNED ? 1 : DEVICE_AMD ? 1 : 2,
        KEYS = 16 * KT,
        BLOCKS = D * B / 64,           /* 64-byte columns of a key */
        FRAGS = D / 32,                /* operands of a key, in 16 bit */
        WORDS = D / TILE_PARTS * B / 4, /* of a value that a lane holds */
        PAIRS = D / TILE_PARTS / 2,    /* of dimensions that a lane holds */
        OUTS = TURNED ? (int)PAIRS : 2 * PAIRS, /* out accumulators */
        OUT_STEP = TURNED ? 1 : 2,     /* accumulators of a pair */
    };
    static constexpr tile_type TYPE =
        B == 1 && !DEVICE_AMD ? TILE_F16 : TILE_BF16;
};

template <int D, int B, int KT, int QT> struct attn_wave {
    typedef attn_shape<D, B, KT, QT> S;
    uint4 q[S::GROUPS][S::FRAGS][S::Q_ROWS];
    int place[S::GROUPS][S::QUERIES]; /* of a row's token in its sequence */
    float top[S::GROUPS][S::QUERIES], sum[S::GROUPS][S::QUERIES];
    float out[S::GROUPS][S::OUTS * TILE_VALUES];
    uint4 key[KT][TILE_ROWS][S::BLOCKS];
    uint32_t value[KT][4][S::WORDS];
    int page[KT]; /* of the next turn */
};

template <int D, int B, int KT, int QT> struct attn_scores {
    tile_acc of[attn_shape<D, B, KT, QT>::GROUPS][KT];
};

/* Where a wave's cache is. */
struct attn_cache {
    const char *k, *v;
    const int32_t *table;
    size_t row, page; /* bytes from token to token, block to block */
    int shift, last;  /* log2 of the block; number of the last block */
};

DEVICE_FN attn_cache attn_open(const call_attn &a, int b, int kv_head)
{
    const int bytes = a.kv == CALL_FP8 ? 1 : 2;
    attn_cache c;
    c.row = (size_t)a.kv_heads * a.head_dim * bytes;
    c.page = c.row * a.block;
    c.k = (const char *)a.k.at + (size_t)kv_head * a.head_dim * bytes;
    c.v = (const char *)a.v.at + (size_t)kv_head * a.head_dim * bytes;
    c.table = a.table + (size_t)b * a.table_stride;
    c.shift = 31 - __clz(a.block);
    c.last = (a.kv_len - 1) >> c.shift;
    return c;
}

/* Eight FP8 numbers as 16-bit ones. */
DEVICE_FN uint4 attn_widen(uint32_t low, uint32_t high)
{
#if DEVICE_AMD && !DEVICE_EMU
#if DEVICE_PASS
    uint4 r;
    uint32_t *to = &r.x;
    const uint32_t from[2] = {low, high};
#pragma unroll
    for (int i = 0; i < 2; i++) {
        auto a = __builtin_amdgcn_cvt_pk_f32_fp8((int)from[i], false);
        auto b = __builtin_amdgcn_cvt_pk_f32_fp8((int)from[i], true);
        to[2 * i] = __float_as_uint(a[0]) >> 16 |
                    (__float_as_uint(a[1]) & 0xffff0000u);
        to[2 * i + 1] = __float_as_uint(b[0]) >> 16 |
                        (__float_as_uint(b[1]) & 0xffff0000u);
    }
    return r;
#else
    return make_uint4(low, high, 0, 0);
#endif
#elif DEVICE_EMU
    uint32_t r[4];
    const uint64_t both = low | (uint64_t)high << 32;
    for (int i = 0; i < 4; i++) {
        const float a = fill_of_fp8((uint8_t)(both >> 16 * i), DEVICE_FNUZ);
        const float b = fill_of_fp8((uint8_t)(both >> (16 * i + 8)),
                                    DEVICE_FNUZ);
        r[i] = DEVICE_AMD ? device_bf16x2(a, b) : emu_f16x2(a, b);
    }
    return make_uint4(r[0], r[1], r[2], r[3]);
#else
    uint4 r;
    asm("{.reg .b16 a, b, c, d;\n"
        "mov.b32 {a, b}, %4;\nmov.b32 {c, d}, %5;\n"
        "cvt.rn.f16x2.e4m3x2 %0, a;\ncvt.rn.f16x2.e4m3x2 %1, b;\n"
        "cvt.rn.f16x2.e4m3x2 %2, c;\ncvt.rn.f16x2.e4m3x2 %3, d;}"
        : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
        : "r"(low), "r"(high));
    return r;
#endif
}

/* Operand u of a key, from its raw columns. */
template <int B>
DEVICE_FN uint4 attn_key_part(const uint4 *column, int u)
{
    if (B == 2)
        return column[u];
    const uint4 c = column[u >> 1];
    return u & 1 ? attn_widen(c.z, c.w) : attn_widen(c.x, c.y);
}

/* First dimension of operand u that this lane holds (and seven more). */
template <int B> DEVICE_FN int attn_dim_of(int u)
{
    return B == 2 ? 32 * u + 8 * tile_chunk()
                  : 64 * (u >> 1) + 16 * tile_chunk() + 8 * (u & 1);
}

/* Two bf16 numbers as the type that the keys come in. */
template <tile_type T> DEVICE_FN uint32_t attn_same(uint32_t pair)
{
    return T == TILE_BF16 ? pair
                          : tile_pair<T>(device_low(pair), device_high(pair));
}

/* Rows of one KV head's queries: first, one behind the last, heads a token. */
struct attn_rows {
    int first, end, group;
};

template <int D>
DEVICE_FN const uint16_t *attn_query(const call_attn &a, const void *base,
                                     int b, int kv_head, attn_rows rows, int r)
{
    return (const uint16_t *)base +
           ((size_t)(b * a.q_len + r / rows.group) * a.heads +
            kv_head * rows.group + r % rows.group) * D;
}

/* Reads queries; what lies behind the last is zero. */
template <int D, int B, int KT, int QT>
DEVICE_FN void attn_begin(attn_wave<D, B, KT, QT> &w, const call_attn &a, int b,
                          int kv_head, attn_rows rows)
{
    typedef attn_shape<D, B, KT, QT> S;
#pragma unroll
    for (int t = 0; t < S::GROUPS; t++) {
#pragma unroll
        for (int i = 0; i < S::Q_ROWS; i++) {
            const int r = rows.first + 16 * t + tile_row(i);
            const uint16_t *q =
                attn_query<D>(a, a.q.at, b, kv_head, rows, r);
#pragma unroll
            for (int u = 0; u < S::FRAGS; u++) {
                uint4 x = make_uint4(0, 0, 0, 0);
                if (r < rows.end)
                    x = *(const uint4 *)(q + attn_dim_of<B>(u));
                w.q[t][u][i] = make_uint4(
                    attn_same<S::TYPE>(x.x), attn_same<S::TYPE>(x.y),
                    attn_same<S::TYPE>(x.z), attn_same<S::TYPE>(x.w));
            }
        }
#pragma unroll
        for (int i = 0; i < S::QUERIES; i++) {
            const int r = rows.first + 16 * t + tile_query(2 * i);
            w.place[t][i] =
                a.kv_len - a.q_len + min(r, rows.end - 1) / rows.group;
            w.top[t][i] = -INFINITY;
            w.sum[t][i] = 0;
        }
#pragma unroll
        for (int j = 0; j < S::OUTS * TILE_VALUES; j++)
            w.out[t][j] = 0;
    }
}

template <int D, int B, int KT, int QT>
DEVICE_FN void attn_page(attn_wave<D, B, KT, QT> &w, const attn_cache &c,
                         int key0)
{
#pragma unroll
    for (int t = 0; t < KT; t++)
        w.page[t] = c.table[min((key0 + 16 * t) >> c.shift, c.last)];
}

DEVICE_FN size_t attn_offset(const attn_cache &c, int page, int key)
{
    return page * c.page + (key & ((1 << c.shift) - 1)) * c.row;
}

template <int D, int B, int KT, int QT>
DEVICE_FN void attn_load_keys(attn_wave<D, B, KT, QT> &w, const attn_cache &c,
                              const int *page, int key0)
{
    typedef attn_shape<D, B, KT, QT> S;
#pragma unroll
    for (int t = 0; t < KT; t++)
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            const char *p = c.k + 16 * tile_chunk() +
                            attn_offset(c, page[t],
                                        key0 + 16 * t + tile_row(i));
#pragma unroll
            for (int n = 0; n < S::BLOCKS; n++)
                w.key[t][i][n] = *(const uint4 *)(p + 64 * n);
        }
}

template <int WORDS>
DEVICE_FN void attn_words(uint32_t *to, const char *from)
{
    if (WORDS % 4 == 0) {
#pragma unroll
        for (int n = 0; n < WORDS / 4; n++)
            *(uint4 *)(to + 4 * n) = *(const uint4 *)(from + 16 * n);
    } else if (WORDS == 2) {
        const uint2 v = *(const uint2 *)from;
        to[0] = v.x;
        to[1] = v.y;
    } else {
        to[0] = *(const uint32_t *)from;
    }
}

template <int D, int B, int KT, int QT>
DEVICE_FN void attn_load_values(attn_wave<D, B, KT, QT> &w, const attn_cache &c,
                                const int *page, int key0)
{
    typedef attn_shape<D, B, KT, QT> S;
#pragma unroll
    for (int t = 0; t < KT; t++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            attn_words<S::WORDS>(
                w.value[t][i],
                c.v + 4 * S::WORDS * tile_part() +
                    attn_offset(c, page[t], key0 + 16 * t + tile_value_key(i)));
}

/* Dimensions 2 w and 2 w + 1 of the four keys a lane holds, as two operands. */
template <int B>
DEVICE_FN void attn_pack(uint32_t (&lo)[2], uint32_t (&hi)[2],
                         const uint32_t *k0, const uint32_t *k1,
                         const uint32_t *k2, const uint32_t *k3, int w)
{
    uint32_t x[4];
    if (B == 2) {
        x[0] = k0[w];
        x[1] = k1[w];
        x[2] = k2[w];
        x[3] = k3[w];
    } else {
        const int n = w >> 1;
        const uint4 a = attn_widen(k0[n], k1[n]), b = attn_widen(k2[n], k3[n]);
        x[0] = w & 1 ? a.y : a.x;
        x[1] = w & 1 ? a.w : a.z;
        x[2] = w & 1 ? b.y : b.x;
        x[3] = w & 1 ? b.w : b.z;
    }
    lo[0] = (x[0] & 0xffffu) | x[1] << 16;
    lo[1] = (x[2] & 0xffffu) | x[3] << 16;
    hi[0] = x[0] >> 16 | (x[1] & 0xffff0000u);
    hi[1] = x[2] >> 16 | (x[3] & 0xffff0000u);
}

/* Hides keys that a query may not see. */
template <int D, int B, int KT, int QT>
DEVICE_FN void attn_mask(attn_scores<D, B, KT, QT> &s,
                         const attn_wave<D, B, KT, QT> &w, int key0, int window)
{
    typedef attn_shape<D, B, KT, QT> S;
#pragma unroll
    for (int t = 0; t < S::GROUPS; t++)
#pragma unroll
        for (int n = 0; n < KT; n++)
#pragma unroll
            for (int e = 0; e < TILE_ACC; e++) {
                if (tile_which(e) >= S::QUERIES)
                    continue;
                const int key = key0 + 16 * n + tile_key(e);
                const int place = w.place[t][tile_which(e)];
                if (key > place || (window && key <= place - window))
                    s.of[t][n].v[e] = -INFINITY;
            }
}

/* Results shrink to a larger maximum. */
template <int D, int B, int KT, int QT>
DEVICE_FN void attn_shrink(attn_wave<D, B, KT, QT> &w, int t,
                           const float *by)
{
    typedef attn_shape<D, B, KT, QT> S;
    float f[TILE_VALUES];
#pragma unroll
    for (int e = 0; e < TILE_VALUES; e++)
        f[e] = S::TURNED ? (e < 2 ? tile_few_of(by[0], e) : f[e & 1])
                         : by[tile_which(e)];
#pragma unroll
    for (int j = 0; j < S::OUTS; j++)
#pragma unroll
        for (int e = 0; e < TILE_VALUES; e++)
            w.out[t][TILE_VALUES * j + e] *= f[e];
}

/* Scores become weights; the running sums and results shrink when a larger
 * maximum is found. */
template <int D, int B, int KT, int QT>
DEVICE_FN void attn_softmax(attn_scores<D, B, KT, QT> &s,
                            attn_wave<D, B, KT, QT> &w, float scale)
{
    typedef attn_shape<D, B, KT, QT> S;
#pragma unroll
    for (int t = 0; t < S::GROUPS; t++) {
        float low[S::QUERIES], by[S::QUERIES];
#pragma unroll
        for (int i = 0; i < S::QUERIES; i++) {
            float top = w.top[t][i];
#pragma unroll
            for (int n = 0; n < KT; n++)
#pragma unroll
                for (int e = 0; e < TILE_ACC; e++)
                    if (tile_which(e) == i)
                        top = fmaxf(top, s.of[t][n].v[e]);
            top = tile_max_keys(top);
            /* no key seen yet: weights must come out as 0, not as NaN */
            low[i] = top == -INFINITY ? 0 : top * scale;
            by[i] = device_exp2(fmaf(w.top[t][i], scale, -low[i]));
            w.top[t][i] = top;
            w.sum[t][i] *= by[i];
        }
        attn_shrink<D, B, KT, QT>(w, t, by);
#pragma unroll
        for (int n = 0; n < KT; n++)
#pragma unroll
            for (int e = 0; e < TILE_ACC; e++) {
                const int i = tile_which(e);
                if (i >= S::QUERIES)
                    continue;
                const float p =
                    device_exp2(fmaf(s.of[t][n].v[e], scale, -low[i]));
                w.sum[t][i] += p;
                s.of[t][n].v[e] = p;
            }
    }
}

/* Weights times values of group n of 16 keys. */
template <int D, int B, int KT, int QT>
DEVICE_FN void attn_add(attn_wave<D, B, KT, QT> &w,
                        const attn_scores<D, B, KT, QT> &s, int n)
{
    typedef attn_shape<D, B, KT, QT> S;
    uint32_t p[S::GROUPS][TILE_ACC / 2];
#pragma unroll
    for (int t = 0; t < S::GROUPS; t++)
        tile_probs<S::TYPE>(p[t], s.of[t][n].v);
#pragma unroll
    for (int j = 0; j < S::PAIRS; j++) {
        uint32_t lo[2], hi[2];
        attn_pack<B>(lo, hi, w.value[n][0], w.value[n][1], w.value[n][2],
                     w.value[n][3], j);
#pragma unroll
        for (int t = 0; t < S::GROUPS; t++) {
            float *out = w.out[t] + S::OUT_STEP * j * TILE_VALUES;
            if (S::FEW) {
                tile_few_values<S::TYPE>(out, p[t], lo, hi);
            } else {
                tile_values<S::TYPE>(out, p[t], lo);
                tile_values<S::TYPE>(out + TILE_VALUES, p[t], hi);
            }
        }
    }
}

/* Turns of a walk: at from, from + step ... below to.  Every row sees the keys
 * up to `clear` (unless a window hides them). */
struct attn_turns {
    int from, to, step, clear;
};

template <int D, int B, int KT, int QT>
DEVICE_FN void attn_walk(attn_wave<D, B, KT, QT> &w, const attn_cache &c,
                         const call_attn &a, attn_turns turns)
{
    typedef attn_shape<D, B, KT, QT> S;
    const int from = turns.from, to = turns.to, step = turns.step;
    const float scale = rsqrtf((float)D) * ATTN_LOG2E;
    int page[KT];

    if (from >= to)
        return;
    attn_page(w, c, from);
    attn_load_keys(w, c, w.page, from);
    attn_load_values(w, c, w.page, from);
    attn_page(w, c, from + step);
    for (int key0 = from; key0 < to; key0 += step) {
        const bool more = key0 + step < to;
        attn_scores<D, B, KT, QT> s = {};
#pragma unroll
        for (int n = 0; n < KT; n++)
#pragma unroll
            for (int u = 0; u < S::FRAGS; u++) {
                tile_frag k;
#pragma unroll
                for (int i = 0; i < TILE_ROWS; i++)
                    k.r[i] = attn_key_part<B>(w.key[n][i], u);
#pragma unroll
                for (int t = 0; t < S::GROUPS; t++) {
                    tile_frag q;
#pragma unroll
                    for (int i = 0; i < TILE_ROWS; i++)
                        q.r[i] = i < S::Q_ROWS ? w.q[t][u][i]
                                               : make_uint4(0, 0, 0, 0);
                    tile_scores<S::TYPE>(s.of[t][n], q, k);
                }
            }
#pragma unroll
        for (int n = 0; n < KT; n++)
            page[n] = w.page[n];
        if (more) {
            attn_load_keys(w, c, page, key0 + step);
            attn_page(w, c, key0 + 2 * step);
        }
        if (key0 + S::KEYS - 1 > turns.clear || a.window)
            attn_mask<D, B, KT, QT>(s, w, key0, a.window);
        attn_softmax<D, B, KT, QT>(s, w, scale);
#pragma unroll
        for (int n = 0; n < KT; n++)
            attn_add<D, B, KT, QT>(w, s, n);
        if (more)
            attn_load_values(w, c, page, key0 + step);
    }
}

#endif
