"""Law: every backend gives the bits of the reference, for every mode, format and carrier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests.inputs import (
    DTYPES,
    all_scalar_formats,
    assert_same_bits,
    block_formats,
    hard_inputs,
    random_patterns,
    tie_count,
)
from tests.runnable import OTHERS

SCALAR = all_scalar_formats()
BLOCKS = block_formats() | {
    "bfp<8,block=16>": nf.parse("bfp<8,block=16>"),
    "bfp<4,block=5,ceil>": nf.BlockFloat(nf.FixedPoint(4, 2), 5, scale_rule="ceil"),
    "mxfp8,rceil": nf.BlockFloat(nf.E4M3, 32, scale_rule="rceil"),
    "mxfp6,even": nf.BlockFloat(nf.parse("e3m2"), 7, scale_rule="even"),
    "first axis": nf.BlockFloat(nf.E2M1, 3, axis=0),
    "tiles": nf.BlockFloat(nf.E4M3, (4, 6), axis=(0, 1)),
    "whole": nf.BlockFloat(nf.E5M2, None, axis=None),
}
TWO_MODES = ["nearest_even", "stochastic"]


def key_for(mode: str) -> int | None:
    return 17 if nf.roundings()[mode].stochastic else None


def inputs(fmt: Any, carrier: str) -> np.ndarray:
    more = random_patterns(500, 12, DTYPES[carrier])
    return np.concatenate([hard_inputs(fmt, carrier, 24), more])


@pytest.mark.parametrize("mode", nf.roundings())
@pytest.mark.parametrize("carrier", DTYPES)
@pytest.mark.parametrize("backend", OTHERS)
def test_scalar_formats(backend: str, carrier: str, mode: str) -> None:
    ties = 0
    for name, fmt in SCALAR.items():
        x = inputs(fmt, carrier)
        ties += tie_count(fmt, x)
        wanted = nf.quantize(x, fmt, mode, key=key_for(mode), backend="reference")
        got = nf.quantize(x, fmt, mode, key=key_for(mode), backend=backend)
        try:
            assert_same_bits(got, wanted)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
    assert ties > 200, f"only {ties} ties in the shared inputs"


@pytest.mark.parametrize("carrier", DTYPES)
@pytest.mark.parametrize("mode", TWO_MODES)
@pytest.mark.parametrize("backend", OTHERS)
def test_codes(backend: str, carrier: str, mode: str) -> None:
    for fmt in SCALAR.values():
        x = inputs(fmt, carrier)
        if not fmt.has_nan:
            x = x[np.isfinite(x.astype(np.float64))]
        wanted = nf.encode(x, fmt, mode, key=key_for(mode), backend="reference")
        assert_same_bits(nf.encode(x, fmt, mode, key=key_for(mode), backend=backend), wanted)


@pytest.mark.parametrize("bits", [1, 2, 7, 23, 31, 32])
@pytest.mark.parametrize("mode", [n for n, m in nf.roundings().items() if m.few_bits])
@pytest.mark.parametrize("backend", OTHERS)
def test_few_random_bits(backend: str, mode: str, bits: int) -> None:
    for fmt in (nf.E4M3, nf.parse("binary8p1se"), nf.FixedPoint(8, 3), nf.E8M0):
        for carrier in ("float32", "float64"):
            x = inputs(fmt, carrier)
            wanted = nf.quantize(x, fmt, mode, key=3, random_bits=bits, backend="reference")
            got = nf.quantize(x, fmt, mode, key=3, random_bits=bits, backend=backend)
            assert_same_bits(got, wanted)


def assert_blocks_agree(backend: str, name: str, carrier: str, mode: str) -> None:
    fmt = BLOCKS[name]
    x = inputs(fmt.element, carrier)
    x = x[: x.size // 24 * 24].reshape(-1, 24)
    finite = np.where(np.isfinite(x.astype(np.float64)), x, x.dtype.type(1))
    for given in (x, finite):
        wanted = nf.quantize(given, fmt, mode, key=key_for(mode), backend="reference")
        got = nf.quantize(given, fmt, mode, key=key_for(mode), backend=backend)
        assert_same_bits(got, wanted)
    wanted = nf.encode(finite, fmt, mode, key=key_for(mode), backend="reference")
    if mode in TWO_MODES:
        got = nf.encode(finite, fmt, mode, key=key_for(mode), backend=backend)
        assert_same_bits(got.codes, wanted.codes)
        assert_same_bits(got.scales, wanted.scales)


# Every mode on float32, two of them on the other carriers: a block kernel takes seconds to compile.
@pytest.mark.parametrize("mode", nf.roundings())
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("backend", OTHERS)
def test_every_block_format_in_every_mode(backend: str, name: str, mode: str) -> None:
    assert_blocks_agree(backend, name, "float32", mode)


@pytest.mark.parametrize("mode", TWO_MODES)
@pytest.mark.parametrize("carrier", [c for c in DTYPES if c != "float32"])
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("backend", OTHERS)
def test_every_block_format_on_other_carriers(
    backend: str, name: str, carrier: str, mode: str
) -> None:
    assert_blocks_agree(backend, name, carrier, mode)


@pytest.mark.parametrize("mode", TWO_MODES)
@pytest.mark.parametrize("backend", OTHERS)
def test_large_arrays(backend: str, mode: str) -> None:
    """Kernels for arrays that several threads share, specialised further."""
    for fmt in [*SCALAR.values(), *BLOCKS.values()]:
        element = fmt.element if isinstance(fmt, nf.BlockFloat) else fmt
        x = np.resize(inputs(element, "float32"), (150, 13 * 32))
        wanted = nf.quantize(x, fmt, mode, key=key_for(mode), backend="reference")
        assert_same_bits(nf.quantize(x, fmt, mode, key=key_for(mode), backend=backend), wanted)
        finite = np.where(np.isfinite(x), x, np.float32(1))
        wanted = nf.quantize(finite, fmt, mode, key=key_for(mode), backend="reference")
        assert_same_bits(nf.quantize(finite, fmt, mode, key=key_for(mode), backend=backend), wanted)


@pytest.mark.parametrize("backend", OTHERS)
def test_random_words_and_normals(backend: str) -> None:
    for n in (0, 1, 2, 3, 1000, 70_001):
        wanted = nf.random.words(n, nf.Key(5, 6), backend="reference")
        assert_same_bits(nf.random.words(n, nf.Key(5, 6), backend=backend), wanted)
        for dtype in (np.float32, np.float64):
            wanted = nf.random.normal((n,), 9, dtype, backend="reference")
            assert_same_bits(nf.random.normal((n,), 9, dtype, backend=backend), wanted)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("backend", OTHERS)
def test_block_draws_and_decoding(backend: str, name: str) -> None:
    fmt = BLOCKS[name]
    x = np.random.default_rng(4).normal(size=(9, 48)).astype(np.float32)
    x[2, 5], x[4, :7] = np.nan, 0.0
    for variance in (0.0, 0.02, np.abs(np.nan_to_num(x))):
        how = {"key": 3, "return_counts": True}
        wanted = nf.variance_corrected(x, variance, fmt, backend="reference", **how)
        got = nf.variance_corrected(x, variance, fmt, backend=backend, **how)
        assert_same_bits(got[0], wanted[0])
        assert got[1] == wanted[1]
    codes = nf.encode(np.nan_to_num(x), fmt)
    for dtype in (np.float32, np.float64):
        wanted = nf.decode(codes, fmt, dtype=dtype, backend="reference")
        assert_same_bits(nf.decode(codes, fmt, dtype=dtype, backend=backend), wanted)


@pytest.mark.parametrize("backend", OTHERS)
def test_decoding_scalar_formats(backend: str) -> None:
    for fmt in SCALAR.values():
        if isinstance(fmt, nf.Float) and (fmt.emax > 1023 or fmt.low_exponent < -1074):
            continue
        last = (1 << fmt.bits) - 1
        codes = np.random.default_rng(1).integers(0, last, 3000, np.uint64, endpoint=True)
        wanted = nf.decode(codes, fmt, dtype=np.float64, backend="reference")
        got = nf.decode(codes, fmt, dtype=np.float64, backend=backend)
        assert_same_bits(got, wanted)
        some = zip(codes[:200].tolist(), wanted[:200].tolist(), strict=True)
        assert all(same_number(fmt.value(code), value) for code, value in some)


def same_number(exact: Any, value: float) -> bool:
    """Equal, or both NaN; the sign of zero counts."""
    if exact != exact:
        return bool(np.isnan(value))
    return exact == value and (exact != 0 or np.signbit(float(exact)) == np.signbit(value))


@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize(
    "shape, axis", [((3, 2501), 1), ((2501,), 0), ((2501, 3), 0), ((30, 1201), 1)]
)
@pytest.mark.parametrize("backend", OTHERS)
def test_draws_in_blocks_longer_than_a_stretch(
    backend: str, shape: tuple[int, ...], axis: int, common: bool
) -> None:
    """Kernels draw runs stretch by stretch: whole slices as blocks, of odd length, with blocks that
    hold NaN, Inf and nothing but zeros."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=shape).astype(np.float32)
    flat = x.reshape(-1)
    flat[0], flat[-1] = (np.nan, np.inf) if x.ndim > 1 else (0.0, -0.0)
    if x.ndim > 1:
        np.moveaxis(x, axis, 0)[:, 1] = 0.0
    fmt = nf.BlockFloat(nf.FixedPoint(8, 6), None, axis=axis)
    variance = 3e-4 if common else rng.random(shape).astype(np.float32) * 1e-3
    how: Any = {"key": nf.Key(3, 1, 5), "return_counts": True}
    wanted = nf.variance_corrected(x, variance, fmt, backend="reference", **how)
    got = nf.variance_corrected(x, variance, fmt, backend=backend, **how)
    assert_same_bits(got[0], wanted[0])
    assert got[1] == wanted[1]
