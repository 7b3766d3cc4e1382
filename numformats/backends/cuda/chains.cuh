// Accumulations that are rounded step by step, one result a thread. S gives the rules.
constexpr int LEVELS = 40;  // of a tree

// An element of the results: its row of a, its column of b, and its index.
struct Result {
    U64 a, b, at;
    __device__ __forceinline__ Result(U64 e, const I64* a_at, const I64* b_at, const Sizes& s) : at(e) {
        const U64 x = e / (s.m * s.n);
        a = (batch_of(a_at, x) * s.m + e / s.n % s.m) * s.k;
        b = batch_of(b_at, x) * s.k * s.n + e % s.n;
    }
};

template <class S> struct Accumulation {
    const F64 *a, *b;
    const W32* keys;
    U64 n, at, event;

    __device__ __forceinline__ U word(bool random) {
        const U64 t = event++;
        return random ? word_of(at, keys[2 * t], keys[2 * t + 1]) : ZERO;
    }
    __device__ __forceinline__ F64 product(U64 k) {
        const F64 p = a[k] * b[k * n];
        if constexpr (S::products)
            return bits_to_real(S::round_product(real_to_bits(p), word(S::product_random)));
        return p;
    }
    __device__ __forceinline__ F64 inner(F64 x, F64 y) {
        return bits_to_real(S::round_inner(add_odd(x, y), word(S::inner_random)));
    }
    __device__ __forceinline__ F64 outer(F64 x, F64 y) {
        return bits_to_real(S::round_outer(add_odd(x, y), word(S::outer_random)));
    }
    __device__ __forceinline__ F64 sequence(F64 total, U64 k, U64 end) {
        for (; k < end; ++k) {
            const F64 p = product(k);
            total = inner(total, p);
        }
        return total;
    }
    // The sum of a binary tree with `width` leaves, zeros beyond the last product, in the order in
    // which a counter that adds leaf after leaf carries.
    __device__ __forceinline__ F64 tree(U64 k, U64 end, U64 width) {
        F64 nodes[LEVELS], leaf = 0.0;
        for (U64 i = 0; i < width; ++i) {
            leaf = k + i < end ? product(k + i) : 0.0;
            int level = 0;
            for (; i >> level & 1; ++level) leaf = inner(leaf, nodes[level]);
            nodes[level] = leaf;
        }
        return leaf;
    }
};

template <class S>
__device__ __forceinline__ void chains(const F64* a, const F64* b, const I64* a_at, const I64* b_at,
                                       typename S::Real* out, const W32* keys, U64 first, U64 chunk,
                                       Sizes s) {
    for (U64 e = thread(); e < s.batches * s.m * s.n; e += threads()) {
        const Result to(e, a_at, b_at, s);
        Accumulation<S> sum{a + to.a, b + to.b, keys, s.n, first + e, 0};
        F64 total = F64(out[e]);
        if (chunk == 0) total = sum.sequence(total, 0, s.k);
        else for (U64 k = 0; k < s.k; k += chunk) {
            const U64 end = minimum(k + chunk, s.k);
            const F64 part = S::tree ? sum.tree(k, end, chunk) : sum.sequence(0.0, k, end);
            total = sum.outer(total, part);
        }
        store(&out[e], plain_nan(real_to_bits(total)));
    }
}
