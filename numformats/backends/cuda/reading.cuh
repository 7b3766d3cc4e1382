// Operands read into the layout of the kernels, and results given their dtype. All of the 64-bit
// lane but for what splits narrow carriers.
struct Layout {
    U64 outer, stored, inner, count, source_inner;
    const I64 *lines, *places;
    __device__ __forceinline__ U64 size() const { return outer * stored * inner; }
    // Where element e of the result comes from along the axis: negative where from nowhere.
    __device__ __forceinline__ I64 place(U64 e) const {
        const U64 p = e / inner % stored;
        return places ? places[p] : I64(p);
    }
    __device__ __forceinline__ U64 line(U64 e) const {
        const U64 o = e / (inner * stored);
        return lines ? U64(lines[o]) : o;
    }
    __device__ __forceinline__ U64 source(U64 e, I64 place) const {
        return (line(e) * count + U64(place)) * source_inner + (source_inner == 1 ? 0 : e % inner);
    }
};

// Conversions between float patterns; those of the device change the bits of NaN.
__device__ __forceinline__ U64 wide_bits(F64 x) { return real_to_bits(x); }
__device__ __forceinline__ U64 wide_bits(float x) {
    const W32 bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) <= 0x7f800000u) return real_to_bits(F64(x));
    return U64(bits >> 31) << 63 | 0x7ffull << 52 | U64(bits & 0x7fffffu) << 29;
}
__device__ __forceinline__ W32 single_bits(U64 bits) {
    const U64 size = bits & 0x7fffffffffffffffull;
    if (size <= 0x7ff0000000000000ull) return __float_as_uint(float(bits_to_real(bits)));
    return W32(bits >> 32) & 0x80000000u | 0x7f800000u | (W32(bits >> 29) & 0x7fffffu);
}
__device__ __forceinline__ void put(F64* to, U64 bits) { *to = bits_to_real(bits); }
__device__ __forceinline__ void put(float* to, U64 bits) { *to = __uint_as_float(single_bits(bits)); }
__device__ __forceinline__ void put(int* to, U64 bits) { *to = int(bits_to_real(bits)); }
