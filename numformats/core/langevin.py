"""One step of stochastic gradient Langevin dynamics on one element, in float32 with fused
multiply-adds, as torch adds a scaled tensor.

Reference: Welling and Teh, ICML 2011; Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909).
"""

from numformats.core.deviate import deviate
from numformats.core.lane import F32, U64, Flag, Real, Word, bits_to_real, fused, where

Single = Real  #: float32


def settled(x: Single) -> Single:
    """``x``; a NaN, which processors make in different ways, without sign and payload."""
    return where(x == x, x, F32(bits_to_real(U64(0x7FF8000000000000))))


def slope_of(theta: Single, descent: Single, decay: Single, decays: Flag) -> Single:
    """``descent + decay * theta``."""
    if decays:
        return fused(theta, decay, descent)
    return descent


def drift(theta: Single, descent: Single, lr: Single, decay: Single, decays: Flag) -> Single:
    """``theta - lr * (descent + decay * theta)``; ``lr`` comes negated."""
    return settled(fused(slope_of(theta, descent, decay, decays), lr, theta))


def diffuse(mean: Single, sigma: Single, word: Word) -> Single:
    """``mean`` plus ``sigma`` times the normal deviate of a random word."""
    return settled(fused(deviate(word), sigma, mean))
