// Numbers read into the layout of the kernels, checked to be values of a format. S gives the rules.
template <class S>
__device__ __forceinline__ void read(const typename S::From* x, typename S::To* out, W32* found,
                                     Layout g) {
    W32 bad = 0;
    for (U64 i = thread(); i < g.size(); i += threads()) {
        const I64 place = g.place(i);
        if (place < 0) {
            out[i] = 0;
            continue;
        }
        U bits = wide_bits(x[g.at(i, place)]);
        if constexpr (S::checks) {
            const bool nan = (bits & MAGNITUDE) > INF_BITS;
            bad |= nan ? !S::has_nan : bits_to_real(S::round_check(bits, ZERO)) != bits_to_real(bits);
        }
        if constexpr (S::changes) bits = real_to_bits(S::changed(bits_to_real(bits)));
        store(&out[i], bits);
    }
    if (bad) atomicOr(found, bad);
}

// out += x, rounded.
template <class S>
__device__ __forceinline__ void add(const typename S::Real* x, typename S::Real* out, U64 n) {
    for (U64 i = thread(); i < n; i += threads()) {
        const U bits = S::round_sum(add_odd(F64(out[i]), F64(x[i])), ZERO);
        store(&out[i], (bits & MAGNITUDE) > INF_BITS ? S::nan : bits);
    }
}
