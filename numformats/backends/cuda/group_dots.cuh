// Exact sums of groups, scaled, aligned with c and added, S::count groups at a time. S gives the
// rule of the unit, its numbers and the types.
struct Levels {
    const int* sig;
    const short* exp;
    const unsigned char* kind;
    const U64* nonzero;
};

__device__ __forceinline__ I scale_of(const Levels& a, U64 i, const Levels& b, U64 j) {
    return I(I(a.sig[i]) * I(b.sig[j]));
}

template <class S>
__device__ __forceinline__ I exponent_of(const Levels& a, U64 i, const Levels& b, U64 j) {
    return S::group_exponent(I(I(a.exp[i]) + I(b.exp[j])), scale_of(a, i, b, j),
                             U(a.nonzero[i] & b.nonzero[j]));
}

// The exponent that S::count groups and c share; flags gathers NaN scales.
template <class S>
__device__ __forceinline__ I top_of(const Levels& a, U64 i, const Levels& b, U64 j, U64 n, bool given,
                                    U c, U& flags) {
    bool zero = false;
    I top = exponent_of<S>(a, i, b, j);
    for (int g = 0; g < S::count; ++g) {
        top = maximum(top, exponent_of<S>(a, i + g, b, j + g * n));
        zero |= S::group_is_zero(scale_of(a, i + g, b, j + g * n),
                                 U(a.nonzero[i + g] & b.nonzero[j + g * n]));
        flags |= U((a.kind[i + g] | b.kind[j + g * n]) & 1);
    }
    return maximum(S::first(c, zero, given), top);
}

// The exact sums of the products of one group of RESULTS rows with a column.
template <class S>
__device__ __forceinline__ void group_sums(const int* a, const int* b, const U64 (&at)[RESULTS], int g,
                                           U64 n, int (&part)[RESULTS]) {
#pragma unroll 4
    for (int k = 0; k < S::group; k += 4) {
        int given[4];
#pragma unroll
        for (int q = 0; q < 4; ++q) given[q] = b[(k + q) * n];
#pragma unroll
        for (int r = 0; r < RESULTS; ++r) {
            const auto row = *reinterpret_cast<const Pack<int, 4>*>(a + (at[r] + g) * S::group + k);
#pragma unroll
            for (int q = 0; q < 4; ++q) part[r] += row.v[q] * given[q];
        }
    }
}

template <class S>
__device__ __forceinline__ void scaled_step(const int* a, const Levels& la, const int* b,
                                            const Levels& lb, const U64 (&at)[RESULTS], U64 from,
                                            U64 n, bool given, typename S::Real (&c)[RESULTS]) {
    U bits[RESULTS], flags[RESULTS] = {};
    I top[RESULTS], total[RESULTS] = {};
    for (int r = 0; r < RESULTS; ++r) {
        bits[r] = real_to_bits(F64(c[r]));
        top[r] = top_of<S>(la, at[r], lb, from, n, given, bits[r], flags[r]);
    }
    for (int g = 0; g < S::count; ++g) {
        int part[RESULTS] = {};
        const U64 level = from + g * n;
        group_sums<S>(a, b + (level - level % n) * S::group + level % n, at, g, n, part);
        for (int r = 0; r < RESULTS; ++r) {
            const I sig = scale_of(la, at[r] + g, lb, level);
            const I e = exponent_of<S>(la, at[r] + g, lb, level);
            total[r] += S::aligned(S::group_term(I(part[r]), sig), I(top[r] - e));
        }
    }
    for (int r = 0; r < RESULTS; ++r) {
        const U out = S::finish(total[r], top[r], total[r], top[r], bits[r]);
        store(&c[r], S::special_sum(flags[r], out, bits[r]));
    }
}

template <class S>
__device__ __forceinline__ void scaled_dots(const int* a, Levels la, const int* b, Levels lb,
                                            const I64* a_at, const I64* b_at, typename S::Real* out,
                                            Sizes s) {
    const U64 groups = s.k / S::group;
    for (U64 tile = blockIdx.x; tile < tiles_of(s); tile += gridDim.x) {
        const Place place(tile, s);
        if (!place.inside) continue;
        const U64 x = batch_of(a_at, place.batch), y = batch_of(b_at, place.batch);
        typename S::Real c[RESULTS], *to = out + place.batch * s.m * s.n + place.column;
        for (int r = 0; r < RESULTS; ++r) c[r] = to[place.rows[r] * s.n];
        for (U64 g = 0; g < groups; g += S::count) {
            U64 at[RESULTS];
            for (int r = 0; r < RESULTS; ++r) at[r] = (x * s.m + place.rows[r]) * groups + g;
            scaled_step<S>(a, la, b, lb, at, (y * groups + g) * s.n + place.column, s.n, g == 0, c);
        }
        for (int r = 0; r < RESULTS; ++r)
            if (place.holds(r)) to[place.rows[r] * s.n] = c[r];
    }
}
