// The threads of a launch, one block after the other. Threads that wait for one another are
// coroutines. Waiting where not all do, and touching memory that nobody gave, are errors.
#include <csetjmp>
#include <memory>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

using Kernel = void (*)(void** params);
struct Index { u32 x, y, z; };
static Index tid, ctaid, ntid, nctaid;

struct Range { u64 start, end; };
static std::vector<Range> memory;  // what kernels may touch; empty: all
static Range last_touched;
constexpr size_t SHARED = 1 << 18;
static unsigned char* const shared_memory = static_cast<unsigned char*>(mmap(  // 32 bits reach it
    nullptr, SHARED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));

[[noreturn]] static void refuse(const std::string& what) {
    throw std::runtime_error(what + " (block " + std::to_string(ctaid.x) + ", thread " + std::to_string(tid.x) + ")");
}
static void inside(u64 at, size_t size, size_t alignment) {
    if (at % alignment) refuse("an address that is no multiple of " + std::to_string(alignment));
    const auto holds = [&](const Range& r) { return at >= r.start && at + size <= r.end; };
    if (memory.empty() || holds(last_touched)) return;
    for (const Range& r : memory) if (holds(r)) { last_touched = r; return; }
    refuse(std::to_string(size) + " bytes outside all arrays");
}
template <class T> static inline Out<T> at_once(u64 at) {
    T x;
    std::memcpy(&x, reinterpret_cast<const void*>(at), sizeof x);
    return {x};
}
template <class T, int words = 1> static inline Out<T> ld_global(u64 at) {
    inside(at, sizeof(T), words * sizeof(T));
    return at_once<T>(at);
}
template <class T, int words = 1> static inline Out<T> ld_local(u64 at) { return at_once<T>(at); }
template <class T, int words = 1> static inline Out<T> ld_shared(u64 at) { return at_once<T>(at); }
template <class T, int words = 1> static inline Out<T> ld_param(u64 at) { return at_once<T>(at); }
template <class T> static inline void put(u64 at, T x) { std::memcpy(reinterpret_cast<void*>(at), &x, sizeof x); }
template <class T, int words = 1> static inline void st_global(u64 at, In<T> x) {
    inside(at, sizeof(T), words * sizeof(T));
    put<T>(at, x);
}
template <class T, int words = 1> static inline void st_local(u64 at, In<T> x) { put<T>(at, x); }
template <class T, int words = 1> static inline void st_shared(u64 at, In<T> x) { put<T>(at, x); }
#define ATOMIC_IN(SPACE, NAME, EXPR) template <class T> static inline Out<T> atom_##SPACE##_##NAME(u64 at, In<T> given) { \
    const T old = ld_##SPACE<T>(at), x = given; st_##SPACE<T>(at, T(EXPR)); return {old}; }
#define ATOMIC(NAME, EXPR) ATOMIC_IN(global, NAME, EXPR) ATOMIC_IN(shared, NAME, EXPR)
ATOMIC(add, plus<T>(old, x)) ATOMIC(max, most<T>(old, x)) ATOMIC(min, least<T>(old, x))
ATOMIC(or, old | x) ATOMIC(and, old & x) ATOMIC(exch, x)

// Coroutines
enum State { READY, AT_BARRIER, AT_SHUFFLE, DONE };
struct Thread {
    ucontext_t start;
    jmp_buf at;
    State state;
    bool begun;
    Index tid;
    u32 mask, sent, source, given;
    alignas(16) unsigned char stack[1 << 15];
};
static std::unique_ptr<Thread[]> threads;
static Thread* running;
static jmp_buf scheduler;
static Kernel body;
static void** arguments;
static std::string failure;

