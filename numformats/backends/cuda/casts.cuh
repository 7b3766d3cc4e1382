// Stored bits of one carrier as those of another, which holds the number: from a layout, or into one.
template <class S>
__device__ __forceinline__ void cast(const typename S::From* x, typename S::To* out, Layout g) {
    for (U64 i = thread(); i < g.size(); i += threads()) out[i] = S::cast(x[g.at(i, g.place(i))]);
}

template <class S>
__device__ __forceinline__ void put(const typename S::From* x, typename S::To* out, Layout g) {
    for (U64 i = thread(); i < g.size(); i += threads()) out[g.at(i, g.place(i))] = S::cast(x[i]);
}

// Integers into a layout, checked to lie within limits.
template <class From, class To>
__device__ __forceinline__ void read_integers(const From* x, To* out, W32* found, I64 low, I64 high,
                                              Layout g) {
    W32 bad = 0;
    for (U64 i = thread(); i < g.size(); i += threads()) {
        const I64 place = g.place(i);
        const From given = place < 0 ? From(0) : x[g.at(i, place)];
        const I64 value = I64(given);
        const bool beyond = From(-1) > From(0) && value < 0;  // unsigned, 2**63 and more
        bad |= beyond || value < low || value > high;
        out[i] = To(value);
    }
    if (found && bad) atomicOr(found, bad);
}

// Integers modulo two to the number of bits less `spare`, into a layout.
template <class From, class To>
__device__ __forceinline__ void wrap_integers(const From* x, To* out, I64 spare,
                                              Layout g) {
    for (U64 i = thread(); i < g.size(); i += threads())
        out[g.at(i, g.place(i))] = To(From(U64(x[i]) << spare) >> spare);
}
