/* The emulator's scheduler and its matrix instructions.
 *
 * Blocks of a kernel run one after the other.  When all fibers of the running
 * blocks spin (wait for another block), the next block of each kernel is let
 * in; when there is none and nobody moves, the launch hangs on a device too,
 * and the program stops here and says so.  Shared arrays are static, one for
 * all blocks: kernels that spin must have none. */
#include <hip/hip_runtime.h>

#include "kernels/fill.h"

#include <memory>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace
{

enum {
    STACK = 128 * 1024,
    ITEM = 64,
    GROUP = 128,
    SHARED = 232 * 1024,
    PATIENCE = 100, /* turns */
};

/* Where `of` fibers hand things on; two buffers, so that the next round may
 * begin while the last is still read. */
struct meeting {
    int of, come = 0, round = 0;
    std::vector<unsigned char> item[2];
    explicit meeting(int n) : of(n)
    {
        for (auto &i : item)
            i.resize((size_t)n * ITEM);
    }
};

struct block;

struct fiber {
    void *sp = nullptr;
    ucontext_t context;
    block *in;
    dim3 id;
    int number;
    bool done = false, spins = false;
    const meeting *waits = nullptr; /* for its round to end */
    int round = 0;
    const emu_mbar *bar = nullptr;
    uint32_t phase = 0;
};

struct block {
    const emu_work *of;
    dim3 id;
    std::vector<fiber> fibers;
    std::vector<meeting> waves, groups;
    meeting all;
    std::vector<unsigned char> memory;
    unsigned char *shared;
    int left;
    explicit block(int threads) : fibers((size_t)threads), all(threads) {}
};

std::vector<std::vector<unsigned char>> spare_stacks;
fiber *now;

#if defined(__x86_64__)
void *host_sp;
extern "C" void emu_switch(void **save, void *to);
asm(".text\n.globl emu_switch\nemu_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");
void leave(fiber *f)
{
    emu_switch(&f->sp, host_sp);
}
void enter(fiber *f)
{
    emu_switch(&host_sp, f->sp);
}
#else
ucontext_t host_context;
void leave(fiber *f)
{
    swapcontext(&f->context, &host_context);
}
void enter(fiber *f)
{
    swapcontext(&host_context, &f->context);
}
#endif

[[noreturn]] void stop(const char *why)
{
    fprintf(stderr, "emulator: %s\n", why);
    abort();
}

void body()
{
    now->in->of->what();
    now->done = true;
    now->in->left--;
    leave(now);
    stop("a finished thread ran on");
}

void make(fiber *f, std::vector<unsigned char> &stack)
{
    stack.resize(STACK);
#if defined(__x86_64__)
    uintptr_t top = ((uintptr_t)stack.data() + STACK) & ~(uintptr_t)15;
    void **p = (void **)top;
    *--p = nullptr; /* body's return address, never used */
    *--p = (void *)body;
    p -= 6;
    f->sp = p;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack.data();
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = nullptr;
    makecontext(&f->context, body, 0);
#endif
}

bool ready(fiber *f)
{
    if (f->waits)
        return f->waits->round != f->round;
    if (f->bar)
        return f->bar->phase != f->phase;
    return true;
}

const unsigned char *meet(meeting &m, int place, const void *mine, size_t bytes)
{
    const int round = m.round;
    unsigned char *items = m.item[round & 1].data();
    if (bytes)
        memcpy(items + (size_t)place * ITEM, mine, bytes);
    if (++m.come == m.of) {
        m.come = 0;
        m.round++;
        return items;
    }
    now->waits = &m;
    now->round = round;
    leave(now);
    return items;
}

std::unique_ptr<block> begin(const emu_work *of, unsigned number,
                             std::vector<std::vector<unsigned char>> &stacks)
{
    const dim3 size = of->block, grid = of->grid;
    const size_t shared = of->shared;
    const dim3 id(number % grid.x, number / grid.x % grid.y,
                  number / (grid.x * grid.y));
    const int n = (int)(size.x * size.y * size.z);
    std::unique_ptr<block> b(new block(n));
    if (shared > SHARED)
        stop("more shared memory than a block can have");
    b->of = of;
    b->id = id;
    b->left = n;
    b->memory.assign(shared + 2048, 0xff); /* not a number */
    b->shared = (unsigned char *)(((uintptr_t)b->memory.data() + 1023) &
                                  ~(uintptr_t)1023);
    for (int i = 0; i < n; i += EMU_LANES)
        b->waves.emplace_back(n - i < EMU_LANES ? n - i : EMU_LANES);
    for (int i = 0; i < n; i += GROUP)
        b->groups.emplace_back(n - i < GROUP ? n - i : GROUP);
    for (int i = 0; i < n; i++) {
        fiber *f = &b->fibers[(size_t)i];
        f->in = b.get();
        f->number = i;
        f->id = dim3((unsigned)i % size.x, (unsigned)i / size.x % size.y,
                     (unsigned)i / (size.x * size.y));
        if (spare_stacks.empty())
            spare_stacks.emplace_back();
        stacks.push_back(std::move(spare_stacks.back()));
        spare_stacks.pop_back();
        make(f, stacks.back());
    }
    return b;
}

/* One turn of everyone who can move; true: somebody did more than spin. */
bool turn(block *b)
{
    bool moved = false;
    gridDim = b->of->grid;
    blockDim = b->of->block;
    for (fiber &f : b->fibers) {
        if (f.done || !ready(&f))
            continue;
        const int left = b->left;
        f.waits = nullptr;
        f.bar = nullptr;
        f.spins = false;
        now = &f;
        threadIdx = f.id;
        blockIdx = b->id;
        enter(&f);
        moved |= !f.spins || b->left != left;
    }
    return moved;
}

} // namespace

