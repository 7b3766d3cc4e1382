"""Law: every intercepted operation is the engine's product of the operands as they are stored,
forward and backward. Storage is worked out here by hand, windows by loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.torch import simulate

Tensor = torch.Tensor
PLAIN = ("nvidia-h100-bf16", "amd-mi300-fp32", "intel-amx-bf16", "cerebras-fp16")
SCALED = ("nvidia-h100-fp8", "amd-mi300-fp8", "intel-gaudi2-fp8")
BLOCKS = (
    "nvidia-b200-mxfp8",
    "nvidia-b200-mxfp4",
    "tenstorrent-wormhole-bfp8",
    "nvidia-h100-deepseek",
)
CHIPS = (*PLAIN, *SCALED, *BLOCKS)
FORWARD, FIRST, SECOND = (
    ("activations", "weights"),
    ("errors", "weights"),
    ("activations", "errors"),
)


def stored(chip: Accelerator, x: Tensor, role: str) -> tuple[Any, Any]:
    """Elements and float32 scale of a tensor, from the definition: x / (amax / limit)."""
    scaling, fmt = chip.scaling_of(role), chip.storage(role)
    values = x.detach().numpy()
    if scaling is None:
        return nf.quantize(values, fmt), np.float32(1)
    scale = np.float32(np.abs(values).max()) / np.float32(scaling.limit or float(fmt.max))
    if scaling.power_of_two:
        steps = [e for e in range(-126, 128) if e % scaling.exponent_step == 0]
        low, high = scaling.exponents or (-126, 127)
        scale = np.float32(2.0 ** min(e for e in steps if low <= e <= high and 2.0**e >= scale))
    return nf.quantize(values / scale, fmt), scale


def times(
    chip: Accelerator, a: Tensor, b: Tensor, roles: tuple[str, str] = FORWARD, c: Any = None
) -> Tensor:
    """``a @ b + c`` by ``nf.matmul``; formats with blocks along K by ``Accelerator.matmul``."""
    if chip.name in BLOCKS:
        start = None if c is None else np.atleast_2d(c.detach().numpy())
        return torch.from_numpy(
            chip.matmul(a.detach().numpy(), b.detach().numpy(), start, roles=roles)
        ).float()
    (x, s), (y, t) = (stored(chip, v, r) for v, r in zip((a, b), roles, strict=True))
    engine, plain = chip.engine_for(roles), not chip.scaling
    start = c.detach().numpy().reshape(1, -1) if c is not None and plain else None
    if start is not None:
        start = nf.quantize(start, engine.c_values)
    result = nf.matmul(x, y, start, engine=engine)
    if not plain:
        result = result.astype(np.float32) * (s * t)
        result = result if c is None else result + c.detach().numpy()
    return torch.from_numpy(result).float()


def leaf(*shape: int, seed: int = 0, parameter: bool = False) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return nn.Parameter(x) if parameter else x.requires_grad_()


def error(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(9)) / 64


@pytest.fixture(params=CHIPS)
def chip(request: pytest.FixtureRequest) -> Accelerator:
    return nf.accelerator(request.param)


def gradient(chip: Accelerator, grad: Tensor) -> Tensor:
    """A gradient of weights as it leaves."""
    return grad if chip.gradients is None else nf.quantize(grad.contiguous(), chip.gradients)


def test_linear(chip: Accelerator) -> None:
    x, w, b, e = leaf(5, 40), leaf(7, 40, seed=1, parameter=True), leaf(7, seed=2), error(5, 7)
    with simulate(chip):
        y = F.linear(x, w, b)
        y.backward(e)
    assert torch.equal(y, times(chip, x, w.T, FORWARD, b))
    assert torch.equal(x.grad, times(chip, e, w, FIRST))
    assert torch.equal(w.grad, gradient(chip, times(chip, x.T, e, SECOND).T))
    assert torch.equal(b.grad, e.sum(0))


def test_linear_of_batches_is_one_product(chip: Accelerator) -> None:
    x, w, e = leaf(2, 3, 40), leaf(7, 40, seed=1, parameter=True), error(2, 3, 7)
    with simulate(chip):
        y = F.linear(x, w)
        y.backward(e)
    flat, errors = x.reshape(6, 40), e.reshape(6, 7)
    assert torch.equal(y, times(chip, flat, w.T).reshape(2, 3, 7))
    assert torch.equal(x.grad, times(chip, errors, w, FIRST).reshape(x.shape))
    assert torch.equal(w.grad, gradient(chip, times(chip, flat.T, errors, SECOND).T))


def test_products_of_activations(chip: Accelerator) -> None:
    a, b, e = leaf(2, 5, 40), leaf(2, 40, 6, seed=1), error(2, 5, 6)
    with simulate(chip):
        y = torch.bmm(a, b)
        y.backward(e)
    both = ("activations", "activations")
    assert torch.equal(y, times(chip, a, b, both))
    assert torch.equal(a.grad, times(chip, e, b.mT, ("errors", "activations")))
    assert torch.equal(b.grad, times(chip, a.mT, e, SECOND))


def test_weights_go_to_the_right(chip: Accelerator) -> None:
    """W x is computed as (xᵀ Wᵀ)ᵀ, since units and tiles know which side is the weights'."""
    w, x, e = leaf(7, 40, parameter=True), leaf(40, 5, seed=1), error(7, 5)
    with simulate(chip):
        y = w @ x
        y.backward(e)
    assert torch.equal(y, times(chip, x.T, w.T).T)
    assert torch.equal(x.grad, times(chip, e.T, w, FIRST).T)
    assert torch.equal(w.grad, gradient(chip, times(chip, x, e.T, SECOND).T))


