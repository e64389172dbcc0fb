/* attn_prefill - causal attention of a chunk of new tokens over a paged cache
 * that holds them and what came before.
 *
 * Portable: a wave takes 32 rows (token and query head, attn.h) and walks over
 * their keys; the waves of a block are neighbours and share what the caches
 * hold.
 *
 * Hopper: a block takes 128 tokens of one head.  One warpgroup brings tiles of
 * 128 keys and of 128 values into two stages of shared memory (FP8 ones
 * through its registers, as bf16); two warpgroups of 64 tokens each multiply.
 * For tile i, with S the scores and P their weights:
 *
 *   S_i = Q K_i^T is started, then O += P_(i-1) V_(i-1); while the latter runs,
 *   S_i becomes P_i, and O is rescaled when both are done.
 *
 * So exponentials overlap products, as in FlashAttention-3 (Shah et al., 2024,
 * section 3.2).  A copy's stage goes round: full (by the 128 copying threads,
 * each after its own bytes are there), read, empty (by a lane of each of the
 * eight multiplying waves).  Both begin with the block's longest rows, heads
 * that share keys next to each other. */
#include "kernels/attn.h"
#include "kernels/hopper.h"

namespace
{

enum { WAVES = 4, THREADS = WAVES * DEVICE_LANES };

template <int D, int B, int KT, int QT>
__global__ __launch_bounds__(THREADS) void prefill_portable(call_attn a)
{
    typedef attn_shape<D, B, KT, QT> S;
    const int b = (int)blockIdx.z, kv_head = (int)blockIdx.x;
    const int group = a.heads / a.kv_heads, end = a.q_len * group;
    const int wave = (int)threadIdx.x / DEVICE_LANES;
    const int row0 =
        ((int)(gridDim.y - 1 - blockIdx.y) * WAVES + wave) * S::ROWS;
    const attn_rows rows = {row0, end, group};
    const int first = a.kv_len - a.q_len + row0 / group;
    const int last =
        a.kv_len - a.q_len + (min(row0 + S::ROWS, end) - 1) / group;
    const int seen = a.window ? max(first - a.window + 1, 0) / 16 * 16 : 0;
    attn_wave<D, B, KT, QT> w;

    if (row0 >= end)
        return;
    attn_begin(w, a, b, kv_head, rows);
    attn_walk(w, attn_open(a, b, kv_head), a,
              {seen, last + 1, S::KEYS, first});
#pragma unroll
    for (int t = 0; t < S::GROUPS; t++) {
        float over[S::QUERIES];
#pragma unroll
        for (int i = 0; i < S::QUERIES; i++)
            over[i] = 1.0f / tile_sum_keys(w.sum[t][i]);
#pragma unroll
        for (int j = 0; j < S::OUTS; j++)
#pragma unroll
            for (int e = 0; e < TILE_VALUES; e++) {
                const int r = row0 + 16 * t + tile_value_query(e);
                uint16_t *y =
                    (uint16_t *)attn_query<D>(a, a.y, b, kv_head, rows, r);
                if (r < end)
                    y[tile_dim<D>(j, e)] =
                        device_bf16(w.out[t][TILE_VALUES * j + e] *
                                    over[tile_which(e)]);
            }
    }
}

template <int D, int B, int KT>
void launch_portable(const call_attn a, hipStream_t s)
{
    /* two groups of 16 rows are too many registers for NVIDIA's 255 */
    enum { QT = DEVICE_AMD || D == 64 ? 2 : 1 };
    const int rows = a.q_len * (a.heads / a.kv_heads);
    const dim3 grid(a.kv_heads, device_ceil(rows, WAVES * 16 * QT), a.batch);
    hipLaunchKernelGGL((prefill_portable<D, B, KT, QT>), grid, dim3(THREADS), 0,
                       s, a);
}

#if !DEVICE_AMD /* ---- Hopper ---------------------------------------------- */

enum {
    TILE = 128, /* tokens and keys */
    HALF = TILE / 2,
    HOPPER_THREADS = 384,
    COPIERS = 128,
    READERS = 8, /* waves */
    KEYS = 0,
    VALUES = 1,
    STAGES = 2,
};

/* Bytes of one tile: D / 64 columns of 128 rows of 128 bytes. */
template <int D> struct layout {
    enum {
        TILE_BYTES = TILE * D * 2,
        COLUMN = TILE * 128,
        Q = 0, /* two halves of 64 tokens */
        KV = TILE_BYTES,
        BARS = KV + 2 * STAGES * TILE_BYTES,
        TOTAL = BARS + 64,
    };
};

/* Registers a thread, in steps of 8; a block has 168 x 384 of them to share,
 * what its launch bounds give, and waits for ever for more. */
template <int B> constexpr int COPIER_REGS = B == 1 ? 80 : 56;
template <int B> constexpr int READER_REGS = B == 1 ? 208 : 224;
static_assert(COPIER_REGS<1> + 2 * READER_REGS<1> <= 3 * 168 &&
                  COPIER_REGS<2> + 2 * READER_REGS<2> <= 3 * 168,
              "more registers than the block has");

struct range {
    int first, count; /* tiles of keys */
};

DEVICE_FN range tiles_of(const call_attn &a, int token0)
{
    const int past = a.kv_len - a.q_len;
    const int end = min(past + token0 + TILE, a.kv_len);
    const int begin = a.window ? max(past + token0 - a.window + 1, 0) : 0;
    return {begin / TILE, (end + TILE - 1) / TILE - begin / TILE};
}

#if DEVICE_HOPPER

DEVICE_FN unsigned char *bar_of(unsigned char *bars, bool full, int what,
                                int stage)
{
    return bars + 8 * (4 * full + 2 * what + stage);
}

/* Unit u of row r in a column of 128-byte rows. */
DEVICE_FN int swizzled(int r, int u)
{
    return r * 128 + 16 * (u ^ (r & 7));
}

template <int D>
DEVICE_FN void copy_queries(unsigned char *to, const call_attn &a, int b,
                            int head, int token0)
{
    const int t = (int)threadIdx.x & (COPIERS - 1);
    for (int i = t; i < TILE * D / 8; i += COPIERS) {
        const int u = i % (D / 8), row = i / (D / 8);
        const bool there = token0 + row < a.q_len;
        const size_t at =
            ((size_t)(b * a.q_len + (there ? token0 + row : 0)) * a.heads +
             head) * D + 8 * u;
        /* half, then column of 64 dimensions, then row */
        hopper_copy(to + row / HALF * (HALF * D * 2) +
                        u / 8 * (HALF * 128) + swizzled(row % HALF, u % 8),
                    (const uint16_t *)a.q.at + at, there);
    }
}

/* Where a tile comes from. */
struct source {
    const char *at; /* keys or values */
    int key0, kv_len;
};

DEVICE_FN const char *row_of(const source &s, const attn_cache &c, int row)
{
    const int key = s.key0 + row;
    const int page = c.table[min(key >> c.shift, c.last)];
    return s.at + attn_offset(c, page, key);
}

/* A tile of keys or values: this thread's unit of every 16th row. */
template <int D>
DEVICE_FN void copy_tile(unsigned char *to, const source &s,
                         const attn_cache &c)
{
    const int t = (int)threadIdx.x & (COPIERS - 1), u = t & 7;
#pragma unroll
    for (int i = 0; i < TILE / 16; i++) {
        const int row = (t >> 3) + 16 * i;
        const char *p = row_of(s, c, row) + 16 * u;
#pragma unroll
        for (int n = 0; n < D / 64; n++)
            hopper_copy(to + n * layout<D>::COLUMN + swizzled(row, u),
                        p + 128 * n, s.key0 + row < s.kv_len);
    }
}

/* Four FP8 numbers as bf16: their bits, put at the lower end of bf16's
 * exponent, are the numbers times 2^-120, also the smallest. */
DEVICE_FN uint2 widen(uint32_t v)
{
    const uint32_t up = 0x7b807b80u; /* 2^120 twice */
    uint32_t r[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const uint32_t pair = i ? v >> 16 : v;
        const uint32_t spread = (pair & 0xffu) | (pair & 0xff00u) << 8;
        r[i] = (spread & 0x00800080u) << 8 | (spread & 0x007f007fu) << 4;
#if DEVICE_EMU
        r[i] = device_bf16x2(device_low(r[i]) * device_low(up),
                             device_high(r[i]) * device_high(up));
#else
        asm("mul.bf16x2 %0, %0, %1;" : "+r"(r[i]) : "r"(up));
#endif
    }
    return make_uint2(r[0], r[1]);
}

/* The same from an FP8 cache: all loads first, then eight numbers a unit. */
template <int D>
DEVICE_FN void widen_tile(unsigned char *to, const source &s,
                          const attn_cache &c)
{
    const int t = (int)threadIdx.x & (COPIERS - 1), u = t & 7;
    uint2 held[TILE / 16][D / 64];
#pragma unroll
    for (int i = 0; i < TILE / 16; i++) {
        const int row = (t >> 3) + 16 * i;
        const char *p = row_of(s, c, row) + 8 * u;
#pragma unroll
        for (int n = 0; n < D / 64; n++)
            held[i][n] = s.key0 + row < s.kv_len ? *(const uint2 *)(p + 64 * n)
                                                 : make_uint2(0, 0);
    }
#pragma unroll
    for (int i = 0; i < TILE / 16; i++)
#pragma unroll
        for (int n = 0; n < D / 64; n++) {
            const uint2 a = widen(held[i][n].x), b = widen(held[i][n].y);
            *(uint4 *)(to + n * layout<D>::COLUMN +
                       swizzled((t >> 3) + 16 * i, u)) =
                make_uint4(a.x, a.y, b.x, b.y);
        }
}

template <int D, int B>
DEVICE_FN void copier(const call_attn &a, unsigned char *shared, range r, int b,
                      int head, int token0)
{
    typedef layout<D> L;
    const attn_cache c = attn_open(a, b, head / (a.heads / a.kv_heads));
    unsigned char *bars = shared + L::BARS;

    copy_queries<D>(shared + L::Q, a, b, head, token0);
    for (int i = 0; i < 2 * r.count; i++) {
        const int what = i & 1, n = i >> 1, stage = n & 1;
        if (n >= STAGES)
            hopper_bar_wait(bar_of(bars, false, what, stage),
                            ((n >> 1) - 1) & 1);
        unsigned char *to = shared + L::KV + (2 * what + stage) * L::TILE_BYTES;
        const source s = {what == KEYS ? c.k : c.v, (r.first + n) * TILE,
                          a.kv_len};
        if (B == 1)
            widen_tile<D>(to, s, c);
        else
            copy_tile<D>(to, s, c);
        hopper_copy_commit();
        if (i == 0)
            continue;
        hopper_copy_wait<1>();
        hopper_fence();
        hopper_bar_arrive(bar_of(bars, true, what ^ 1, ((i - 1) >> 1) & 1));
    }
    hopper_copy_wait<0>();
    hopper_fence();
    hopper_bar_arrive(bar_of(bars, true, VALUES, (r.count - 1) & 1));
}

template <int D>
DEVICE_FN void start_scores(float (&s)[64], const unsigned char *q,
                            const unsigned char *k)
{
    hopper_settle(s);
    hopper_begin();
#pragma unroll
    for (int i = 0; i < D / 16; i++)
        hopper_scores(s,
                      hopper_operand(q + i / 4 * (HALF * 128) + i % 4 * 32, 16,
                                     1024),
                      hopper_operand(k + i / 4 * layout<D>::COLUMN + i % 4 * 32,
                                     16, 1024),
                      i > 0);
    hopper_commit();
}

template <int D>
DEVICE_FN void start_values(float (&o)[D / 2], const uint32_t (&p)[32],
                            const unsigned char *v, int keep)
{
    hopper_settle(o);
    hopper_begin();
#pragma unroll
    for (int i = 0; i < TILE / 16; i++)
        hopper_values(o, p + 4 * i,
                      hopper_operand(v + i * 2048, layout<D>::COLUMN, 1024),
                      i > 0 ? 1 : keep);
    hopper_commit();
}

struct rows {
    int place[2]; /* of this thread's two tokens */
    float top[2], sum[2], shrink[2];
};

DEVICE_FN void mask(float (&s)[64], const rows &r, int key0, int window)
{
    const int col = key0 + 2 * ((int)threadIdx.x & 3);
#pragma unroll
    for (int i = 0; i < 64; i++) {
        const int key = col + 8 * (i >> 2) + (i & 1);
        const int place = r.place[i >> 1 & 1];
        if (key > place || (window && key <= place - window))
            s[i] = -INFINITY;
    }
}

/* Scores to weights in place; what O must shrink by, into r. */
DEVICE_FN void weigh(float (&s)[64], rows &r, float scale)
{
    float low[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = r.top[h];
#pragma unroll
        for (int i = 0; i < 32; i++)
            top = fmaxf(top, s[4 * (i >> 1) + 2 * h + (i & 1)]);
        top = fmaxf(top, device_xor(top, 1));
        top = fmaxf(top, device_xor(top, 2));
        low[h] = top == -INFINITY ? 0 : top * scale;
        r.shrink[h] = device_exp2(fmaf(r.top[h], scale, -low[h]));
        r.top[h] = top;
        r.sum[h] *= r.shrink[h];
    }
#pragma unroll
    for (int i = 0; i < 64; i++) {
        s[i] = device_exp2(fmaf(s[i], scale, -low[i >> 1 & 1]));
        r.sum[i >> 1 & 1] += s[i];
    }
}

DEVICE_FN void pack(uint32_t (&p)[32], const float (&s)[64])
{
#pragma unroll
    for (int i = 0; i < 32; i++)
        p[i] = device_bf16x2(s[2 * i], s[2 * i + 1]);
}

DEVICE_FN void release(unsigned char *bar)
{
    device_wave_sync();
    if (((int)threadIdx.x & 31) == 0)
        hopper_bar_arrive(bar);
}

/* Masks tile key0 if any of this warpgroup's tokens does not see all of it. */
DEVICE_FN void mask_edge(float (&s)[64], const rows &r, const call_attn &a,
                         int key0, int first_place)
{
    if (key0 + TILE - 1 > first_place ||
        (a.window && key0 <= first_place + HALF - 1 - a.window))
        mask(s, r, key0, a.window);
}

template <int D>
DEVICE_FN void put(const call_attn &a, float (&o)[D / 2], rows &r, int b,
                   int head)
{
    const int past = a.kv_len - a.q_len, col = 2 * ((int)threadIdx.x & 3);
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float sum = r.sum[h];
        sum += device_xor(sum, 1);
        sum += device_xor(sum, 2);
        const float over = 1.0f / sum;
        const int token = r.place[h] - past;
        if (token >= a.q_len)
            continue;
        uint16_t *y = (uint16_t *)a.y +
                      ((size_t)(b * a.q_len + token) * a.heads + head) * D;
#pragma unroll
        for (int j = 0; j < D / 8; j++)
            *(uint32_t *)(y + 8 * j + col) =
                device_bf16x2(o[4 * j + 2 * h] * over,
                              o[4 * j + 2 * h + 1] * over);
    }
}

