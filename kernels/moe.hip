/* moe - routed experts with MXFP4 weights, from chosen experts to the sum.
 *
 *   deal     counts the tokens of each expert and lists them, each expert's
 *            rounded up to whole tiles of rows
 *   up       h = act(gate) (up + 1) for each (token, expert), from x and w1
 *   down     weight * h w2^T, one row for each (token, expert)
 *   add      the rows of a token
 *
 * In `up` and `down` a block has one expert's tile of rows; each of its four
 * waves takes other rows of weights. A lane loads 16 bytes of weights, which
 * are 32 numbers under one power of two, makes 16-bit numbers of them in
 * registers and multiplies them with activations out of shared memory, where
 * they lie in the order in which lanes ask for them.  A turn takes one column
 * of 128 along k, or two where few rows leave registers for more loads in
 * flight; the next turn's is on its way meanwhile.  Memory for few tokens, the
 * matrix unit for many. */
#include "kernels/tile.h"

namespace
{

enum {
    WAVES = 4,
    THREADS = WAVES * DEVICE_LANES,
    RT = 2,         /* groups of 16 rows of weights of a wave */
    COLUMN = 128,   /* numbers along k of a turn: four lanes' 32 */
    BLOCK = 32,     /* numbers under one power of two */
    DEAL = 1024,    /* threads */
    EXPERTS = 1024, /* at most */
    ROWS_MAX = 64,  /* of a tile */
    /* 16 units of 16 bytes a row, and as many more as keep eight lanes apart */
    PITCH = DEVICE_AMD ? 17 : 20,
};

#define LOG2E 1.4426950408889634f

/* Scratch: where tokens of experts are listed and rows between the products. */
struct places {
    int32_t *list;   /* position -> token * topk + choice, -1: none */
    int32_t *expert; /* of each tile, -1: no such tile */
    uint16_t *h;     /* position x inter */
    uint16_t *out;   /* (token * topk + choice) x hidden */
    int rows, tiles; /* of a tile; at most so many */
};

int rows_of(const call_moe &m)
{
    const double each = (double)m.tokens * m.topk / m.experts;
    return each > 32 ? 64 : each > 16 ? 32 : 16;
}

size_t round_up(size_t n)
{
    return (n + 255) / 256 * 256;
}

/* With base NULL, where things end is what there must be. */
size_t place(const call_moe &m, char *base, places *p)
{
    const int pairs = m.tokens * m.topk;
    const int busy = pairs < m.experts ? pairs : m.experts;
    size_t at = CALL_COUNTER_BYTES;
    p->rows = rows_of(m);
    p->tiles = busy + pairs / p->rows;
    p->list = (int32_t *)(base + at);
    at += round_up(sizeof(int32_t) * p->rows * (size_t)p->tiles);
    p->expert = (int32_t *)(base + at);
    at += round_up(sizeof(int32_t) * (size_t)p->tiles);
    p->h = (uint16_t *)(base + at);
    at += round_up(sizeof(uint16_t) * p->rows * (size_t)p->tiles * m.inter);
    p->out = (uint16_t *)(base + at);
    return at + round_up(sizeof(uint16_t) * (size_t)pairs * m.hidden);
}

__global__ __launch_bounds__(DEAL) void moe_deal(call_moe m, places p)
{
    __shared__ int count[EXPERTS], begin[EXPERTS];
    const int pairs = m.tokens * m.topk, t = (int)threadIdx.x;

    for (int i = t; i < m.experts; i += DEAL)
        count[i] = 0;
    for (int i = t; i < p.rows * p.tiles; i += DEAL)
        p.list[i] = -1;
    for (int i = t; i < p.tiles; i += DEAL)
        p.expert[i] = -1;
    __syncthreads();
    for (int i = t; i < pairs; i += DEAL)
        atomicAdd(&count[m.expert[i]], 1);
    __syncthreads();
    if (t == 0) {
        int tile = 0;
        for (int i = 0; i < m.experts; i++) {
            begin[i] = tile * p.rows;
            tile += (count[i] + p.rows - 1) / p.rows;
        }
    }
    __syncthreads();
    for (int i = t; i < m.experts; i += DEAL) {
        for (int j = 0; j < count[i]; j += p.rows)
            p.expert[(begin[i] + j) / p.rows] = i;
        count[i] = 0;
    }
    __syncthreads();
    for (int i = t; i < pairs; i += DEAL) {
        const int e = m.expert[i];
        p.list[begin[e] + atomicAdd(&count[e], 1)] = i;
    }
}

/* Eight e2m1 numbers times a power of two, as bf16.  The bits of a number, put
 * at the lower end of bf16's exponent, are the number times 2^-126, also where
 * it is below one. */
DEVICE_FN uint4 widen(uint32_t w, uint32_t scale_bits)
{
    uint32_t r[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const uint32_t top = w << (12 - 4 * i);
        r[i] = (top & 0x80008000u) | (top & 0x70007000u) >> 6;
#if DEVICE_EMU || DEVICE_AMD
        const float f = __uint_as_float(scale_bits << 16);
        r[i] = __float_as_uint(device_low(r[i]) * f) >> 16 |
               (__float_as_uint(device_high(r[i]) * f) & 0xffff0000u);
#else
        asm("mul.bf16x2 %0, %0, %1;"
            : "+r"(r[i])
            : "r"(scale_bits * 0x10001u));
#endif
    }
    return make_uint4(r[0], r[1], r[2], r[3]);
}

/* 2^126 times the scale of byte s, as bf16; scales above 2 do not fit. */
DEVICE_FN uint32_t scale_bits(uint32_t s)
{
    return min(s + 126u, 254u) << 7;
}

/* One matrix of weights: row r of expert e. */
struct matrix {
    const uint8_t *w, *s;
    int k;
};

DEVICE_FN matrix of_expert(const call_in &w, const call_in &s, int e, int rows,
                           int k)
{
    const size_t first = (size_t)e * rows;
    return {(const uint8_t *)w.at + first * (k / 2),
            (const uint8_t *)s.at + first * (k / BLOCK), k};
}

struct held {
    uint4 w[RT][TILE_ROWS];
    uint32_t s[RT][TILE_ROWS];
};

/* row[t][i]: the row that this lane reads for group t */
DEVICE_FN void fetch(held &h, const matrix &m, const int (&row)[RT][TILE_ROWS],
                     int k0)
{
    const int k = k0 + BLOCK * tile_chunk();
#pragma unroll
    for (int t = 0; t < RT; t++)
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            h.w[t][i] = make_uint4(0, 0, 0, 0);
            h.s[t][i] = 0;
            if (k < m.k) {
                const size_t r = (size_t)row[t][i];
                h.w[t][i] = device_load_once(
                    (const uint4 *)(m.w + (r * m.k + k) / 2));
                h.s[t][i] = m.s[(r * m.k + k) / BLOCK];
            }
        }
}

