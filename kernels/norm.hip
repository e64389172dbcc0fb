/* norm - RMS norm with a residual, FP8 quantisation, and the two in one pass.
 * A block has a row in registers: it is read once and written once.
 *
 *   RMS: r = bf16(x + residual), y = r / sqrt(mean r^2 + eps) gain
 *   by row: scale = max |v| / top (top: FP8's largest), q = v / scale
 * / */
#include "kernels/device.h"

namespace
{

enum { UNITS = 4, SMALL = 256, LARGE = 1024, EACH = 8 /* numbers of a unit */ };

struct row {
    float v[UNITS][EACH];
};

DEVICE_FN void widen(float *v, uint4 u)
{
    const uint32_t w[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        v[2 * i] = device_low(w[i]);
        v[2 * i + 1] = device_high(w[i]);
    }
}

DEVICE_FN uint4 narrow(const float *v)
{
    return make_uint4(device_bf16x2(v[0], v[1]), device_bf16x2(v[2], v[3]),
                      device_bf16x2(v[4], v[5]), device_bf16x2(v[6], v[7]));
}

/* Over all threads of the block: sum, or largest. */
template <int THREADS, bool SUM> DEVICE_FN float all(float v)
{
    enum { WAVES = THREADS / DEVICE_LANES };
    __shared__ float part[WAVES];
    v = SUM ? device_wave_sum(v) : device_wave_max(v);
    if ((threadIdx.x & (DEVICE_LANES - 1)) == 0)
        part[threadIdx.x / DEVICE_LANES] = v;
    __syncthreads();
    v = part[0];
    for (int i = 1; i < WAVES; i++)
        v = SUM ? v + part[i] : fmaxf(v, part[i]);
    __syncthreads();
    return v;
}

template <int THREADS>
DEVICE_FN void add_residual(row &r, const call_norm &n, size_t base)
{
#pragma unroll
    for (int i = 0; i < UNITS; i++) {
        const int at = ((int)threadIdx.x + i * THREADS) * EACH;
        float res[EACH];
        if (at >= n.cols)
            continue;
        widen(res, *(const uint4 *)((const uint16_t *)n.residual.at + base +
                                    at));
#pragma unroll
        for (int j = 0; j < EACH; j++)
            r.v[i][j] += res[j];
        const uint4 sum = narrow(r.v[i]);
        *(uint4 *)((uint16_t *)n.residual_out + base + at) = sum;
        widen(r.v[i], sum);
    }
}

template <int THREADS> DEVICE_FN void normalise(row &r, const call_norm &n)
{
    float squares = 0;
#pragma unroll
    for (int i = 0; i < UNITS; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++)
            squares += r.v[i][j] * r.v[i][j];
    squares = all<THREADS, true>(squares);
    const float f = rsqrtf(squares / (float)n.cols + CALL_NORM_EPS);
#pragma unroll
    for (int i = 0; i < UNITS; i++) {
        const int at = ((int)threadIdx.x + i * THREADS) * EACH;
        float gain[EACH];
        if (at >= n.cols)
            continue;
        widen(gain, *(const uint4 *)((const uint16_t *)n.gain.at + at));
#pragma unroll
        for (int j = 0; j < EACH; j++)
            r.v[i][j] *= f * gain[j];
    }
}

/* What to divide by: the row's own, written out, or the given one. */
template <int THREADS>
DEVICE_FN float scale_of(const row &r, const call_norm &n)
{
    const float top = DEVICE_FNUZ ? 240.0f : 448.0f;
    float most = 0;
    if (n.kind == CALL_QUANT_STATIC)
        return n.static_scale;
#pragma unroll
    for (int i = 0; i < UNITS; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++)
            most = fmaxf(most, fabsf(r.v[i][j]));
    most = all<THREADS, false>(most);
    const float scale = fmaxf(most, 1e-12f) / top;
    if (threadIdx.x == 0)
        ((float *)n.scale_out)[blockIdx.x] = scale;
    return scale;
}

template <int THREADS>
__global__ __launch_bounds__(THREADS) void norm_rows(call_norm n)
{
    const size_t base = (size_t)blockIdx.x * n.cols;
    row r = {};

#pragma unroll
    for (int i = 0; i < UNITS; i++) {
        const int at = ((int)threadIdx.x + i * THREADS) * EACH;
        if (at < n.cols)
            widen(r.v[i],
                  *(const uint4 *)((const uint16_t *)n.x.at + base + at));
    }
    if (n.kind == CALL_RMS || n.kind == CALL_RMS_QUANT) {
        add_residual<THREADS>(r, n, base);
        normalise<THREADS>(r, n);
    }
    const float over =
        n.kind == CALL_RMS ? 1.0f : 1.0f / scale_of<THREADS>(r, n);
#pragma unroll
    for (int i = 0; i < UNITS; i++) {
        const int at = ((int)threadIdx.x + i * THREADS) * EACH;
        const float *v = r.v[i];
        if (at >= n.cols)
            continue;
        if (n.kind == CALL_RMS)
            *(uint4 *)((uint16_t *)n.y + base + at) = narrow(v);
        else
            *(uint2 *)((uint8_t *)n.y + base + at) = make_uint2(
                device_fp8x4(v[0] * over, v[1] * over, v[2] * over,
                             v[3] * over),
                device_fp8x4(v[4] * over, v[5] * over, v[6] * over,
                             v[7] * over));
    }
}

const char *lacks(const struct call *c)
{
    return c->norm.cols % EACH || c->norm.cols > UNITS * EACH * LARGE
               ? "a row has no multiple of 8 numbers, or over 32768"
               : NULL;
}

size_t work(const struct call *, int)
{
    return 0;
}

hipError_t launch(const struct call *c, int, hipStream_t s)
{
    const call_norm n = c->norm;
    if (n.cols > UNITS * EACH * SMALL)
        hipLaunchKernelGGL(norm_rows<LARGE>, dim3(n.rows), dim3(LARGE), 0, s,
                           n);
    else
        hipLaunchKernelGGL(norm_rows<SMALL>, dim3(n.rows), dim3(SMALL), 0, s,
                           n);
    return hipGetLastError();
}

} // namespace

DEVICE_OP(norm)
