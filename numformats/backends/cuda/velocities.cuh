// The velocity of an underdamped step, rounded or drawn in units of a power of two.
struct VelocityRule { float scale, low, high; };

template <class S>
__device__ __forceinline__ float velocity_element(float moved, float left, W32 one, W32 two,
                                                  const VelocityRule& r, W32* counts) {
    const float parts = in_units(moved, r.scale);
    if constexpr (S::DRAWN) {
        const float variance = spread_in_units(left, r.scale);
        return from_units(own_draw<S>(parts, variance, one, two, counts), r.scale);
    }
    counts[1] += outside(parts, r.low, r.high);
    return from_units(__uint_as_float(S::weight(__float_as_uint(parts), one)), r.scale);
}

// Elements e .. e + N; ODD is the parity of e.
template <class S, int N, bool ODD>
__device__ __forceinline__ void velocity_run(float* moved, const float* left, U64 e,
                                             const VelocityRule& r, const W32 (&k)[4],
                                             W32* counts) {
    using Some = Pack<float, N>;
    Some v = *reinterpret_cast<const Some*>(moved + e), rest = {};
    W32 words[2][N] = {};
    if constexpr (S::DRAWN) rest = *reinterpret_cast<const Some*>(left + e);
    if constexpr (S::DRAWN || S::stochastic) fill<ODD>(words[0], e, k[0], k[1]);
    if constexpr (S::DRAWN) fill<ODD>(words[1], e, k[2], k[3]);
#pragma unroll
    for (int j = 0; j < N; ++j)
        v.v[j] = velocity_element<S>(v.v[j], rest.v[j], words[0][j], words[1][j], r, counts);
    *reinterpret_cast<Some*>(moved + e) = v;
}

// `all` holds the largest magnitudes, gathers counts, and receives the scale as float64 bits.
template <class S>
__device__ __forceinline__ void velocities(float* moved, const float* left, U64 n, U64 vectors,
                                           F64 largest, F64 least, VelocityRule r,
                                           const W32 (&k)[4], U64* all) {
    const F64 scale = velocity_scale(__uint_as_float(W32(all[2])), __uint_as_float(W32(all[3])),
                                     largest, least);
    r.scale = float(scale);
    W32 found[2] = {};
    for (U64 v = thread(); v < vectors; v += threads())
        velocity_run<S, 4, false>(moved, left, 4 * v, r, k, found);
    for (U64 i = 4 * vectors + thread(); i < n; i += threads()) {
        if (i & 1) velocity_run<S, 1, true>(moved, left, i, r, k, found);
        else velocity_run<S, 1, false>(moved, left, i, r, k, found);
    }
    add_counts(found, all);
    if (thread() == 0) all[4] = real_to_bits(scale);
}
