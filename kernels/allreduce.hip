/* allreduce - sums over the GPUs of a node through each other's memory, bf16
 * numbers summed in f32.
 *
 *   one-shot   every rank reads all ranks' numbers: n reads, one meeting before
 *              and one after (nobody may overwrite what others still read)
 *   two-stage  rank r sums part r and leaves it in its stage; then all read all
 *              parts: 2 (n - 1) / n of the bytes a link, one meeting more
 *   int4       two-stage, 4-bit on the wire: 32 numbers share a scale, 18 bytes
 *              instead of 64 (the scheme of vLLM's and AITER's quick reduce)
 *
 * Blocks meet block by block: block i of a rank waits only for the blocks i of
 * the others, by a word that each writes into the others' memory.  Words grow
 * from launch to launch, so they never need clearing; a block counts its own
 * launches, so that a graph can be replayed.  The scheme is that of vLLM's
 * custom all-reduce (csrc/custom_all_reduce.cuh). */
#include "kernels/device.h"

namespace
{

enum { THREADS = 512, EACH = 8 /* numbers of 16 bytes */, GROUP = 32 };

struct who {
    int rank, block, blocks;
    uint32_t round;
};

DEVICE_FN who me(const call_reduce &r)
{
    who w = {r.local ? (int)blockIdx.y : r.rank, (int)blockIdx.x,
             (int)gridDim.x, 0};
    w.round = r.flags[w.rank][CALL_REDUCE_ROUNDS + w.block] + 1;
    return w;
}

/* After the last meeting, when every thread has read its round. */
DEVICE_FN void end(const call_reduce &r, who w)
{
    if (threadIdx.x == 0)
        r.flags[w.rank][CALL_REDUCE_ROUNDS + w.block] = w.round;
}

/* All ranks' blocks of this number have come to meeting `stage` (0, 1, 2). */
DEVICE_FN void meet(const call_reduce &r, who w, int stage)
{
    const uint32_t word = w.round;
    const int t = (int)threadIdx.x;
    __threadfence_system();
    __syncthreads();
    if (t < r.ranks) {
        const int mine = (stage * CALL_REDUCE_BLOCKS + w.block) * CALL_RANKS;
        volatile uint32_t *to = r.flags[t] + mine + w.rank;
        volatile uint32_t *from = r.flags[w.rank] + mine + t;
        *to = word;
        while ((int32_t)(*from - word) < 0)
            device_spin();
        __threadfence_system();
    }
    __syncthreads();
}

DEVICE_FN void add(float *sum, uint4 v)
{
    const uint32_t w[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        sum[2 * i] += device_low(w[i]);
        sum[2 * i + 1] += device_high(w[i]);
    }
}

DEVICE_FN uint4 narrow(const float *v)
{
    return make_uint4(device_bf16x2(v[0], v[1]), device_bf16x2(v[2], v[3]),
                      device_bf16x2(v[4], v[5]), device_bf16x2(v[6], v[7]));
}

/* Sum of all ranks' unit at. */
DEVICE_FN uint4 sum_of(const call_reduce &r, size_t at)
{
    float sum[EACH] = {};
    for (int k = 0; k < r.ranks; k++)
        add(sum, ((const uint4 *)r.x[k].at)[at]);
    return narrow(sum);
}

__global__ __launch_bounds__(THREADS) void reduce_one_shot(call_reduce r)
{
    const who w = me(r);
    const size_t units = r.elements / EACH;
    meet(r, w, 0);
    for (size_t i = (size_t)w.block * THREADS + threadIdx.x; i < units;
         i += (size_t)w.blocks * THREADS)
        ((uint4 *)r.y[w.rank])[i] = sum_of(r, i);
    meet(r, w, 1);
    end(r, w);
}

__global__ __launch_bounds__(THREADS) void reduce_two_stage(call_reduce r)
{
    const who w = me(r);
    const size_t part = r.elements / EACH / (size_t)r.ranks;
    const size_t first = (size_t)w.block * THREADS + threadIdx.x;
    const size_t stride = (size_t)w.blocks * THREADS;
    meet(r, w, 0);
    for (size_t i = first; i < part; i += stride)
        ((uint4 *)r.stage[w.rank])[i] = sum_of(r, (size_t)w.rank * part + i);
    meet(r, w, 1);
    for (size_t i = first; i < part; i += stride)
        for (int k = 0; k < r.ranks; k++) {
            const int from = (w.rank + k) % r.ranks;
            ((uint4 *)r.y[w.rank])[(size_t)from * part + i] =
                ((const uint4 *)r.stage[from])[i];
        }
    meet(r, w, 2);
    end(r, w);
}

/* ---- 4 bits ---- */

/* 32 numbers, eight a word; their scale lies elsewhere. */
struct group {
    uint32_t w[4];
};

/* The scale is written as f32; levels -8 to 7. */
DEVICE_FN group squeeze(const float *v, float *scale)
{
    float most = 0;
    group g = {};
    for (int i = 0; i < GROUP; i++)
        most = fmaxf(most, fabsf(v[i]));
    *scale = most / 7.0f;
    const float over = most > 0 ? 7.0f / most : 0;
    for (int i = 0; i < GROUP; i++) {
        const int q = (int)rintf(v[i] * over);
        g.w[i >> 3] |= (uint32_t)(q & 15) << 4 * (i & 7);
    }
    return g;
}

DEVICE_FN void expand(float *sum, const group &g, float scale)
{
    for (int i = 0; i < GROUP; i++) {
        const int q = (int)(g.w[i >> 3] << (28 - 4 * (i & 7))) >> 28;
        sum[i] += (float)q * scale;
    }
}

/* A stage: for each of the ranks' senders, groups and scales of a part; then
 * the same for the part this rank has summed. */
struct int4_stage {
    group *in, *out;
    float *in_scale, *out_scale;
    size_t part; /* groups */
};

DEVICE_FN int4_stage stage_of(const call_reduce &r, int rank)
{
    int4_stage s;
    const size_t groups = r.elements / GROUP;
    s.part = groups / (size_t)r.ranks;
    s.in = (group *)r.stage[rank];
    s.out = s.in + groups;
    s.in_scale = (float *)(s.out + s.part);
    s.out_scale = s.in_scale + groups;
    return s;
}

DEVICE_FN void read_group(float *v, const void *x, size_t g)
{
    for (int i = 0; i < GROUP; i++)
        v[i] = 0;
    for (int i = 0; i < GROUP / EACH; i++)
        add(v + EACH * i, ((const uint4 *)x)[g * (GROUP / EACH) + i]);
}

DEVICE_FN void write_group(void *y, size_t g, const float *v)
{
    for (int i = 0; i < GROUP / EACH; i++)
        ((uint4 *)y)[g * (GROUP / EACH) + i] = narrow(v + EACH * i);
}

__global__ __launch_bounds__(THREADS) void reduce_int4(call_reduce r)
{
    const who w = me(r);
    const int4_stage mine = stage_of(r, w.rank);
    const size_t first = (size_t)w.block * THREADS + threadIdx.x;
    const size_t stride = (size_t)w.blocks * THREADS;
    float v[GROUP];

    meet(r, w, 0);
    for (size_t i = first; i < mine.part; i += stride)
        for (int k = 0; k < r.ranks; k++) { /* part k goes to rank k */
            const int4_stage to = stage_of(r, k);
            const size_t at = (size_t)w.rank * mine.part + i;
            read_group(v, r.x[w.rank].at, (size_t)k * mine.part + i);
            to.in[at] = squeeze(v, &to.in_scale[at]);
        }
    meet(r, w, 1);
    for (size_t i = first; i < mine.part; i += stride) {
        for (int j = 0; j < GROUP; j++)
            v[j] = 0;
        for (int k = 0; k < r.ranks; k++) {
            const size_t at = (size_t)k * mine.part + i;
            expand(v, mine.in[at], mine.in_scale[at]);
        }
        mine.out[i] = squeeze(v, &mine.out_scale[i]);
    }
    meet(r, w, 2);
    for (size_t i = first; i < mine.part; i += stride)
        for (int k = 0; k < r.ranks; k++) {
            const int from = (w.rank + k) % r.ranks;
            const int4_stage s = stage_of(r, from);
            for (int j = 0; j < GROUP; j++)
                v[j] = 0;
            expand(v, s.out[i], s.out_scale[i]);
            write_group(r.y[w.rank], (size_t)from * mine.part + i, v);
        }
    /* The next round's first meeting is what keeps stages from being written
     * while they are read: `out` is written after meeting 1 of that round. */
    end(r, w);
}

const char *lacks(const struct call *c)
{
    const call_reduce &r = c->reduce;
    if (r.ranks < 2 || r.ranks > CALL_RANKS)
        return "all-reduce takes 2 to 8 ranks";
    return r.elements % (256 * (size_t)r.ranks)
               ? "elements are not a multiple of 256 a rank"
               : NULL;
}

/* Of r.stage, for each rank. */
size_t work(const struct call *c, int)
{
    const call_reduce &r = c->reduce;
    if (r.kind == CALL_INT4)
        return 2 * (r.elements / GROUP) * (sizeof(group) + sizeof(float));
    return r.elements * 2;
}

hipError_t launch(const struct call *c, int, hipStream_t s)
{
    const call_reduce r = c->reduce;
    const dim3 grid(r.local ? 2 : CALL_REDUCE_BLOCKS, r.local ? r.ranks : 1);
    switch (r.kind) {
    case CALL_ONE_SHOT:
        hipLaunchKernelGGL(reduce_one_shot, grid, dim3(THREADS), 0, s, r);
        break;
    case CALL_TWO_STAGE:
        hipLaunchKernelGGL(reduce_two_stage, grid, dim3(THREADS), 0, s, r);
        break;
    case CALL_INT4:
        hipLaunchKernelGGL(reduce_int4, grid, dim3(THREADS), 0, s, r);
        break;
    }
    return hipGetLastError();
}

} // namespace

DEVICE_OP(reduce)
