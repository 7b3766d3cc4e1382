// One step of underdamped Langevin dynamics on float32. S gives the rules of rounding, and which parts
// of a step there are; FEW where the velocity is rounded or drawn too, by a second kernel.
struct UnderdampedArrays {
    const float *theta, *velocity, *grad;
    float *stored, *seen, *moved, *left;
};
struct UnderdampedRule { StepScalars s; float decay, low, high; };
struct UnderdampedWords { W32 gradient, noise, weight, other, own; };
struct Moved { float stored, seen, velocity, left; };

// Variance that the grid forces on a weight.
template <class S>
__device__ __forceinline__ float forced(float x, const StepScalars& s) {
    if constexpr (S::FIXED) return forced_in_gap(x, s.per_gap, s.gap_area);
    else
        return forced_between(x, __uint_as_float(S::below(__float_as_uint(x), ZERO)),
                              __uint_as_float(S::above(__float_as_uint(x), ZERO)));
}

template <class S>
__device__ __forceinline__ Moved moved_element(float theta, float velocity, float grad,
                                               UnderdampedWords w, const UnderdampedRule& r,
                                               const typename S::Law& law, W32* found) {
    const StepScalars& s = r.s;
    float descent = grad;
    if constexpr (S::GRADIENT)
        descent = __uint_as_float(S::gradient(__float_as_uint(grad), w.gradient));
    const float slope = slope_of(theta, descent, r.decay, S::DECAYS);
    float mean = carried(theta, velocity, slope, s.drift, s.kick_x);
    float v = kicked(velocity, slope, s.decay, s.kick_v);
    if constexpr (S::DRAWN) {
        const float at = counted_draw<S>(mean, law, w.weight, w.other, found);
        const float share = share_of(forced<S>(mean, s), s.var_x, s.cov);
        return {at, at, fused(share, at - mean, v), left_over(share, s.rest, s.var_v)};
    }
    if constexpr (S::NOISY) {
        v = diffuse(diffuse(v, s.shared, w.noise), s.own, w.own);
        mean = diffuse(mean, s.std_x, w.noise);
    }
    if constexpr (!S::WEIGHT) return {mean, mean, v, 0.0f};
    found[1] += outside(mean, r.low, r.high);
    return {mean, __uint_as_float(S::weight(__float_as_uint(mean), w.weight)), v, 0.0f};
}

// Elements e .. e + N; ODD is the parity of e. `found` gathers counts and largest magnitudes.
template <class S, int N, bool ODD>
__device__ __forceinline__ void moved_run(const UnderdampedArrays& a, U64 e,
                                          const UnderdampedRule& r, const typename S::Law& law,
                                          const W32 (&k)[10], W32* found) {
    using Some = Pack<float, N>;
    const Some theta = *reinterpret_cast<const Some*>(a.theta + e);
    const Some velocity = *reinterpret_cast<const Some*>(a.velocity + e);
    const Some grad = *reinterpret_cast<const Some*>(a.grad + e);
    W32 words[5][N] = {};
    step_words<S, ODD>(words, e, k);
    if constexpr (S::NOISY) fill<ODD>(words[4], e, k[8], k[9]);
    Some stored, seen, moved, left;
#pragma unroll
    for (int j = 0; j < N; ++j) {
        const Moved m = moved_element<S>(
            theta.v[j], velocity.v[j], grad.v[j],
            UnderdampedWords{words[0][j], words[1][j], words[2][j], words[3][j], words[4][j]}, r,
            law, found);
        stored.v[j] = m.stored, seen.v[j] = m.seen, moved.v[j] = m.velocity, left.v[j] = m.left;
        if constexpr (S::FEW) found[2] = maximum(found[2], size_of(m.velocity));
        if constexpr (S::DRAWN) found[3] = maximum(found[3], size_of(m.left));
    }
    if constexpr (S::KEEPS || !(S::WEIGHT || S::DRAWN))
        *reinterpret_cast<Some*>(a.stored + e) = stored;
    if constexpr (S::WEIGHT || S::DRAWN) *reinterpret_cast<Some*>(a.seen + e) = seen;
    *reinterpret_cast<Some*>(a.moved + e) = moved;
    if constexpr (S::DRAWN) *reinterpret_cast<Some*>(a.left + e) = left;
}

// Everything up to the velocity's scale; the first `vectors` vectors of four elements are aligned.
// `all` gathers counts, then largest magnitudes, where an old value is a bound that spares atomics.
template <class S>
__device__ __forceinline__ void underdamped(const UnderdampedArrays& a, U64 n, U64 vectors,
                                            const UnderdampedRule& r, const typename S::Law& law,
                                            const W32 (&k)[10], U64* all) {
    W32 found[4] = {};
    for (U64 v = thread(); v < vectors; v += threads()) moved_run<S, 4, false>(a, 4 * v, r, law, k, found);
    for (U64 i = 4 * vectors + thread(); i < n; i += threads()) {
        if (i & 1) moved_run<S, 1, true>(a, i, r, law, k, found);
        else moved_run<S, 1, false>(a, i, r, law, k, found);
    }
    add_counts(found, all);
    gather_max(all + 2, found[2]);
    gather_max(all + 3, found[3]);
}