/* Activations of a tile's rows, COLUMN numbers of k0 and on, into shared
 * memory: unit j * 4 + c holds numbers 32 c + 8 j and on. */
template <int ROWS> struct rows_held {
    enum { N = ROWS * 16 / THREADS };
    uint4 v[N > 0 ? N : 1];
};

template <int ROWS>
DEVICE_FN void fetch_rows(rows_held<ROWS> &h, const uint16_t *x,
                          const int (&from)[ROWS], int width, int k0)
{
#pragma unroll
    for (int i = 0; i < rows_held<ROWS>::N; i++) {
        const int u = (int)threadIdx.x + i * THREADS, r = u >> 4, c = u & 15;
        h.v[i] = make_uint4(0, 0, 0, 0);
        if (from[r] >= 0 && k0 + 8 * c < width)
            h.v[i] = *(const uint4 *)(x + (size_t)from[r] * width + k0 + 8 * c);
    }
}

template <int ROWS>
DEVICE_FN void put_rows(uint4 *tile, const rows_held<ROWS> &h)
{
#pragma unroll
    for (int i = 0; i < rows_held<ROWS>::N; i++) {
        const int u = (int)threadIdx.x + i * THREADS, r = u >> 4, c = u & 15;
        tile[r * PITCH + (c & 3) * 4 + (c >> 2)] = h.v[i];
    }
}

