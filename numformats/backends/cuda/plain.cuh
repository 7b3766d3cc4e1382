// Accumulations with one fixed rule: what becomes of c with a row of a and a column of b. S gives the
// types and the rule.
constexpr float LOW = 1.17549435e-38f;  // the smallest normal float32

template <class S> __device__ __forceinline__ auto fma_chain(const typename S::A* a, const typename S::B* b,
                                                             U64 n, U64 count, typename S::Real c) {
    for (U64 k = 0; k < count; ++k) c = fused(a[k], b[k * n], c);
    return c;
}

// c plus `count` products, exactly, rounded once: components are grown from the smallest, then
// joined by sums rounded to odd (Shewchuk 1997, GROW-EXPANSION). Where a term is NaN or Inf the
// float64 sum of these is the result.
template <class S>
__device__ __forceinline__ F64 exact_group(const F64* a, const F64* b, U64 n, int count, F64 c) {
    F64 parts[S::length + 1], special = c - c == 0.0 ? 0.0 : c;
    parts[0] = c;
    for (int k = 0; k < count; ++k) {
        F64 x = a[k] * b[k * n];
        special += x - x == 0.0 ? 0.0 : x;
        for (int q = 0; q <= k; ++q) {
            const F64 y = parts[q], t = x + y;
            parts[q] = sum_error(x, y, t);
            x = t;
        }
        parts[k + 1] = x;
    }
    for (int q = 1; q <= count; ++q) parts[q] = bits_to_real(add_odd(parts[q], parts[q - 1]));
    return special == 0.0 ? bits_to_real(S::round_inner(real_to_bits(parts[count]), ZERO)) : special;
}

template <class S> __device__ __forceinline__ auto exact_chain(const F64* a, const F64* b, U64 n,
                                                               U64 count, typename S::Real c) {
    F64 total = F64(c);
    for (U64 k = 0; k < count; k += S::length)
        total = exact_group<S>(a + k, b + k * n, n, int(minimum(U64(S::length), count - k)), total);
    return total;
}

__device__ __forceinline__ float flushed_sum(float x, float y) { return flushed(x + y, LOW); }

// S::length products, added as a tree, then to c; neither holds subnormals.
template <class S> __device__ __forceinline__ auto flushed_chain(const float* a, const float* b, U64 n,
                                                                 U64 count, float c) {
    for (U64 k = 0; k < count; k += S::length) {
        float p[S::length];
        for (int q = 0; q < S::length; ++q) p[q] = flushed(a[k + q] * b[(k + q) * n], LOW);
        for (int width = S::length / 2; width > 0; width /= 2)
            for (int q = 0; q < width; ++q) p[q] = flushed_sum(p[2 * q], p[2 * q + 1]);
        c = flushed_sum(c, p[0]);
    }
    return c;
}

// A fused multiply-add without subnormals.
__device__ __forceinline__ float step(float a, float b, float c) { return flushed(fused(a, b, c), LOW); }

template <class S> __device__ __forceinline__ auto vdpbf16ps_chain(const float* a, const float* b, U64 n,
                                                                   U64 count, float c) {
    for (U64 k = 0; k < count; k += 2) c = step(a[k], b[k * n], step(a[k + 1], b[(k + 1) * n], c));
    return c;
}

// Even and odd elements of a tile apart, from 0; their sum is added to the result.
template <class S> __device__ __forceinline__ auto tdpbf16ps_chain(const float* a, const float* b, U64 n,
                                                                   U64 count, float c) {
    for (U64 first = 0; first < count; first += S::length) {
        float even = 0, odd = 0;
        for (U64 k = first; k < minimum(first + S::length, count); k += 2) {
            even = step(a[k], b[k * n], even);
            odd = step(a[k + 1], b[(k + 1) * n], odd);
        }
        c = flushed_sum(c, flushed_sum(even, odd));
    }
    return c;
}

// A float64 pattern rounded to odd in float32, without subnormals.
template <class S> __device__ __forceinline__ F64 odd_single(U bits) {
    return bits_to_real(S::round_inner(real_to_bits(flushed(bits_to_real(bits), F64(LOW))), ZERO));
}

// Products, their sum and the sum with the result, each rounded to odd.
template <class S> __device__ __forceinline__ auto bfdot_chain(const float* a, const float* b, U64 n,
                                                               U64 count, float c) {
    F64 total = F64(c);
    for (U64 k = 0; k < count; k += 2) {
        const F64 low = odd_single<S>(real_to_bits(F64(a[k]) * F64(b[k * n])));
        const F64 high = odd_single<S>(real_to_bits(F64(a[k + 1]) * F64(b[(k + 1) * n])));
        total = odd_single<S>(add_odd(total, odd_single<S>(add_odd(low, high))));
    }
    return total;
}

// Every result by S::chain, one a thread.
template <class S>
__device__ __forceinline__ void plain(const typename S::A* a, const typename S::B* b, const I64* a_at,
                                      const I64* b_at, typename S::Real* out, Sizes s) {
    for (U64 e = thread(); e < s.batches * s.m * s.n; e += threads()) {
        const Result to(e, a_at, b_at, s);
        const F64 total = F64(S::chain(a + to.a, b + to.b, s.n, s.k, out[e]));
        store(&out[e], plain_nan(real_to_bits(total)));
    }
}
