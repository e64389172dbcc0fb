/* attn_decode - one new token a sequence over its paged cache.
 *
 * Cache bytes are all that counts: each is read once, by the wave that needs
 * it, for all query heads of its KV head.  The keys of a (sequence, KV head)
 * are split over blocks and inside a block over its waves.  Waves meet in
 * shared memory; where there are several blocks, they leave (maximum, sum,
 * result) in scratch, and a second kernel puts them together.
 *
 * How many blocks: BLOCKS of them fit on a compute unit.  Few (sequence, KV
 * head) pairs are split so that all blocks run at once and end together; many,
 * so that blocks come in some ROUNDS rounds and the last one is a small part.
 */
#include "kernels/attn.h"

namespace
{

enum {
    WAVES = 4,
    THREADS = WAVES * DEVICE_LANES,
    ROWS = TILE_FEW, /* query heads of a block */
    BLOCKS = DEVICE_AMD ? 1 : 3,
    ROUNDS = 8,
    KEYS_MIN = 128,
    SPLITS_MAX = 512,
};

struct split {
    int n, keys; /* of one block; a multiple of what its waves take a turn */
};

/* What a block (or the waves of one) found: ROWS rows of D results that still
 * lack their divisor, and for each row the maximum and the divisor. */
template <int D> struct part {
    float out[ROWS][D], top[ROWS], sum[ROWS];
};

template <int D, int B, int KT>
DEVICE_FN void leave(part<D> &p, const attn_wave<D, B, KT, 0> &w)
{
    typedef attn_shape<D, B, KT, 0> S;
#pragma unroll
    for (int i = 0; i < S::QUERIES; i++) {
        const float sum = tile_sum_keys(w.sum[0][i]);
        /* every lane of a query writes the same */
        p.top[tile_query(2 * i)] = w.top[0][i];
        p.sum[tile_query(2 * i)] = sum;
    }
#pragma unroll
    for (int j = 0; j < S::OUTS; j++)
#pragma unroll
        for (int e = 0; e < TILE_VALUES; e++)
            p.out[tile_few_query(e)][tile_few_dim<D>(j, e)] =
                w.out[0][TILE_VALUES * j + e];
}

/* Puts the waves' parts together, one (row, dimension) a thread; y NULL: into
 * `into`, which still lacks its divisor. */
template <int D>
DEVICE_FN void join(const part<D> *p, int rows, part<D> *into, uint16_t *y,
                    float scale)
{
    for (int i = (int)threadIdx.x; i < rows * D; i += THREADS) {
        const int row = i / D, d = i % D;
        float top = -INFINITY, sum = 0, out = 0;
        for (int k = 0; k < WAVES; k++)
            top = fmaxf(top, p[k].top[row]);
        for (int k = 0; k < WAVES; k++) {
            if (p[k].top[row] == -INFINITY)
                continue;
            const float f = device_exp2((p[k].top[row] - top) * scale);
            sum += p[k].sum[row] * f;
            out += p[k].out[row][d] * f;
        }
        if (y) {
            y[i] = device_bf16(out / sum);
        } else {
            into->out[row][d] = out;
            into->top[row] = top;
            into->sum[row] = sum;
        }
    }
}

/* The n parts of one row, by a block of D threads. */
template <int D>
__global__ __launch_bounds__(D) void attn_merge(call_attn a, int n, void *work)
{
    __shared__ float weight[SPLITS_MAX], over;
    const int group = a.heads / a.kv_heads, parts_of = device_ceil(group, ROWS);
    const int head = (int)blockIdx.x, b = (int)blockIdx.y, d = (int)threadIdx.x;
    const int kv_head = head / group, row = head % group;
    const int pair = (b * a.kv_heads + kv_head) * parts_of + row / ROWS;
    const part<D> *p = (const part<D> *)((char *)work + CALL_COUNTER_BYTES) +
                       (size_t)pair * n;
    const float scale = rsqrtf((float)D) * ATTN_LOG2E;
    float top = -INFINITY, out = 0;

    for (int k = 0; k < n; k++)
        top = fmaxf(top, p[k].top[row % ROWS]);
    for (int k = d; k < n; k += D)
        weight[k] = p[k].top[row % ROWS] == -INFINITY
                        ? 0
                        : device_exp2((p[k].top[row % ROWS] - top) * scale);
    __syncthreads();
    if (d == 0) {
        float sum = 0;
        for (int k = 0; k < n; k++)
            sum += p[k].sum[row % ROWS] * weight[k];
        over = 1.0f / sum;
    }
    __syncthreads();
#pragma unroll 8
    for (int k = 0; k < n; k++)
        out += p[k].out[row % ROWS][d] * weight[k];
    ((uint16_t *)a.y)[((size_t)b * a.heads + head) * D + d] =
        device_bf16(out * over);
}

template <int D, int B, int KT>
__global__ __launch_bounds__(THREADS, BLOCKS) void attn_decode(
    call_attn a, split sp, void *work)
{
    __shared__ part<D> found[WAVES];
    typedef attn_shape<D, B, KT, 0> S;
    const int group = a.heads / a.kv_heads, parts_of = device_ceil(group, ROWS);
    const int b = (int)blockIdx.z, kv_head = (int)blockIdx.y / parts_of;
    const int first = (int)blockIdx.y % parts_of * ROWS;
    const attn_rows rows = {first, min(first + ROWS, group), group};
    const int pair = b * (int)gridDim.y + (int)blockIdx.y;
    const int wave = (int)threadIdx.x / DEVICE_LANES;
    const int seen = a.window && a.window < a.kv_len ? a.kv_len - a.window : 0;
    const int from = seen / 16 * 16 + (int)blockIdx.x * sp.keys;
    const float scale = rsqrtf((float)D) * ATTN_LOG2E;
    uint16_t *y =
        (uint16_t *)a.y + (size_t)(b * a.heads + kv_head * group + first) * D;
    attn_wave<D, B, KT, 0> w;

    attn_begin(w, a, b, kv_head, rows);
    attn_walk(w, attn_open(a, b, kv_head), a,
              {from + wave * S::KEYS, min(from + sp.keys, a.kv_len),
               WAVES * S::KEYS, a.kv_len - 1});
    leave(found[wave], w);
    __syncthreads();
    if (sp.n == 1) {
        join<D>(found, rows.end - first, NULL, y, scale);
        return;
    }
    part<D> *parts = (part<D> *)((char *)work + CALL_COUNTER_BYTES);
    join<D>(found, rows.end - first,
            &parts[(size_t)pair * sp.n + blockIdx.x], NULL, scale);
}

/* Blocks that read the same keys: more than one where a KV head has more query
 * heads than a block. */
int pairs_of(const call_attn &a)
{
    return a.kv_heads * device_ceil(a.heads / a.kv_heads, ROWS);
}

/* Groups of 16 keys a turn, so that a wave has 8 KiB of keys and values. */
int turn_of(const call_attn &a)
{
    return 128 / a.head_dim * (a.kv == CALL_FP8 ? 2 : 1);
}

split plan(const call_attn &a, int units)
{
    const int step = WAVES * 16 * turn_of(a);
    const int first = a.window && a.window < a.kv_len
                          ? (a.kv_len - a.window) / 16 * 16
                          : 0;
    const int keys = a.kv_len - first, pairs = a.batch * pairs_of(a);
    const int room = BLOCKS * units;
    int n = 2 * pairs <= room ? room / pairs
                              : device_ceil(ROUNDS * room, pairs);
    n = min(n, min(device_ceil(keys, KEYS_MIN), (int)SPLITS_MAX));
    const int each = device_ceil(device_ceil(keys, n), step) * step;
    return {device_ceil(keys, each), each};
}

const char *lacks(const struct call *c)
{
    const call_attn &a = c->attn;
    if (a.head_dim != 64 && a.head_dim != 128)
        return "head_dim is neither 64 nor 128";
    if (a.heads % a.kv_heads)
        return "heads is not a multiple of kv_heads";
    if (a.q_len != 1)
        return "decode attention has one new token a sequence";
    if (a.block % 16 || (a.block & (a.block - 1)))
        return "the block is not a power of two from 16";
    return NULL;
}

size_t work(const struct call *c, int units)
{
    const call_attn &a = c->attn;
    const size_t each = sizeof(float) * ROWS * ((size_t)a.head_dim + 2);
    return CALL_COUNTER_BYTES +
           each * (size_t)plan(a, units).n * (size_t)(a.batch * pairs_of(a));
}

template <int D>
void launch_merge(const call_attn a, split sp, void *work, hipStream_t s)
{
    if (sp.n > 1)
        hipLaunchKernelGGL(attn_merge<D>, dim3(a.heads, a.batch), dim3(D), 0, s,
                           a, sp.n, work);
}

hipError_t launch(const struct call *c, int units, hipStream_t s)
{
    const call_attn a = c->attn;
    const split sp = plan(a, units);
    const dim3 grid(sp.n, pairs_of(a), a.batch), block(THREADS);
    if (a.head_dim == 128 && a.kv == CALL_BF16)
        hipLaunchKernelGGL((attn_decode<128, 2, 1>), grid, block, 0, s, a, sp,
                           c->work);
    else if (a.head_dim == 128)
        hipLaunchKernelGGL((attn_decode<128, 1, 2>), grid, block, 0, s, a, sp,
                           c->work);
    else if (a.kv == CALL_BF16)
        hipLaunchKernelGGL((attn_decode<64, 2, 2>), grid, block, 0, s, a, sp,
                           c->work);
    else
        hipLaunchKernelGGL((attn_decode<64, 1, 4>), grid, block, 0, s, a, sp,
                           c->work);
    if (a.head_dim == 128)
        launch_merge<128>(a, sp, c->work, s);
    else
        launch_merge<64>(a, sp, c->work, s);
    return hipGetLastError();
}

} // namespace

DEVICE_OP(attn_decode)