def windows(x: Tensor, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """(B * windows, C * taps), by loops over windows."""
    x = F.pad(x.detach(), (padding,) * 4)
    span = dilation * (kernel - 1) + 1
    rows = [
        sample[:, i : i + span : dilation, j : j + span : dilation].reshape(-1)
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
    split = rows.reshape(b, high, wide, c, kernel, kernel)
    for p in range(kernel):
        for q in range(kernel):
            for i in range(high):
                for j in range(wide):
                    out[:, :, i * stride + p, j * stride + q] += split[:, i, j, :, p, q]
    return out[:, :, padding : padding + h, padding : padding + w]


def test_convolution(chip: Accelerator) -> None:
    x, w, b = leaf(2, 4, 7, 5), leaf(6, 4, 3, 3, seed=1, parameter=True), leaf(6, seed=2)
    e = error(2, 6, 4, 3)
    with simulate(chip):
        y = F.conv2d(x, w, b, stride=2, padding=1)
        y.backward(e)
    rows, filters = windows(x, 3, 2, 1, 1), w.reshape(6, -1)
    errors = e.permute(0, 2, 3, 1).reshape(-1, 6)
    assert torch.equal(
        y, times(chip, rows, filters.T, FORWARD, b).reshape(2, 4, 3, 6).permute(0, 3, 1, 2)
    )
    assert torch.equal(
        w.grad, gradient(chip, times(chip, rows.T, errors, SECOND).T.reshape(w.shape))
    )
    taps = times(chip, errors, filters, FIRST)
    torch.testing.assert_close(x.grad, scattered(taps, x, 3, 2, 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", PLAIN)
def test_convolution_in_groups_with_dilation(name: str) -> None:
    chip = nf.accelerator(name)
    x, w = leaf(2, 4, 7, 7), leaf(6, 2, 3, 3, seed=1, parameter=True)
    with simulate(chip):
        y = F.conv2d(x, w, dilation=2, groups=2)
    for g in range(2):
        rows = windows(x[:, 2 * g : 2 * g + 2], 3, 1, 0, 2)
        part = times(chip, rows, w[3 * g : 3 * g + 3].reshape(3, -1).T)
        assert torch.equal(y[:, 3 * g : 3 * g + 3], part.reshape(2, 3, 3, 3).permute(0, 3, 1, 2))


def test_transposed_convolution(chip: Accelerator) -> None:
    x, w = leaf(2, 4, 3, 2), leaf(4, 5, 3, 3, seed=1, parameter=True)
    e = error(2, 5, 7, 5)
    with simulate(chip):
        y = F.conv_transpose2d(x, w, stride=2)
        y.backward(e)
    flat, filters = x.permute(0, 2, 3, 1).reshape(-1, 4), w.reshape(4, -1)
    taps = times(chip, flat, filters)
    torch.testing.assert_close(y, scattered(taps, e, 3, 2, 0), rtol=1e-6, atol=1e-6)
    errors = windows(e, 3, 2, 0, 1)
    got = x.grad.permute(0, 2, 3, 1).reshape(-1, 4)
    assert torch.equal(got, times(chip, errors, filters.T, FIRST))
    assert torch.equal(w.grad, gradient(chip, times(chip, flat.T, errors, SECOND).reshape(w.shape)))


def test_attention(chip: Accelerator) -> None:
    q, k, v = leaf(2, 5, 32), leaf(2, 6, 32, seed=1), leaf(2, 6, 8, seed=2)
    e = error(2, 5, 8)
    with simulate(chip):
        y = F.scaled_dot_product_attention(q, k, v)
        y.backward(e)
    both = ("activations", "activations")
    scores = (times(chip, q, k.mT, both) * 32**-0.5).requires_grad_()
    shares = scores.softmax(-1)
    assert torch.equal(y, times(chip, shares, v, both))
    assert torch.equal(v.grad, times(chip, shares.mT, e, SECOND))
    shares.backward(times(chip, e, v.mT, ("errors", "activations")))
    back = scores.grad * 32**-0.5
    assert torch.equal(q.grad, times(chip, back, k, ("errors", "activations")))
    assert torch.equal(k.grad, times(chip, q.mT, back, SECOND).mT)


def test_lstm_cell(chip: Accelerator) -> None:
    cell = nn.LSTMCell(40, 6)
    x, h, c = leaf(3, 40), leaf(3, 6, seed=1), leaf(3, 6, seed=2)
    with simulate(chip):
        new, memory = cell(x, (h, c))
    gates = times(chip, x, cell.weight_ih.T, FORWARD, cell.bias_ih)
    gates = gates + times(chip, h, cell.weight_hh.T, FORWARD, cell.bias_hh)
    i, f, g, o = gates.chunk(4, -1)
    wanted = f.sigmoid() * c + i.sigmoid() * g.tanh()
    assert torch.equal(memory, wanted)
    assert torch.equal(new, o.sigmoid() * wanted.tanh())


@pytest.mark.parametrize("name", ["e4m3", "mxfp4", "bf16"])
def test_embedding_holds_stored_rows(name: str) -> None:
    w, places = leaf(9, 64, parameter=True), torch.tensor([[1, 8], [1, 3]])
    with simulate(name):
        y = F.embedding(places, w)
        y.sum().backward()
    assert torch.equal(y, nf.quantize(w.detach(), name)[places])
    assert w.grad[1].unique().tolist() == [2.0]
