"""A standard normal in float32 from one 32-bit word, by inverting the distribution function.

The top bit is the sign, the other 31 bits r give the tail probability p = (r + 1/2) / 2^32. With w
= -log(4 p (1 - p)) the deviate is (1 - 2 p) times a polynomial in w, or in sqrt(w) where w >= 5 (3
words in 1,000). Only float32 operations that every processor rounds alike are used, so every
backend gives the same bits. |z| <= 6.34, the error is at most 7e-7 max(1, |z|), and deviates of
words that differ in the top bit alone are opposite.

Reference: Giles, "Approximating the erfinv function", GPU Computing Gems, 2011 (the variable and
the two branches; the coefficients are minimax fits to the whole range of 32-bit words).
"""

from numformats.core.lane import (
    F32,
    W32,
    Real,
    Word,
    bits_to_float,
    float_to_bits,
    fused,
    mostly,
    root,
    where,
)

Single = Real  #: float32


def log_single(t: Single) -> Single:
    """Natural logarithm of ``t`` in [2^-64, 1]: exponent, and a polynomial around 1."""
    up = W32(float_to_bits(t) + W32(0x004AFB0D))
    field = bits_to_float(W32(W32(up >> W32(23)) | W32(0x4B000000)))  # 2^23 and more
    e = F32(field - F32(8388735.0))
    s = F32(bits_to_float(W32(W32(up & W32(0x007FFFFF)) + W32(0x3F3504F3))) - F32(1.0))
    y = fused(s, F32(0.08978950232267380), F32(-0.1442665159702301))
    y = fused(y, s, F32(0.1488378345966339))
    y = fused(y, s, F32(-0.1655182242393494))
    y = fused(y, s, F32(0.1996347159147263))
    y = fused(y, s, F32(-0.2500258088111877))
    y = fused(y, s, F32(0.3333393335342407))
    y = fused(y, s, F32(-0.4999998211860657))
    return fused(e, F32(0.6931471805599453), fused(F32(s * s), y, s))


def central_factor(w: Single) -> Single:
    """Deviate over 1 - 2 p for w < 5."""
    t = F32(w - F32(2.5))
    y = fused(t, F32(4.035237211041931e-08), F32(4.861009301748709e-07))
    y = fused(y, t, F32(-4.990537945559481e-06))
    y = fused(y, t, F32(-6.217960162757663e-06))
    y = fused(y, t, F32(0.0003091501130256802))
    y = fused(y, t, F32(-0.001773010240867734))
    y = fused(y, t, F32(-0.005908170714974403))
    y = fused(y, t, F32(0.3488026559352875))
    return fused(y, t, F32(2.123313665390015))


def tail_factor(w: Single) -> Single:
    """Deviate over 1 - 2 p for 5 <= w < 22.3."""
    t = F32(F32(root(w)) - F32(3.5))
    y = fused(t, F32(-0.0002395933115622029), F32(0.0007984080002643168))
    y = fused(y, t, F32(-0.001096549560315907))
    y = fused(y, t, F32(0.001411894219927490))
    y = fused(y, t, F32(-0.002849885029718280))
    y = fused(y, t, F32(0.004669293761253357))
    y = fused(y, t, F32(1.424626350402832))
    return fused(y, t, F32(4.717087745666504))


def deviate(word: Word) -> Single:
    """The standard normal deviate that belongs to a 32-bit word."""
    rest = F32(W32(word & W32(0x7FFFFFFF)))
    p = fused(rest, F32(2.3283064365386963e-10), F32(1.1641532182693481e-10))
    four = F32(p * F32(4.0))
    w = F32(F32(0.0) - log_single(fused(p, F32(F32(0.0) - four), four)))
    w = where(w > F32(0.0), w, F32(0.0))
    factor = mostly(w < F32(5.0), central_factor(w), tail_factor(w))
    z = F32(fused(p, F32(-2.0), F32(1.0)) * factor)
    return where(word > W32(0x7FFFFFFF), F32(F32(0.0) - z), z)
