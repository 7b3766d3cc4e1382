// Values of stored codes, times the scales of their blocks where there are totals. The first
// `vectors` groups of four elements are aligned and lie in one block each.
template <class Code, class Real>
__device__ __forceinline__ void decoded(const Code* codes, Real* out, const F64* totals, F64 second,
                                        U64 n, U64 vectors, Tiling t, DecodeSpec d) {
    for (U64 v = thread(); v < vectors; v += threads()) {
        const Pack<Code, 4> given = *reinterpret_cast<const Pack<Code, 4>*>(codes + 4 * v);
        const F64 total = totals ? totals[t.tile(4 * v)] * second : 1.0;
        Pack<Real, 4> result;
#pragma unroll
        for (int j = 0; j < 4; ++j)
            result.v[j] = as_real<Real>(bits_to_real(value_bits(U(given.v[j]), d)) * total);
        *reinterpret_cast<Pack<Real, 4>*>(out + 4 * v) = result;
    }
    for (U64 i = 4 * vectors + thread(); i < n; i += threads()) {
        const F64 total = totals ? totals[t.tile(i)] * second : 1.0;
        out[i] = as_real<Real>(bits_to_real(value_bits(U(codes[i]), d)) * total);
    }
}
