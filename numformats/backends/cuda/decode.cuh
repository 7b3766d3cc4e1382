// Values of stored codes, and of element codes times their scales.
template <class Code, class Real>
__device__ __forceinline__ void decoded(const Code* codes, Real* out, U64 n, DecodeSpec d) {
    for (U64 i = thread(); i < n; i += threads())
        out[i] = Real(bits_to_real(value_bits(U(codes[i]), d)));
}

template <class Code, class Real>
__device__ __forceinline__ void block_decoded(const Code* codes, Real* out, const F64* totals,
                                              F64 second, U64 n, Tiling t, DecodeSpec d) {
    for (U64 i = thread(); i < n; i += threads())
        out[i] = Real(bits_to_real(value_bits(U(codes[i]), d)) * (totals[t.tile(i)] * second));
}
