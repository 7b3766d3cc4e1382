// Scales of blocks over reals: the largest magnitudes into zeroed memory, of draws where REACH.
template <class Real, bool REACH>
__device__ __forceinline__ void tops(const Real* x, const F64* variance, F64 common, U64* top,
                                     U64* finite, U64 n, Tiling t) {
    U64 most = 0;
    for (U64 i = thread(); i < n; i += threads()) {
        F64 seen = F64(x[i]);
        if constexpr (REACH) seen = reach(seen, root(variance ? variance[i] : common));
        const U64 size = magnitude_of(seen);
        atomicMax(top + t.tile(i), size);
        if (size < INF_BITS) most = maximum(most, size);
    }
    if (most) atomicMax(finite, most);
}

// The scale of every block times that of the array (`second`), and its code. S gives the rule.
template <class S>
__device__ __forceinline__ void levels(const U64* top, const U64* finite, F64* totals,
                                       typename S::Scale* scales, F64* second, U64 blocks) {
    const F64 whole = tensor_level(finite[0], S::spec());
    for (U64 k = thread(); k < blocks; k += threads()) {
        const F64 level = S::level(top[k], whole);
        totals[k] = level * whole;
        if constexpr (S::encode)
            scales[k] = typename S::Scale(code_bits(real_to_bits(level), S::grid(), S::codes()));
        if (k == 0) second[0] = whole;
    }
}
