/* gemm - y = x w^T by tiles of 128 x 128 in shared memory.
 *
 * Eight waves of 32 lanes (four of 64) share a tile; each owns a part of it as
 * 16 x 16 products (tile.h).  A stage is a column of 64 bytes of k for 128 rows
 * of either side; the next one is on its way in registers while this one is
 * multiplied, and two buffers take turns, so there is one barrier a stage.
 * It is the plain well-made kernel beside the vendor's, not its rival. */
#include "kernels/tile.h"

namespace
{

enum {
    TILE = 128,
    THREADS = 256,
    WAVES = THREADS / DEVICE_LANES,
    WAVES_N = 2,
    WAVES_M = WAVES / WAVES_N,
    MT = TILE / 16 / WAVES_M, /* products of a wave, down and across */
    NT = TILE / 16 / WAVES_N,
    STAGE = 64, /* bytes of k */
    /* Eight lanes that read 16 bytes each touch every bank once: on NVIDIA they
     * are two rows of four chunks, on AMD eight rows. */
    PITCH = DEVICE_AMD ? 80 : 64,
    HELD = TILE * STAGE / 16 / THREADS, /* loads a thread makes of a side */
};

struct side {
    const char *at;
    int rows, row0;
    size_t stride;
};

DEVICE_FN void fetch(uint4 *held, const side &s, size_t k_byte)
{
#pragma unroll
    for (int i = 0; i < HELD; i++) {
        const int unit = (int)threadIdx.x + i * THREADS;
        const int row = min(s.row0 + (unit >> 2), s.rows - 1);
        held[i] = *(const uint4 *)(s.at + row * s.stride + k_byte +
                                   16 * (unit & 3));
    }
}

DEVICE_FN void put(unsigned char *tile, const uint4 *held)
{
#pragma unroll
    for (int i = 0; i < HELD; i++) {
        const int unit = (int)threadIdx.x + i * THREADS;
        *(uint4 *)(tile + (unit >> 2) * PITCH + 16 * (unit & 3)) = held[i];
    }
}

template <tile_type T>
DEVICE_FN void multiply(tile_acc (&c)[MT][NT], const unsigned char *a,
                        const unsigned char *b)
{
    tile_frag y[NT];
#pragma unroll
    for (int j = 0; j < NT; j++)
        y[j] = tile_load(b + j * 16 * PITCH, PITCH, 16);
#pragma unroll
    for (int i = 0; i < MT; i++) {
        const tile_frag x = tile_load(a + i * 16 * PITCH, PITCH, 16);
#pragma unroll
        for (int j = 0; j < NT; j++)
            tile_mma<T>(c[i][j], x, y[j]);
    }
}

DEVICE_FN float scaled(const call_gemm &g, float v, int row, int col)
{
    if (g.type == CALL_BF16)
        return v;
    return v * ((const float *)g.row_scale.at)[row] *
           ((const float *)g.col_scale.at)[col];
}

DEVICE_FN void store(const call_gemm &g, const tile_acc &c, int row0, int col0)
{
#pragma unroll
    for (int e = 0; e < TILE_ACC; e++) {
        const int row = row0 + tile_acc_row(e), col = col0 + tile_acc_col(e);
        if (row < g.m && col < g.n)
            ((uint16_t *)g.y)[(size_t)row * g.n + col] =
                device_bf16(scaled(g, c.v[e], row, col));
    }
}

template <tile_type T>
__global__ __launch_bounds__(THREADS) void gemm_tiles(call_gemm g)
{
    __shared__ __attribute__((aligned(16))) unsigned char a[2][TILE * PITCH];
    __shared__ __attribute__((aligned(16))) unsigned char b[2][TILE * PITCH];
    const size_t row_bytes = (size_t)g.k * (T == TILE_FP8 ? 1 : 2);
    const side x = {(const char *)g.x.at, g.m, (int)blockIdx.x * TILE,
                    row_bytes};
    const side w = {(const char *)g.w.at, g.n, (int)blockIdx.y * TILE,
                    row_bytes};
    const int wave = (int)threadIdx.x / DEVICE_LANES;
    const int wm = wave / WAVES_N * MT * 16, wn = wave % WAVES_N * NT * 16;
    const int stages = (int)(row_bytes / STAGE);
    tile_acc c[MT][NT] = {};
    uint4 hx[HELD], hw[HELD];

    fetch(hx, x, 0);
    fetch(hw, w, 0);
    put(a[0], hx);
    put(b[0], hw);
    __syncthreads();
    for (int s = 0; s < stages; s++) {
        const int now = s & 1;
        if (s + 1 < stages) {
            fetch(hx, x, (size_t)(s + 1) * STAGE);
            fetch(hw, w, (size_t)(s + 1) * STAGE);
        }
        multiply<T>(c, a[now] + wm * PITCH, b[now] + wn * PITCH);
        if (s + 1 < stages) {
            put(a[now ^ 1], hx);
            put(b[now ^ 1], hw);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < MT; i++)
#pragma unroll
        for (int j = 0; j < NT; j++)
            store(g, c[i][j], x.row0 + wm + 16 * i, w.row0 + wn + 16 * j);
}

const char *lacks(const struct call *c)
{
    const int step = c->gemm.type == CALL_FP8 ? 64 : 32;
    return c->gemm.n % 16 || c->gemm.k % step
               ? "n is not a multiple of 16, or k of 64 bytes"
               : NULL;
}

size_t work(const struct call *, int)
{
    return 0;
}

hipError_t launch(const struct call *c, int, hipStream_t s)
{
    const call_gemm g = c->gemm;
    const dim3 grid(device_ceil(g.m, TILE), device_ceil(g.n, TILE));
    if (g.type == CALL_FP8)
        hipLaunchKernelGGL(gemm_tiles<TILE_FP8>, grid, dim3(THREADS), 0, s, g);
    else
        hipLaunchKernelGGL(gemm_tiles<TILE_BF16>, grid, dim3(THREADS), 0, s, g);
    return hipGetLastError();
}

} // namespace

DEVICE_OP(gemm)