template <int D>
DEVICE_FN void multiplier(const call_attn &a, unsigned char *shared, range t,
                          int b, int head, int token0)
{
    typedef layout<D> L;
    const int half = (int)threadIdx.x / COPIERS - 1;
    const int first_place = a.kv_len - a.q_len + token0 + HALF * half;
    const float scale = rsqrtf((float)D) * ATTN_LOG2E;
    unsigned char *bars = shared + L::BARS, *kv = shared + L::KV;
    const unsigned char *q = shared + L::Q + half * (HALF * D * 2);
    const int row = ((int)threadIdx.x >> 5 & 3) * 16 +
                    ((int)threadIdx.x >> 2 & 7);
    rows r = {{first_place + row, first_place + row + 8},
              {-INFINITY, -INFINITY}, {0, 0}, {0, 0}};
    float s[64], o[D / 2];
    uint32_t p[32];

#pragma unroll
    for (int i = 0; i < D / 2; i++)
        o[i] = 0;
    hopper_bar_wait(bar_of(bars, true, KEYS, 0), 0);
    start_scores<D>(s, q, kv);
    hopper_wait<0>();
    hopper_settle(s);
    release(bar_of(bars, false, KEYS, 0));
    mask_edge(s, r, a, t.first * TILE, first_place);
    weigh(s, r, scale);
    pack(p, s);
    for (int n = 1; n < t.count; n++) {
        const int now = n & 1, before = now ^ 1;
        hopper_bar_wait(bar_of(bars, true, KEYS, now), n >> 1 & 1);
        start_scores<D>(s, q, kv + now * L::TILE_BYTES);
        hopper_bar_wait(bar_of(bars, true, VALUES, before), (n - 1) >> 1 & 1);
        start_values<D>(o, p, kv + (2 + before) * L::TILE_BYTES, 1);
        hopper_wait<1>();
        hopper_settle(s);
        release(bar_of(bars, false, KEYS, now));
        mask_edge(s, r, a, (t.first + n) * TILE, first_place);
        weigh(s, r, scale);
        hopper_wait<0>();
        hopper_settle(o);
        release(bar_of(bars, false, VALUES, before));
#pragma unroll
        for (int i = 0; i < D / 2; i++)
            o[i] *= r.shrink[i >> 1 & 1];
        pack(p, s);
    }
    const int last = (t.count - 1) & 1;
    hopper_bar_wait(bar_of(bars, true, VALUES, last), (t.count - 1) >> 1 & 1);
    start_values<D>(o, p, kv + (2 + last) * L::TILE_BYTES, 1);
    hopper_wait<0>();
    hopper_settle(o);
    put<D>(a, o, r, b, head);
}

