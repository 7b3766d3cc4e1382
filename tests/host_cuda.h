// CUDA on the host, as far as the kernels need it: a thread is a call, a warp that shuffles is 32
// coroutines that take turns.
#include <bit>
#include <cmath>
#include <functional>
#include <ucontext.h>
#define __device__
#define __global__
#define __forceinline__ inline
using std::floor;
using std::sqrt;

struct Index { unsigned x; };
static Index threadIdx, blockIdx, blockDim, gridDim;

static unsigned __funnelshift_lc(unsigned low, unsigned high, unsigned s) {
    const unsigned long long both = (unsigned long long)high << 32 | low;
    return s >= 32 ? low : unsigned(both << s >> 32);
}
static unsigned __funnelshift_rc(unsigned low, unsigned high, unsigned s) {
    const unsigned long long both = (unsigned long long)high << 32 | low;
    return s >= 32 ? high : unsigned(both >> s);
}
static int __clz(unsigned x) { return std::countl_zero(x); }
static int __clzll(unsigned long long x) { return std::countl_zero(x); }
static long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
static double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
static unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
static float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
static double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
static float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
template <class T> static void atomicMax(T* at, T x) { if (*at < x) *at = x; }
template <class T> static void atomicOr(T* at, T x) { *at |= x; }
template <class T> static void atomicAdd(T* at, T x) { *at += x; }

struct Coroutine {
    ucontext_t at;
    bool done;
    int turns;
    unsigned long long sent[2];  // by turn, since a lane may be one shuffle ahead of another
    alignas(16) char stack[1 << 16];
};
static Coroutine lanes[32];
static ucontext_t home;
static int running;
static unsigned first_thread;
static const std::function<void()>* kernel_body;

template <class T> static T __shfl_xor_sync(unsigned, T x, int mask) {
    const int me = running, turn = lanes[me].turns++ & 1;
    lanes[me].sent[turn] = x;
    swapcontext(&lanes[me].at, &home);
    return T(lanes[me ^ mask].sent[turn]);
}
static void lane_main() {
    (*kernel_body)();
    lanes[running].done = true;
    swapcontext(&lanes[running].at, &home);
}
static void run_warp() {
    for (auto& lane : lanes) {
        lane.done = false;
        lane.turns = 0;
        getcontext(&lane.at);
        lane.at.uc_stack.ss_sp = lane.stack;
        lane.at.uc_stack.ss_size = sizeof lane.stack;
        makecontext(&lane.at, lane_main, 0);
    }
    for (bool left = true; left;) {
        left = false;
        for (running = 0; running < 32; ++running)
            if (!lanes[running].done) {
                threadIdx.x = first_thread + running;
                swapcontext(&home, &lanes[running].at);
                left = true;
            }
    }
}
// Every thread of a launch: alone, or (`warps`) 32 at a time.
static void launch(unsigned grid, unsigned block, bool warps, const std::function<void()>& body) {
    gridDim.x = grid, blockDim.x = block, kernel_body = &body;
    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)
        for (unsigned t = 0; t < block; t += warps ? 32 : 1) {
            threadIdx.x = first_thread = t;
            if (warps) run_warp(); else body();
        }
}
