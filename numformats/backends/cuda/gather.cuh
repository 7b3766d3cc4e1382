// What all threads found, into one place of memory: a warp goes there once. All its threads call.
template <class T> __device__ __forceinline__ T warp_sum(T x) {
#pragma unroll
    for (int d = 1; d < 32; d *= 2) x += T(lane_xor(U(x), d));
    return x;
}

__device__ __forceinline__ void gather_sum(U64* to, W32 x) {
    const W32 sum = warp_sum(x);
    if (threadIdx.x % 32 == 0 && sum) atomicAdd(to, U64(sum));
}

// An old value is a bound that spares most of the atomics.
__device__ __forceinline__ void gather_max(U64* to, U x) {
    const U top = lanes_max<32>(x);
    if (threadIdx.x % 32 == 0 && top > *(volatile U64*)to) atomicMax(to, U64(top));
}