static void wait_for_others(State state) {
    if (!running) refuse("a kernel that waits was launched as one that does not");
    running->state = state;
    if (!_setjmp(running->at)) _longjmp(scheduler, 1);
}
static void bar_sync(u32) { wait_for_others(AT_BARRIER); }
template <class T> static inline Out<T> exchange(T x, u32 source, u32 mask) {
    running->sent = u32(x), running->source = source, running->mask = mask;
    wait_for_others(AT_SHUFFLE);
    return {T(running->given)};
}
template <class T> static inline Out<T> shfl_sync_bfly(In<T> a, In<u32> b, In<u32> c, In<u32> mask) {
    const u32 lane = running->tid.x & 31, segment = u32(c) >> 8 & 31;
    const u32 other = lane ^ (u32(b) & 31), most = (lane & segment) | (u32(c) & 31 & ~segment);
    return exchange<T>(a, other <= most ? other : lane, mask);
}
template <class T> static inline Out<T> shfl_sync_idx(In<T> a, In<u32> b, In<u32> c, In<u32> mask) {
    const u32 lane = running->tid.x & 31, segment = u32(c) >> 8 & 31;
    const u32 other = (lane & segment) | (u32(b) & 31 & ~segment), most = (lane & segment) | (u32(c) & 31 & ~segment);
    return exchange<T>(a, other <= most ? other : lane, mask);
}
static void thread_main() {
    try { body(arguments); } catch (const std::exception& error) { failure = error.what(); }
    running->state = DONE;
    _longjmp(scheduler, 1);
}
static void run(Thread& thread) {
    running = &thread, tid = thread.tid;
    if (_setjmp(scheduler)) return;
    if (thread.begun) _longjmp(thread.at, 1);
    thread.begun = true;
    setcontext(&thread.start);
}
// Lets a warp's lanes go that wait for one another; whether there were any.
static bool exchanged(Thread* warp, u32 lanes) {
    bool any = false;
    for (u32 i = 0; i < lanes; ++i) {
        if (warp[i].state != AT_SHUFFLE) continue;
        for (u32 j = 0; j < 32; ++j)
            if (warp[i].mask >> j & 1 && (j >= lanes || warp[j].state != AT_SHUFFLE || warp[j].mask != warp[i].mask))
                throw std::runtime_error("a shuffle waits for lanes that are not there");
        if (!(warp[i].mask >> warp[i].source & 1)) throw std::runtime_error("a shuffle reads a lane outside its mask");
        warp[i].given = warp[warp[i].source].sent;
        any = true;
    }
    for (u32 i = 0; i < lanes; ++i) if (warp[i].state == AT_SHUFFLE) warp[i].state = READY;
    return any;
}
static void run_block(bool backwards) {
    const u32 n = ntid.x;
    for (u32 i = 0; i < n; ++i) {
        Thread& t = threads[i];
        t.state = READY, t.begun = false, t.tid = {i, 0, 0};
        getcontext(&t.start);
        t.start.uc_stack.ss_sp = t.stack, t.start.uc_stack.ss_size = sizeof t.stack;
        makecontext(&t.start, thread_main, 0);
    }
    for (;;) {
        for (u32 k = 0; k < n; ++k) {
            Thread& t = threads[backwards ? n - 1 - k : k];
            if (t.state == READY) run(t);
            if (!failure.empty()) throw std::runtime_error(failure);
        }
        u32 waiting = 0, done = 0;
        bool any = false;
        for (u32 i = 0; i < n; i += 32) any |= exchanged(&threads[i], std::min(32u, n - i));
        if (any) continue;
        for (u32 i = 0; i < n; ++i) waiting += threads[i].state == AT_BARRIER, done += threads[i].state == DONE;
        if (done == n) return;
        if (waiting + done < n || done) throw std::runtime_error("a barrier that not all threads reach");
        for (u32 i = 0; i < n; ++i) threads[i].state = READY;
    }
}
// All threads of a launch. `backwards`: the later threads of a block run first.
static std::string launch(Kernel kernel, bool waits, bool backwards, u32 grid, u32 block, void** params) {
    ntid = {block, 1, 1}, nctaid = {grid, 1, 1};
    body = kernel, arguments = params, running = nullptr;
    if (waits && !threads) threads.reset(new Thread[1024]);
    failure.clear();
    try {
        for (ctaid = {0, 0, 0}; ctaid.x < grid; ++ctaid.x) {
            if (waits) std::memset(shared_memory, 0xA5, SHARED >> 2), run_block(backwards);
            else for (tid = {0, 0, 0}; tid.x < block; ++tid.x) kernel(params);
        }
    } catch (const std::exception& error) { return error.what(); }
    return "";
}
static std::string message;
extern "C" void may_touch(const Range* ranges, u64 n) { memory.assign(ranges, ranges + n), last_touched = {0, 0}; }
#define ENTRY(NAME, KERNEL, WAITS) extern "C" const char* NAME(u32 grid, u32 block, bool backwards, void** params) { \
    message = launch(KERNEL, WAITS, backwards, grid, block, params); return message.c_str(); }