#endif /* DEVICE_HOPPER */

template <int D, int B>
__global__ __launch_bounds__(HOPPER_THREADS, 1) void prefill_hopper(call_attn a)
{
#if DEVICE_HOPPER
    DEVICE_SHARED(shared);
    const int head = (int)blockIdx.x, b = (int)blockIdx.z;
    const int token0 = (int)(gridDim.y - 1 - blockIdx.y) * TILE;
    const range r = tiles_of(a, token0);

    if (threadIdx.x == 0)
        for (int i = 0; i < 8; i++)
            hopper_bar_init(shared + layout<D>::BARS + 8 * i,
                            i < 4 ? READERS : COPIERS);
    __syncthreads();
    if (threadIdx.x < COPIERS) {
        hopper_fewer<COPIER_REGS<B>>();
        copier<D, B>(a, shared, r, b, head, token0);
    } else {
        hopper_more<READER_REGS<B>>();
        multiplier<D>(a, shared, r, b, head, token0);
    }
#endif
}

#endif /* ---------------------------------------------------------------- */

bool by_hopper(const struct call *c)
{
    return !DEVICE_AMD && c->variant == 0;
}

const char *lacks(const struct call *c)
{
    const call_attn &a = c->attn;
    if (a.head_dim != 64 && a.head_dim != 128)
        return "head_dim is neither 64 nor 128";
    if (a.heads % a.kv_heads)
        return "heads is not a multiple of kv_heads";
    if (a.block % 16 || (a.block & (a.block - 1)))
        return "the block is not a power of two from 16";
    if (c->variant == 1 && DEVICE_AMD)
        return "this target has one variant";
    return NULL;
}

