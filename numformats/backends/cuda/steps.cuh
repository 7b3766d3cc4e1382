// The random words that the parts of a step need: of gradient, noise, weight, and the second of a
// draw.
template <class S, bool ODD, int R, int N>
__device__ __forceinline__ void step_words(W32 (&words)[R][N], U64 e, const W32* k) {
    if constexpr (S::GRADIENT && S::stochastic) fill<ODD>(words[0], e, k[0], k[1]);
    if constexpr (S::NOISY) fill<ODD>(words[1], e, k[2], k[3]);
    if constexpr (S::DRAWN || (S::WEIGHT && S::stochastic)) fill<ODD>(words[2], e, k[4], k[5]);
    if constexpr (S::DRAWN) fill<ODD>(words[3], e, k[6], k[7]);
}
