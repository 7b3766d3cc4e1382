// One Langevin step on float32. S gives the rules of rounding, and which parts of a step there are.
struct LangevinScalars { float lr, decay, sigma, low, high; };
struct StepWords { W32 gradient, noise, weight, other; };

template <class S>
__device__ __forceinline__ void step_element(float theta, float grad, StepWords w,
                                             LangevinScalars s, const typename S::Law& law,
                                             float& stored, float& seen, W32* counts) {
    float slope = grad;
    if constexpr (S::GRADIENT)
        slope = __uint_as_float(S::gradient(__float_as_uint(grad), w.gradient));
    float mean = drift(theta, slope, s.lr, s.decay, S::DECAYS);
    if constexpr (S::DRAWN) {
        seen = counted_draw<S>(mean, law, w.weight, w.other, counts);
        return;
    }
    if constexpr (S::NOISY) mean = diffuse(mean, s.sigma, w.noise);
    stored = mean;
    if constexpr (S::WEIGHT) {
        seen = __uint_as_float(S::weight(__float_as_uint(mean), w.weight));
        counts[1] += outside(mean, s.low, s.high);
    }
}

// Elements e .. e + N; ODD is the parity of e. KEEPS and what is rounded say what is written.
template <class S, int N, bool ODD>
__device__ __forceinline__ void step_run(const float* theta, const float* grad, float* stored,
                                         float* seen, U64 e, LangevinScalars s,
                                         const typename S::Law& law, const W32 (&k)[8], W32* counts) {
    using Some = Pack<float, N>;
    const Some at = *reinterpret_cast<const Some*>(theta + e);
    const Some slope = *reinterpret_cast<const Some*>(grad + e);
    W32 words[4][N] = {};
    step_words<S, ODD>(words, e, k);
    Some kept = {}, used = {};
#pragma unroll
    for (int j = 0; j < N; ++j)
        step_element<S>(at.v[j], slope.v[j],
                        StepWords{words[0][j], words[1][j], words[2][j], words[3][j]}, s, law,
                        kept.v[j], used.v[j], counts);
    if constexpr (S::KEEPS || !(S::WEIGHT || S::DRAWN))
        *reinterpret_cast<Some*>(stored + e) = kept;
    if constexpr (S::WEIGHT || S::DRAWN) *reinterpret_cast<Some*>(seen + e) = used;
}

// The first `vectors` vectors of four elements, which are aligned, and the rest one by one; counts
// gathers too much variance and beyond the range.
template <class S>
__device__ __forceinline__ void langevin(const float* theta, const float* grad, float* stored,
                                         float* seen, U64 n, U64 vectors,
                                         LangevinScalars s, const typename S::Law& law,
                                         const W32 (&k)[8], U64* counts) {
    W32 found[2] = {};
    for (U64 v = thread(); v < vectors; v += threads())
        step_run<S, 4, false>(theta, grad, stored, seen, 4 * v, s, law, k, found);
    for (U64 i = 4 * vectors + thread(); i < n; i += threads()) {
        if (i & 1) step_run<S, 1, true>(theta, grad, stored, seen, i, s, law, k, found);
        else step_run<S, 1, false>(theta, grad, stored, seen, i, s, law, k, found);
    }
    add_counts(found, counts);
}
