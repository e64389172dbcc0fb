/* stream - y = x w^T for few rows of x (at most 64): the weights are read once
 * and at full speed, everything else stays out of the way.
 *
 * A wave holds RT x 16 rows of w and takes every WAVES-th column of 64 bytes;
 * weights go from memory straight into the matrix unit's registers, 2 x RT
 * loads of 16 bytes in flight a lane, never through shared memory.  The waves'
 * sums meet in shared memory.  Where the rows of w do not give every compute
 * unit two blocks, k is split over blocks too: each leaves its sums in scratch,
 * and the last to finish adds them up (a ticket a group of rows). */
#include "kernels/tile.h"

namespace
{

enum { THREADS = 256, WAVES = THREADS / DEVICE_LANES, COLUMN = 64, UNROLL = 2 };

struct split {
    int n, steps; /* columns of k of one block */
};

template <tile_type T, int RT, int MT>
DEVICE_FN void walk(tile_acc (&c)[RT][MT], const call_gemm &g, int row0,
                    int from, int to)
{
    const size_t stride = (size_t)g.k * (T == TILE_FP8 ? 1 : 2);
    const char *w = (const char *)g.w.at + row0 * stride;
    const char *x = (const char *)g.x.at;
    const int wave = (int)threadIdx.x / DEVICE_LANES;

    for (int s = from + wave; s < to; s += WAVES * UNROLL) {
        tile_frag fw[UNROLL][RT], fx[UNROLL][MT];
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            const int at = s + u * WAVES;
            const size_t byte = (size_t)at * COLUMN;
#pragma unroll
            for (int i = 0; i < RT; i++)
                fw[u][i] = tile_load(w + i * 16 * stride + byte, stride,
                                     at < to ? g.n - row0 - 16 * i : 0);
#pragma unroll
            for (int j = 0; j < MT; j++)
                fx[u][j] = tile_load(x + j * 16 * stride + byte, stride,
                                     at < to ? g.m - 16 * j : 0);
        }
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
#pragma unroll
            for (int i = 0; i < RT; i++)
#pragma unroll
                for (int j = 0; j < MT; j++)
                    tile_mma<T>(c[i][j], fw[u][i], fx[u][j]);
    }
}

/* Adds the waves' sums, one wave after the other. */
template <int RT, int MT>
DEVICE_FN void gather(float *sum, const tile_acc (&c)[RT][MT])
{
    const int wave = (int)threadIdx.x / DEVICE_LANES;
    for (int turn = 0; turn < WAVES; turn++) {
        if (wave == turn) {
#pragma unroll
            for (int i = 0; i < RT; i++)
#pragma unroll
                for (int j = 0; j < MT; j++)
#pragma unroll
                    for (int e = 0; e < TILE_ACC; e++) {
                        float *to = sum + (16 * i + tile_acc_row(e)) * 16 * MT +
                                    16 * j + tile_acc_col(e);
                        *to = turn ? *to + c[i][j].v[e] : c[i][j].v[e];
                    }
        }
        __syncthreads();
    }
}

/* The last block of a group of rows adds what the others left; true for it. */
template <int SIZE>
DEVICE_FN bool meet(float *sum, uint32_t *counter, float *parts, int splits)
{
    __shared__ uint32_t ticket;
    const int group = (int)blockIdx.x;
    float *mine = parts + ((size_t)group * splits + blockIdx.y) * SIZE;
    for (int i = (int)threadIdx.x; i < SIZE; i += THREADS)
        mine[i] = sum[i];
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        ticket = atomicAdd(&counter[group], 1u);
        if (ticket == (uint32_t)splits - 1)
            counter[group] = 0;
    }
    __syncthreads();
    if (ticket != (uint32_t)splits - 1)
        return false;
    __threadfence();
    for (int i = (int)threadIdx.x; i < SIZE; i += THREADS) {
        float v = 0;
        for (int p = 0; p < splits; p++)
            v += parts[((size_t)group * splits + p) * SIZE + i];
        sum[i] = v;
    }
    __syncthreads();
    return true;
}

