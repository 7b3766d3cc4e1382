// Where the elements of an operand come from, as in reading_task.py.
constexpr I64 ZERO_PLACE = -1;
struct Layout {
    U64 outer, stored, inner, count, source_inner;
    const I64 *lines, *places;
    __device__ __forceinline__ U64 size() const { return outer * stored * inner; }
    __device__ __forceinline__ I64 place(U64 i) const {
        const U64 p = i / inner % stored;
        return places ? places[p] : I64(p);
    }
    __device__ __forceinline__ U64 line(U64 i) const {
        const U64 o = i / (inner * stored);
        return lines ? U64(lines[o]) : o;
    }
    __device__ __forceinline__ U64 source(U64 i, I64 place) const {
        return (line(i) * count + U64(place)) * source_inner + (source_inner == 1 ? 0 : i % inner);
    }
};
