// Rounding or encoding in blocks that share a power-of-two scale. S as in scalar.cuh, with the
// rule of one element of a block and the choice of its scale.
template <class S> __device__ __forceinline__ U magnitude(typename S::Stored x) {
    return U(S::load(x) & MAGNITUDE);
}

template <class S>
__device__ __forceinline__ typename S::Out member(typename S::Stored x, U rand, U spare, U amax,
                                                  Grid g) {
    const U rounded = S::member(S::load(x), rand, spare, g, amax);
    if constexpr (S::encode) return typename S::Out(code_bits(rounded, g, S::codes()));
    return typename S::Out(S::store(rounded));
}

// The same in a liftable block, lifted; `g` is the grid of all lifted elements.
template <class S>
__device__ __forceinline__ typename S::Out lifted_element(typename S::Stored x, U rand, U spare,
                                                          I k, Grid g) {
    const U rounded = S::lifted_member(S::lift(S::load(x), k), rand, spare, g);
    if constexpr (S::encode) return typename S::Out(code_bits(rounded, g, S::codes()));
    return typename S::Out(S::store(S::let_fall(rounded, k)));
}

// The elements of a vector.
template <class S, int V>
__device__ __forceinline__ Pack<typename S::Out, V> members(Pack<typename S::Stored, V> given,
                                                            const U* words, U spare, U amax, I k) {
    Pack<typename S::Out, V> result;
    if constexpr (S::lifts) {
        if (__builtin_expect(liftable(k), true)) {
            const Grid all = scaled_grid(S::grid(), I(64));
#pragma unroll
            for (int j = 0; j < V; ++j)
                result.v[j] = lifted_element<S>(given.v[j], words[j], spare, k, all);
            return result;
        }
    }
    const Grid g = scaled_grid(S::grid(), k);
#pragma unroll
    for (int j = 0; j < V; ++j) result.v[j] = member<S>(given.v[j], words[j], spare, amax, g);
    return result;
}

// Blocks of LANES vectors along memory: one pass, the largest magnitude found between lanes. ODD is
// the parity of the first word.
template <class S, int LANES, bool ODD>
__device__ __forceinline__ void rows_of(const typename S::Stored* x, typename S::Out* out, typename S::Scale* scales,
                                     U64 n, W32 k0, W32 k1, U64 first, U spare) {
    constexpr int V = 16 / sizeof(typename S::Stored);
    using From = Pack<typename S::Stored, V>;
    using To = Pack<typename S::Out, V>;
    const From* from = reinterpret_cast<const From*>(x);
    To* to = reinterpret_cast<To*>(out);
    const U64 vectors = n / V, step = threads(), lane = thread() % 32;
    for (U64 base = thread() - lane; base < vectors; base += step * FLIGHT) {
        From given[FLIGHT] = {};
        fetch(given, from, base + lane, step, vectors);
#pragma unroll
        for (int f = 0; f < FLIGHT; ++f) {
            U amax = ZERO;
#pragma unroll
            for (int j = 0; j < V; ++j) amax = maximum(amax, magnitude<S>(given[f].v[j]));
            amax = lanes_max<LANES>(amax);
            const U64 v = base + lane + f * step;
            if (v >= vectors) continue;
            const I k = scale_exponent(amax, S::scale());
            U words[V] = {};
            if constexpr (S::stochastic) fill<ODD>(words, first + v * V, k0, k1);
            to[v] = members<S, V>(given[f], words, spare, amax, k);
            if (S::encode && v % LANES == 0) scales[v / LANES] = typename S::Scale(scale_code(k, amax, S::scale()));
        }
    }
}

template <class S, int LANES>
__device__ __forceinline__ void rows(const typename S::Stored* x, typename S::Out* out,
                                     typename S::Scale* scales, U64 n, W32 k0, W32 k1, U64 first,
                                     U spare) {
    if (S::stochastic && (first & 1))
        rows_of<S, LANES, true>(x, out, scales, n, k0, k1, first, spare);
    else
        rows_of<S, LANES, false>(x, out, scales, n, k0, k1, first, spare);
}

// Any blocks, first pass: the largest magnitude of every tile, into zeroed memory.
template <class S>
__device__ __forceinline__ void maxima(const typename S::Stored* x, U* amax, U64 n, Tiling t) {
    for (U64 i = thread(); i < n; i += threads()) atomicMax(amax + t.tile(i), magnitude<S>(x[i]));
}

// Second pass: every element on the grid of its tile.
template <class S>
__device__ __forceinline__ void tiles(const typename S::Stored* x, typename S::Out* out,
                                      typename S::Scale* scales, const U* amax, U64 n, Tiling t, W32 k0, W32 k1,
                                      U64 first, U spare) {
    for (U64 i = thread(); i < n; i += threads()) {
        const U top = amax[t.tile(i)];
        const I k = scale_exponent(top, S::scale());
        const U rand = S::stochastic ? word_of(first + i, k0, k1) : ZERO;
        out[i] = member<S>(x[i], rand, spare, top, scaled_grid(S::grid(), k));
        if (S::encode && t.opens(i)) scales[t.tile(i)] = typename S::Scale(scale_code(k, top, S::scale()));
    }
}
