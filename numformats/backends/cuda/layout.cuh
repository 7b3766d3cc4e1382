// Where the elements of an operand come from, or results go, as in reading_task.py.
constexpr I64 ZERO_PLACE = -1;
struct Layout {
    U64 outer, stored, inner;
    I64 first, line, step, column;
    const I64 *lines, *places;
    __device__ __forceinline__ U64 size() const { return outer * stored * inner; }
    __device__ __forceinline__ U64 outer_of(U64 i) const { return i / (inner * stored); }
    __device__ __forceinline__ I64 place(U64 i) const {
        const U64 p = i / inner % stored;
        return places ? places[p] : I64(p);
    }
    __device__ __forceinline__ I64 at(U64 i, I64 place) const {
        const U64 o = outer_of(i);
        const I64 start = lines ? lines[o] : I64(o) * line;
        return first + start + place * step + I64(i % inner) * column;
    }
};
