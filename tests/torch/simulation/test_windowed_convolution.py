"""Laws of convolutions in the fast mode whose operands are stored in blocks along k: the products
of windows that loops cut out, stored by ``accelerators.storing`` and multiplied in float64; and
where the blocks fit into the channels of a tap, no window is stored in the forward product.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import numformats as nf
from numformats.accelerators import Accelerator, Scaling
from numformats.accelerators.storing import store
from numformats.torch import simulate
from tests.torch.simulation.stored_products import FIRST, FORWARD, SECOND, leaf

Tensor = torch.Tensor
Array = Any

MXFP8 = nf.accelerator("nvidia-b200-mxfp8")
NVFP4 = replace(nf.accelerator("nvidia-b200-nvfp4"), error_rounding=None)
TILES = nf.accelerator("nvidia-h100-deepseek")
ROWS = replace(TILES, name="rows", scaling=Scaling("block", block=(1, 8)))
WIDE = nf.accelerator("amd-mi300-fp32")
WEIGHTS = replace(WIDE, name="weights", weights="mxfp8_e4m3", activations=None, errors="bf16")
MIXED = replace(WIDE, name="mixed", weights="mxfp4", activations="e4m3", errors="mxfp8_e5m2")


class Geometry(NamedTuple):
    """A convolution of ``channels`` to ``filters``."""

    channels: int
    filters: int
    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    def call(self, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        """By torch's function."""
        run = (F.conv1d, F.conv2d, F.conv3d)[len(self.kernel) - 1]
        return run(x, w, b, self.stride, self.padding, self.dilation, self.groups)


PLAIN = Geometry(32, 6, (5, 4), (3, 3), padding=1)
SHAPES = {
    "plain": PLAIN,
    "strided": Geometry(64, 5, (7, 5), (3, 2), stride=2, padding=1),
    "dilated": Geometry(32, 5, (7, 6), (3, 2), dilation=2),
    "groups": Geometry(64, 64, (4, 3), (2, 2), groups=2),
    "one axis": Geometry(32, 4, (9,), (3,), stride=2),
    "three axes": Geometry(32, 4, (3, 4, 3), (2, 2, 2), padding=1),
    "one tap": Geometry(32, 7, (4, 4), (1, 1)),
    "pixels left out": Geometry(32, 5, (6, 6), (1, 1), stride=3),
    "blocks over taps": Geometry(20, 5, (4, 5), (3, 3), padding=1),
}
SCALED = replace(
    WIDE,
    name="scaled",
    weights="mxfp4",
    activations="e4m3",
    errors="e5m2",
    scaling={"activations": Scaling("tensor"), "errors": Scaling("tensor")},
)
CHIPS = {chip.name: chip for chip in (MXFP8, NVFP4, TILES, ROWS, WEIGHTS, MIXED, SCALED)}


def numbers(chip: Accelerator, x: Array, role: str) -> Array:
    """What ``x`` (..., outer, K) is stored as, in float64."""
    kept = store(chip, np.ascontiguousarray(x, np.float32), role, None, "auto")
    values, k = kept.values.astype(np.float64), x.shape[-1]
    if kept.scale is not None:
        scale = kept.scale if kept.inner is None else np.repeat(kept.scale, kept.inner, -1)[..., :k]
        return (kept.values * scale).astype(np.float64)
    if kept.block_scales is None:
        return values
    size = chip.storage(role).block_size
    size = size[1] if isinstance(size, tuple) else size
    return values * np.repeat(kept.block_scales, size, -1)[..., :k] * kept.tensor_scale


def times(chip: Accelerator, a: Array, b: Array, roles: tuple[str, str]) -> Array:
    """``a @ b`` of what is stored."""
    left, right = numbers(chip, a, roles[0]), numbers(chip, b.swapaxes(-1, -2), roles[1])
    return left @ right.swapaxes(-1, -2)


