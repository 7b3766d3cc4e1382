"""Law: in blocks with power-of-two scales, draws in float32 on the grid of a block are those of the
float64 form in units of its scale, bit for bit, on every backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats import block_tasks
from numformats.core.block_draw import ShortBlocks
from tests.block_draws import FORMATS, VARIANCES, compare, means
from tests.inputs import assert_same_bits
from tests.runnable import OTHERS
from tests.statistics import LIMIT_Z, mean_z, variance_z

DRAWS = 1_000_000


def drawn(x: np.ndarray, variance: float, fmt: Any, backend: str = "reference") -> Any:
    return nf.variance_corrected(x, variance, fmt, key=3, backend=backend, return_counts=True)


def in_float64(patch: pytest.MonkeyPatch) -> None:
    """Every block, from here on."""
    patch.setattr(block_tasks, "short_draw_in_blocks", lambda grid, variance: None)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_both_forms_are_the_same(fmt: Any, variance: float, monkeypatch: Any) -> None:
    x = means(512)
    short = drawn(x, variance, fmt)
    in_float64(monkeypatch)
    long = drawn(x, variance, fmt)
    assert_same_bits(short[0], long[0])
    assert short[1] == long[1]


WRONG = {
    "reach": lambda s: s._replace(unit=s.unit._replace(reach=s.unit.reach * np.float32(0.9))),
    "widest": lambda s: s._replace(unit=s.unit._replace(widest=s.unit.widest + np.int32(1))),
    "bottom": lambda s: s._replace(unit=s.unit._replace(bottom=s.unit.bottom + np.int32(1))),
    "largest": lambda s: s._replace(unit=s.unit._replace(largest=s.unit.largest / np.float32(2))),
    "emax": lambda s: s._replace(
        scale=s.scale._replace(element_emax=s.scale.element_emax + np.int32(1))
    ),
    "threshold": lambda s: s._replace(scale=s.scale._replace(threshold=np.uint32(3 << 30))),
    "low": lambda s: s._replace(low=np.int32(-140)),
}


@pytest.mark.parametrize("field", WRONG)
def test_wrong_constants_are_seen(field: str, monkeypatch: Any) -> None:
    """Negative control."""
    x, made = means(512), block_tasks.ShortBlocks
    fmt = nf.BlockFloat(nf.E4M3, 32, scale_rule="ceil")
    right = drawn(x, 0.0 if field == "low" else 1e-3, fmt)[0]

    def wrong(*given: Any) -> ShortBlocks:
        found: ShortBlocks = WRONG[field](made(*given))
        return found

    monkeypatch.setattr(block_tasks, "ShortBlocks", wrong)
    with np.errstate(all="ignore"):
        found = drawn(x, 0.0 if field == "low" else 1e-3, fmt)[0]
    assert (found != right)[~np.isnan(x)].any()


@pytest.mark.parametrize("rows", [9, 512])
@pytest.mark.parametrize("backend", OTHERS)
def test_backends_agree(backend: str, rows: int) -> None:
    assert compare(backend, rows) == len(FORMATS) * len(VARIANCES)


@pytest.mark.parametrize("backend", ["reference", *OTHERS])
def test_in_place_and_strided(backend: str) -> None:
    x, fmt = np.nan_to_num(means(512)), nf.parse("mxfp8_e4m3")
    wanted, _ = drawn(x, 1e-3, fmt)
    padded = np.zeros((512, 130), np.float32)
    padded[:, 1:129:2] = x
    assert_same_bits(drawn(padded[:, 1:129:2], 1e-3, fmt, backend)[0], wanted)
    held = x.copy()
    nf.variance_corrected(held, 1e-3, fmt, key=3, backend=backend, out=held)
    assert_same_bits(held, wanted)


@pytest.mark.parametrize("name, sigma", [("mxfp8_e4m3", 0.3), ("mxint8", 0.006), ("mxint8", 0.3)])
def test_mean_and_variance_in_blocks(name: str, sigma: float) -> None:
    """Of both laws. False alarms: ``LIMIT_Z``."""
    x = np.full((DRAWS // 32, 32), 0.7, np.float32)
    found, counts = drawn(x, sigma**2, nf.parse(name), "auto")
    assert (counts.deficit, counts.saturated) == (0, 0)
    draws = found.astype(np.float64).ravel()
    assert abs(mean_z(draws, float(x[0, 0]), sigma**2)) < LIMIT_Z
    assert abs(variance_z(draws, float(x[0, 0]), sigma**2)) < LIMIT_Z


def test_steps_beyond_a_range_of_24_bits_are_counted() -> None:
    """float32 does not hold one step below -2^24; float64 means are drawn in float64."""
    scale = nf.parse("float<2,0,specials=finite>")  # at most 4
    x = np.full((4, 4096), -(2.0**26), np.float32)
    for bits in (24, 25):
        fmt = nf.BlockFloat(nf.FixedPoint(bits, 0), 32, scale=scale)
        counts = [
            nf.variance_corrected(mean, 5.0, fmt, key=2, return_counts=True)[1]
            for mean in (x, x.astype(np.float64))
        ]
        assert counts[0] == counts[1], fmt
        assert counts[0].saturated > 0
