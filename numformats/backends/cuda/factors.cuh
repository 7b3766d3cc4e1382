// Operands of fused dot products: split into significands, exponents and kinds, in a layout. S gives
// the carrier and the rules.
struct Fill { int sig, exp, kind; };
struct Scale {
    const short* exp;
    const unsigned char* kind;
    U64 count, block;
};

template <class S>
__device__ __forceinline__ void factors(const typename S::Stored* x, int* sig, short* exp,
                                        unsigned char* kind, W32* found, Scale scale, Fill fill,
                                        Layout g) {
    W32 seen = 0;
    for (U64 i = thread(); i < g.size(); i += threads()) {
        const I64 place = g.place(i);
        if (place < 0) {
            const bool zero = place == ZERO_PLACE;
            sig[i] = zero ? fill.sig : 0;
            exp[i] = short(zero ? fill.exp : NO_TERM);
            kind[i] = (unsigned char)(zero ? fill.kind : 0);
            continue;
        }
        const U bits = U(S::load(x[g.at(i, place)]) & S::spec().keep);
        const U k = operand_kind(bits, S::spec());
        seen |= W32(k);
        const int size = int(shl(operand_significand(bits, S::spec()), S::spec().up));
        int e = U(k & U(4)) > ZERO ? NO_TERM : int(operand_exponent(bits, S::spec()));
        W32 more = 0;
        if (scale.exp) {
            const U64 line = g.outer_of(i) * scale.count + U64(place) / scale.block;
            const U64 at = line * g.inner + i % g.inner;
            e += scale.exp[at], more = scale.kind[at] & 1;
        }
        sig[i] = bits > MAGNITUDE && !S::magnitude ? -size : size;
        exp[i] = short(e);
        kind[i] = (unsigned char)((S::magnitude ? W32(k) & 1 : W32(k)) | more);
    }
    if (found && seen) atomicOr(found, seen);
}
