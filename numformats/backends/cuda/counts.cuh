// Draws that are counted: too much variance, and beyond the range. S gives the grid. A thread meets
// fewer than 2^32 elements.
template <class S, class Real>
__device__ __forceinline__ Real counted_draw(Real mean, F64 variance, F64 sigma, W32 one, W32 two,
                                             W32* counts) {
    const auto [drawn, forced] = draw(F64(mean), variance, sigma, one, two, S::draw_grid());
    const Real free = Real(drawn), low = Real(S::draw_grid().smallest), high = Real(S::draw_grid().largest);
    counts[0] += forced;
    counts[1] += outside(free, low, high);
    return limit(free, low, high, real_of<Real>(not_a_number()));
}

__device__ __forceinline__ void add_counts(const W32* found, U64* counts) {
    gather_sum(counts, found[0]);
    gather_sum(counts + 1, found[1]);
}
