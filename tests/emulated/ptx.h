// What PTX instructions mean (PTX ISA 9, sections 9.7.x), as functions: `mul.wide.s32 d, a, b` is
// `d = mul_wide<s32>(a, b)`. An instruction that is neither here nor in EXPRESSIONS and SHIFTS of
// translate.py does not compile.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

using u8 = uint8_t; using u16 = uint16_t; using u32 = uint32_t; using u64 = uint64_t;
using s8 = int8_t; using s16 = int16_t; using s32 = int32_t; using s64 = int64_t;
using b8 = u8; using b16 = u16; using b32 = u32; using b64 = u64;
using f32 = float; using f64 = double; using pred = bool;

// Registers have no type but a width: bits go as they are where the widths are one, and integers
// are cut or extended where they are not.
template <class To, class From> static inline To as(From x) {
    if constexpr (std::is_same_v<To, From>) return x;
    else if constexpr (std::is_floating_point_v<To> != std::is_floating_point_v<From>) {
        return std::bit_cast<To>(x);
    } else return To(x);
}
template <class T> struct In {
    T value;
    template <class From> In(From x) : value(as<T>(x)) {}
    operator T() const { return value; }
};
template <class T> struct Out {
    T value;
    template <class To> operator To() const { return as<To>(value); }
};
template <class T> using wide = std::conditional_t<
    std::is_signed_v<T>, std::conditional_t<sizeof(T) == 2, s32, s64>,
    std::conditional_t<sizeof(T) == 2, u32, u64>>;
template <class T> constexpr bool is_real = std::is_floating_point_v<T>;

// Arithmetic leaves one NaN of float32 and promises nothing of those of float64: poison shows who
// relies on it.
template <class T> static inline Out<T> real(T x) {
    if (x == x) return {x};
    if constexpr (sizeof(T) == 4) return {std::bit_cast<T>(u32(0x7FFFFFFF))};
    else return {std::bit_cast<T>(u64(0x7FFADEAD00000001))};
}
template <class T> static inline Out<T> number(T x) {
    if constexpr (is_real<T>) return real(x); else return {x};
}
#define BINARY(NAME, EXPR) \
    template <class T> static inline Out<T> NAME(In<T> a_, In<T> b_) { T a = a_, b = b_; return number<T>(EXPR); }
#define UNARY(NAME, EXPR) \
    template <class T> static inline Out<T> NAME(In<T> a_) { T a = a_; return number<T>(EXPR); }
template <class T> static inline T plus(T a, T b) {
    if constexpr (is_real<T>) return a + b; else return T(u64(a) + u64(b));
}
template <class T> static inline T minus(T a, T b) {
    if constexpr (is_real<T>) return a - b; else return T(u64(a) - u64(b));
}
template <class T> static inline T least(T a, T b) {
    if constexpr (is_real<T>) return std::fmin(a, b); else return std::min(a, b);
}
template <class T> static inline T most(T a, T b) {
    if constexpr (is_real<T>) return std::fmax(a, b); else return std::max(a, b);
}
template <class T> static inline T ratio(T a, T b) {
    if constexpr (is_real<T>) return a / b;
    else return b == 0 ? T(~0) : b == T(-1) ? T(0 - u64(a)) : T(a / b);
}
BINARY(add, plus<T>(a, b)) BINARY(add_rn, plus<T>(a, b))
BINARY(sub, minus<T>(a, b)) BINARY(sub_rn, minus<T>(a, b))
BINARY(mul, a * b) BINARY(mul_rn, a * b)
BINARY(mul_lo, T(u64(a) * u64(b)))
BINARY(mul_hi, T(((__int128)a * (__int128)b) >> (8 * sizeof(T))))
BINARY(div, ratio<T>(a, b)) BINARY(div_rn, ratio<T>(a, b))
BINARY(rem, b == 0 ? a : b == T(-1) ? T(0) : T(a % b))
BINARY(min, least<T>(a, b)) BINARY(max, most<T>(a, b))
UNARY(sqrt_rn, std::sqrt(a)) UNARY(rcp_rn, T(1) / a)
template <class T> static inline Out<T> neg(In<T> a) {
    if constexpr (is_real<T>) return {-T(a)}; else return {T(0 - u64(T(a)))};
}
template <class T> static inline Out<T> abs(In<T> a) {
    if constexpr (is_real<T>) return {std::fabs(T(a))}; else return {T(a) < 0 ? T(0 - u64(T(a))) : T(a)};
}
template <class T> static inline Out<wide<T>> mul_wide(In<T> a, In<T> b) { return {wide<T>(wide<T>(T(a)) * wide<T>(T(b)))}; }
template <class T> static inline Out<T> mad_lo(In<T> a, In<T> b, In<T> c) { return {T(u64(T(a)) * u64(T(b)) + u64(T(c)))}; }
template <class T> static inline Out<wide<T>> mad_wide(In<T> a, In<T> b, In<wide<T>> c) {
    return {wide<T>(u64(wide<T>(T(a)) * wide<T>(T(b))) + u64(wide<T>(c)))};
}
template <class T> static inline Out<T> fma_rn(In<T> a, In<T> b, In<T> c) { return real<T>(std::fma(T(a), T(b), T(c))); }

