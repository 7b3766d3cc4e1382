// Tiles of results: a block of 256 threads serves TILE x TILE of them, a thread RESULTS rows of one
// column. Rows beyond the last repeat it, and are not stored.
constexpr int TILE = 32, RESULTS = 4;
struct Sizes { U64 batches, m, n, k; };

struct Place {
    U64 batch, rows[RESULTS], column;
    bool inside;
    __device__ __forceinline__ Place(U64 tile, const Sizes& s) {
        const U64 down = (s.m + TILE - 1) / TILE, across = (s.n + TILE - 1) / TILE;
        batch = tile / (down * across);
        column = tile % across * TILE + threadIdx.x % TILE;
        const U64 first = tile / across % down * TILE + threadIdx.x / TILE;
        inside = column < s.n && first < s.m;
        for (int r = 0; r < RESULTS; ++r) rows[r] = minimum(first + r * (TILE / RESULTS), s.m - 1);
    }
    __device__ __forceinline__ bool holds(int r) const {
        return r == 0 || rows[r] - rows[r - 1] == TILE / RESULTS;
    }
};

// The batch of an operand that batch x of the results reads.
__device__ __forceinline__ U64 batch_of(const I64* at, U64 x) { return at ? U64(at[x]) : x; }

__device__ __forceinline__ U64 tiles_of(const Sizes& s) {
    return s.batches * ((s.m + TILE - 1) / TILE) * ((s.n + TILE - 1) / TILE);
}