def windows(x: Array, g: Geometry) -> tuple[Array, list[tuple[int, ...]]]:
    """(groups, B * places, taps * C), by loops, and the places."""
    wide = np.pad(x, [(0, 0), (0, 0), *[(g.padding, g.padding)] * len(g.kernel)])
    spans = [g.dilation * (k - 1) + 1 for k in g.kernel]
    counts = [(n - s) // g.stride + 1 for n, s in zip(wide.shape[2:], spans, strict=True)]
    rows = [
        [
            np.stack([part[(slice(None), *at(g, place, tap))] for tap in np.ndindex(*g.kernel)])
            for sample in wide
            for place in np.ndindex(*counts)
            for part in [np.split(sample, g.groups)[group]]
        ]
        for group in range(g.groups)
    ]
    return np.stack([np.stack(each).reshape(len(each), -1) for each in rows]), counts


def at(g: Geometry, place: tuple[int, ...], tap: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(p * g.stride + t * g.dilation for p, t in zip(place, tap, strict=True))


def wanted(chip: Accelerator, g: Geometry, x: Array, w: Array, b: Array, e: Array) -> list[Array]:
    """The result, and the gradients of ``x`` and ``w``."""
    taps, (rows, counts) = prod(g.kernel), windows(x, g)
    filters = np.moveaxis(w, 1, -1).reshape(g.groups, g.filters // g.groups, -1)
    y = times(chip, rows, filters.swapaxes(1, 2), FORWARD)  # groups, B * places, N
    y = np.moveaxis(y, 0, 1).reshape(len(x), *counts, g.filters) + b
    errors = np.moveaxis(e, 1, -1).reshape(-1, g.groups, g.filters // g.groups).swapaxes(0, 1)
    slope = times(chip, rows.swapaxes(1, 2), errors, SECOND).swapaxes(1, 2)
    dw = np.moveaxis(slope.reshape(g.filters, *g.kernel, -1), -1, 1)
    back = times(chip, errors, filters, FIRST)
    back = back.reshape(g.groups, len(x), prod(counts), taps, -1)
    dx = np.zeros((len(x), x.shape[1], *(n + 2 * g.padding for n in g.sizes)))
    parts = dx.reshape(len(x), g.groups, -1, *dx.shape[2:])
    for n, place in enumerate(np.ndindex(*counts)):
        for t, tap in enumerate(np.ndindex(*g.kernel)):
            parts[(slice(None), slice(None), slice(None), *at(g, place, tap))] += np.moveaxis(
                back[:, :, n, t], 0, 1
            )
    inner = (slice(None), slice(None), *(slice(g.padding, g.padding + n) for n in g.sizes))
    return [np.moveaxis(y, -1, 1), dx[inner], dw]


def operands(g: Geometry) -> tuple[Tensor, Tensor, Tensor]:
    x = leaf(2, g.channels, *g.sizes)
    w = leaf(g.filters, g.channels // g.groups, *g.kernel, seed=1, parameter=True)
    return x, w, leaf(g.filters, seed=2)


CASES = [(name, shape) for name in CHIPS for shape in SHAPES]
CASES.remove(("scaled", "pixels left out"))  # stored before windows are cut, also in the exact mode


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_products_of_windows(name: str, shape: str) -> None:
    chip, g = replace(CHIPS[name], gradients=None), SHAPES[shape]
    x, w, b = operands(g)
    with simulate(chip, mode="fast"):
        y = g.call(x, w, b)
        e = torch.randn(y.shape, generator=torch.Generator().manual_seed(9)) / 64
        y.backward(e)
    law = wanted(chip, g, *(v.detach().numpy() for v in (x, w, b, e)))
    for got, right in zip((y.detach(), x.grad, w.grad), law, strict=True):
        np.testing.assert_allclose(got.numpy(), right, rtol=2e-5, atol=2e-5 * abs(right).max())
    torch.testing.assert_close(b.grad, e.sum([n for n in range(e.ndim) if n != 1]))


def stored_windows(chip: Accelerator, g: Geometry) -> bool:
    """Whether the forward product was one of matrices of windows."""
    x, w, b = operands(g)
    with simulate(chip, mode="fast") as running:
        g.call(x, w, b)
    (row,) = running.report().rows
    return len(row["shapes"][0]) != x.ndim


@pytest.mark.parametrize("name", ["plain", "strided", "dilated", "groups", "three axes"])
def test_an_input_is_stored_once(name: str) -> None:
    assert not stored_windows(MXFP8, SHAPES[name])


ANEW = {
    "blocks over taps": (MXFP8, SHAPES["blocks over taps"]),
    "elements that are not in the largest of a tensor": (NVFP4, SHAPES["pixels left out"]),
    "draws of each window": (replace(MXFP8, rounding="stochastic"), PLAIN),
    "tiles": (replace(TILES, scaling=Scaling("block", block=(8, 8))), PLAIN),
    "rows": (replace(TILES, scaling=Scaling("channel")), PLAIN),
}


@pytest.mark.parametrize("name", ANEW)
def test_windows_are_stored(name: str) -> None:
    assert stored_windows(*ANEW[name])


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("chip", ["e4m3", "nvidia-b200-mxfp8", "nvidia-h100-deepseek"])
def test_no_window_is_kept(chip: str, mode: str) -> None:
    x, w, b = operands(PLAIN)
    kept: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with simulate(chip, mode=mode), torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        PLAIN.call(x, w, b)
    assert sum(kept) <= x.numel() + w.numel()


@pytest.mark.parametrize("name", ["nvidia-b200-mxfp8", "nvidia-b200-nvfp4"])
def test_second_derivatives(name: str) -> None:
    """Small integers are stored as they are, and so torch's are the law."""
    generator = torch.Generator().manual_seed(3)
    x, w = (
        torch.randint(-2, 3, shape, generator=generator).float().requires_grad_()
        for shape in ((1, 32, 3, 3), (32, 32, 2, 2))
    )
    e = torch.randint(-1, 2, (1, 32, 2, 2), generator=generator).float().requires_grad_()

    def found() -> list[Tensor]:
        slopes = torch.autograd.grad(F.conv2d(x, w), (x, w), e, create_graph=True)
        return [*slopes, *torch.autograd.grad(sum(s.sum() for s in slopes), (x, w, e))]

    law = found()
    with simulate(replace(nf.accelerator(name), gradients=None), mode="fast"):
        got = found()
    for a, b in zip(got, law, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
