"""Law: convolutions are products over windows that loops cut out, forward and backward."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.torch import simulate
from tests.torch.simulation.stored_products import (
    CHIPS,
    FIRST,
    FORWARD,
    PLAIN,
    SECOND,
    error,
    gradient,
    leaf,
    times,
)

Tensor = torch.Tensor


@pytest.fixture(params=CHIPS)
def chip(request: pytest.FixtureRequest) -> Accelerator:
    return nf.accelerator(request.param)


def windows(x: Tensor, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """(B * windows, taps * C), by loops over windows."""
    x = F.pad(x.detach(), (padding,) * 4)
    span = dilation * (kernel - 1) + 1
    rows = [
        sample[:, i : i + span : dilation, j : j + span : dilation].permute(1, 2, 0).reshape(-1)
        for sample in x
        for i in range(0, x.shape[2] - span + 1, stride)
        for j in range(0, x.shape[3] - span + 1, stride)
    ]
    return torch.stack(rows)


def scattered(rows: Tensor, like: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Rows of taps added at their places, tap by tap."""
    b, c, h, w = like.shape
    out = torch.zeros(b, c, h + 2 * padding, w + 2 * padding)
    high, wide = ((n + 2 * padding - kernel) // stride + 1 for n in (h, w))
    split = rows.reshape(b, high, wide, kernel, kernel, c)
    for p in range(kernel):
        for q in range(kernel):
            for i in range(high):
                for j in range(wide):
                    out[:, :, i * stride + p, j * stride + q] += split[:, i, j, p, q]
    return out[:, :, padding : padding + h, padding : padding + w]


def matrix(w: Tensor) -> Tensor:
    """Filters (N, C, *taps) as rows (N, taps * C)."""
    return w.permute(0, 2, 3, 1).reshape(w.shape[0], -1)


def filters_of(rows: Tensor, w: Tensor) -> Tensor:
    """Rows (N, taps * C) as filters of the shape of ``w``."""
    n, c, *taps = w.shape
    return rows.reshape(n, *taps, c).permute(0, 3, 1, 2)


def test_convolution(chip: Accelerator) -> None:
    x, w, b = leaf(2, 4, 7, 5), leaf(6, 4, 3, 3, seed=1, parameter=True), leaf(6, seed=2)
    e = error(2, 6, 4, 3)
    with simulate(chip):
        y = F.conv2d(x, w, b, stride=2, padding=1)
        y.backward(e)
    rows, filters = windows(x, 3, 2, 1, 1), matrix(w)
    errors = e.permute(0, 2, 3, 1).reshape(-1, 6)
    assert torch.equal(
        y, times(chip, rows, filters.T, FORWARD, b).reshape(2, 4, 3, 6).permute(0, 3, 1, 2)
    )
    slope = filters_of(times(chip, rows.T, errors, SECOND).T, w)
    assert torch.equal(w.grad, gradient(chip, slope))
    assert torch.equal(x.grad, scattered(times(chip, errors, filters, FIRST), x, 3, 2, 1))


@pytest.mark.parametrize("name", PLAIN)
def test_convolution_in_groups_with_dilation(name: str) -> None:
    chip = nf.accelerator(name)
    x, w = leaf(2, 4, 7, 7), leaf(6, 2, 3, 3, seed=1, parameter=True)
    with simulate(chip):
        y = F.conv2d(x, w, dilation=2, groups=2)
    for g in range(2):
        rows = windows(x[:, 2 * g : 2 * g + 2], 3, 1, 0, 2)
        part = times(chip, rows, matrix(w[3 * g : 3 * g + 3]).T)
        assert torch.equal(y[:, 3 * g : 3 * g + 3], part.reshape(2, 3, 3, 3).permute(0, 3, 1, 2))


def test_transposed_convolution(chip: Accelerator) -> None:
    x, w = leaf(2, 4, 3, 2), leaf(4, 5, 3, 3, seed=1, parameter=True)
    e = error(2, 5, 7, 5)
    with simulate(chip):
        y = F.conv_transpose2d(x, w, stride=2)
        y.backward(e)
    flat, filters = x.permute(0, 2, 3, 1).reshape(-1, 4), matrix(w)
    assert torch.equal(y, scattered(times(chip, flat, filters), e, 3, 2, 0))
    errors = windows(e, 3, 2, 0, 1)
    got = x.grad.permute(0, 2, 3, 1).reshape(-1, 4)
    assert torch.equal(got, times(chip, errors, filters.T, FIRST))
    slope = filters_of(times(chip, flat.T, errors, SECOND), w)
    assert torch.equal(w.grad, gradient(chip, slope))
