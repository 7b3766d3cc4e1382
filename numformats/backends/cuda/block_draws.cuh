// Draws in blocks with power-of-two scales, in float32 where the scale allows it. S gives the grid.
struct BlockLaw { ShortDraw unit; F64 variance, sigma; ScaleSpec scale; I low, high; };

// Elements i .. i + N, of one block with the scale 2^k; ODD is the parity of first + i.
template <class S, int N, bool ODD>
__device__ __forceinline__ void drawn_members(Pack<float, N> mean, float* out, U64 i, I k,
                                              const BlockLaw& law, DrawKeys keys, U64 first,
                                              W32* counts) {
    W32 one[N], two[N];
    fill<ODD>(one, first + i, keys.k0, keys.k1);
    fill<ODD>(two, first + i, keys.h0, keys.h1);
    Pack<float, N> result;
    if (__builtin_expect(in_single(k, law.low, law.high), true)) {
        const ShortDraw own = in_block(law.unit, k);
#pragma unroll
        for (int j = 0; j < N; ++j)
            result.v[j] = counted_draw<S>(mean.v[j], own, one[j], two[j], counts);
    } else {
        const F64 total = scale_of(k), variance = unit_variance(law.variance, total);
        const LongDraw own{variance, root(variance)};
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const F64 given = unit_mean(F64(mean.v[j]), total);
            const F64 drawn = counted_draw<S>(given, own, one[j], two[j], counts);
            result.v[j] = real_of<float>(rescaled(drawn, total));
        }
    }
    *reinterpret_cast<Pack<float, N>*>(out + i) = result;
}

// Blocks of LANES vectors along memory: one pass, the largest magnitude found between lanes.
template <class S, int LANES, bool ODD>
__device__ __forceinline__ void draw_rows_of(const float* mean, float* out, U64* counts, U64 n,
                                             const BlockLaw& law, DrawKeys keys, U64 first) {
    const U64 vectors = n / 4, lane = thread() % 32;
    W32 found[2] = {};
    for (U64 base = thread() - lane; base < vectors; base += threads()) {
        const U64 v = base + lane;
        Pack<float, 4> given = {};
        if (v < vectors) given = reinterpret_cast<const Pack<float, 4>*>(mean)[v];
        U amax = ZERO;
#pragma unroll
        for (int j = 0; j < 4; ++j) amax = maximum(amax, magnitude<S>(float_to_bits(given.v[j])));
        const I k = covering_exponent(lanes_max<LANES>(amax), law.sigma, law.scale);
        if (v < vectors) drawn_members<S, 4, ODD>(given, out, 4 * v, k, law, keys, first, found);
    }
    if (counts) add_counts(found, counts);
}

template <class S, int LANES>
__device__ __forceinline__ void draw_rows(const float* mean, float* out, U64* counts, U64 n,
                                          const BlockLaw& law, DrawKeys keys, U64 first) {
    if (first & 1) draw_rows_of<S, LANES, true>(mean, out, counts, n, law, keys, first);
    else draw_rows_of<S, LANES, false>(mean, out, counts, n, law, keys, first);
}

// Any blocks, second pass: the largest magnitudes of tiles are known.
template <class S>
__device__ __forceinline__ void draw_tiles(const float* mean, float* out, const U* amax,
                                           U64* counts, U64 n, Tiling t, const BlockLaw& law,
                                           DrawKeys keys, U64 first) {
    W32 found[2] = {};
    for (U64 i = thread(); i < n; i += threads()) {
        const I k = covering_exponent(amax[t.tile(i)], law.sigma, law.scale);
        const Pack<float, 1> given{mean[i]};
        if ((first + i) & 1) drawn_members<S, 1, true>(given, out, i, k, law, keys, first, found);
        else drawn_members<S, 1, false>(given, out, i, k, law, keys, first, found);
    }
    if (counts) add_counts(found, counts);
}
