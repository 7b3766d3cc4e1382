// Random words in registers: word i & 1 of counter i >> 1 in 32-bit lanes, both in 64-bit ones.
__device__ __forceinline__ auto block_of(U64 counter, W32 k0, W32 k1) {
    return threefry(k0, k1, W32(counter), W32(counter >> 32));
}

// The words of elements e .. e + N of the stream; ODD is the parity of e.
template <bool ODD, int N>
__device__ __forceinline__ void fill(W32 (&words)[N], U64 e, W32 k0, W32 k1) {
    if constexpr (ODD) words[0] = block_of(e >> 1, k0, k1).second;
#pragma unroll
    for (int at = ODD; at < N; at += 2) {
        auto both = block_of((e + at) >> 1, k0, k1);
        words[at] = both.first;
        if (at + 1 < N) words[at + 1] = both.second;
    }
}

template <bool ODD, int N>
__device__ __forceinline__ void fill(U64 (&words)[N], U64 e, W32 k0, W32 k1) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
        auto both = block_of(e + j, k0, k1);
        words[j] = U64(both.first) << 32 | both.second;
    }
}

__device__ __forceinline__ U word_of(U64 e, W32 k0, W32 k1) {
    U one[1];
    if (e & 1) fill<true>(one, e, k0, k1);
    else fill<false>(one, e, k0, k1);
    return one[0];
}

// An index of this launch and the number of its threads.
__device__ __forceinline__ U64 thread() { return U64(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ U64 threads() { return U64(gridDim.x) * blockDim.x; }