// Shifts and fields
template <class T> static inline Out<T> not_(In<T> a) {
    if constexpr (std::is_same_v<T, bool>) return {!T(a)}; else return {T(~T(a))};
}
template <class T> static inline Out<T> shl(In<T> a, In<u32> n) { return {u32(n) >= 8 * sizeof(T) ? T(0) : T(u64(T(a)) << u32(n))}; }
template <class T> static inline Out<T> shr(In<T> a, In<u32> n) {
    return {T(T(a) >> std::min<u32>(n, 8 * sizeof(T) - 1) >> (u32(n) >= 8 * sizeof(T)))};
}
static inline u32 funnel_left(u32 low, u32 high, u32 n) { return u32((u64(high) << 32 | low) << n >> 32); }
static inline u32 funnel_right(u32 low, u32 high, u32 n) { return u32((u64(high) << 32 | low) >> n); }
template <class T> static inline Out<T> shf_l_wrap(In<T> a, In<T> b, In<u32> n) { return {funnel_left(a, b, n & 31)}; }
template <class T> static inline Out<T> shf_r_wrap(In<T> a, In<T> b, In<u32> n) { return {funnel_right(a, b, n & 31)}; }
template <class T> static inline Out<T> shf_l_clamp(In<T> a, In<T> b, In<u32> n) { return {n >= 32 ? u32(a) : funnel_left(a, b, n)}; }
template <class T> static inline Out<T> shf_r_clamp(In<T> a, In<T> b, In<u32> n) { return {n >= 32 ? u32(b) : funnel_right(a, b, n)}; }
template <class T> static inline Out<u32> clz(In<T> a) { return {u32(std::countl_zero(T(a)))}; }
template <class T> static inline Out<u32> popc(In<T> a) { return {u32(std::popcount(T(a)))}; }
template <class T> static inline Out<T> bfi(In<T> a, In<T> b, In<u32> at_, In<u32> n_) {
    const u32 at = at_ & 255, n = n_ & 255, size = 8 * sizeof(T);
    if (at >= size) return {b};
    const T mask = T((n >= 64 ? ~u64(0) : (u64(1) << n) - 1) << at);
    return {T((T(b) & ~mask) | (T(u64(T(a)) << at) & mask))};
}
template <class T> static inline Out<T> prmt(In<T> a, In<T> b, In<u32> how) {
    const u64 both = u64(u32(b)) << 32 | u32(a);
    u32 made = 0;
    for (int i = 0; i < 4; ++i) {
        const u32 pick = how >> 4 * i & 15, byte = u32(both >> 8 * (pick & 7)) & 255;
        made |= (pick & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * i;
    }
    return {made};
}
template <class T> static inline Out<T> selp(In<T> a, In<T> b, bool p) { return {p ? T(a) : T(b)}; }
template <class T> static inline Out<T> mov(In<T> a) { return {a}; }

// Comparisons: the second row is true of NaN
#define COMPARE(NAME, OP) template <class T> static inline bool setp_##NAME(In<T> a, In<T> b) { return T(a) OP T(b); }
COMPARE(eq, ==) COMPARE(lt, <) COMPARE(le, <=) COMPARE(gt, >) COMPARE(ge, >=)
COMPARE(lo, <) COMPARE(ls, <=) COMPARE(hi, >) COMPARE(hs, >=) COMPARE(neu, !=)
template <class T> static inline bool setp_ne(In<T> a, In<T> b) { return T(a) < T(b) || T(a) > T(b); }
#define UNORDERED(NAME, OP) template <class T> static inline bool setp_##NAME(In<T> a, In<T> b) { return !(T(a) OP T(b)); }
UNORDERED(ltu, >=) UNORDERED(leu, >) UNORDERED(gtu, <=) UNORDERED(geu, <)
template <class T> static inline bool setp_equ(In<T> a, In<T> b) { return !(T(a) < T(b) || T(a) > T(b)); }
template <class T> static inline bool setp_nan(In<T> a, In<T> b) { return T(a) != T(a) || T(b) != T(b); }
template <class T> static inline bool setp_num(In<T> a, In<T> b) { return !setp_nan<T>(a, b); }

// Conversions
template <class To, class From> static inline Out<To> cvt(In<From> a) {
    static_assert(is_real<To> == is_real<From>);
    return number<To>(To(From(a)));
}
template <class To, class From> static inline Out<To> cvt_rn(In<From> a) { return real<To>(To(From(a))); }
template <class To, class From> static inline Out<To> saturated(From x) {
    if (x != x) return {To(sizeof(To) == 8 ? u64(1) << 63 : 0)};
    const long double low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
    return {x <= low ? std::numeric_limits<To>::min() : x >= high ? std::numeric_limits<To>::max() : To(x)};
}
#define TO_INTEGER(NAME, FUNCTION) template <class To, class From> static inline Out<To> NAME(In<From> a) { \
    if constexpr (is_real<To>) return real<To>(FUNCTION(From(a))); else return saturated<To, From>(FUNCTION(From(a))); }
TO_INTEGER(cvt_rzi, std::trunc) TO_INTEGER(cvt_rmi, std::floor) TO_INTEGER(cvt_rpi, std::ceil) TO_INTEGER(cvt_rni, std::nearbyint)

// The words of a vector, the low one first
template <class T> using half_of = std::conditional_t<sizeof(T) == 8, u32, std::conditional_t<sizeof(T) == 4, u16, u8>>;
template <class T> using word_of = std::conditional_t<sizeof(T) == 8, u64, std::conditional_t<sizeof(T) == 4, u32, u16>>;
template <class T> static inline Out<half_of<T>> half(T x, int which) {
    return {half_of<T>(as<word_of<T>>(x) >> which * 4 * sizeof(T))};
}
template <class T> using twice = std::conditional_t<sizeof(T) == 4, u64, std::conditional_t<sizeof(T) == 2, u32, u16>>;
template <class T, class S> static inline Out<twice<T>> whole(T low, S high) {
    return {twice<T>(twice<T>(as<word_of<T>>(low)) | twice<T>(as<word_of<T>>(high)) << 8 * sizeof(T))};
}
