"""Law: blocks are what OCP MX, classic block floating point and NVFP4 say, in exact rationals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gfloat
import gfloat.formats as peers
import ml_dtypes
import numpy as np
import pytest

import numformats as nf
from tests import oracle, oracle_blocks
from tests.inputs import DTYPES, assert_same, assert_same_bits, block_formats

FLOAT_SCALED = {
    "nvfp4": nf.NVFP4,
    "nvfp4 in tiles": replace(nf.NVFP4, block_size=(4, 5), axis=(0, 1)),
    "nvfp4 down columns": replace(nf.NVFP4, axis=0),
    "bytes": nf.BlockFloat(nf.E4M3, 7, scale=nf.E4M3, scale_rule="even", tensor_scale=True),
    "integers": nf.BlockFloat(nf.FixedPoint(8, 4), 8, scale=nf.FP16, scale_rule="even"),
}
MX = {
    "mxfp8_e5m2": peers.format_info_mxfp8_e5m2,
    "mxfp8_e4m3": peers.format_info_mxfp8_e4m3,
    "mxfp6_e3m2": peers.format_info_mxfp6_e3m2,
    "mxfp6_e2m3": peers.format_info_mxfp6_e2m3,
    "mxfp4": peers.format_info_mxfp4_e2m1,
    "mxint8": peers.format_info_mxint8,
}
RULES = ("floor", "ceil", "rceil", "even")
POWER_SCALED = {n: f for n, f in block_formats().items() if not f.scale.man_bits} | {
    "bfp<8,block=16>": nf.parse("bfp<8,block=16>"),
    "bfp<4,block=8>": nf.parse("bfp<4,block=8>"),
    "bfp<16,block=5>": nf.parse("bfp<16,block=5>"),
    "e4m3, scale 2^-3..2^4": nf.BlockFloat(
        nf.E4M3,
        8,
        scale=nf.Float(3, 0, signed=False, subnormals=False, zero=False, specials="finite"),
    ),
}


def spread_blocks(rows: int, width: int, seed: int, dtype: Any = np.float32) -> np.ndarray:
    """Rows of normals whose sizes run over most of the carrier's range, with ties and zeros."""
    rng = np.random.default_rng(seed)
    low, high = (-22, 14) if dtype == np.float16 else (-140, 120)
    x = rng.normal(size=(rows, width)) * np.exp2(rng.uniform(low, high, (rows, 1)))
    halves = rng.integers(-16, 16, (rows, width)) / 2.0 * np.exp2(rng.integers(-8, 8, (rows, 1)))
    x = np.where(rng.random((rows, 1)) < 0.4, halves, x)
    x[rng.random(x.shape) < 0.05] = 0.0
    x[rng.random(x.shape) < 0.02] = -0.0
    with np.errstate(over="ignore"):
        out = x.astype(dtype)
    return np.where(np.isfinite(out.astype(np.float64)), out, out.dtype.type(1))


@pytest.mark.parametrize("mode", oracle.DETERMINISTIC)
@pytest.mark.parametrize("name", POWER_SCALED)
def test_power_of_two_scales(name: str, mode: str) -> None:
    x = spread_blocks(24, 50, seed=1)
    fmt = POWER_SCALED[name]
    assert_same(nf.quantize(x, fmt, mode), oracle_blocks.quantize(x, fmt, mode), x)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", POWER_SCALED)
def test_scale_rules(name: str, rule: str) -> None:
    fmt = replace(POWER_SCALED[name], scale_rule=rule)
    x = spread_blocks(40, 37, seed=2)
    assert_same(nf.quantize(x, fmt), oracle_blocks.quantize(x, fmt), x)


