"""Operands that are hard for a matrix unit: every exponent, zeros, subnormals, NaN and Inf."""

from __future__ import annotations

from typing import Any

import numpy as np

import numformats as nf

DTYPES = {"fp16": np.float16, "fp32": np.float32, "tf32": np.float32, "fp64": np.float64}


def numbers(name: str, shape: tuple[int, int], rng: np.random.Generator, axis: int) -> np.ndarray:
    """Values of a format around one exponent a row (``axis`` 0) or column, which may be any; with
    zeros of both signs and, in a few places, NaN and Inf where the format has them."""
    fmt = nf.parse(name)
    lines = (shape[0], 1) if axis == 0 else (1, shape[1])
    half = min(fmt.emax, 40)
    middle = rng.integers(max(fmt.low_exponent, -half), half + 1, lines)
    wild = rng.random(lines) < 0.2
    middle = np.where(wild, rng.integers(fmt.low_exponent, fmt.emax + 1, lines), middle)
    e = np.clip(middle + rng.integers(-5, 6, shape), fmt.low_exponent - 1, fmt.emax)
    x = np.ldexp(rng.uniform(-2, 2, shape), e)
    x = np.where(rng.random(shape) < 0.06, np.copysign(0.0, x), x)
    for value, held in ((np.nan, fmt.has_nan), (np.inf, fmt.has_inf), (-np.inf, fmt.has_inf)):
        if held:
            x = np.where(rng.random(shape) < 0.0006, value, x)
    if name == "tf32":  # the unit itself drops the low bits of float32
        with np.errstate(over="ignore"):
            return x.astype(np.float32)
    bounded = nf.Float(
        fmt.exp_bits, fmt.man_bits, bias=fmt.bias, specials=fmt.specials, overflow="saturate"
    )
    return nf.quantize(x, bounded).astype(np.float64 if name == "fp64" else np.float32)


def cancel(a: np.ndarray, b: np.ndarray, unit: Any) -> None:
    """In every fourth result, make large terms cancel and leave a pair of small ones, whose last
    bits decide even where the output has few."""
    count = a.shape[1] // 2 * 2
    a[::2, 1:count:2], b[1:count:2, ::2] = -a[::2, :count:2], b[:count:2, ::2]
    fmt, last = nf.parse(unit.a), slice(count - 2, count)
    if count > 2 and fmt.man_bits < 23:
        small = np.ldexp(a[::2, last].astype(np.float64), -12)
        a[::2, last] = nf.quantize(small, fmt, "toward_zero")


