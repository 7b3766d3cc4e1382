"""Law: the P3109 family has the working group's value tables, names and numbers of codes."""

from __future__ import annotations

import csv
import pathlib
from fractions import Fraction

import gfloat
import numpy as np
import pytest

import numformats as nf
from tests.inputs import assert_same
from tests.test_gfloat import p3109_family

FAMILY = p3109_family(range(3, 17))
TABLES = list(p3109_family(range(4, 9, 2)))


def read_table(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Values by code, and which of them are subnormal."""
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["codepoint"], 16) for row in rows] == list(range(len(rows)))
    special = {"Inf": np.inf, "-Inf": -np.inf, "NaN": np.nan}
    values = [special[v] if (v := row["value"]) in special else float.fromhex(v) for row in rows]
    return np.array(values), np.array(["*" in row["subnormal"] for row in rows])


@pytest.mark.parametrize("name", TABLES)
def test_published_table(name: str, data_folder: pathlib.Path) -> None:
    path = data_folder / "p3109" / f"{name.capitalize()}.csv"
    if not path.is_file():
        pytest.skip(f"no file {path}")
    values, subnormal = read_table(path)
    fmt = nf.parse(name)
    codes = np.arange(values.size, dtype=np.uint8)
    assert fmt.code_count == values.size
    assert_same(nf.decode(codes, fmt), values, codes)
    np.testing.assert_array_equal(nf.encode(values, fmt), codes)
    finite = values[np.isfinite(values)]
    np.testing.assert_array_equal(nf.values(fmt), np.sort(finite))
    assert (fmt.max, fmt.min) == (finite.max(), finite.min())
    positive = finite > 0
    assert fmt.smallest == finite[positive].min()
    if subnormal.any():
        assert fmt.smallest_subnormal == values[subnormal & (values > 0)].min()
    assert fmt.smallest_normal == 2.0 ** (1 - fmt.bias)


def value_of(info: gfloat.FormatInfo, code: int) -> Fraction:
    """The working group's formula for a positive finite code; exact where float64 is too small."""
    trailing = info.precision - 1
    e, t = code >> trailing, code & ((1 << trailing) - 1)
    if e == 0:
        return Fraction(t, 1 << trailing) * Fraction(2) ** (1 - info.bias)
    return (1 + Fraction(t, 1 << trailing)) * Fraction(2) ** (e - info.bias)


def test_the_family_is_whole() -> None:
    """Sum over K of 2 (K - 1) signed and 2 K unsigned formats."""
    assert len(FAMILY) == sum(2 * (k - 1) + 2 * k for k in range(3, 17))


@pytest.mark.parametrize("name", FAMILY)
def test_name_and_derived_properties(name: str) -> None:
    fmt, info = nf.parse(name), FAMILY[name]
    assert str(fmt) == name
    assert nf.parse(str(fmt)) == fmt
    assert fmt.code_count == 2**info.k
    assert fmt.bits == info.k
    assert fmt.bias == info.bias
    top = value_of(info, info.code_of_max)
    assert Fraction(fmt.max) == top
    assert Fraction(fmt.min) == (-top if info.is_signed else 0)
    assert Fraction(fmt.smallest) == value_of(info, 1)


@pytest.mark.parametrize(
    "name", [n for n, f in FAMILY.items() if f.k in (9, 12, 16) and f.bias <= 1000]
)
def test_every_code_of_wide_formats(name: str) -> None:
    info, fmt = FAMILY[name], nf.parse(name)
    codes = np.arange(1 << info.k, dtype=np.uint16)
    wanted = gfloat.decode_ndarray(info, codes.astype(np.int64))
    assert_same(nf.decode(codes, fmt), wanted, codes)


@pytest.mark.parametrize("name", ["binary16p1se", "binary16p4uf", "binary13p1ue"])
def test_values_beyond_float64_are_refused(name: str) -> None:
    """Never Inf or zero in their place; the exact values come one by one."""
    fmt, info = nf.parse(name), FAMILY[name]
    with pytest.raises(ValueError, match="float64"):
        nf.decode(np.uint16([1]), fmt)
    for code in (1, 2, 100, info.code_of_max):
        assert fmt.value(code) == value_of(info, code)


@pytest.mark.parametrize("name", ["binary2p1se", "binary17p3se", "binary8p8se", "binary8p9ue"])
def test_outside_the_family(name: str) -> None:
    with pytest.raises(ValueError, match=r"P3109"):
        nf.parse(name)
