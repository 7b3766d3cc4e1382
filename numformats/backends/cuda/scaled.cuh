// Every element in units of its scale, rounded or encoded. S gives the rule.
template <class S>
__device__ __forceinline__ typename S::Out scaled_element(typename S::Real x, F64 total, U rand,
                                                          U spare) {
    const U bits = S::element(F64(x), total, rand, spare);
    if constexpr (S::encode) return typename S::Out(code_bits(bits, S::grid(), S::codes()));
    else return real_of<typename S::Out>(rescaled(S::value(bits), total));
}

// The first `vectors` groups of four elements are aligned and lie in one block each.
template <class S>
__device__ __forceinline__ void scaled(const typename S::Real* x, typename S::Out* out,
                                       const F64* totals, U64 n, U64 vectors, Tiling t, W32 k0,
                                       W32 k1, U64 first, U spare) {
    using From = Pack<typename S::Real, 4>;
    using To = Pack<typename S::Out, 4>;
    for (U64 v = thread(); v < vectors; v += threads()) {
        const From given = *reinterpret_cast<const From*>(x + 4 * v);
        const F64 total = totals[t.tile(4 * v)];
        U words[4] = {};
        if constexpr (S::stochastic) {
            if (first & 1) fill<true>(words, first + 4 * v, k0, k1);
            else fill<false>(words, first + 4 * v, k0, k1);
        }
        To result;
#pragma unroll
        for (int j = 0; j < 4; ++j)
            result.v[j] = scaled_element<S>(given.v[j], total, words[j], spare);
        *reinterpret_cast<To*>(out + 4 * v) = result;
    }
    for (U64 i = 4 * vectors + thread(); i < n; i += threads()) {
        const U rand = S::stochastic ? word_of(first + i, k0, k1) : ZERO;
        out[i] = scaled_element<S>(x[i], totals[t.tile(i)], rand, spare);
    }
}
