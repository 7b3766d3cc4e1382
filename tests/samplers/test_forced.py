"""Law: the forced variance is (mean - low)·(high - mean), low and high being the neighbours on the
grid of the block of each element, for every layout of blocks.
"""

import numpy as np
import pytest
import torch

import numformats as nf
from samplers.forced import forced_variance
from samplers.precision import PerChannel

pytestmark = pytest.mark.law

FIXED = nf.FixedPoint(8, 6)
LAYOUTS = {
    "rows": nf.parse("bfp<8,block=32>"),
    "rows with tails": nf.BlockFloat(nf.E4M3, 7),
    "columns": nf.BlockFloat(nf.E2M1, 4, axis=0),
    "the middle axis": nf.BlockFloat(FIXED, 5, axis=1),
    "tiles": nf.BlockFloat(nf.E4M3, (2, 3), axis=(0, 2)),
    "channels": PerChannel(8).resolve((6, 10, 33)),
    "all of it": nf.BlockFloat(FIXED, None, axis=None),
}
REACH = 6.34  # of a normal deviate, in standard deviations


def tile_numbers(fmt: nf.BlockFloat, shape: tuple[int, ...]) -> np.ndarray:
    """The number of each element's block, counted axis by axis."""
    axes = range(len(shape)) if fmt.axis is None else np.atleast_1d(fmt.axis)
    sizes = fmt.block_size if isinstance(fmt.block_size, tuple) else (fmt.block_size,) * len(axes)
    size = {axis % len(shape): length for axis, length in zip(axes, sizes, strict=True)}
    number = np.zeros(shape, np.int64)
    for axis, (n, index) in enumerate(zip(shape, np.indices(shape), strict=True)):
        number = number * (n + 1) + index // (size.get(axis, 1) or n)
    return number


def expected(mean: np.ndarray, variance: float, fmt: nf.BlockFloat, number: np.ndarray):
    """Block by block, in the units of the power of two that a block alone takes; NaN beyond the
    range of a block."""
    grid, found = np.sort(np.float64(nf.values(fmt.element))), np.zeros(mean.shape)
    grid = grid[np.isfinite(grid)]
    for block in np.unique(number):
        inside = number == block
        reach = np.abs(mean[inside]).max() + REACH * np.sqrt(variance)
        exponent = np.floor(np.log2(reach)) - np.floor(np.log2(grid.max()))
        units = mean[inside] / 2.0**exponent
        at = np.clip(np.searchsorted(grid, units, side="right"), 1, grid.size - 1)
        forced = (units - grid[at - 1]) * (grid[at] - units) * 4.0**exponent
        found[inside] = np.where((grid[0] <= units) & (units <= grid[-1]), forced, np.nan)
    return found


@pytest.mark.parametrize("variance", [0.0, 1e-3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_of_every_layout(layout: str, variance: float) -> None:
    fmt, shape = LAYOUTS[layout], (6, 10, 33)
    mean = np.random.default_rng(0).normal(size=shape) * 0.01
    mean[2] *= 100.0  # blocks of other scales
    before = torch.from_numpy(mean.copy())
    got = forced_variance(torch.from_numpy(mean), variance, fmt).numpy()
    np.testing.assert_array_equal(before.numpy(), mean)  # untouched
    number = tile_numbers(fmt, shape)
    wanted = expected(mean, variance, fmt, number)
    within = np.isfinite(wanted)
    assert within.mean() > 0.8
    np.testing.assert_allclose(got[within], wanted[within], rtol=1e-9, atol=0)
    other = expected(mean, variance, fmt, 0 * number)  # negative control: one block
    assert np.allclose(got[within], other[within], rtol=1e-3, atol=0) == (layout == "all of it")


def test_nothing_at_all() -> None:
    for fmt in (FIXED, nf.E4M3, nf.MXFP4):
        assert forced_variance(torch.zeros(0, 32), 0.1, fmt).shape == (0, 32)
