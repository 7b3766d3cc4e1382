"""Law: gfloat's formats and modes give the same values, P3109 and its stochastic forms included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gfloat
import gfloat.formats as peers
import numpy as np
import pytest
from gfloat import Domain, RoundMode, Signedness

import numformats as nf
from tests.inputs import assert_same, hard_inputs, random_patterns

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in ldexp")  # gfloat's own

MODES = {
    "nearest_even": RoundMode.TiesToEven,
    "nearest_away": RoundMode.TiesToAway,
    "toward_zero": RoundMode.TowardZero,
    "toward_positive": RoundMode.TowardPositive,
    "toward_negative": RoundMode.TowardNegative,
}
FEW_BITS = {
    "stochastic_a": RoundMode.StochasticFastest,
    "stochastic_b": RoundMode.StochasticFast,
    "stochastic_c": RoundMode.Stochastic,
    "stochastic_odd": RoundMode.StochasticOdd,
}
NAMED = {
    "fp16": peers.format_info_binary16,
    "bf16": peers.format_info_bfloat16,
    "e5m2": peers.format_info_ocp_e5m2,
    "e4m3": peers.format_info_ocp_e4m3,
    "e2m3": peers.format_info_ocp_e2m3,
    "e3m2": peers.format_info_ocp_e3m2,
    "e2m1": peers.format_info_ocp_e2m1,
    "fp32": peers.format_info_binary32,
    "fixed<8,6>": peers.format_info_ocp_int8,
    "e8m0": peers.format_info_ocp_e8m0,
    "float<11,52>": peers.format_info_binary64,
}


def p3109_name(k: int, p: int, signedness: Signedness, domain: Domain) -> str:
    s = "s" if signedness is Signedness.Signed else "u"
    return f"binary{k}p{p}{s}{'e' if domain is Domain.Extended else 'f'}"


def p3109_family(widths: range) -> dict[str, gfloat.FormatInfo]:
    """All P3109 formats of the given widths, by their names."""
    found = {}
    for k in widths:
        for signedness in Signedness:
            for domain in Domain:
                for p in range(1, k + (signedness is Signedness.Unsigned)):
                    info = peers.format_info_p3109(k, p, signedness, domain)
                    found[p3109_name(k, p, signedness, domain)] = info
    return found


SMALL = p3109_family(range(3, 9))
ALL = NAMED | SMALL


def inputs(fmt: Any) -> np.ndarray:
    """Hard, random and ordinary values, without those that gfloat leaves undefined: negative ones
    for an unsigned format, and ones below the smallest value of a format without zero."""
    x = np.concatenate([hard_inputs(fmt, "float64", 64), random_patterns(4000, 5, np.float64)])
    spread = np.random.default_rng(6).normal(size=4000) * float(min(fmt.max, 1e30)) / 2
    x = np.concatenate([x, spread])
    least = -np.inf if fmt.signed else 0.0 if fmt.zero else float(fmt.smallest)
    return x[~(x < least)]


def clamped(name: str) -> Any:
    """The format of this name with gfloat's ``sat=True``: our "clamp", fixed point's only way."""
    fmt = nf.parse(name)
    return replace(fmt, overflow="clamp") if isinstance(fmt, nf.Float) else fmt


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ALL)
def test_saturating(name: str, mode: str) -> None:
    fmt = clamped(name)
    x = inputs(fmt)
    wanted = gfloat.round_ndarray(ALL[name], x, MODES[mode], sat=True)
    assert_same(nf.quantize(x, fmt, mode), wanted, x)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [n for n, f in ALL.items() if f.domain is Domain.Extended])
def test_overflow_to_infinity(name: str, mode: str) -> None:
    """Our "infinity" is gfloat's ``sat=False`` where the format has Inf (P3109 SatNone)."""
    fmt = replace(nf.parse(name), overflow="infinity")
    x = inputs(fmt)
    wanted = gfloat.round_ndarray(ALL[name], x, MODES[mode], sat=False)
    assert_same(nf.quantize(x, fmt, mode), wanted, x)


@pytest.mark.parametrize("mode", ["nearest_even", "nearest_away"])
def test_overflow_to_nan(mode: str) -> None:
    """Our "nan" is gfloat's ``sat=False`` for E4M3, under the modes for which OCP defines it."""
    fmt = replace(nf.E4M3, overflow="nan")
    x = inputs(fmt)
    wanted = gfloat.round_ndarray(peers.format_info_ocp_e4m3, x, MODES[mode], sat=False)
    assert_same(nf.quantize(x, fmt, mode), wanted, x)


@pytest.mark.parametrize("name", SMALL)
def test_every_code_has_gfloats_value(name: str) -> None:
    info, fmt = SMALL[name], nf.parse(name)
    codes = np.arange(1 << info.k, dtype=np.uint8)
    wanted = gfloat.decode_ndarray(info, codes.astype(np.int64))
    assert_same(nf.decode(codes, fmt), wanted, codes)


@pytest.mark.parametrize("bits", [1, 3, 8, 13])
@pytest.mark.parametrize("mode", FEW_BITS)
@pytest.mark.parametrize("names", [[*NAMED][:-1], [*SMALL][::2], [*SMALL][1::2]], ids=len)
def test_few_bit_stochastic_forms(names: list[str], mode: str, bits: int) -> None:
    for name in names:
        assert_few_bit_form(name, mode, bits)


@np.errstate(over="ignore", invalid="ignore")  # float64 patterns cast down, signalling NaN
def assert_few_bit_form(name: str, mode: str, bits: int) -> None:
    """The R of N bits is the top N bits of the element's random word."""
    fmt = clamped(name)
    x = inputs(fmt).astype(np.float32)
    words = np.asarray(nf.random.words(x.size, 21), np.uint32)
    r = (words >> np.uint32(32 - bits)).astype(np.int64)
    wide = x.astype(np.float64)
    wanted = gfloat.round_ndarray(ALL[name], wide, FEW_BITS[mode], True, r, bits)
    assert_same(nf.quantize(x, fmt, mode, key=21, random_bits=bits), wanted, x)


@pytest.mark.parametrize("mode", FEW_BITS)
def test_one_random_bit_too_few_is_seen(mode: str) -> None:
    """Negative control: the comparison above rejects another number of bits."""
    x = np.random.default_rng(8).normal(size=4000).astype(np.float32)
    words = np.asarray(nf.random.words(x.size, 21), np.uint32)
    r = (words >> np.uint32(32 - 3)).astype(np.int64)
    peer = gfloat.round_ndarray(peers.format_info_p3109(8, 3), x, FEW_BITS[mode], True, r, 3)
    ours = nf.quantize(x, nf.parse("binary8p3se"), mode, key=21, random_bits=2)
    assert (ours != peer).any()
