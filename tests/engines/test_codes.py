"""Law: a product of stored codes is the product of the numbers that they stand for."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import IntegerDot, MACChain
from tests.engines.inputs import assert_equal_bits, patterns

RNG = np.random.default_rng(3)
M, K, N = 6, 64, 5
UNITS = [unit for unit in nf.engines.units() if not unit.scale]
DISTINCT = list({(unit.a, unit.b, type(unit.engine)): unit for unit in UNITS}.values())
FP8 = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma")
MX = nf.engine("nvidia-b200", inputs="e4m3", path="tcgen05.mxf8f6f4")
FOUR = nf.engine("nvidia-b200", inputs="e2m1", path="tcgen05.mxf4nvf4", scale="e4m3")


def numbers(fmt: Any, shape: tuple[int, ...]) -> Any:
    return nf.quantize(RNG.standard_normal(shape).astype(np.float32), fmt)


def packed(codes: Any, fmt: Any) -> nf.Codes:
    return nf.Codes(nf.pack(codes, fmt), fmt, codes.shape)


def label(unit: Any) -> str:
    return f"{unit.chip}-{unit.path}-{unit.a}-{unit.b}"


@pytest.mark.parametrize("unit", DISTINCT, ids=label)
def test_codes_give_the_product_of_their_numbers(unit: Any) -> None:
    """Every code of the format, NaN and Inf included; loose, packed, and beside numbers."""
    a, b = (
        nf.encode(patterns(name, shape, RNG), name)
        for name, shape in ((unit.a, (M, K)), (unit.b, (K, N)))
    )
    x, y = nf.decode(a, unit.a), nf.decode(b, unit.b)
    c = numbers(unit.output, (M, N)).astype(np.float64)
    with np.errstate(all="ignore"):
        wanted = nf.matmul(x, y, c, engine=unit.engine)
        for left, right in (
            (nf.Codes(a, unit.a), nf.Codes(b, unit.b)),
            (packed(a, unit.a), packed(b, unit.b)),
            (nf.Codes(a, unit.a), y.astype(np.float64)),
            (x, nf.Codes(np.ascontiguousarray(b.T), unit.b).T),
        ):
            third = nf.Codes(nf.encode(c, unit.output), unit.output)
            assert_equal_bits(nf.matmul(left, right, third, engine=unit.engine), wanted)


def blocks(fmt: Any, shape: tuple[int, ...], axis: Any) -> tuple[Any, Any]:
    """Codes of random numbers in blocks along ``axis``, and their format."""
    fmt = replace(nf.parse(fmt), axis=axis)
    return nf.encode(RNG.standard_normal(shape).astype(np.float32) * 5, fmt), fmt


def parts(codes: Any, fmt: Any) -> tuple[Any, Any]:
    """Elements and scales as numbers."""
    return nf.decode(codes[0], fmt.element), nf.decode(codes[1], fmt.scale)


def test_blocks_bring_their_scales() -> None:
    (a, fmt_a), (b, fmt_b) = blocks("mxfp8_e4m3", (3, M, K), -1), blocks("mxfp8_e4m3", (K, N), -2)
    (x, scale_a), (y, scale_b) = parts(a, fmt_a), parts(b, fmt_b)
    wanted = nf.matmul(x, y, engine=MX, scale_a=scale_a, scale_b=scale_b)
    assert_equal_bits(nf.matmul(nf.Codes(a, fmt_a), nf.Codes(b, fmt_b), engine=MX), wanted)
    dense = [
        nf.Codes((nf.pack(c[0], f), nf.pack(c[1], f.scale)), f, c[0].shape)
        for c, f in ((a, fmt_a), (b, fmt_b))
    ]
    assert_equal_bits(nf.matmul(*dense, engine=MX), wanted)
    half = [nf.Codes((nf.pack(c[0], f), c[1]), f, c[0].shape) for c, f in ((a, fmt_a), (b, fmt_b))]
    assert_equal_bits(nf.matmul(*half, engine=MX), wanted)
    mixed = nf.matmul(x, nf.Codes(b, fmt_b), engine=MX, scale_a=nf.Codes(a[1], "e8m0"))
    assert_equal_bits(mixed, wanted)


def test_blocks_may_be_transposed() -> None:
    """Weights (N, K) with blocks along their last axis are the right operand's codes, turned."""
    (a, fmt_a), (w, fmt_w) = blocks("mxfp8_e4m3", (M, K), -1), blocks("mxfp8_e4m3", (N, K), 1)
    (x, scale_a), (y, scale_b) = parts(a, fmt_a), parts(w, fmt_w)
    wanted = nf.matmul(x, y.T, engine=MX, scale_a=scale_a, scale_b=scale_b.T)
    right = nf.Codes(w, fmt_w)
    assert_equal_bits(nf.matmul(nf.Codes(a, fmt_a), right.T, engine=MX), wanted)
    np.testing.assert_array_equal(right.T.values(), right.values().T)
    np.testing.assert_array_equal(right.T.T.values(), right.values())


