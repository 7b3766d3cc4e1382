// Words and normals, one element a thread.
__device__ __forceinline__ void random_words(U* out, U64 n, W32 k0, W32 k1, U64 first) {
    for (U64 i = thread(); i < n; i += threads()) out[i] = word_of(first + i, k0, k1);
}

__device__ __forceinline__ void put_normal(float* out, W32 word) { *out = deviate(word); }
__device__ __forceinline__ void put_normal(F64* out, W32 word) { *out = normal(word); }

template <class Real>
__device__ __forceinline__ void random_normals(Real* out, U64 n, W32 k0, W32 k1, U64 first) {
    for (U64 i = thread(); i < n; i += threads()) put_normal(out + i, word_of(first + i, k0, k1));
}