void emu_run(const std::vector<emu_work> &kernels)
{
    std::vector<unsigned> next(kernels.size(), 0);
    int idle = 2; /* turns in which everybody only spun */
    std::vector<std::unique_ptr<block>> running;
    std::vector<std::vector<unsigned char>> stacks;
    for (;;) {
        bool waiting = false;
        for (size_t k = 0; k < kernels.size() && idle > 1; k++) {
            const dim3 grid = kernels[k].grid;
            if (next[k] == grid.x * grid.y * grid.z)
                continue;
            running.push_back(begin(&kernels[k], next[k]++, stacks));
            waiting = true;
        }
        if (running.empty())
            break;
        if (idle > PATIENCE && !waiting)
            stop("a launch hangs: all threads wait");
        idle++;
        for (auto &b : running)
            if (turn(b.get()))
                idle = 0;
        for (size_t i = running.size(); i-- > 0;)
            if (running[i]->left == 0)
                running.erase(running.begin() + (long)i);
        if (running.empty()) {
            idle = 2;
            for (; !stacks.empty(); stacks.pop_back())
                spare_stacks.push_back(std::move(stacks.back()));
        }
    }
}

int emu_lane(void)
{
    return now->number % EMU_LANES;
}

const unsigned char *emu_exchange(const void *mine, size_t bytes)
{
    return meet(now->in->waves[(size_t)now->number / EMU_LANES], emu_lane(),
                mine, bytes);
}

const unsigned char *emu_exchange_group(const void *mine, size_t bytes)
{
    return meet(now->in->groups[(size_t)now->number / GROUP],
                now->number % GROUP, mine, bytes);
}

void emu_wave_sync(void)
{
    emu_exchange(nullptr, 0);
}

/* Threads that have returned are not waited for. */
void __syncthreads(void)
{
    meeting &m = now->in->all;
    m.of = now->in->left;
    meet(m, now->number, nullptr, 0);
}

void emu_spin(void)
{
    now->spins = true;
    leave(now);
}

unsigned char *emu_shared(void)
{
    return now->in->shared;
}

uint64_t emu_shared_address(const void *p)
{
    return (uint64_t)((const unsigned char *)p - now->in->shared);
}

void emu_mbar_init(void *bar, int count)
{
    emu_mbar b = {(uint16_t)count, (uint16_t)count, 0};
    memcpy(bar, &b, sizeof b);
}

void emu_mbar_arrive(void *bar)
{
    emu_mbar *b = (emu_mbar *)bar;
    if (b->left == 0)
        stop("more arrive at a barrier than it waits for");
    if (--b->left == 0) {
        b->left = b->count;
        b->phase++;
    }
}

/* Ends when the phase of that parity is over. */
void emu_mbar_wait(void *bar, int parity)
{
    const emu_mbar *b = (const emu_mbar *)bar;
    while ((int)(b->phase & 1) == parity) {
        now->bar = b;
        now->phase = b->phase;
        leave(now);
    }
}

/* ---- matrix instructions ---- */

float emu_of_f16(uint16_t h)
{
    uint32_t e = h >> 10 & 31u, m = h & 1023u;
    float f = e ? (float)(1024 + m) * fill_pow2((int)e - 25)
                : (float)m * fill_pow2(-24);
    return h & 0x8000u ? -f : f;
}

static uint16_t to_f16(float f)
{
    uint32_t u = __float_as_uint(f), sign = u >> 16 & 0x8000u;
    float a = fabsf(f);
    if (a >= 65504.0f)
        return (uint16_t)(sign | 0x7bffu);
    int e = (int)(u >> 23 & 255u) - 127;
    if (e < -14)
        e = -14;
    float m = nearbyintf(a * fill_pow2(10 - e)); /* 1024 .. 2048, or below */
    if (m >= 2048)
        return (uint16_t)(sign | (uint32_t)(e + 16) << 10);
    if (m < 1024)
        return (uint16_t)(sign | (uint32_t)m);
    return (uint16_t)(sign | (uint32_t)(e + 15) << 10 | ((uint32_t)m - 1024));
}

uint32_t emu_f16x2(float a, float b)
{
    return to_f16(a) | (uint32_t)to_f16(b) << 16;
}

