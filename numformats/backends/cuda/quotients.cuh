// Blocks of float32 along memory with float scales, in the 32-bit lane. S gives the rules.

// The largest finite magnitude of an array, into zeroed memory.
__device__ __forceinline__ void finite_top(const float* x, U64* finite, U64 vectors) {
    using From = Pack<float, 4>;
    const From* from = reinterpret_cast<const From*>(x);
    const U64 step = threads();
    U most = ZERO;
    for (U64 at = thread(); at < vectors; at += step * FLIGHT) {
        From given[FLIGHT] = {};
        fetch(given, from, at, step, vectors);
#pragma unroll
        for (int f = 0; f < FLIGHT; ++f)
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const U size = size_of(given[f].v[j]);
                most = maximum(most, where(size < INF_BITS, size, ZERO));
            }
    }
    gather_max(finite, most);
}

template <class S> __device__ __forceinline__ typename S::Out stored(U bits, F32 value) {
    if constexpr (S::encode) return typename S::Out(code_bits(bits, S::grid(), S::codes()));
    else return value;
}

// Four elements of a block of scale `level` and largest magnitude `top`, the scale of the array
// being `whole`.
template <class S>
__device__ __forceinline__ Pack<typename S::Out, 4> quartet(Pack<float, 4> given, U top, F32 level,
                                                            F32 whole, const U* words, U spare) {
    const U kept = kept_of(level);
    Pack<typename S::Out, 4> result;
    if (__builtin_expect(moderate(level, whole, top, S::grid()), true)) {
        const F32 high = high_of(level, whole), low = low_of(level, whole, high);
        const F32 inverse = reciprocal_of(high), little = little_of(high, low, inverse);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const U bits = S::by_parts(float_to_bits(given.v[j]), high, low, inverse, little, kept,
                                       words[j], spare);
            result.v[j] = stored<S>(bits, bits_to_float(value_by_parts(bits, high, low)));
        }
        return result;
    }
    const F64 total = F64(level) * F64(whole);
    const F64 divisor = divisor_of(total), inverse = 1.0 / divisor;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        const U bits =
            S::element(float_to_bits(given.v[j]), divisor, inverse, kept, words[j], spare);
        result.v[j] = stored<S>(bits, real_of<float>(rescaled(F64(bits_to_float(bits)), total)));
    }
    return result;
}

// Blocks of LANES vectors: scales from maxima found between lanes, and elements, in one pass. ODD is
// the parity of the first word.
template <class S, int LANES, bool ODD>
__device__ __forceinline__ void float_rows_of(const float* x, typename S::Out* out,
                                              typename S::Scale* scales, const U64* finite,
                                              F64* second, F64 array, U64 vectors, W32 k0, W32 k1, U64 first,
                                              U spare) {
    using From = Pack<float, 4>;
    using To = Pack<typename S::Out, 4>;
    const From* from = reinterpret_cast<const From*>(x);
    To* to = reinterpret_cast<To*>(out);
    const F64 whole = tensor_level(F64(bits_to_float(W32(finite[0]))), array, S::spec());
    const F32 largest = S::spec().element_max, second_scale = whole;
    const F64 unit = F64(largest) * whole, per_unit = 1.0 / unit;
    const bool easy = moderate(largest, second_scale, ZERO, S::level_grid());
    const F32 high = high_of(largest, second_scale), low = low_of(largest, second_scale, high);
    const F32 inverse = reciprocal_of(high), little = little_of(high, low, inverse);
    const U far = reach_of(high);
    const U64 step = threads(), lane = thread() % 32;
    if (thread() == 0) second[0] = whole;
    for (U64 base = thread() - lane; base < vectors; base += step * FLIGHT) {
        From given[FLIGHT] = {};
        fetch(given, from, base + lane, step, vectors);
#pragma unroll
        for (int f = 0; f < FLIGHT; ++f) {
            U top = ZERO;
#pragma unroll
            for (int j = 0; j < 4; ++j) top = maximum(top, size_of(given[f].v[j]));
            top = lanes_max<LANES>(top);
            const U64 v = base + lane + f * step;
            if (v >= vectors) continue;
            const U level = easy && top <= far ? S::level_by_parts(top, high, low, inverse, little)
                                 : S::level(top, unit, per_unit);
            U words[4] = {};
            if constexpr (S::stochastic) fill<ODD>(words, first + 4 * v, k0, k1);
            to[v] = quartet<S>(given[f], top, bits_to_float(level), second_scale, words, spare);
            if (S::encode && v % LANES == 0)
                scales[v / LANES] =
                    typename S::Scale(code_bits(level, S::level_grid(), S::level_codes()));
        }
    }
}

template <class S, int LANES>
__device__ __forceinline__ void float_rows(const float* x, typename S::Out* out,
                                           typename S::Scale* scales, const U64* finite,
                                           F64* second, F64 array, U64 vectors, W32 k0, W32 k1, U64 first,
                                           U spare) {
    if (S::stochastic && (first & 1))
        float_rows_of<S, LANES, true>(x, out, scales, finite, second, array, vectors, k0, k1, first, spare);
    else
        float_rows_of<S, LANES, false>(x, out, scales, finite, second, array, vectors, k0, k1, first, spare);
}
