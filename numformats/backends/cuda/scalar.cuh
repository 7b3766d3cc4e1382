// Rounding or encoding element by element. S gives the types, the format's constants and the rule.
constexpr int FLIGHT = 4;  // vectors that a thread has under way

// Loads the vectors `at`, `at + step`, ... that a thread has under way.
template <class P>
__device__ __forceinline__ void fetch(P (&given)[FLIGHT], const P* from, U64 at, U64 step,
                                      U64 vectors) {
#pragma unroll
    for (int f = 0; f < FLIGHT; ++f)
        if (at + f * step < vectors) given[f] = from[at + f * step];
}

template <class S>
__device__ __forceinline__ typename S::Out element(typename S::Stored x, U rand, U spare) {
    const U rounded = S::rule(S::load(x), rand, spare);
    if constexpr (S::encode) return typename S::Out(code_bits(rounded, S::grid(), S::codes()));
    return typename S::Out(S::store(rounded));
}

// The vectors of 16 bytes, from the element `head` on; ODD is the parity of the first one's word.
template <class S, bool ODD>
__device__ __forceinline__ void vectors_of(const typename S::Stored* x, typename S::Out* out,
                                           U64 vectors, W32 k0, W32 k1, U64 first, U spare) {
    constexpr int V = 16 / sizeof(typename S::Stored);
    using From = Pack<typename S::Stored, V>;
    using To = Pack<typename S::Out, V>;
    const From* from = reinterpret_cast<const From*>(x);
    To* to = reinterpret_cast<To*>(out);
    const U64 step = threads();
    for (U64 at = thread(); at < vectors; at += step * FLIGHT) {
        From given[FLIGHT];
        fetch(given, from, at, step, vectors);
#pragma unroll
        for (int f = 0; f < FLIGHT; ++f) {
            const U64 v = at + f * step;
            if (v >= vectors) break;
            U words[V] = {};
            if constexpr (S::stochastic) fill<ODD>(words, first + v * V, k0, k1);
            To result;
#pragma unroll
            for (int j = 0; j < V; ++j) result.v[j] = element<S>(given[f].v[j], words[j], spare);
            to[v] = result;
        }
    }
}

// `head` elements lie before the first one that is aligned in x and out (n: no common alignment).
template <class S>
__device__ __forceinline__ void quantize(const typename S::Stored* x, typename S::Out* out, U64 n,
                                         U64 head, W32 k0, W32 k1, U64 first, U spare) {
    constexpr int V = 16 / sizeof(typename S::Stored);
    const U64 vectors = (n - head) / V, at = first + head;
    if (S::stochastic && (at & 1))
        vectors_of<S, true>(x + head, out + head, vectors, k0, k1, at, spare);
    else
        vectors_of<S, false>(x + head, out + head, vectors, k0, k1, at, spare);
    for (U64 i = thread(); i < n - vectors * V; i += threads()) {
        const U64 e = i < head ? i : vectors * V + i;
        const U rand = S::stochastic ? word_of(first + e, k0, k1) : ZERO;
        out[e] = element<S>(x[e], rand, spare);
    }
}
