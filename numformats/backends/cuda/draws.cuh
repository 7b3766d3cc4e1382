// Words, normals and variance-corrected draws, one element a thread.
__device__ __forceinline__ void random_words(U* out, U64 n, W32 k0, W32 k1, U64 first) {
    for (U64 i = thread(); i < n; i += threads()) out[i] = word_of(first + i, k0, k1);
}

template <class Real>
__device__ __forceinline__ void random_normals(Real* out, U64 n, W32 k0, W32 k1, U64 first) {
    for (U64 i = thread(); i < n; i += threads()) out[i] = Real(normal(word_of(first + i, k0, k1)));
}

// Variance-corrected draws, of a common variance where there is no array of them, in units of the
// scales of blocks where there are totals; counts (may be null) gathers too much variance and
// beyond the range.
template <class Real>
__device__ __forceinline__ void random_draws(const Real* mean, const F64* variance,
                                             F64 common, Real* out, U64* counts, U64 n,
                                             const F64* totals, Tiling t, W32 k0, W32 k1, W32 h0,
                                             W32 h1, U64 first, DrawGrid g) {
    U64 found[2] = {};
    for (U64 i = thread(); i < n; i += threads()) {
        const F64 total = totals ? totals[t.tile(i)] : 1.0;
        F64 m = F64(mean[i]), v = variance ? variance[i] : common;
        if (totals) m = unit_mean(m, total), v = unit_variance(v, total);
        const W32 one = word_of(first + i, k0, k1), two = word_of(first + i, h0, h1);
        const F64 drawn = counted_draw(m, v, one, two, g, found);
        out[i] = real_of<Real>(totals ? rescaled(drawn, total) : drawn);
    }
    if (counts) add_counts(found, counts);
}
