// What groups of `group` elements along K have in common; x is (outer, groups * group, inner).
__device__ __forceinline__ void joined_kinds(const unsigned char* x, unsigned char* out, U64 n,
                                             U64 group, U64 inner) {
    for (U64 i = thread(); i < n; i += threads()) {
        const unsigned char* from = x + i / inner * group * inner + i % inner;
        unsigned char seen = 0;
        for (U64 k = 0; k < group; ++k) seen |= from[k * inner];
        out[i] = seen;
    }
}

// Bit k is set where element k of the group is not zero.
__device__ __forceinline__ void nonzero_masks(const int* x, U64* out, U64 n, U64 group, U64 inner) {
    for (U64 i = thread(); i < n; i += threads()) {
        const int* from = x + i / inner * group * inner + i % inner;
        U64 mask = 0;
        for (U64 k = 0; k < group; ++k) mask |= U64(from[k * inner] != 0) << k;
        out[i] = mask;
    }
}