/* Number i of a register that holds 2 of 16 bit or 4 of 8. */
static float number(int type, uint32_t r, int i)
{
    if (type == 2)
        return fill_of_fp8((uint8_t)(r >> 8 * i), EMU_LANES == 64);
    uint16_t h = (uint16_t)(r >> 16 * i);
    return type == 1 ? emu_of_f16(h) : fill_of_bf16(h);
}

struct operands {
    uint32_t a[4], b[2];
};

static operands of(const unsigned char *all, int lane)
{
    operands o;
    memcpy(&o, all + ITEM * lane, sizeof o);
    return o;
}

/* a0: row g, a1: row g + 8, both k = t each..; a2, a3 half of k further on.
 * `each` numbers in a register. */
void emu_mma(int type, float *c, const uint32_t *a, const uint32_t *b)
{
    operands mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    const unsigned char *all = emu_exchange(&mine, sizeof mine);
    const int each = type == 2 ? 4 : 2, lane = emu_lane();
    for (int e = 0; e < 4; e++) {
        const int row = (lane >> 2) + 8 * (e >> 1);
        const int col = 2 * (lane & 3) + (e & 1);
        for (int k = 0; k < 8 * each; k++) {
            const int t = k / each % 4, half = k / (4 * each), i = k % each;
            const operands x = of(all, (row % 8) * 4 + t);
            const operands y = of(all, col * 4 + t);
            c[e] += number(type, x.a[row / 8 + 2 * half], i) *
                    number(type, y.b[half], i);
        }
    }
}

/* 16 x 16: operand rows and columns by lane % 16, k by lane / 16. */
void emu_mfma(bool fp8, float *c, const uint32_t *a, const uint32_t *b)
{
    operands mine = {{a[0], a[1], 0, 0}, {b[0], b[1]}};
    const unsigned char *all = emu_exchange(&mine, sizeof mine);
    const int type = fp8 ? 2 : 0, each = fp8 ? 4 : 2, lane = emu_lane();
    for (int e = 0; e < 4; e++) {
        const int row = lane / 16 * 4 + e, col = lane % 16;
        for (int k = 0; k < 8 * each; k++) {
            const int at = k / (2 * each) * 16, r = k / each % 2, i = k % each;
            c[e] += number(type, of(all, at + row).a[r], i) *
                    number(type, of(all, at + col).b[r], i);
        }
    }
}

/* Byte of element (row, k) of an operand by its descriptor, for the layout of
 * 128-byte swizzle.  K-major: rows of 128 bytes, 8 of them a group, groups SBO
 * apart.  MN-major (transposed): 64 numbers along MN in 128 bytes, 8 steps of k
 * a group, groups SBO apart along k and LBO apart along MN. */
static uint16_t by_descriptor(uint64_t d, int mn, int k, bool k_major)
{
    const uint64_t start = (d & 0x3fff) << 4, lbo = (d >> 16 & 0x3fff) << 4;
    const uint64_t sbo = (d >> 32 & 0x3fff) << 4;
    uint64_t at;
    uint16_t v;
    if (d >> 62 != 1)
        stop("only 128-byte swizzle is emulated");
    if (k_major)
        at = start + (uint64_t)(mn % 8) * 128 + (uint64_t)(mn / 8) * sbo +
             2 * (uint64_t)k;
    else
        at = start + 2 * (uint64_t)(mn % 64) + (uint64_t)(mn / 64) * lbo +
             (uint64_t)(k % 8) * 128 + (uint64_t)(k / 8) * sbo;
    at ^= (at >> 7 & 7) << 4;
    memcpy(&v, now->in->shared + at, sizeof v);
    return v;
}

void emu_wgmma(float *c, int n, const uint32_t *regs, uint64_t a, uint64_t b,
               bool keep, bool b_by_k)
{
    operands mine = {{0, 0, 0, 0}, {0, 0}};
    if (regs)
        memcpy(mine.a, regs, sizeof mine.a);
    const unsigned char *all = emu_exchange_group(&mine, sizeof mine);
    const int thread = now->number % GROUP, lane = thread % 32;
    for (int e = 0; e < n / 2; e++) {
        const int row = lane / 4 + 8 * (e >> 1 & 1);
        const int col = 8 * (e >> 2) + 2 * (lane & 3) + (e & 1);
        float sum = keep ? c[e] : 0;
        for (int k = 0; k < 16; k++) {
            const int t = k / 2 % 4, half = k / 8;
            const operands x =
                of(all, thread / 32 * 32 + (row % 8) * 4 + t);
            const float p =
                regs ? number(0, x.a[row / 8 + 2 * half], k & 1)
                     : fill_of_bf16(by_descriptor(a, thread / 32 * 16 + row, k,
                                                  true));
            sum += p * fill_of_bf16(by_descriptor(b, col, k, b_by_k));
        }
        c[e] = sum;
    }
    /* nobody may write what others still read */
    emu_exchange_group(nullptr, 0);
}