def accumulators(name: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Values of c, some of them zero, subnormal, NaN or Inf."""
    fmt = nf.parse(name)
    top = min(fmt.emax, 60)
    e = rng.integers(-top, top, shape)
    e = np.where(rng.random(shape) < 0.05, rng.integers(fmt.low_exponent, fmt.emax, shape), e)
    x = np.ldexp(rng.uniform(-2, 2, shape), e)
    for value in (0.0, -0.0, np.nan, np.inf, -np.inf):
        x = np.where(rng.random(shape) < (0.04 if value == 0 else 0.002), value, x)
    with np.errstate(over="ignore"):
        return x.astype(DTYPES[name])


def scales(name: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Block scales: all codes of E4M3; powers of two for E8M0; NaN now and then."""
    if name == "e4m3":
        codes = rng.integers(0, 256, shape, dtype=np.uint8)
        x = nf.decode(codes, name)
        return np.where(np.isnan(x) & (rng.random(shape) < 0.8), np.float32(1), x)
    x = np.ldexp(1.0, rng.integers(-12, 13, shape))
    x = np.where(rng.random(shape) < 0.03, np.ldexp(1.0, rng.integers(-127, 128, shape)), x)
    return np.where(rng.random(shape) < 0.005, np.nan, x).astype(np.float32)


def patterns(name: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Numbers of random bit patterns: every code of the format is as likely as any other."""
    if name in ("tf32", "fp32", "fp64", "fp16"):
        kind = np.dtype(DTYPES[name])
        return rng.integers(0, 256, (*shape, kind.itemsize), np.uint8).view(kind)[..., 0]
    fmt = nf.parse(name)
    codes = rng.integers(0, 1 << fmt.bits, shape, np.uint16)
    return nf.decode(codes.astype(np.uint8) if fmt.bits <= 8 else codes, fmt)


def raw_operands(unit: Any, rows: int, columns: int, k: int, seed: int) -> tuple[Any, ...]:
    """As ``operands``, of random bit patterns; scales, too. A quarter of the results have a c that
    is zero: beside any other c of random bits, products of narrow formats hardly count."""
    rng = np.random.default_rng(seed)
    a, b = patterns(unit.a, (rows, k), rng), patterns(unit.b, (k, columns), rng)
    c = patterns(getattr(unit, "c", unit.output), (rows, columns), rng)
    c[rng.random(c.shape) < 0.25] = 0
    if not unit.scale:
        return a, b, c
    count = k // unit.scale_block
    shapes = ((rows, count), (count, columns))
    return (a, b, c, *(patterns(unit.scale, shape, rng) for shape in shapes))


def operands(unit: Any, rows: int, columns: int, k: int, seed: int) -> tuple[Any, ...]:
    """a, b, c and the scales of a unit."""
    rng = np.random.default_rng(seed)
    a, b = numbers(unit.a, (rows, k), rng, 0), numbers(unit.b, (k, columns), rng, 1)
    cancel(a, b, unit)
    c = accumulators(getattr(unit, "c", unit.output), (rows, columns), rng)
    if not unit.scale:
        return a, b, c
    count = k // unit.scale_block
    return (
        a,
        b,
        c,
        scales(unit.scale, (rows, count), rng),
        scales(unit.scale, (count, columns), rng),
    )


def tiny_operands(unit: Any, engine: Any, side: int, k: int, seed: int) -> tuple[Any, ...]:
    """About three terms a group, of few bits, whose exponents lie below e_zero, around the last bit
    that a term of value zero leaves them; through scales where there are any."""
    rng = np.random.default_rng(seed)
    a, b = nf.parse(unit.a), nf.parse(unit.b)
    zeros = 1 - np.sqrt(3 / min(engine.length, k))
    low, high = engine.zero_exp - engine.frac_bits - 6, engine.zero_exp - 1
    ends = (low // 2, high // 2)
    if unit.scale:  # elements of any size, and scales that bring them there
        high -= a.emax + b.emax
        ends, scale_ends = (-16, 15), (min(low, high - 6) // 2, high // 2)

    def some(fmt: Any, shape: tuple[int, int]) -> np.ndarray:
        e = rng.integers(max(ends[0], fmt.low_exponent), min(ends[1], fmt.emax) + 1, shape)
        x = np.ldexp(rng.choice([1.0, -1.0, 1.5, -1.25], shape), e)
        x = np.where(rng.random(shape) < zeros, 0.0, x)
        return nf.quantize(x, fmt, "toward_zero").astype(np.float32)

    given = (some(a, (side, k)), some(b, (k, side)), np.zeros((side, side), DTYPES[unit.output]))
    if not unit.scale:
        return given
    count = k // unit.scale_block
    exponents = (rng.integers(*scale_ends, s) for s in ((side, count), (count, side)))
    return (*given, *(np.ldexp(np.float32(1), e) for e in exponents))


def bits(x: Any) -> np.ndarray:
    """The stored bits of a float array."""
    x = np.ascontiguousarray(x)
    return x.view({2: np.uint16, 4: np.uint32, 8: np.uint64}[x.dtype.itemsize])


def assert_equal_bits(got: Any, wanted: Any, any_nan: bool = False) -> None:
    """Equal dtypes, shapes and bits (``any_nan``: of NaN, only that both are)."""
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    same = bits(got) == bits(wanted)
    if any_nan:
        same |= np.isnan(got) & np.isnan(wanted)
    if same.all():
        return
    at = tuple(int(i) for i in np.argwhere(~same)[0])
    raise AssertionError(
        f"{np.count_nonzero(~same)} of {same.size} differ, first at {at}: {got[at]!r}, wanted "
        f"{wanted[at]!r}"
    )
