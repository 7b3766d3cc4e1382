"""A standard normal from one 32-bit word, by inverting the distribution function.

The top bit is the sign, the other 31 bits r give the tail probability p = (r + 1/2) / 2^32 in (0,
1/2). Only +, -, *, / and sqrt in float64 are used, each correctly rounded, so every backend gives
the same bits. |z| <= 6.34.

Reference: Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", PPND16
(relative error about 1e-16); its far-tail branch (p < 1.4e-11) cannot occur here.
"""

from numformats.core.lane import (
    F64,
    I64,
    U64,
    W32,
    Flag,
    Real,
    Word,
    bits_to_real,
    real_to_bits,
    root,
    where,
)


def log_unit(p: Real) -> Real:
    """Natural logarithm of ``p`` in [2^-64, 1], to about 1 ulp: exponent and atanh series."""
    bits = real_to_bits(p)
    up = U64(bits + U64(0x00095F619980C433))
    e = F64(I64(I64(up >> U64(52)) - I64(1023)))
    f = bits_to_real(U64(U64(U64(up & U64(0x000FFFFFFFFFFFFF)) + U64(0x3FE6A09E667F3BCD))))
    s = (f - 1.0) / (f + 1.0)
    z = s * s
    odd = z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z * (1 / 21))))
    series = z * (
        1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + odd)))))
    )
    return e * 0.6931471805599453 + (2.0 * s + 2.0 * (s * series))


def central(q: Real) -> Real:
    """AS 241 for |q| <= 0.425, q the distance of the probability from one half."""
    r = 0.180625 - q * q
    top = 3.3430575583588128105e4 + r * 2.5090809287301226727e3
    top = 4.5921953931549871457e4 + r * (6.7265770927008700853e4 + r * top)
    top = 1.9715909503065514427e3 + r * (1.3731693765509461125e4 + r * top)
    top = 3.3871328727963666080e0 + r * (1.3314166789178437745e2 + r * top)
    low = 2.8729085735721942674e4 + r * 5.2264952788528545610e3
    low = 2.1213794301586595867e4 + r * (3.9307895800092710610e4 + r * low)
    low = 6.8718700749205790830e2 + r * (5.3941960214247511077e3 + r * low)
    return q * top / (1.0 + r * (4.2313330701600911252e1 + r * low))


def tail(p: Real) -> Real:
    """AS 241 for tail probabilities 1.4e-11 < p < 0.075, as a positive deviate."""
    r = root(0.0 - log_unit(p)) - 1.6
    top = 2.27238449892691845833e-2 + r * 7.74545014278341407640e-4
    top = 1.27045825245236838258e0 + r * (2.41780725177450611770e-1 + r * top)
    top = 5.76949722146069140550e0 + r * (3.64784832476320460504e0 + r * top)
    top = 1.42343711074968357734e0 + r * (4.63033784615654529590e0 + r * top)
    low = 5.47593808499534494600e-4 + r * 1.05075007164441684324e-9
    low = 1.48103976427480074590e-1 + r * (1.51986665636164571966e-2 + r * low)
    low = 1.67638483018380384940e0 + r * (6.89767334985100004550e-1 + r * low)
    return top / (1.0 + r * (2.05319162663775882187e0 + r * low))


def tail_probability(word: Word) -> Real:
    """The probability beyond the deviate of a word, in (0, 1/2)."""
    return (F64(W32(word & W32(0x7FFFFFFF))) + 0.5) * 2.3283064365386963e-10


def in_tail(word: Word) -> Flag:
    """Whether the deviate of a word is a matter of ``tail``: 15 words in 100."""
    return 0.5 - tail_probability(word) > 0.425


def with_sign(word: Word, z: Real) -> Real:
    """``z`` with the sign of a word."""
    return where(word > W32(0x7FFFFFFF), 0.0 - z, z)


def middle(word: Word) -> Real:
    """The deviate of a word that is not in the tail."""
    return with_sign(word, central(0.5 - tail_probability(word)))


def outer(word: Word) -> Real:
    """The deviate of a word in the tail."""
    return with_sign(word, tail(tail_probability(word)))


def normal(word: Word) -> Real:
    """The standard normal deviate (float64) that belongs to a 32-bit word."""
    p = tail_probability(word)
    return with_sign(word, where(in_tail(word), tail(p), central(0.5 - p)))
