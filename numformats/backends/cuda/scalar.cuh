// Rounding or encoding element by element. S gives the types, the format's constants and the rule.
constexpr int FLIGHT = 4;  // vectors that a thread has under way

template <class S>
__device__ __forceinline__ typename S::Out element(typename S::Stored x, U rand, U spare) {
    const U rounded = S::rule(S::load(x), rand, spare);
    if constexpr (S::encode) return typename S::Out(code_bits(rounded, S::grid(), S::codes()));
    return typename S::Out(S::store(rounded));
}

// `head` elements lie before the first one that is aligned in x and out (n: no common alignment).
template <class S>
__device__ __forceinline__ void quantize(const typename S::Stored* x, typename S::Out* out, U64 n,
                                         U64 head, W32 k0, W32 k1, U64 first, U spare) {
    constexpr int V = 16 / sizeof(typename S::Stored);
    using From = Pack<typename S::Stored, V>;
    using To = Pack<typename S::Out, V>;
    const From* from = reinterpret_cast<const From*>(x + head);
    To* to = reinterpret_cast<To*>(out + head);
    const U64 vectors = (n - head) / V, step = threads();
    for (U64 at = thread(); at < vectors; at += step * FLIGHT) {
        From given[FLIGHT];
#pragma unroll
        for (int f = 0; f < FLIGHT; ++f)
            if (at + f * step < vectors) given[f] = from[at + f * step];
#pragma unroll
        for (int f = 0; f < FLIGHT; ++f) {
            const U64 v = at + f * step;
            if (v >= vectors) break;
            U words[V] = {};
            if constexpr (S::stochastic) fill(words, first + head + v * V, k0, k1);
            To result;
#pragma unroll
            for (int j = 0; j < V; ++j) result.v[j] = element<S>(given[f].v[j], words[j], spare);
            to[v] = result;
        }
    }
    for (U64 i = thread(); i < n - vectors * V; i += step) {
        const U64 e = i < head ? i : vectors * V + i;
        const U rand = S::stochastic ? word_of(first + e, k0, k1) : ZERO;
        out[e] = element<S>(x[e], rand, spare);
    }
}
