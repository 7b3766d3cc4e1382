// What the printed core texts call: the names of core/lane.py that are not plain constants.
template <class T> __device__ __forceinline__ T where(bool c, T a, T b) { return c ? a : b; }
#define mostly(c, usual, rare) (__builtin_expect(c, 1) ? (usual) : (rare))
template <class T> __device__ __forceinline__ T minimum(T a, T b) { return a < b ? a : b; }
template <class T> __device__ __forceinline__ T maximum(T a, T b) { return a > b ? a : b; }
__device__ __forceinline__ F64 root(F64 x) { return sqrt(x); }
__device__ __forceinline__ F32 root(F32 x) { return sqrtf(x); }
__device__ __forceinline__ F64 floor_of(F64 x) { return floor(x); }
__device__ __forceinline__ F32 floor_of(F32 x) { return floorf(x); }
__device__ __forceinline__ F64 single(F64 x) { return F64(float(x)); }
__device__ __forceinline__ U64 real_to_bits(F64 x) { return __double_as_longlong(x); }
__device__ __forceinline__ F64 bits_to_real(U64 x) { return __longlong_as_double(x); }
__device__ __forceinline__ W32 float_to_bits(F32 x) { return __float_as_uint(x); }
__device__ __forceinline__ F32 bits_to_float(W32 x) { return __uint_as_float(x); }
// The pattern of |x|, which orders magnitudes.
__device__ __forceinline__ W32 size_of(F32 x) { return __float_as_uint(x) & 0x7fffffffu; }
__device__ __forceinline__ W32 whole_to_bits(int n) { return __float_as_uint(F32(n)); }
__device__ __forceinline__ U64 whole_to_bits(I64 n) { return __double_as_longlong(F64(n)); }
__device__ __forceinline__ F32 fused(F32 a, F32 b, F32 c) { return __fmaf_rn(a, b, c); }
__device__ __forceinline__ F64 fused(F64 a, F64 b, F64 c) { return __fma_rn(a, b, c); }
template <class A, class B> struct Pair { A first; B second; };
template <class A, class B> Pair(A, B) -> Pair<A, B>;

// Shifts give 0 from the lane's width on, which the 32-bit instruction does by itself.
__device__ __forceinline__ W32 shl(W32 x, W32 s) { return __funnelshift_lc(0u, x, s); }
__device__ __forceinline__ W32 shr(W32 x, W32 s) { return __funnelshift_rc(x, 0u, s); }
__device__ __forceinline__ U64 shl(U64 x, U64 s) { return s < 64 ? x << s : 0; }
__device__ __forceinline__ U64 shr(U64 x, U64 s) { return s < 64 ? x >> s : 0; }
__device__ __forceinline__ I bit_length(W32 x) { return 32 - __clz(x); }
__device__ __forceinline__ I bit_length(U64 x) { return 64 - __clzll(x); }
__device__ __forceinline__ U lane_xor(U x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
// The largest of LANES neighbours; all threads of a warp call.
template <int LANES, class T> __device__ __forceinline__ T lanes_max(T x) {
#pragma unroll
    for (int d = 1; d < LANES; d *= 2) x = maximum(x, T(lane_xor(U(x), d)));
    return x;
}

// A float64 as a result; NaN is the quiet one, whatever conversions of the device make of it.
template <class Real> __device__ __forceinline__ Real real_of(F64 x);
template <> __device__ __forceinline__ F64 real_of<F64>(F64 x) {
    return x == x ? x : bits_to_real(0x7ff8ull << 48);
}
template <> __device__ __forceinline__ float real_of<float>(F64 x) {
    return x == x ? float(x) : __uint_as_float(0x7fc00000u);
}

// Consecutive elements as one load or store of up to 16 bytes.
template <class T, int N> struct alignas(sizeof(T) * N) Pack { T v[N]; };

// Conversions between float patterns that keep the bits of NaN, which those of the device change.
__device__ __forceinline__ U64 wide_bits(W32 bits) {
    if ((bits & 0x7fffffffu) <= 0x7f800000u) return real_to_bits(F64(__uint_as_float(bits)));
    return U64(bits >> 31) << 63 | 0x7ffull << 52 | U64(bits & 0x7fffffu) << 29;
}
__device__ __forceinline__ W32 single_bits(U64 bits) {
    if ((bits & 0x7fffffffffffffffull) <= 0x7ffull << 52)
        return __float_as_uint(float(bits_to_real(bits)));
    return (W32(bits >> 32) & 0x80000000u) | 0x7f800000u | (W32(bits >> 29) & 0x7fffffu);
}
__device__ __forceinline__ U64 wide_bits(F64 x) { return real_to_bits(x); }
__device__ __forceinline__ U64 wide_bits(float x) { return wide_bits(__float_as_uint(x)); }
__device__ __forceinline__ void store(F64* to, U64 bits) { *to = bits_to_real(bits); }
__device__ __forceinline__ void store(float* to, U64 bits) { *to = __uint_as_float(single_bits(bits)); }
__device__ __forceinline__ void store(int* to, U64 bits) { *to = int(bits_to_real(bits)); }
