// Any blocks: the array as (a, n1, b, n2, c) with tiles (t1, t2) on axes 1 and 3.
struct Tiling {
    U64 n1, b, n2, c, t1, t2, m1, m2;
    __device__ __forceinline__ U64 tile(U64 e) const {
        if (n1 * b * c == 1 && n2 % t2 == 0) return e / t2;
        const U64 ic = e % c, i2 = e / c % n2, ib = e / (c * n2) % b, i1 = e / (c * n2 * b) % n1;
        return (((e / (c * n2 * b * n1) * m1 + i1 / t1) * b + ib) * m2 + i2 / t2) * c + ic;
    }
    __device__ __forceinline__ bool opens(U64 e) const {  // the first element of its tile
        return e / c % n2 % t2 == 0 && e / (c * n2 * b) % n1 % t1 == 0;
    }
};
