// The largest magnitude that the scale of element i has to cover: that of a draw where REACH.
template <class Real, bool REACH>
__device__ __forceinline__ U64 covered(Real x, U64 i, const F64* variance, F64 common) {
    if constexpr (REACH) return magnitude_of(reach(F64(x), root(variance ? variance[i] : common)));
    return magnitude_of(F64(x));
}

// Largest magnitudes of blocks, and of all finite elements, into zeroed memory; the first `vectors`
// groups of four elements are aligned and lie in one block each.
template <class Real, bool REACH>
__device__ __forceinline__ void tops(const Real* x, const F64* variance, F64 common, U64* top,
                                     U64* finite, U64 n, U64 vectors, Tiling t) {
    U64 most = 0;
    for (U64 v = thread(); v < vectors; v += threads()) {
        const Pack<Real, 4> given = *reinterpret_cast<const Pack<Real, 4>*>(x + 4 * v);
        U64 largest = 0;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const U64 size = covered<Real, REACH>(given.v[j], 4 * v + j, variance, common);
            largest = maximum(largest, size);
            if (size < INF_BITS) most = maximum(most, size);
        }
        atomicMax(top + t.tile(4 * v), largest);
    }
    for (U64 i = 4 * vectors + thread(); i < n; i += threads()) {
        const U64 size = covered<Real, REACH>(x[i], i, variance, common);
        atomicMax(top + t.tile(i), size);
        if (size < INF_BITS) most = maximum(most, size);
    }
    gather_max(finite, most);
}

// The scale of every block times that of the array (`second`), and its code. S gives the rule.
template <class S>
__device__ __forceinline__ void levels(const U64* top, const U64* finite, F64* totals,
                                       typename S::Scale* scales, F64* second, F64 given,
                                       U64 blocks) {
    const F64 whole = tensor_level(bits_to_real(finite[0]), given, S::spec());
    for (U64 k = thread(); k < blocks; k += threads()) {
        const F64 level = S::level(top[k], whole);
        totals[k] = level * whole;
        if constexpr (S::encode)
            scales[k] = typename S::Scale(code_bits(real_to_bits(level), S::grid(), S::codes()));
        if (k == 0) second[0] = whole;
    }
}