template <tile_type T, int RT, int MT>
__global__ __launch_bounds__(THREADS, MT == 1 ? 2 : 1) void stream_rows(
    call_gemm g, split sp, void *work)
{
    enum { ROWS = 16 * RT, COLS = 16 * MT };
    __shared__ float sum[ROWS * COLS];
    const int row0 = (int)blockIdx.x * ROWS, total = (int)gridDim.y;
    const int columns = g.k * (T == TILE_FP8 ? 1 : 2) / COLUMN;
    const int from = (int)blockIdx.y * sp.steps;
    tile_acc c[RT][MT] = {};

    walk<T, RT, MT>(c, g, row0, from, min(from + sp.steps, columns));
    gather<RT, MT>(sum, c);
    if (total > 1 &&
        !meet<ROWS * COLS>(sum, (uint32_t *)work,
                           (float *)((char *)work + CALL_COUNTER_BYTES), total))
        return;
    for (int i = (int)threadIdx.x; i < g.m * ROWS; i += THREADS) {
        const int row = i % ROWS, col = i / ROWS;
        float v = sum[row * COLS + col];
        if (row0 + row >= g.n)
            continue;
        if (T == TILE_FP8)
            v *= ((const float *)g.row_scale.at)[col] *
                 ((const float *)g.col_scale.at)[row0 + row];
        ((uint16_t *)g.y)[(size_t)col * g.n + row0 + row] = device_bf16(v);
    }
}

int rows_of(const call_gemm &g)
{
    return g.m > 32 ? 32 : 64;
}

split plan(const call_gemm &g, int units)
{
    const int groups = device_ceil(g.n, rows_of(g));
    const int columns = g.k * (g.type == CALL_FP8 ? 1 : 2) / COLUMN;
    const int most = device_ceil(columns, 2 * WAVES * UNROLL);
    int n = device_ceil(4 * units, groups); /* two blocks a unit, twice */
    n = n < most ? n : most;
    const int steps = device_ceil(device_ceil(columns, n), WAVES) * WAVES;
    return {device_ceil(columns, steps), steps};
}

const char *lacks(const struct call *c)
{
    const int step = c->gemm.type == CALL_FP8 ? 64 : 32;
    if (c->gemm.m > CALL_SKINNY_M)
        return "more rows than a streaming kernel takes";
    if (device_ceil(c->gemm.n, 32) > CALL_COUNTERS)
        return "more columns than there are counters";
    return c->gemm.n % 16 || c->gemm.k % step
               ? "n is not a multiple of 16, or k of 64 bytes"
               : NULL;
}

size_t work(const struct call *c, int units)
{
    const call_gemm &g = c->gemm;
    const int cols = g.m > 32 ? 64 : g.m > 16 ? 32 : 16;
    return CALL_COUNTER_BYTES + sizeof(float) * plan(g, units).n * cols *
                                    (size_t)(g.n + rows_of(g));
}

template <tile_type T>
void launch_type(const struct call *c, split sp, hipStream_t s)
{
    const call_gemm g = c->gemm;
    const dim3 grid(device_ceil(g.n, rows_of(g)), sp.n), block(THREADS);
    if (g.m > 32)
        hipLaunchKernelGGL((stream_rows<T, 2, 4>), grid, block, 0, s, g, sp,
                           c->work);
    else if (g.m > 16)
        hipLaunchKernelGGL((stream_rows<T, 4, 2>), grid, block, 0, s, g, sp,
                           c->work);
    else
        hipLaunchKernelGGL((stream_rows<T, 4, 1>), grid, block, 0, s, g, sp,
                           c->work);
}

hipError_t launch(const struct call *c, int units, hipStream_t s)
{
    const split sp = plan(c->gemm, units);
    if (c->gemm.type == CALL_FP8)
        launch_type<TILE_FP8>(c, sp, s);
    else
        launch_type<TILE_BF16>(c, sp, s);
    return hipGetLastError();
}

} // namespace

DEVICE_OP(stream)
