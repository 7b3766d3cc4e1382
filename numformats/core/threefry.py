"""Threefry-2x32 with 13 rounds: random words as a function of (key, counter) alone.

Reference: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011 (13
rounds pass BigCrush); Random123's known answers.
"""

from numformats.core.lane import W32, Word


def rotate_add(x0: Word, x1: Word, r: Word) -> Word:
    """The second word of one mixing round; the first is ``x0 + x1``."""
    return W32(W32(W32(x1 << r) | W32(x1 >> W32(W32(32) - r))) ^ W32(x0 + x1))


def four_rounds(x0: Word, x1: Word, r0: Word, r1: Word, r2: Word, r3: Word) -> tuple[Word, Word]:
    """Four mixing rounds with the given rotations."""
    y1 = rotate_add(x0, x1, r0)
    y0 = W32(x0 + x1)
    z1 = rotate_add(y0, y1, r1)
    z0 = W32(y0 + y1)
    u1 = rotate_add(z0, z1, r2)
    u0 = W32(z0 + z1)
    v1 = rotate_add(u0, u1, r3)
    return W32(u0 + u1), v1


def threefry(k0: Word, k1: Word, c0: Word, c1: Word) -> tuple[Word, Word]:
    """Two random 32-bit words for key ``(k0, k1)`` and counter ``(c0, c1)``."""
    k2 = W32(W32(k0 ^ k1) ^ W32(0x1BD11BDA))
    a0, a1 = four_rounds(W32(c0 + k0), W32(c1 + k1), W32(13), W32(15), W32(26), W32(6))
    b0, b1 = four_rounds(
        W32(a0 + k1), W32(W32(a1 + k2) + W32(1)), W32(17), W32(29), W32(16), W32(24)
    )
    d0, d1 = four_rounds(
        W32(b0 + k2), W32(W32(b1 + k0) + W32(2)), W32(13), W32(15), W32(26), W32(6)
    )
    e0, e1 = W32(d0 + k0), W32(W32(d1 + k1) + W32(3))
    return W32(e0 + e1), rotate_add(e0, e1, W32(17))
