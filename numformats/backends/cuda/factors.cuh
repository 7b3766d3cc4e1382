// Operands of fused dot products: split into significands, exponents and kinds. S gives the carrier
// and the rules.
template <class S>
__device__ __forceinline__ void split(const typename S::Stored* x, int* sig, short* exp,
                                      unsigned char* kind, W32* found, U64 n) {
    W32 seen = 0;
    for (U64 i = thread(); i < n; i += threads()) {
        const U bits = U(S::load(x[i]) & S::spec().keep), k = operand_kind(bits, S::spec());
        const int size = int(shl(operand_significand(bits, S::spec()), S::spec().up));
        sig[i] = where(bits > MAGNITUDE, -size, size);
        exp[i] = short(U(k & U(4)) > ZERO ? I(NO_TERM) : operand_exponent(bits, S::spec()));
        kind[i] = (unsigned char)(k);
        seen |= W32(k);
    }
    if (seen) atomicOr(found, seen);
}
