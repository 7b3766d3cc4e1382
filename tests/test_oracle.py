"""The oracle against literal values and gfloat; then every format and mode against the oracle."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import gfloat
import gfloat.formats as peers
import numpy as np
import pytest

import numformats as nf
from tests import oracle
from tests.inputs import (
    DTYPES,
    all_scalar_formats,
    assert_same,
    hard_inputs,
    tie_count,
)

ALL = all_scalar_formats()
GFLOAT_MODES = {
    "nearest_even": gfloat.RoundMode.TiesToEven,
    "nearest_away": gfloat.RoundMode.TiesToAway,
    "toward_zero": gfloat.RoundMode.TowardZero,
    "toward_positive": gfloat.RoundMode.TowardPositive,
    "toward_negative": gfloat.RoundMode.TowardNegative,
}
LITERAL = [  # worked by hand from OCP 8-bit Floating Point 1.0 and two's complement
    (1.0625, "nearest_even", 1.0),
    (1.0625, "nearest_away", 1.125),
    (1.0625, "nearest_up", 1.125),
    (-1.0625, "nearest_up", -1.0),
    (1.0625, "toward_positive", 1.125),
    (-1.0625, "toward_positive", -1.0),
    (-1.0625, "toward_negative", -1.125),
    (1.01, "to_odd", 1.125),
    (1.13, "to_odd", 1.125),
    (464.0, "nearest_even", 448.0),
    (1e9, "nearest_even", 448.0),
    (2.0**-10, "nearest_even", 0.0),
    (-(2.0**-10), "nearest_even", -0.0),
    (3 * 2.0**-10, "nearest_even", 2.0**-8),
]


@pytest.mark.parametrize("x, mode, wanted", LITERAL)
def test_oracle_on_values_worked_by_hand(x: float, mode: str, wanted: float) -> None:
    got = oracle.quantize_one(x, nf.E4M3, mode)
    assert (got, math.copysign(1, got)) == (wanted, math.copysign(1, wanted))


@pytest.mark.parametrize("mode", GFLOAT_MODES)
@pytest.mark.parametrize("name", ["e5m2", "e4m3", "binary8p3se", "binary6p4sf", "binary8p1se"])
def test_oracle_agrees_with_gfloat(name: str, mode: str) -> None:
    peer = {
        "e5m2": peers.format_info_ocp_e5m2,
        "e4m3": peers.format_info_ocp_e4m3,
        "binary8p3se": peers.format_info_p3109(8, 3),
        "binary6p4sf": peers.format_info_p3109(6, 4, domain=gfloat.Domain.Finite),
        "binary8p1se": peers.format_info_p3109(8, 1),
    }[name]
    fmt = replace(nf.parse(name), overflow="clamp")
    x = hard_inputs(fmt, "float32", 24)  # float64's next-to-ties are beyond the peer's arithmetic
    x = x[~np.isnan(x)].astype(np.float64)
    wanted = [gfloat.round_float(peer, v, GFLOAT_MODES[mode], sat=True) for v in x.tolist()]
    assert_same(oracle.quantize(x, fmt, mode, carrier="float64"), np.array(wanted), x)


@pytest.mark.parametrize("mode", oracle.DETERMINISTIC)
@pytest.mark.parametrize("carrier", DTYPES)
@pytest.mark.parametrize("name", ALL)
def test_every_format_and_mode_as_the_oracle_says(name: str, carrier: str, mode: str) -> None:
    fmt: Any = ALL[name]
    x = hard_inputs(fmt, carrier, 16)
    wanted = oracle.quantize(x, fmt, mode, carrier=carrier)
    assert_same(nf.quantize(x, fmt, mode), wanted, x)


@pytest.mark.parametrize("name", ALL)
def test_codes_are_the_oracles(name: str) -> None:
    fmt: Any = ALL[name]
    x = hard_inputs(fmt, "float64", 16)
    values = oracle.quantize(x, fmt, "nearest_even", carrier="float64")
    number = ~np.isnan(values)
    wanted = [oracle.code_of(fmt, v) for v in values[number].tolist()]
    np.testing.assert_array_equal(nf.encode(x[number], fmt), np.array(wanted, np.uint64))


@pytest.mark.parametrize("name", [n for n, f in ALL.items() if f.bits <= 16])
def test_values_are_the_oracles(name: str) -> None:
    fmt: Any = ALL[name]
    wanted = np.array([float(v) for v in oracle.finite_values(fmt)])
    got = nf.values(fmt)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", ALL)
def test_the_inputs_contain_ties(name: str) -> None:
    """float64 reaches the midpoints of every format but its own and the widest."""
    fmt: Any = ALL[name]
    if getattr(fmt, "man_bits", 0) < 52:
        assert tie_count(fmt, hard_inputs(fmt, "float64", 16)) >= 2
