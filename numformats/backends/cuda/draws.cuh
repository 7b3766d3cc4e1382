// Variance-corrected draws. S gives the grid and the types; EACH where every element has a variance
// of its own, BLOCKS where draws are in units of the scales of blocks.
struct DrawKeys { W32 k0, k1, h0, h1; };

template <class S>
__device__ __forceinline__ typename S::Real drawn_element(typename S::Real mean,
                                                          typename S::Spread variance,
                                                          const typename S::Law& law, F64 total,
                                                          W32 one, W32 two, W32* counts) {
    if constexpr (S::BLOCKS) {
        const F64 wanted = unit_variance(F64(variance), total);
        const LongDraw own{wanted, root(wanted)};
        const F64 drawn = counted_draw<S>(unit_mean(F64(mean), total), own, one, two, counts);
        return real_of<typename S::Real>(rescaled(drawn, total));
    } else if constexpr (!S::EACH) {
        return counted_draw<S>(mean, law, one, two, counts);
    } else if constexpr (sizeof(mean) == 4) {
        return own_draw<S>(mean, variance, one, two, counts);
    } else {
        const LongDraw own{F64(variance), root(F64(variance))};
        return counted_draw<S>(mean, own, one, two, counts);
    }
}

// Elements i .. i + N, of one block; ODD is the parity of first + i.
template <class S, int N, bool ODD>
__device__ __forceinline__ void drawn_run(const typename S::Real* mean, const typename S::Spread* variance,
                                          const typename S::Law& law, typename S::Real* out,
                                          U64 i, const F64* totals, const Tiling& t, DrawKeys k,
                                          U64 first, W32* counts) {
    using Some = Pack<typename S::Real, N>;
    const Some given = *reinterpret_cast<const Some*>(mean + i);
    const F64 total = S::BLOCKS ? totals[t.tile(i)] : 1.0;
    W32 one[N], two[N];
    fill<ODD>(one, first + i, k.k0, k.k1);
    fill<ODD>(two, first + i, k.h0, k.h1);
    Some result;
#pragma unroll
    for (int j = 0; j < N; ++j)
        result.v[j] = drawn_element<S>(given.v[j], S::EACH ? variance[i + j] : typename S::Spread(law.variance), law,
                                       total, one[j], two[j], counts);
    *reinterpret_cast<Some*>(out + i) = result;
}

// The first `vectors` groups of four elements are aligned and lie in one block each; counts (may be
// null) gathers too much variance and beyond the range.
template <class S, bool ODD>
__device__ __forceinline__ void draws_of(const typename S::Real* mean, const typename S::Spread* variance,
                                         const typename S::Law& law, typename S::Real* out,
                                         U64* counts, U64 n, U64 vectors,
                                         const F64* totals, Tiling t, DrawKeys k, U64 first) {
    W32 found[2] = {};
    for (U64 v = thread(); v < vectors; v += threads())
        drawn_run<S, 4, ODD>(mean, variance, law, out, 4 * v, totals, t, k, first, found);
    for (U64 i = 4 * vectors + thread(); i < n; i += threads()) {
        if (i & 1) drawn_run<S, 1, !ODD>(mean, variance, law, out, i, totals, t, k, first, found);
        else drawn_run<S, 1, ODD>(mean, variance, law, out, i, totals, t, k, first, found);
    }
    if (counts) add_counts(found, counts);
}

template <class S>
__device__ __forceinline__ void draws(const typename S::Real* mean, const typename S::Spread* variance,
                                      const typename S::Law& law, typename S::Real* out,
                                      U64* counts, U64 n, U64 vectors,
                                      const F64* totals, Tiling t, DrawKeys k, U64 first) {
    if (first & 1) draws_of<S, true>(mean, variance, law, out, counts, n, vectors, totals, t, k, first);
    else draws_of<S, false>(mean, variance, law, out, counts, n, vectors, totals, t, k, first);
}
