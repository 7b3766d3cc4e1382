// Draws that are counted: too much variance, and beyond the range.
__device__ __forceinline__ F64 counted_draw(F64 mean, F64 variance, W32 one, W32 two, DrawGrid g,
                                            U64* counts) {
    const F64 free = draw(mean, variance, one, two, g), bounded = limit(free, g);
    counts[0] += missing(mean, variance, g) > 0.0;
    counts[1] += bounded != free;
    return bounded;
}

__device__ __forceinline__ void add_counts(const U64* found, U64* counts) {
    if (found[0]) atomicAdd(counts, found[0]);
    if (found[1]) atomicAdd(counts + 1, found[1]);
}
