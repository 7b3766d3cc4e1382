"""Law: requantization rules give what exact rationals and published vectors say."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch

from numformats.engines import ApFixed, MultiplierRequantize, ShiftRequantize, requantize
from numformats.engines.ap_fixed import OVERFLOWS, QUANTIZATIONS
from numformats.engines.requantize import MULTIPLIER_ROUNDINGS, SHIFT_ROUNDINGS

HALF = Fraction(1, 2)
WIDE = {"low": -(1 << 31), "high": (1 << 31) - 1}


def away(x: Fraction) -> int:
    return math.floor(abs(x) + HALF) * (1 if x >= 0 else -1)


def up(x: Fraction) -> int:
    return math.floor(x + HALF)


def wrap32(x: int) -> int:
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


def doubled(acc: int, multiplier: int, shift: int) -> int:
    high = up(Fraction(wrap32(acc << max(shift, 0)) * multiplier, 1 << 31))
    return away(Fraction(high, 1 << max(-shift, 0)))


def scaled(acc: int, multiplier: int, shift: int) -> Fraction:
    return Fraction(acc * multiplier) * Fraction(2) ** (shift - 31)


EXACT: dict[str, Callable[[int, int, int], int]] = {
    "double": doubled,
    "gemmlowp": doubled,  # away from its one saturating product
    "single": lambda *given: up(scaled(*given)),
    "natural": lambda *given: up(scaled(*given)),
    "truncate": lambda *given: math.trunc(scaled(*given)),
}
# acc, scale, scale shift of Ethos-U -> double, natural, truncate: the vectors of ra8's
# npu_vela_round tests, transcribed from tflite-micro
VECTORS = [
    (-21941, 1321694465, 38, (-106, -105, -105)),
    (-2190, 1945001765, 38, (-16, -15, -15)),
    (-19609, 1128422195, 38, (-81, -80, -80)),
    (-14898, 1955825631, 40, (-27, -27, -26)),
    (21941, 1321694465, 38, (106, 105, 105)),
    (126579, 1622305820, 45, (6, 6, 5)),
    (-12025, 1136030071, 38, (-50, -50, -49)),
    (-69425, 1185095836, 31, (-38312, -38312, -38312)),
    (-140648, 1872161983, 38, (-958, -958, -957)),
    (-70725, 1891413223, 40, (-122, -122, -121)),
    (-146537, 1609175468, 20, (-224879976, -224879976, -224879975)),
    (183350, 1539165521, 38, (1027, 1027, 1026)),
    (-53471, 1464746328, 38, (-285, -285, -284)),
    (0, 1073741824, 31, (0, 0, 0)),
    (-1, 1073741824, 31, (0, 0, 0)),
]
# here the left shift of "double" leaves 32 bits: CMSIS-NN wraps, the published numbers do not
UNWRAPPED = [(1, 2147483647, 0, 2147483647), (-3, 1073741824, 1, -1610612736)]


def accumulators() -> np.ndarray:
    rng = np.random.default_rng(0)
    edges = [0, 1, -1, 2, -2, 3, -3, (1 << 31) - 1, -(1 << 31), 1 << 30, -(1 << 30)]
    return np.array([*edges, *rng.integers(-(1 << 31), 1 << 31, 300), *range(-40, 40)], np.int32)


@pytest.mark.parametrize("acc, scale, shift, wanted", VECTORS)
def test_published_vectors(acc: int, scale: int, shift: int, wanted: tuple[int, ...]) -> None:
    for rounding, value in zip(("double", "natural", "truncate"), wanted, strict=True):
        rule = MultiplierRequantize(scale, 31 - shift, rounding=rounding, **WIDE)
        assert requantize(np.int32([acc]), rule).tolist() == [value], rounding


@pytest.mark.parametrize("acc, scale, shift, wanted", UNWRAPPED)
def test_published_vectors_of_large_left_shifts(
    acc: int, scale: int, shift: int, wanted: int
) -> None:
    for rounding in ("natural", "truncate"):
        rule = MultiplierRequantize(scale, 31 - shift, rounding=rounding, **WIDE)
        assert requantize(np.int32([acc]), rule).tolist() == [wanted], rounding


@pytest.mark.parametrize("rounding", MULTIPLIER_ROUNDINGS)
@pytest.mark.parametrize("shift", [-32, -20, -7, -1, 0, 1, 5, 30, 31])
def test_multiplier_against_exact_rationals(rounding: str, shift: int) -> None:
    acc, rng = accumulators(), np.random.default_rng(shift + 40)
    for multiplier in (1 << 30, (1 << 31) - 1, *map(int, rng.integers(1 << 30, 1 << 31, 4))):
        rule = MultiplierRequantize(multiplier, shift, rounding=rounding, zero_point=3, **WIDE)
        wanted = [EXACT[rounding](a, multiplier, shift) + 3 for a in acc.tolist()]
        clipped = [min(max(w, WIDE["low"]), WIDE["high"]) for w in wanted]
        assert requantize(acc, rule).tolist() == clipped


@pytest.mark.parametrize("product, wanted", [(-1, 0), (1, 1), (-3, -1), (3, 2), (-5, -2)])
def test_doubling_high_multiply_rounds_ties_up(product: int, wanted: int) -> None:
    """Halves: -1/2 gives 0 and -3/2 gives -1, in CMSIS-NN's form and in gemmlowp's."""
    for rounding in ("double", "gemmlowp"):
        rule = MultiplierRequantize(1 << 30, 0, rounding=rounding, **WIDE)
        assert requantize(np.int32([product]), rule).tolist() == [wanted]


def test_the_saturating_product_is_what_gemmlowp_differs_in() -> None:
    acc = np.int32([-(1 << 31)])
    how = {"multiplier": -(1 << 31), "shift": 0, **WIDE}
    assert requantize(acc, MultiplierRequantize(rounding="gemmlowp", **how)) == (1 << 31) - 1
    double = MultiplierRequantize(rounding="double", **how)
    assert requantize(acc, double) == -(1 << 31)  # arm_nn_doubling_high_mult_no_sat
    shifted = MultiplierRequantize(rounding="double", **(how | {"shift": -5}))
    assert requantize(acc, shifted) == -(1 << 26)


def test_channels_clamp_dtype_and_torch() -> None:
    acc = np.arange(-600, 600, dtype=np.int32).reshape(4, 300)
    rule = MultiplierRequantize((1 << 30, 1 << 30, 1 << 30, (1 << 31) - 1), (0, -1, -2, 1), axis=0)
    got = requantize(acc, rule)
    assert got.dtype == np.int8
    for row, (multiplier, shift) in enumerate(zip(rule.multiplier, rule.shift, strict=True)):
        one = MultiplierRequantize(multiplier, shift)
        np.testing.assert_array_equal(got[row], requantize(acc[row], one))
    assert requantize(acc, ShiftRequantize(0, low=0, high=127)).dtype == np.uint8
    tensor = requantize(torch.from_numpy(acc), rule)
    np.testing.assert_array_equal(tensor.numpy(), got)
    assert requantize(acc[:, :0], rule).shape == (4, 0)


def test_multipliers_and_shifts_are_of_as_many_channels() -> None:
    with pytest.raises(ValueError, match="different numbers of channels"):
        MultiplierRequantize((1 << 30, 1 << 30), (0, 0, 0))


SHIFTS = {"half_up": up, "floor": math.floor, "half_away": away, "toward_zero": math.trunc}


@pytest.mark.parametrize("rounding", SHIFT_ROUNDINGS)
@pytest.mark.parametrize("shift", [-3, 0, 1, 2, 9, 31, 40, 62])
def test_shift_against_exact_rationals(rounding: str, shift: int) -> None:
    acc = accumulators()
    wanted = [SHIFTS[rounding](Fraction(a) / Fraction(2) ** shift) for a in acc.tolist()]
    rule = ShiftRequantize(shift, rounding=rounding)
    assert requantize(acc, rule).tolist() == [min(max(w, -128), 127) for w in wanted]


ROUND: dict[str, Callable[[Fraction], int]] = {
    "AP_TRN": math.floor,
    "AP_TRN_ZERO": math.trunc,
    "AP_RND": up,
    "AP_RND_ZERO": lambda x: math.ceil(abs(x) - HALF) * (1 if x >= 0 else -1),
    "AP_RND_MIN_INF": lambda x: math.ceil(x - HALF),
    "AP_RND_INF": away,
    "AP_RND_CONV": round,
}


def limited(x: int, bits: int, signed: bool, overflow: str) -> int:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if overflow == "AP_SAT_SYM" and signed:
        low = -high
    if low <= x <= high:
        return x
    if overflow.startswith("AP_SAT"):
        return 0 if overflow == "AP_SAT_ZERO" else min(max(x, low), high)
    return (x - low) % (1 << bits) + low


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("overflow", [o for o in OVERFLOWS if o != "AP_WRAP_SM"])
@pytest.mark.parametrize("signed", [True, False])
def test_ap_fixed_against_exact_rationals(quantization: str, overflow: str, signed: bool) -> None:
    acc = np.concatenate([accumulators().astype(np.int64), np.arange(-300, 300), [1 << 46]])
    for word, whole, frac in ((8, 3, 9), (8, 3, 7), (8, 3, 2), (16, 8, 20), (4, 4, 3), (1, 1, 2)):
        rule = ApFixed(
            word, whole, frac, signed=signed, quantization=quantization, overflow=overflow
        )
        got = requantize(acc, rule).tolist()
        for a, value in zip(acc.tolist(), got, strict=True):
            x = ROUND[quantization](Fraction(a) * Fraction(2) ** (word - whole - frac))
            assert value == limited(x, word, signed, overflow), (a, rule)


@pytest.mark.parametrize(
    "overflow, value, wanted",
    [
        ("AP_WRAP", 31, -1), ("AP_WRAP", -19, -3), ("AP_WRAP_SM", 19, -4), ("AP_WRAP_SM", -19, 2),
        ("AP_SAT", 19, 7), ("AP_SAT", -19, -8), ("AP_SAT_ZERO", 19, 0), ("AP_SAT_SYM", -19, -7),
        ("AP_WRAP_SM", 5, 5), ("AP_WRAP_SM", -8, -8),
    ],
)  # fmt: skip
def test_ap_fixed_vectors(overflow: str, value: int, wanted: int) -> None:
    """The examples of the user guide's overflow modes, four bits before the point."""
    assert requantize(np.int32([value]), ApFixed(4, 4, 0, overflow=overflow)).tolist() == [wanted]


