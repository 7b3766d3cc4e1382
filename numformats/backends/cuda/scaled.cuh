// Every element in units of its scale, rounded or encoded. S gives the rule.
template <class S>
__device__ __forceinline__ void scaled(const typename S::Real* x, typename S::Out* out,
                                       const F64* totals, U64 n, Tiling t, W32 k0, W32 k1,
                                       U64 first, U spare) {
    for (U64 i = thread(); i < n; i += threads()) {
        const F64 total = totals[t.tile(i)];
        const U rand = S::stochastic ? word_of(first + i, k0, k1) : ZERO;
        const U bits = S::element(F64(x[i]), total, rand, spare);
        if constexpr (S::encode)
            out[i] = typename S::Out(code_bits(bits, S::grid(), S::codes()));
        else
            out[i] = typename S::Out(rescaled(bits_to_real(bits), total));
    }
}