size_t work(const struct call *, int)
{
    return 0;
}

template <int D, int B>
hipError_t launch_hopper(const call_attn a, hipStream_t s)
{
#if DEVICE_AMD
    (void)a;
    (void)s;
    return hipErrorNotSupported;
#else
    const size_t bytes = layout<D>::TOTAL;
    const dim3 grid(a.heads, device_ceil(a.q_len, TILE), a.batch);
    const hipError_t e = device_allow(prefill_hopper<D, B>, bytes);
    if (e != hipSuccess)
        return e;
    hipLaunchKernelGGL((prefill_hopper<D, B>), grid, dim3(HOPPER_THREADS),
                       bytes, s, a);
    return hipGetLastError();
#endif
}

hipError_t launch(const struct call *c, int, hipStream_t s)
{
    const call_attn a = c->attn;
    if (by_hopper(c) && a.kv == CALL_BF16)
        return a.head_dim == 128 ? launch_hopper<128, 2>(a, s)
                                 : launch_hopper<64, 2>(a, s);
    if (by_hopper(c))
        return a.head_dim == 128 ? launch_hopper<128, 1>(a, s)
                                 : launch_hopper<64, 1>(a, s);
    if (a.head_dim == 128 && a.kv == CALL_BF16)
        launch_portable<128, 2, 1>(a, s);
    else if (a.head_dim == 128)
        launch_portable<128, 1, 1>(a, s);
    else if (a.kv == CALL_BF16)
        launch_portable<64, 2, 2>(a, s);
    else
        launch_portable<64, 1, 2>(a, s);
    return hipGetLastError();
}

} // namespace

DEVICE_OP(attn_prefill)