DEVICE_FN uint32_t word(uint4 v, int i)
{
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

template <int ROWS>
DEVICE_FN void multiply(tile_acc (&c)[RT][ROWS / 16], const held &h,
                        const uint4 *tile)
{
#pragma unroll
    for (int j = 0; j < 4; j++) {
        tile_frag a[RT];
#pragma unroll
        for (int t = 0; t < RT; t++)
#pragma unroll
            for (int i = 0; i < TILE_ROWS; i++)
                a[t].r[i] = widen(word(h.w[t][i], j), scale_bits(h.s[t][i]));
#pragma unroll
        for (int n = 0; n < ROWS / 16; n++) {
            const tile_frag b = tile_load(tile + n * 16 * PITCH + 4 * j,
                                          16 * PITCH, 16);
#pragma unroll
            for (int t = 0; t < RT; t++)
                tile_mma<TILE_BF16>(c[t][n], a[t], b);
        }
    }
}

/* Columns of one turn, on their way. */
template <int ROWS> struct turn {
    enum { COLUMNS = ROWS == 16 ? 2 : 1 };
    held h[COLUMNS];
    rows_held<ROWS> x[COLUMNS];
};

template <int ROWS>
DEVICE_FN void fetch_turn(turn<ROWS> &t, const matrix &m,
                          const int (&row)[RT][TILE_ROWS], const uint16_t *x,
                          const int (&from)[ROWS], int k0)
{
#pragma unroll
    for (int i = 0; i < turn<ROWS>::COLUMNS; i++) {
        fetch(t.h[i], m, row, k0 + i * COLUMN);
        fetch_rows<ROWS>(t.x[i], x, from, m.k, k0 + i * COLUMN);
    }
}

/* Sums over k of one tile: c[row of weights][row of x]. */
template <int ROWS>
DEVICE_FN void product(tile_acc (&c)[RT][ROWS / 16], const matrix &m,
                       const int (&row)[RT][TILE_ROWS], const uint16_t *x,
                       const int (&from)[ROWS])
{
    enum { COLUMNS = turn<ROWS>::COLUMNS };
    __shared__ uint4 tile[2][COLUMNS][ROWS * PITCH];
    turn<ROWS> t;
    held h[COLUMNS];

    fetch_turn<ROWS>(t, m, row, x, from, 0);
    for (int k0 = 0, now = 0; k0 < m.k; k0 += COLUMNS * COLUMN, now ^= 1) {
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            h[i] = t.h[i];
            put_rows<ROWS>(tile[now][i], t.x[i]);
        }
        __syncthreads();
        if (k0 + COLUMNS * COLUMN < m.k)
            fetch_turn<ROWS>(t, m, row, x, from, k0 + COLUMNS * COLUMN);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            multiply<ROWS>(c, h[i], tile[now][i]);
    }
}

DEVICE_FN float activation(float gate, float up)
{
    gate = fminf(gate, CALL_MOE_LIMIT);
    up = fminf(fmaxf(up, -CALL_MOE_LIMIT), CALL_MOE_LIMIT);
    return gate / (1.0f + device_exp2(-CALL_MOE_ALPHA * LOG2E * gate)) *
           (up + 1.0f);
}

/* Eight gate rows and their eight up rows make a group of 16. */
template <int ROWS>
__global__ __launch_bounds__(THREADS) void moe_up(call_moe m, places p)
{
    __shared__ int from[ROWS];
    const int tile = (int)blockIdx.y, wave = (int)threadIdx.x / DEVICE_LANES;
    const int e = p.expert[tile];
    const int unit0 = ((int)blockIdx.x * WAVES + wave) * RT * 8;
    int row[RT][TILE_ROWS];
    tile_acc c[RT][ROWS / 16] = {};

    if (e < 0)
        return;
    if (threadIdx.x < ROWS) {
        const int pair = p.list[tile * ROWS + (int)threadIdx.x];
        from[threadIdx.x] = pair < 0 ? -1 : pair / m.topk;
    }
    __syncthreads();
#pragma unroll
    for (int t = 0; t < RT; t++)
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++) {
            const int r = tile_row(i), unit = unit0 + 8 * t + (r & 7);
            row[t][i] = min(unit, m.inter - 1) + (r < 8 ? 0 : m.inter);
        }
    product<ROWS>(c, of_expert(m.w1, m.s1, e, 2 * m.inter, m.hidden), row,
                  (const uint16_t *)m.x.at, from);
#pragma unroll
    for (int t = 0; t < RT; t++)
#pragma unroll
        for (int n = 0; n < ROWS / 16; n++)
#pragma unroll
            for (int i = 0; i < TILE_ACC; i++) {
                /* the up row of a gate row: on NVIDIA in the same lane, on AMD
                 * 32 lanes on */
                const float up = DEVICE_AMD
                                     ? device_xor(c[t][n].v[i], 32)
                                     : c[t][n].v[i ^ 2];
                const int unit = unit0 + 8 * t + tile_acc_row(i);
                const int at = tile * ROWS + 16 * n + tile_acc_col(i);
                if (tile_acc_row(i) < 8 && unit < m.inter)
                    p.h[(size_t)at * m.inter + unit] =
                        device_bf16(activation(c[t][n].v[i], up));
            }
}

