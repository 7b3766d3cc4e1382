"""Law: draws in float32 are those of the float64 form, bit for bit, but where the reach of a normal
deviate, rounded to float32, comes to a power of two; there they keep mean and variance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.core import draw
from numformats.core import short_draw as texts
from numformats.draw_grids import draw_grid, short_draw
from numformats.lanes import CARRIERS
from tests.statistics import LIMIT_Z, mean_z, variance_z

FORMATS = [
    nf.FixedPoint(8, 4), nf.FixedPoint(32, 20), nf.FixedPoint(8, 3, signed=False),
    nf.FixedPoint(8, -20), nf.E4M3, nf.E5M2, nf.E2M1, nf.BF16, nf.parse("fp16"),
    nf.parse("float<8,20>"), nf.parse("float<4,1>"), nf.parse("float<4,3,subnormals=false>"),
    nf.parse("float<8,3,subnormals=false>"), nf.parse("binary8p3se"),
]  # fmt: skip
VARIANCES = [1e-12, 1e-4, 0.3, 300.0, 1e20]
SINGLE = CARRIERS["float32"]
DRAWS = 1_000_000


def means(fmt: Any, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Around zero and far from it, on the grid, and any float32."""
    n = 1 << 13
    near = rng.normal(size=(2, n)) * [[5 * sigma], [1.0]]
    wide = rng.normal(size=n) * 2.0 ** rng.integers(-30, 30, n)
    bits = rng.integers(0, 1 << 32, n, dtype=np.uint32).view(np.float32)
    found = np.concatenate([*near.astype(np.float32), wide.astype(np.float32), bits])
    on_grid = nf.quantize(found[: 2 * n], fmt, backend="reference")
    return np.concatenate([found, on_grid, np.float32([0.0, -0.0, np.inf, -np.inf, np.nan])])


@np.errstate(all="ignore")
def both(mean: np.ndarray, variance: float, fmt: Any, short: Any) -> tuple[Any, Any]:
    """Draws, limited, and which have too much variance: in float64, and in float32."""
    rng, grid = np.random.default_rng(7), draw_grid(fmt, SINGLE)
    w0, w1 = rng.integers(0, 1 << 32, (2, mean.size), dtype=np.uint32)
    sigma = np.sqrt(np.array([variance]))
    long, forced = draw.draw(mean.astype(np.float64), sigma**0 * variance, sigma, w0, w1, grid)
    found, forced_too = texts.short_draw(mean, w0, w1, short)
    assert found.dtype == np.float32
    ends = (grid.smallest, grid.largest, np.nan)
    limited = draw.limit(long.astype(np.float32), *ends), draw.limit(found, *ends)
    beyond = (draw.outside(x, *ends[:2]) for x in (long.astype(np.float32), found))
    one, two = ((x, f, o) for x, f, o in zip(limited, (forced, forced_too), beyond, strict=True))
    return one, two


@np.errstate(all="ignore")
def crossing(mean: np.ndarray, variance: float, fmt: Any) -> Any:
    """Whether a gap beyond the reach lies in another binade if the reach is rounded to float32."""
    man_bits = fmt.man_bits if isinstance(fmt, nf.Float) else 0
    far = np.abs(mean.astype(np.float64)) + 6.34 * np.sqrt(variance)
    one, two = (
        np.frexp(x + np.ldexp(0.5, np.frexp(x)[1] - man_bits))[1]
        for x in (far, far.astype(np.float32).astype(np.float64))
    )
    return one != two


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_draws_of_both_forms_are_the_same(fmt: Any, variance: float) -> None:
    mean = means(fmt, variance**0.5, np.random.default_rng(3))
    short = short_draw(draw_grid(fmt, SINGLE), variance)
    if short is None:
        pytest.skip("drawn in float64")
    plain = ~crossing(mean, variance, fmt)
    assert plain.mean() > 0.999
    for a, b in zip(*both(mean[plain], variance, fmt, short), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("field, by", [("reach", 0.9), ("widest", 1), ("bottom", 1), ("least", 1)])
def test_wrong_constants_are_seen(field: str, by: Any) -> None:
    """Negative control."""
    short = short_draw(draw_grid(nf.E4M3, SINGLE), 1e-3)
    assert short is not None
    held = getattr(short, field)
    wrong = short._replace(**{field: np.float32(held * by) if by < 1 else np.int32(held + by)})
    mean = means(nf.E4M3, 1e-3**0.5, np.random.default_rng(3))
    one, two = both(mean, 1e-3, nf.E4M3, wrong)
    assert any((a != b)[~np.isnan(mean)].any() for a, b in zip(one, two, strict=True))


def test_mean_and_variance_where_the_forms_differ() -> None:
    """A mean whose reach comes to a gap below 2, but only in float32: the law of the larger gap."""
    fmt, variance = nf.E4M3, 0.01
    while True:
        mean = np.float32(2.0 - 0.125 - 6.34 * variance**0.5)
        around = np.array([np.nextafter(mean, np.float32(0.0)), mean])
        if (found := around[crossing(around, variance, fmt)]).size:
            break
        variance *= 1.001
    at, short = found[0], short_draw(draw_grid(fmt, SINGLE), variance)
    one, two = both(np.full(1000, at), variance, fmt, short)
    assert (one[0] != two[0]).any()
    draws = nf.variance_corrected(np.full(DRAWS, at), variance, fmt, key=5).astype(np.float64)
    assert abs(mean_z(draws, float(at), variance)) < LIMIT_Z
    assert abs(variance_z(draws, float(at), variance)) < LIMIT_Z


@pytest.mark.parametrize(
    "fmt, variance, is_short",
    [
        ("e4m3", 0.0, True),
        ("fixed<8,4>", 0.0, True),
        ("bf16", 1e-20, True),
        ("bf16", 0.0, False),  # gaps down to 2^-133
        ("bf16", 1e37, False),  # deviations beyond 2^60
        ("fixed<8,60>", 0.01, False),
        ("fixed<8,4>", 1e36, False),
        ("fixed<8,4>", 2.0**-126, True),
        ("fixed<8,4>", 1e-39, False),
        ("float<8,23>", 0.01, True),
        ("float<5,0,specials=finite>", 0.01, False),
    ],
)
def test_what_is_drawn_in_float32(fmt: str, variance: float, is_short: bool) -> None:
    assert (short_draw(draw_grid(nf.parse(fmt), SINGLE), variance) is not None) == is_short
