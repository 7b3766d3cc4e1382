"""Law: every intercepted operation is the engine's product of the operands as they are stored,
forward and backward. Storage is worked out here by hand, windows by loops.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.torch import simulate
from tests.torch.simulation.stored_products import (
    CHIPS,
    FIRST,
    FORWARD,
    SECOND,
    error,
    gradient,
    leaf,
    times,
)


@pytest.fixture(params=CHIPS)
def chip(request: pytest.FixtureRequest) -> Accelerator:
    return nf.accelerator(request.param)


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


VIEWS = {
    "T": lambda w: w.T,
    "mT": lambda w: w.mT,
    "t": lambda w: w.t(),
    "movedim": lambda w: w.movedim(0, 1),
    "reshape": lambda w: w.T.reshape(4, 2, 6).flatten(0, 1),
    "split": lambda w: w.T.tensor_split(1)[0],
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("quiet", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_views_of_weights_are_weights(quiet: Any, name: str) -> None:
    """Sums of eight products of an e4m3 and an e2m1 number below 2^8 are exact in float32."""
    narrow = simulate("e4m3", rules={"weights": "e2m1"})
    x, w = torch.randn(5, 8), nn.Parameter(torch.randn(6, 8))
    with narrow, quiet():
        y = x @ VIEWS[name](w)
    wanted = nf.quantize(x, "e4m3") @ nf.quantize(w.detach(), "e2m1").T
    assert torch.equal(y, wanted)


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
