// Draws that are counted: too much variance, and beyond the range. S gives the grid. A thread meets
// fewer than 2^32 elements.
struct LongDraw { F64 variance, sigma; };

template <class S, class Real>
__device__ __forceinline__ Real counted_draw(Real mean, LongDraw law, W32 one, W32 two, W32* counts) {
    const auto [drawn, forced] = draw(F64(mean), law.variance, law.sigma, one, two, S::draw_grid());
    const Real free = Real(drawn), low = Real(S::draw_grid().smallest), high = Real(S::draw_grid().largest);
    counts[0] += forced;
    counts[1] += outside(free, low, high);
    return limit(free, low, high, real_of<Real>(not_a_number()));
}

// In float32. S says which law holds where that is known.
template <class S>
__device__ __forceinline__ float counted_draw(float mean, const ShortDraw& g, W32 one, W32 two,
                                              W32* counts) {
    const Place p = placed_in_gaps(mean, g);
    float gaps;
    if (S::LAW == S::WIDE || (S::LAW != S::NARROW && p.wide)) gaps = wide_gaps(p, one, two);
    else gaps = narrow_gaps(p, one, two, g);
    const float free = landed(mean, p, gaps);
    if constexpr (S::LAW != S::WIDE) counts[0] += forces_more(p);  // the wide law has variance to spare
    counts[1] += outside(free, g.smallest, g.largest);
    return limit(free, g.smallest, g.largest, __uint_as_float(0x7fc00000u));
}

// With a variance of its own, in float32 where S serves it.
template <class S> struct OwnLaw : S { static constexpr int LAW = 0; };

__device__ __forceinline__ float variance_as_float(float v) { return v; }
__device__ __forceinline__ float variance_as_float(F64 v) { return short_variance(v); }

template <class S, class Spread>
__device__ __forceinline__ float own_draw(float mean, Spread variance, W32 one, W32 two, W32* counts) {
    const float v = variance_as_float(variance);
    if (__builtin_expect(S::serves(v), true))
        return counted_draw<OwnLaw<S>>(mean, with_variance(v, S::own_grid()), one, two, counts);
    const LongDraw law{F64(variance), root(F64(variance))};
    return counted_draw<S>(mean, law, one, two, counts);
}

__device__ __forceinline__ void add_counts(const W32* found, U64* counts) {
    gather_sum(counts, found[0]);
    gather_sum(counts + 1, found[1]);
}