@pytest.mark.parametrize("tiles", [False, True])
@pytest.mark.parametrize("with_c", [False, True])
def test_the_scale_of_a_tensor_comes_after_the_unit(with_c: bool, tiles: bool) -> None:
    """In float32: the unit's result times both scales' product, then plus c."""
    a, fmt_a = blocks("nvfp4", (M, K), -1)
    b, fmt_b = blocks("nvfp4", (K, N), -2)
    if tiles:
        fmt_b = replace(fmt_b, block_size=(16, 4), axis=(-2, -1))
        b = nf.encode(RNG.standard_normal((K, N)).astype(np.float32), fmt_b)
    (x, scale_a), (y, scale_b) = parts(a, fmt_a), parts(b, fmt_b)
    scale_b = np.repeat(scale_b, 4, axis=1)[:, :N] if tiles else scale_b
    c = RNG.standard_normal((M, N)).astype(np.float32)
    unit = nf.matmul(x, y, engine=FOUR, scale_a=scale_a, scale_b=scale_b)
    wanted = unit * (np.float32(a.tensor_scale) * np.float32(b.tensor_scale))
    wanted = wanted + c if with_c else wanted
    given = (nf.Codes(a, fmt_a), nf.Codes(b, fmt_b), c if with_c else None)
    assert_equal_bits(nf.matmul(*given, engine=FOUR), wanted)
    out = c.copy()
    assert nf.matmul(*given[:2], out if with_c else None, engine=FOUR, out=out) is out
    assert_equal_bits(out, wanted)
    alone = nf.matmul(x, given[1], engine=FOUR, scale_a=scale_a)
    assert_equal_bits(alone, unit * np.float32(b.tensor_scale))


def test_blocks_on_a_unit_without_scales_are_their_values() -> None:
    codes, fmt = blocks("mxfp8_e4m3", (M, K), -1)
    engine, y = nf.engine("nvidia-h100", inputs="bf16"), numbers("bf16", (K, N))
    wanted = nf.matmul(nf.decode(codes, fmt), y, engine=engine)
    assert_equal_bits(nf.matmul(nf.Codes(codes, fmt), y, engine=engine), wanted)


def test_integer_units_take_the_integers_of_codes() -> None:
    a, b = RNG.integers(-128, 128, (M, K)), RNG.integers(-8, 8, (K, N))
    engine, c = IntegerDot(8, 4, accumulator_bits=48), RNG.integers(-(1 << 30), 1 << 30, (M, N))
    left = packed(nf.encode(a / 16, "fixed<8,4>"), "fixed<8,4>")
    right = packed(nf.encode(b / 8, "fixed<4,3>"), "fixed<4,3>")
    third = nf.Codes(nf.encode(c * 1.0, "fixed<32,0>"), "fixed<32,0>")
    np.testing.assert_array_equal(nf.matmul(left, right, third, engine=engine), a @ b + c)


def test_tensors_stay_tensors() -> None:
    torch = pytest.importorskip("torch")
    x, y = numbers("e4m3", (M, K)), numbers("e4m3", (K, N))
    a, b = (nf.encode(torch.from_numpy(t), "e4m3") for t in (x, y))
    got = nf.matmul(nf.Codes(a, "e4m3"), nf.Codes(nf.pack(b, "e4m3"), "e4m3", (K, N)), engine=FP8)
    assert isinstance(got, torch.Tensor)
    assert_equal_bits(got.numpy(), nf.matmul(x, y, engine=FP8))


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("count", range(1, 9))
def test_a_few_packed_codes_are_not_taken_for_loose_ones(bits: int, count: int) -> None:
    """Three codes of 6 bits take three bytes."""
    fmt = nf.FixedPoint(bits, 0, signed=False)
    codes = (np.arange(1, count + 1) % (1 << bits)).astype(np.uint8)
    dense = nf.Codes(nf.pack(codes, fmt), fmt, (count,))
    np.testing.assert_array_equal(dense.values(), codes)
    again = replace(dense, fmt=fmt)
    np.testing.assert_array_equal(again.values(), codes)


def test_codes_are_plain_data() -> None:
    codes, fmt = blocks("nvfp4", (M, K), -1)
    again = pickle.loads(pickle.dumps(nf.Codes(codes, fmt)))
    np.testing.assert_array_equal(again.values(), nf.decode(codes, fmt))
    assert again.shape == (M, K)
    turned = replace(nf.Codes(codes, fmt), fmt=replace(fmt, scale_rule="ceil"))
    np.testing.assert_array_equal(turned.values(), again.values())