@pytest.mark.parametrize("rule", RULES)
def test_scale_rules_where_they_differ(rule: str) -> None:
    """Amax at every mantissa step around the largest element, so that each rule must decide."""
    fmt = replace(nf.MXFP8_E4M3, scale_rule=rule)
    amax = np.float32([256, 272, 439, 440, 447, 448, 449, 463, 464, 465, 479, 480, 481, 511, 512])
    tiny = np.outer(np.ones(15), [2.0**-9, 3 * 2.0**-9, 3.3]).astype(np.float32)
    x = np.concatenate([amax[:, None], tiny], axis=1)
    assert_same(nf.quantize(x, fmt), oracle_blocks.quantize(x, fmt), x)


def test_the_rules_are_four_different_ones() -> None:
    """Negative control: the inputs above tell the rules apart."""
    x = np.float32([[a, 2.0**-9] for a in (449.0, 257.0, 500.0, 384.0)])
    results = {nf.quantize(x, replace(nf.MXFP8_E4M3, scale_rule=r)).tobytes() for r in RULES}
    assert len(results) == 4


@pytest.mark.parametrize("carrier", DTYPES)
@pytest.mark.parametrize("name", block_formats())
def test_carriers(name: str, carrier: str) -> None:
    fmt, x = block_formats()[name], spread_blocks(12, 40, 3, DTYPES[carrier])
    assert_same(nf.quantize(x, fmt), oracle_blocks.quantize(x, fmt, carrier=carrier), x)


def peer_scale(fmt: Any) -> Any:
    """OCP's floor rule, with the element's exponent instead of gfloat's ``emax`` for INT8."""

    def scale(_: float, values: np.ndarray) -> float:
        return float(gfloat.compute_scale_amax(fmt.element_emax, np.asarray(values, np.float64)))

    return scale


@pytest.mark.parametrize("name", MX)
def test_mx_agrees_with_gfloat(name: str) -> None:
    fmt = nf.parse(name)
    x = spread_blocks(60, 32, seed=4)
    if name == "mxint8":
        x = np.abs(x)  # gfloat's INT8 reaches -2; ours is symmetric, as OCP allows
    for row in x:
        wanted = gfloat.quantize_block(MX[name], row.astype(np.float64), peer_scale(fmt))
        assert_same(nf.quantize(row, fmt), wanted, row)


@pytest.mark.parametrize("name", block_formats())
@pytest.mark.parametrize("length", [1, 5, 15, 16, 17, 31, 32, 33, 65])
def test_the_last_block_may_be_shorter(name: str, length: int) -> None:
    fmt = block_formats()[name]
    x = spread_blocks(3, length, seed=5)
    assert_same(nf.quantize(x, fmt), oracle_blocks.quantize(x, fmt), x)


SHAPES = [
    (-1, 4, (3, 10)),
    (0, 4, (10, 3)),
    (1, 4, (2, 7, 3)),
    (-2, 3, (2, 7, 3)),
    ((0, 1), (2, 3), (5, 7)),
    ((1, 2), (2, 3), (2, 5, 4)),
    ((0, 2), (2, 3), (5, 2, 7)),
    ((0, 1), (2, None), (5, 7)),
    ((0, 1), (None, 2), (5, 7)),
    (0, None, (6, 4)),
    (-1, None, (6, 4)),
    ((0, 1), None, (6, 4)),
    ((0, 2), None, (3, 4, 5)),
    (None, None, (3, 4, 5)),
    (0, 16, (1,)),
]


@pytest.mark.parametrize("element", [nf.E2M1, nf.FixedPoint(8, 6)], ids=str)
@pytest.mark.parametrize("axis, size, shape", SHAPES, ids=str)
def test_any_axis_and_tile(axis: Any, size: Any, shape: tuple[int, ...], element: Any) -> None:
    fmt = nf.BlockFloat(element, size, axis=axis)
    rng = np.random.default_rng(6)
    x = (rng.normal(size=shape) * np.exp2(rng.integers(-6, 6, shape))).astype(np.float32)
    wanted = oracle_blocks.quantize(x, fmt)
    assert_same(nf.quantize(x, fmt), wanted, x)
    turned = np.asfortranarray(x)
    assert_same(nf.quantize(turned, fmt), wanted, x)
    assert_same(nf.decode(nf.encode(x, fmt), fmt), wanted, x)


