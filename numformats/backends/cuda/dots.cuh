// Fused dot products, group by group in two passes: the largest exponent, then aligned terms. S
// gives the rule of the unit, its numbers and the types. Groups are multiples of four along K.
struct Factors {
    const int* sig;
    const short* exp;
    const unsigned char* kind;
    const unsigned char* joined;
};

template <class S>
__device__ __forceinline__ void raise_tops(const Factors& a, const Factors& b, const U64 (&at)[RESULTS],
                                           U64 from, U64 n, int (&top)[RESULTS]) {
#pragma unroll 4
    for (int k = 0; k < S::part; k += 4) {
        int eb[4];
#pragma unroll
        for (int q = 0; q < 4; ++q) eb[q] = b.exp[from + (k + q) * n];
#pragma unroll
        for (int r = 0; r < RESULTS; ++r) {
            const auto ea = *reinterpret_cast<const Pack<short, 4>*>(a.exp + at[r] + k);
#pragma unroll
            for (int q = 0; q < 4; ++q) top[r] = maximum(top[r], int(ea.v[q]) + eb[q]);
        }
    }
}

// The aligned terms of products k .. end of a part, added up.
template <class S>
__device__ __forceinline__ void add_terms(const Factors& a, const Factors& b,
                                          const U64 (&at)[RESULTS], U64 from, U64 n, int k, int end,
                                          const typename S::T (&low)[RESULTS],
                                          typename S::T (&part)[RESULTS]) {
    using T = typename S::T;
#pragma unroll 4
    for (; k < end; k += 4) {
        T sb[4], eb[4];
#pragma unroll
        for (int q = 0; q < 4; ++q) sb[q] = b.sig[from + (k + q) * n], eb[q] = b.exp[from + (k + q) * n];
#pragma unroll
        for (int r = 0; r < RESULTS; ++r) {
            const auto sa = *reinterpret_cast<const Pack<int, 4>*>(a.sig + at[r] + k);
            const auto ea = *reinterpret_cast<const Pack<short, 4>*>(a.exp + at[r] + k);
#pragma unroll
            for (int q = 0; q < 4; ++q)
                part[r] += S::term(T(sa.v[q]), sb[q], T(low[r] - T(ea.v[q])), eb[q]);
        }
    }
}

template <class S>
__device__ __forceinline__ void sum_part(const Factors& a, const Factors& b, const U64 (&at)[RESULTS],
                                         U64 from, U64 n, int (&top)[RESULTS], I (&total)[RESULTS]) {
    using T = typename S::T;
    raise_tops<S>(a, b, at, from, n, top);
    T low[RESULTS];
    for (int r = 0; r < RESULTS; ++r) low[r] = T(T(top[r]) + T(S::spec().align)), total[r] = 0;
    for (int k = 0; k < S::part; k += S::run) {
        T part[RESULTS] = {};
        add_terms<S>(a, b, at, from, n, k, minimum(k + S::run, S::part), low, part);
        for (int r = 0; r < RESULTS; ++r) total[r] += I(part[r]);
    }
}

template <class S>
__device__ __forceinline__ U group_flags(const Factors& a, const Factors& b, U64 at, U64 from, U64 n) {
    U flags = ZERO;
    for (int k = 0; k < S::group; ++k) {
        const U64 i = at + k, j = from + k * n;
        const bool over = S::overflow && S::over_range(I(a.sig[i]), I(a.exp[i]), I(b.sig[j]), I(b.exp[j]));
        flags |= S::product_flags(U(a.kind[i]), U(b.kind[j]), over);
    }
    return flags;
}

// One group of RESULTS rows, from element `first` along K, with one column.
template <class S>
__device__ __forceinline__ void group_step(const Factors& a, const Factors& b, const U64 (&at)[RESULTS],
                                           U64 from, U64 n, const W32 (&kinds)[RESULTS], bool given,
                                           typename S::Real (&c)[RESULTS]) {
    int top[S::parts][RESULTS];
    I total[S::parts][RESULTS];
    for (int p = 0; p < S::parts; ++p) {
        U64 here[RESULTS];
        for (int r = 0; r < RESULTS; ++r) {
            here[r] = at[r] + p * S::part;
            top[p][r] = int(S::first(real_to_bits(F64(c[r])), (kinds[r] & 4) > 0, given));
        }
        sum_part<S>(a, b, here, from + p * S::part * n, n, top[p], total[p]);
    }
    constexpr int last = S::parts - 1;
    for (int r = 0; r < RESULTS; ++r) {
        const U bits = real_to_bits(F64(c[r]));
        const U out = S::finish(total[0][r], I(top[0][r]), total[last][r], I(top[last][r]), bits);
        const bool special = S::overflow || (kinds[r] & 3) > 0;
        const U flags = special ? group_flags<S>(a, b, at[r], from, n) : ZERO;
        store(&c[r], S::special_sum(flags, out, bits));
    }
}

template <class S>
__device__ __forceinline__ void dots(Factors a, Factors b, const I64* a_at, const I64* b_at,
                                     typename S::Real* out, Sizes s) {
    const U64 groups = s.k / S::group;
    for (U64 tile = blockIdx.x; tile < tiles_of(s); tile += gridDim.x) {
        const Place place(tile, s);
        if (!place.inside) continue;
        const U64 x = batch_of(a_at, place.batch), y = batch_of(b_at, place.batch);
        typename S::Real c[RESULTS], *to = out + place.batch * s.m * s.n + place.column;
        for (int r = 0; r < RESULTS; ++r) c[r] = to[place.rows[r] * s.n];
        for (U64 g = 0; g < groups; ++g) {
            U64 at[RESULTS];
            W32 kinds[RESULTS];
            const W32 column = b.joined[(y * groups + g) * s.n + place.column];
            for (int r = 0; r < RESULTS; ++r) {
                const U64 row = x * s.m + place.rows[r];
                at[r] = row * s.k + g * S::group;
                kinds[r] = column | a.joined[row * groups + g];
            }
            const U64 from = (y * s.k + g * S::group) * s.n + place.column;
            group_step<S>(a, b, at, from, s.n, kinds, g == 0, c);
        }
        for (int r = 0; r < RESULTS; ++r)
            if (place.holds(r)) to[place.rows[r] * s.n] = c[r];
    }
}
