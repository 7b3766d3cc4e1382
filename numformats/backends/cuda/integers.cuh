// Integer products into an accumulator that wraps, or is clamped after every S::length products.
template <class S>
__device__ __forceinline__ void integers(const typename S::A* a, const typename S::B* b,
                                         const I64* a_at, const I64* b_at, typename S::Real* out,
                                         I64 low, I64 high, Sizes s) {
    using Word = typename S::Word;  // unsigned, since it wraps
    for (U64 e = thread(); e < s.batches * s.m * s.n; e += threads()) {
        const Result to(e, a_at, b_at, s);
        Word total = Word(out[e]);
        for (U64 k = 0; k < s.k; ++k) {
            total += Word(a[to.a + k]) * Word(b[to.b + k * s.n]);
            if (S::clamp && (k + 1) % S::length == 0)
                total = Word(minimum(maximum(I64(total), low), high));
        }
        out[e] = typename S::Real(total);
    }
}