@pytest.mark.parametrize("name", block_formats())
def test_zero_blocks_stay_zero(name: str) -> None:
    fmt = block_formats()[name]
    x = np.zeros((3, 64), np.float32)
    assert_same(nf.quantize(x, fmt), x)
    x[1] = 3.0
    assert (nf.quantize(x, fmt)[[0, 2]] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", POWER_SCALED)
def test_a_block_with_nan_or_inf_is_nan(name: str, bad: float) -> None:
    fmt = replace(POWER_SCALED[name], block_size=8, axis=-1)
    x = spread_blocks(4, 24, seed=7)
    clean = nf.quantize(x, fmt)
    x[1, 9] = bad
    got = nf.quantize(x, fmt)
    assert np.isnan(got[1, 8:16]).all()
    got[1, 8:16] = clean[1, 8:16]
    assert_same_bits(got, clean)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", POWER_SCALED)
def test_tiny_blocks(name: str, rule: str) -> None:
    """Subnormal float32 blocks: the scale sits at or near the bottom of its range."""
    fmt = replace(POWER_SCALED[name], scale_rule=rule)
    rng = np.random.default_rng(8)
    bits = rng.integers(0, 1 << 24, (20, 24)) >> rng.integers(0, 22, (20, 1))
    x = bits.astype(np.uint32).view(np.float32) * np.float32(1)
    x[::2] *= -1
    assert_same(nf.quantize(x, fmt), oracle_blocks.quantize(x, fmt), x)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", POWER_SCALED)
def test_huge_blocks(name: str, rule: str) -> None:
    """Blocks at the top of float32: results stay finite format values that float32 holds."""
    fmt = replace(POWER_SCALED[name], scale_rule=rule)
    top = np.float32(np.finfo(np.float32).max)
    x = np.float32([[top, -top, top / 3, 1.0], [top * 0.75, 2.0**127, -(2.0**126), 0.0]])
    got = nf.quantize(x, fmt)
    assert np.isfinite(got).all()
    assert_same(got, oracle_blocks.quantize(x, fmt), x)


NVFP4_LIKE = {
    "nvfp4": nf.NVFP4,
    "one level": replace(nf.NVFP4, tensor_scale=False),
    "floor": replace(nf.NVFP4, scale_rule="floor"),
    "ceil": replace(nf.NVFP4, scale_rule="ceil"),
    "integers": nf.BlockFloat(nf.FixedPoint(8, 6), 8, scale=nf.E4M3, scale_rule="even"),
}


@pytest.mark.parametrize("name", NVFP4_LIKE)
def test_scales_with_significand_bits(name: str) -> None:
    """NVFP4: amax/6 (over the tensor scale) in E4M3, elements rounded exactly."""
    fmt = NVFP4_LIKE[name]
    rng = np.random.default_rng(9)
    for size in (1.0, 3e-5, 2e4):
        sizes = np.exp2(rng.uniform(-6, 2, (12, 1)))
        x = (rng.normal(size=(12, 40)) * sizes * size).astype(np.float32)
        assert_same(nf.quantize(x, fmt), oracle_blocks.quantize(x, fmt), x)


FAR = {  # elements with exponents beyond those of a carrier
    "integers of 2^20": nf.BlockFloat(nf.FixedPoint(8, -20), 4),
    "bits of 2^-40": nf.BlockFloat(nf.FixedPoint(4, 40, signed=False), 4),
    "wide integers": nf.BlockFloat(nf.FixedPoint(25, 40, signed=False), 4, scale_rule="rceil"),
    "as wide as bfloat16": nf.BlockFloat(nf.Float(8, 7, specials="finite"), 4),
    "six bits of exponent": nf.BlockFloat(nf.Float(6, 3, specials="finite"), 4),
    "beyond half": nf.BlockFloat(nf.Float(5, 2, specials="fn"), 4),
    "beyond float32": nf.BlockFloat(nf.Float(8, 3, specials="fn"), 4),
    "far below": nf.BlockFloat(nf.Float(3, 0, specials="p3109_finite", bias=130), 4),
    "no subnormals": nf.BlockFloat(nf.Float(2, 3, subnormals=False, specials="finite"), 4),
    "fp64 elements": nf.BlockFloat(nf.FP64, 4, scale_rule="rceil"),
}


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("carrier", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", FAR)
def test_elements_beyond_the_carrier(name: str, carrier: str, backend: str) -> None:
    """A block's scale brings any element into the carrier's range."""
    fmt, rng = FAR[name], np.random.default_rng(3)
    x = rng.normal(size=(40, 8)) * np.exp2(rng.uniform(-4, 4, (40, 1)))
    x = np.abs(x) if not fmt.element.signed else x
    x[0] = 1.875, 1.0, 0.75, 1.999, 1.0, 0.5, 0.75, 0.25
    x = x.astype(carrier)
    wanted = oracle_blocks.quantize(x, fmt, carrier=carrier)
    assert_same(nf.quantize(x, fmt, backend=backend), wanted.astype(carrier), x)


@pytest.mark.parametrize("carrier", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_codes_reach_the_format_s_own_maximum(carrier: Any) -> None:
    fmt = nf.parse("bfp<16,block=4,scale=float<2,0,specials=finite,bias=1>>")
    assert nf.encode(np.array([6e4, -6e4], carrier), fmt).codes.tolist() == [32767, 32768]


@pytest.mark.parametrize("carrier", [np.float32, np.float64])
def test_the_largest_value_where_normals_begin_near_the_carrier_s_end(carrier: Any) -> None:
    plain = nf.Float(2, 7, bias=-124, subnormals=False, specials="finite")
    x = np.array([3e38], carrier)
    assert nf.quantize(x, plain, "toward_zero") < x
    assert float(nf.quantize(x, plain)[0]) == 226 * 2.0**120  # 1.765625 * 2^127, of 7 bits
    gapped = nf.BlockFloat(nf.Float(2, 3, subnormals=False, specials="finite"), 2)
    got = nf.quantize(np.array([3.3e38, 3e38], carrier), gapped)
    assert got.tolist() == [1.875 * 2.0**127, 1.75 * 2.0**127]


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("name", ["nvfp4", "floor", "ceil"])
def test_a_given_scale_of_the_array(name: str, backend: str) -> None:
    """Fitting, far too small (all saturates) and too large; rounded to float32; blocks of NaN stay
    alone."""
    fmt, rng = NVFP4_LIKE[name], np.random.default_rng(10)
    x = (rng.normal(size=(12, 40)) * np.exp2(rng.uniform(-6, 2, (12, 1)))).astype(np.float32)
    x[3, 5], x[4, 20], x[5, 30:] = np.nan, np.inf, 0.0
    for scale in (0.0013, 0.1, 1e-9, 1e-38, 3e-43, 2.0, 1e9):
        exact = float(np.float32(scale))
        wanted = oracle_blocks.quantize(x, fmt, tensor_scale=exact)
        how = {"tensor_scale": scale, "backend": backend}
        assert_same(nf.quantize(x, fmt, **how), wanted, x)
        codes = nf.encode(x, fmt, **how)
        assert codes.tensor_scale == exact
        assert_same(nf.decode(codes, fmt), wanted, x)


def test_the_scale_that_would_be_found_may_be_given() -> None:
    x = np.random.default_rng(11).normal(size=(8, 64)).astype(np.float32)
    found = nf.encode(x, "nvfp4")
    again = nf.encode(x, "nvfp4", tensor_scale=found.tensor_scale)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    nothing = nf.encode(np.zeros((0, 16), np.float32), "nvfp4", tensor_scale=0.5)
    assert nothing.tensor_scale == 0.5


@pytest.mark.parametrize(
    "fmt, scale, error, words",
    [
        ("nvfp4", 0.0, ValueError, "tensor_scale=0.0 is 0.0 in float32; write a positive number"),
        ("nvfp4", -1, ValueError, "tensor_scale=-1 is"),
        ("nvfp4", float("nan"), ValueError, "tensor_scale=nan is"),
        ("nvfp4", 1e39, ValueError, "is inf in float32"),
        ("nvfp4", "1 of 2", TypeError, "tensor_scale='1 of 2' is no number"),
        ("mxfp4", 1.0, ValueError, "mxfp4 has no scale of the whole array; leave it out"),
        ("e4m3", 1.0, ValueError, "e4m3 has no scale of the whole array; leave it out"),
    ],
)
def test_given_scales_that_are_refused(fmt: str, scale: Any, error: Any, words: str) -> None:
    for verb in (nf.quantize, nf.encode):
        with pytest.raises(error, match=words):
            verb(np.ones(16, np.float32), fmt, tensor_scale=scale)


def test_nvfp4_on_round_numbers() -> None:
    """Worked by hand: amax 2688 = 6 * 448 gives tensor scale 1, and scales 448 and 1."""
    x = np.zeros((2, 16), np.float32)
    x[0, :4] = [2688.0, 448.0, 600.0, -224.0]  # /448: 6, 1, 1.34, -0.5
    x[1, :4] = [6.0, 2.4, 2.5, -5.0]  # a tie at 2.5 and at 5
    wanted = np.zeros_like(x)
    wanted[0, :4] = [2688.0, 448.0, 672.0, -224.0]
    wanted[1, :4] = [6.0, 2.0, 2.0, -4.0]
    np.testing.assert_array_equal(nf.quantize(x, nf.NVFP4), wanted)


@pytest.mark.parametrize("name", block_formats())
def test_codes_and_scales(name: str) -> None:
    """The codes times the scales are the values, element by element."""
    fmt = block_formats()[name]
    x = spread_blocks(6, 40, seed=10)
    packed = nf.encode(x, fmt)
    assert_same(nf.decode(packed, fmt), nf.quantize(x, fmt), x)
    elements = nf.decode(packed.codes, fmt.element).astype(np.float64)
    scales = nf.decode(packed.scales, fmt.scale).astype(np.float64)
    size = fmt.block_size or x.size
    wide = scales if fmt.axis is None else np.repeat(scales, size, axis=-1)[:, : x.shape[1]]
    second = float(packed.tensor_scale) if fmt.tensor_scale else 1.0
    with np.errstate(under="ignore"):
        product = (elements * wide * second).astype(np.float32)
    np.testing.assert_array_equal(nf.quantize(x, fmt), product)


@pytest.mark.parametrize("name", ["mxfp8_e4m3", "mxfp6_e3m2", "mxfp4", "mxint8", "nvfp4"])
def test_codes_of_large_arrays_are_those_of_their_values(name: str) -> None:
    """Large arrays have kernels of their own; decoding is elementwise and serves as the peer."""
    x = np.random.default_rng(12).normal(size=(1100, 32)).astype(np.float32)
    assert_same(nf.decode(nf.encode(x, name), name), nf.quantize(x, name), x)


@pytest.mark.parametrize("mode", oracle.STOCHASTIC)
@pytest.mark.parametrize("name", ["mxfp8_e4m3", "mxfp4", "bfp<8,block=16>", *FLOAT_SCALED])
def test_stochastic_elements(name: str, mode: str) -> None:
    """Element i of the array, in C order, takes random word i."""
    x = spread_blocks(12, 32, seed=11)
    words = np.asarray(nf.random.words(x.size, 33), np.uint32)
    bits = 9 if mode != "stochastic" else 32
    coins = [oracle.Coin(int(w) >> (32 - bits), bits) for w in words]
    fmt = FLOAT_SCALED.get(name) or nf.parse(name)
    wanted = oracle_blocks.quantize(x, fmt, mode, coins)
    given = None if mode == "stochastic" else bits
    for backend in ("numba_cpu", "reference"):
        got = nf.quantize(x, fmt, mode, key=33, random_bits=given, backend=backend)
        assert_same(got, wanted, x)


LAYOUTS: dict[str, dict[str, Any]] = {
    "rows": {},
    "columns": {"axis": 0},
    "tiles": {"block_size": (16, 16), "axis": (0, -1)},
    "leading tiles": {"block_size": (3, 4), "axis": (0, 1)},
    "short rows": {"block_size": 20},
    "whole rows": {"block_size": (3, None), "axis": (0, -1)},
    "whole columns": {"block_size": None, "axis": 0},
    "one block": {"block_size": None, "axis": None},
}
SHAPES = [(64, 100), (3, 5, 7, 9), (300, 4000), (40, 3, 40), (5000, 17), (20, 9000), (7, 9, 2500)]


def spread_and_spoilt(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Normals of two sizes; in every other array some columns are tiny, and one element is NaN."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * np.exp2(rng.integers(-9, 2, shape))
    if seed % 2:
        x[..., :3] *= 2.0**-130
        x.reshape(-1)[x.size // 2] = np.nan
    return x.astype(np.float32)


@pytest.mark.parametrize("mode", ["nearest_even", "stochastic"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("base", [nf.NVFP4, nf.MXFP8_E4M3], ids=str)
def test_blocks_of_any_layout(base: nf.BlockFloat, layout: str, mode: str) -> None:
    """Whole blocks and short ones, along any axes, of few elements and of many; in place, too."""
    fmt = replace(base, **LAYOUTS[layout])
    for seed, shape in enumerate(SHAPES):
        x = spread_and_spoilt(shape, seed)
        how: dict[str, Any] = {"rounding": mode}
        if mode == "stochastic":
            how["key"] = nf.Key(6, start=seed)
        wanted = nf.quantize(x, fmt, backend="reference", **how)
        assert_same_bits(nf.quantize(x, fmt, **how), wanted)
        coded = nf.encode(x, fmt, backend="reference", **how)
        for got, want in zip(nf.encode(x, fmt, **how), coded, strict=True):
            np.testing.assert_array_equal(got, want)
        assert_same_bits(nf.quantize(x, fmt, out=x, **how), wanted)


@pytest.mark.parametrize(
    "shape, axis", [((5, 70), -1), ((1, 350), 1), ((7, 5, 10), 0), ((350,), 0)]
)
def test_work_in_pieces_gives_the_same(
    shape: tuple[int, ...], axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """float64 in blocks with float scales is worked on a piece at a time, as are draws; pieces of
    any size agree."""
    from numformats.backends import numba_real

    rng = np.random.default_rng(1)
    x = np.ldexp(rng.normal(size=shape), rng.integers(-9, 9, shape))
    fmt = nf.BlockFloat(nf.E2M1, 16, scale=nf.E4M3, axis=axis, tensor_scale=True)
    wanted = nf.quantize(x, fmt, "stochastic", key=1)
    codes, drawn = nf.encode(x, fmt), nf.variance_corrected(x, 0.1, fmt, key=2)
    for size in (1, 33, 64, 200):
        monkeypatch.setattr(numba_real, "PIECE", size)
        np.testing.assert_array_equal(nf.quantize(x, fmt, "stochastic", key=1), wanted)
        np.testing.assert_array_equal(nf.variance_corrected(x, 0.1, fmt, key=2), drawn)
        for got, code in zip(nf.encode(x, fmt), codes, strict=True):
            np.testing.assert_array_equal(got, code)
