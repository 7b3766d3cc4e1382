"""Law: the discarded part of a significand is the fraction that each kind of mode is promised."""

from fractions import Fraction

import numpy as np
import pytest

from numformats.backends.emit import FRACTIONS
from numformats.backends.reference_text import texts
from numformats.lanes import CARRIERS
from numformats.rounding import MODES, mode

SHIFTS = [*range(70), 100, 127, 128, 200, 254]


def significands(width: int, bits: int) -> list[int]:
    rng = np.random.default_rng(width)
    ones = [(1 << n) - 1 for n in range(bits + 1)]
    random = [int(v) for v in rng.integers(0, 1 << bits, 40)]
    return [*ones, *(1 << n for n in range(bits)), *random]


def exact(sig: int, shift: int) -> Fraction:
    return Fraction(sig % (1 << shift), 1 << shift)


@pytest.mark.parametrize("carrier", ["float32", "float64"])
@pytest.mark.parametrize("kind", FRACTIONS)
def test_fraction_is_the_discarded_part(kind: str, carrier: str) -> None:
    lane = CARRIERS[carrier].lane
    user = next(m for m in MODES.values() if m.fraction == kind)
    text = texts(user, CARRIERS[carrier]).fraction
    for shift in SHIFTS:
        sigs = significands(lane.width, lane.sig_bits + 1)
        got = text(np.array(sigs, lane.unsigned), np.full(len(sigs), shift, lane.unsigned))
        for sig, word in zip(sigs, map(int, got), strict=True):
            nu = exact(sig, shift)
            scaled = nu * (1 << lane.width)
            if kind == "halves":
                half = 1 << (lane.width - 1)
                assert (word > 0, word > half, word == half) == (
                    nu > 0,
                    scaled > half,
                    scaled == half,
                )
                continue
            lost = int(scaled) != scaled
            assert word == int(scaled) | (lost and kind == "sticky"), (kind, sig, shift)


def test_unknown_fraction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'half'.*'halves'"):
        mode(stochastic=True, fraction="half")