template <int ROWS>
__global__ __launch_bounds__(THREADS) void moe_down(call_moe m, places p)
{
    __shared__ int from[ROWS], pair[ROWS];
    const int tile = (int)blockIdx.y, wave = (int)threadIdx.x / DEVICE_LANES;
    const int e = p.expert[tile];
    const int row0 = ((int)blockIdx.x * WAVES + wave) * RT * 16;
    int row[RT][TILE_ROWS];
    tile_acc c[RT][ROWS / 16] = {};

    if (e < 0)
        return;
    if (threadIdx.x < ROWS) {
        const int at = tile * ROWS + (int)threadIdx.x;
        pair[threadIdx.x] = p.list[at];
        from[threadIdx.x] = p.list[at] < 0 ? -1 : at;
    }
    __syncthreads();
#pragma unroll
    for (int t = 0; t < RT; t++)
#pragma unroll
        for (int i = 0; i < TILE_ROWS; i++)
            row[t][i] = min(row0 + 16 * t + tile_row(i), m.hidden - 1);
    product<ROWS>(c, of_expert(m.w2, m.s2, e, m.hidden, m.inter), row, p.h,
                  from);
#pragma unroll
    for (int t = 0; t < RT; t++)
#pragma unroll
        for (int n = 0; n < ROWS / 16; n++)
#pragma unroll
            for (int i = 0; i < TILE_ACC; i++) {
                const int r = row0 + 16 * t + tile_acc_row(i);
                const int to = pair[16 * n + tile_acc_col(i)];
                if (to >= 0 && r < m.hidden)
                    p.out[(size_t)to * m.hidden + r] =
                        device_bf16(c[t][n].v[i] * m.weight[to]);
            }
}

__global__ __launch_bounds__(256) void moe_add(call_moe m, places p)
{
    const uint16_t *out = p.out + (size_t)blockIdx.x * m.topk * m.hidden;
    uint16_t *y = (uint16_t *)m.y + (size_t)blockIdx.x * m.hidden;
    for (int i = (int)threadIdx.x * 2; i < m.hidden; i += 512) {
        float a = 0, b = 0;
        for (int k = 0; k < m.topk; k++) {
            const uint32_t v = *(const uint32_t *)(out + k * m.hidden + i);
            a += device_low(v);
            b += device_high(v);
        }
        *(uint32_t *)(y + i) = device_bf16x2(a, b);
    }
}

const char *lacks(const struct call *c)
{
    const call_moe &m = c->moe;
    if (m.hidden % BLOCK || m.inter % BLOCK)
        return "hidden or inter is not a multiple of 32";
    return m.experts > EXPERTS ? "more than 1024 experts" : NULL;
}

size_t work(const struct call *c, int)
{
    places p;
    return place(c->moe, NULL, &p);
}

template <int ROWS>
void launch_rows(const call_moe &m, const places &p, hipStream_t s)
{
    const unsigned up = (unsigned)device_ceil(m.inter, WAVES * RT * 8);
    const unsigned down = (unsigned)device_ceil(m.hidden, WAVES * RT * 16);
    const unsigned tiles = (unsigned)p.tiles;
    hipLaunchKernelGGL(moe_up<ROWS>, dim3(up, tiles), dim3(THREADS), 0, s, m,
                       p);
    hipLaunchKernelGGL(moe_down<ROWS>, dim3(down, tiles), dim3(THREADS), 0, s,
                       m, p);
}

hipError_t launch(const struct call *c, int, hipStream_t s)
{
    const call_moe m = c->moe;
    places p;
    place(m, (char *)c->work, &p);
    hipLaunchKernelGGL(moe_deal, dim3(1), dim3(DEAL), 0, s, m, p);
    if (p.rows == 16)
        launch_rows<16>(m, p, s);
    else if (p.rows == 32)
        launch_rows<32>(m, p, s);
    else
        launch_rows<64>(m, p, s);
    hipLaunchKernelGGL(moe_add, dim3((unsigned)m.tokens), dim3(256), 0, s, m,
                       p);
    return hipGetLastError();
}

} // namespace

DEVICE_OP(moe)