A, B = nf.encode(np.ones((4, 32)), "e4m3"), np.ones((32, 4), np.float32)
BLOCKS, DOWN = (
    nf.Codes(*blocks("mxfp8_e4m3", (4, 32), -1)),
    nf.Codes(*blocks("mxfp8_e4m3", (4, 32), -2)),
)
CODES = nf.Codes(A, "e4m3")
BAD: dict[str, tuple[Any, str]] = {
    "another format": (
        lambda: nf.matmul(nf.Codes(A, "e5m2"), B, engine=FP8),
        "a is coded in e5m2, .* choose an engine for e5m2, or write nf.encode",
    ),
    "c of another format": (
        lambda: nf.matmul(CODES, B, nf.Codes(np.zeros((4, 4), np.uint64), "fp64"), engine=FP8),
        "c is coded in fp64",
    ),
    "shapes": (lambda: nf.matmul(CODES, CODES, engine=FP8), "a has 32 columns and b 4 rows"),
    "blocks across K": (
        lambda: nf.matmul(DOWN, BLOCKS.T, engine=MX),
        r"a is coded in .*block<e4m3,block=32,scale=e8m0>', with axis=-1",
    ),
    "blocks of another size": (
        lambda: nf.matmul(nf.Codes(*blocks("nvfp4", (4, 32), -1)), BLOCKS.T, engine=MX),
        "a is coded in 'nvfp4': the engine takes blocks of 32 elements of e4m3",
    ),
    "scales twice": (
        lambda: nf.matmul(BLOCKS, BLOCKS.T, engine=MX, scale_a=np.ones((4, 1))),
        "a brings its scales along; leave scale_a out",
    ),
    "no scales": (lambda: nf.matmul(CODES, BLOCKS.T, engine=MX), "give scale_a and scale_b"),
    "numbers": (lambda: nf.matmul(nf.Codes(B, "e4m3"), B, engine=FP8), "give the unsigned int"),
    "a list": (lambda: nf.Codes([1, 2], "e4m3"), "codes are a list; give the array"),
    "too few bytes": (lambda: nf.Codes(A.reshape(-1)[1:], "e4m3", (4, 32)), "has 127 bytes"),
    "no scales for blocks": (lambda: nf.Codes(A, "mxfp8_e4m3"), "give the tuple"),
    "unknown format": (lambda: nf.Codes(A, "e4m9"), "unknown format"),
    "floats on integers": (
        lambda: nf.matmul(CODES, CODES.T, engine=IntegerDot()),
        "a is coded in e4m3, and integer engines take fixed point",
    ),
    "wide integers": (
        lambda: nf.matmul(
            nf.Codes(A, "fixed<8,0>"), np.ones((32, 1), int), engine=IntegerDot(4, 4)
        ),
        r"the engine takes \[-8, 7\]",
    ),
    "values of blocks": (
        lambda: nf.matmul(nf.Codes(*blocks("nvfp4", (4, 32), -1)), B, engine=FP8),
        r"a\[\d+, \d+\] = .* is no value of e4m3",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_codes_are_refused(what: str) -> None:
    build, message = BAD[what]
    with pytest.raises((TypeError, ValueError), match=message):
        build()


def test_tensor_scales_need_float32() -> None:
    codes, fmt = blocks("nvfp4", (M, K), -1)
    given, c = (nf.Codes(codes, fmt), nf.Codes(codes, fmt).T), np.zeros((M, M))
    with pytest.raises(ValueError, match=r"c is float64.*give float32"):
        nf.matmul(*given, c, engine=FOUR)
    with pytest.raises(ValueError, match=r"out has shape \(6, 5\).*the result has shape \(6, 6\)"):
        nf.matmul(*given, engine=FOUR, out=np.empty((6, 5), np.float32))


@pytest.mark.parametrize(
    "how, kind, message",
    [
        ({"c": np.ones((7, M), np.float32)}, ValueError, "do not go together"),
        ({"c": np.ones(M, np.float32)}, ValueError, "c has shape .*give matrices"),
        ({"c": [[1.0]]}, ValueError, "c is float64.*give float32"),
        ({"out": [[0.0]]}, ValueError, r"out has shape \(1, 1\)"),
    ],
)
def test_what_goes_with_the_scale_of_a_tensor(how: Any, kind: Any, message: str) -> None:
    """c and ``out`` are checked as without one."""
    codes, fmt = blocks("nvfp4", (M, K), -1)
    with pytest.raises(kind, match=message):
        nf.matmul(nf.Codes(codes, fmt), nf.Codes(codes, fmt).T, engine=FOUR, **how)


def test_kinds_with_the_scale_of_a_tensor() -> None:
    torch = pytest.importorskip("torch")
    codes, fmt = blocks("nvfp4", (M, K), -1)
    with pytest.raises(TypeError, match="c is a torch array; give all of one kind"):
        nf.matmul(nf.Codes(codes, fmt), nf.Codes(codes, fmt).T, torch.ones(M, M), engine=FOUR)


def test_a_chain_takes_codes_of_any_format_it_holds() -> None:
    engine = MACChain("fp16", "fixed<8,4>", accumulator="fp32")
    a, b = numbers("e4m3", (M, K)), numbers("fixed<8,4>", (K, N))
    given = (
        nf.Codes(nf.encode(a, "e4m3"), "e4m3"),
        nf.Codes(nf.encode(b, "fixed<8,4>"), "fixed<8,4>"),
    )
    assert_equal_bits(nf.matmul(*given, engine=engine), nf.matmul(a, b, engine=engine))