def leading(x: int, bits: int, signed: bool, overflow: str, n: int) -> int:
    """N saturated bits, on strings of bits, as AMD's ap_fixed_base sets them."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if low <= x <= high:
        return x
    word = list(format(x % (1 << bits), f"0{bits}b"))
    sign, other = ("1", "0") if x < 0 and signed else ("0", "1")
    if overflow == "AP_WRAP_SM":
        turned = word[0] != sign if n == 1 else word[n - 1] == sign
        word = [{"0": "1", "1": "0"}[b] for b in word] if turned else word
    word[:n] = [sign] + [other] * (n - 1) if signed else ["1"] * n
    found = int("".join(word), 2)
    return found - (1 << bits) if signed and word[0] == "1" else found


@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize(
    "overflow, signed", [("AP_WRAP", True), ("AP_WRAP", False), ("AP_WRAP_SM", True)]
)
def test_saturated_bits(overflow: str, signed: bool, n: int) -> None:
    acc = np.arange(-300, 300)
    rule = ApFixed(6, 6, 0, signed=signed, overflow=overflow, saturated_bits=n)
    got = requantize(acc, rule).tolist()
    assert got == [leading(a, 6, signed, overflow, n) for a in acc.tolist()]
    plain = requantize(acc, ApFixed(6, 6, 0, signed=signed, overflow=overflow)).tolist()
    assert got != plain
    if n == 6 and signed:  # all bits
        assert got == requantize(acc, ApFixed(6, 6, 0, overflow="AP_SAT")).tolist()


BAD = {
    "floats": (lambda: requantize(np.float32([1]), ShiftRequantize(1)), TypeError, "dtype float32"),
    "wide": (
        lambda: requantize(np.int64([1 << 31]), ShiftRequantize(1)),
        ValueError,
        "beyond 32 bits",
    ),
    "unsigned wide": (
        lambda: requantize(np.uint64([(1 << 64) - 1]), ShiftRequantize(0)),
        ValueError,
        "beyond 32 bits",
    ),
    "no rule": (lambda: requantize(np.int32([1]), None), TypeError, "rule is None; give"),
    "a class": (
        lambda: requantize(np.int32([1]), ShiftRequantize),
        TypeError,
        "rule is <class .*; give",
    ),
    "zero point": (lambda: MultiplierRequantize(1, 0, zero_point=0.5), TypeError, "zero_point"),
    "axis": (lambda: MultiplierRequantize(1, 0, axis="x"), TypeError, "axis"),
    "rounding": (
        lambda: MultiplierRequantize(1, 0, rounding="singel"),
        ValueError,
        "single",
    ),
    "range": (lambda: ShiftRequantize(1, low=3, high=2), ValueError, "high"),
    "channels": (
        lambda: requantize(np.zeros((2, 3), np.int32), MultiplierRequantize((1, 1), 0)),
        ValueError,
        r"2 channels along axis -1 of an accumulator of shape \(2, 3\)",
    ),
    "unsigned": (lambda: ApFixed(4, 4, 0, signed=False, overflow="AP_WRAP_SM"), ValueError, "AP_W"),
    "saturated": (
        lambda: ApFixed(4, 4, 0, overflow="AP_SAT", saturated_bits=1),
        ValueError,
        "saturates them all",
    ),
    "too many": (lambda: ApFixed(4, 4, 0, saturated_bits=5), ValueError, "saturated_bits=5"),
    "growth": (lambda: ApFixed(40, 2, 3), ValueError, "more bits after the point"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused(what: str) -> None:
    call, error, words = BAD[what]
    with pytest.raises(error, match=words):
        call()
