"""Laws: a backward product is a product, so that it has backward products of its own; storing
passes gradients straight through, however often.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import numformats as nf
from numformats.torch import simulate
from tests.torch.simulation.calls import PRODUCTS, Case, arguments
from tests.torch.simulation.stored_products import (
    BLOCKS,
    CHIPS,
    FIRST,
    error,
    gradient,
    leaf,
    times,
)
from tests.torch.simulation.zoo import X, layers

ALONE = ("attention, grouped",)  # torch's own has no second derivative
CONVOLUTIONS = [name for name in PRODUCTS if name.startswith("conv")]


def derivatives(case: Case, dtype: torch.dtype) -> tuple[Any, ...]:
    """Gradients of (y² · e).sum(), and those of a sum of them, also for e."""
    values = arguments(case, dtype)
    y = case.call(*values)
    e = torch.linspace(-1, 1, y.numel(), dtype=dtype).reshape(y.shape).requires_grad_()
    first = torch.autograd.grad((y * y * e).sum(), values, create_graph=True)
    weights = [torch.linspace(1, 2, g.numel(), dtype=dtype).reshape(g.shape) for g in first]
    total = torch.stack([(g * w).sum() for g, w in zip(first, weights, strict=True)]).sum()
    return *(g.detach() for g in first), *torch.autograd.grad(total, [*values, e])


def assert_near(found: Any, wanted: Any, tolerance: float) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert (a.double() - b).norm() <= tolerance * b.norm() + 1e-5


@pytest.mark.parametrize("name", [n for n in PRODUCTS if n not in ALONE])
@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_they_are_those_of_torch_where_nothing_is_lost(name: str, mode: str) -> None:
    """float32 storage and sums against torch in float64; fast mode stores in float<10,50>."""
    wanted = derivatives(PRODUCTS[name], torch.float64)
    chip = "amd-mi300-fp32" if mode == "exact" else "float<10,50>"
    dtype = torch.float32 if mode == "exact" else torch.float64
    with simulate(chip, mode=mode) as simulation:
        found = derivatives(PRODUCTS[name], dtype)
    assert_near(found, wanted, 1e-4 if mode == "exact" else 1e-12)
    reasons = {row["reason"] for row in simulation.report().full_precision}
    only = "float32 sums: second derivatives of convolutions"
    assert reasons == ({only} if mode == "fast" and name in CONVOLUTIONS else set())


@pytest.mark.parametrize("chip_name", CHIPS)
def test_products_of_second_derivatives_are_the_accelerators(chip_name: str) -> None:
    """With E the errors, dx = E W; a cotangent C of dx is an error, and dE = C Wᵀ."""
    chip = nf.accelerator(chip_name)
    x, w = leaf(5, 40), leaf(7, 40, seed=1, parameter=True)
    e, c = error(5, 7).requires_grad_(), leaf(5, 40, seed=2).detach() / 64
    with simulate(chip_name):
        (dx,) = torch.autograd.grad(F.linear(x, w), x, e, create_graph=True)
        (de,) = torch.autograd.grad(dx, e, c)
    assert torch.equal(dx, times(chip, e, w, FIRST))
    assert torch.equal(de, times(chip, c, w.T, FIRST))
    if chip_name not in BLOCKS and chip.storage("errors") is not None:
        assert not torch.equal(de, c @ w.T)  # which plain torch gives


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_first_gradients_are_the_same_bits_with_a_graph(mode: str) -> None:
    model = nn.Sequential(nn.Conv1d(4, 6, 3), nn.Flatten(), nn.Linear(36, 3))
    x = torch.randn(2, 4, 8)
    found = []
    for graph in (False, True):
        with simulate("nvidia-h100-fp8", mode=mode, elementwise="bf16"):
            loss = model(x).square().sum()
        found.append(torch.autograd.grad(loss, list(model.parameters()), create_graph=graph))
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def hessian(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = torch.autograd.functional.hessian(function, x)
    return found


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_hessians_and_gradient_penalties(mode: str) -> None:
    """Third derivatives are none of the products' business, but work in the same way."""
    model = layers().double()
    model[1] = nn.Tanh()

    def loss(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model(x).pow(2).sum()
        return found

    x = X[0].double()
    wanted = hessian(loss, x)
    penalties = []
    for context in (nullcontext(), simulate("float<10,50>", mode=mode)):
        with context:
            assert_near([hessian(loss, x)], [wanted], 1e-9)
            z = x.clone().requires_grad_()
            (g,) = torch.autograd.grad(loss(z), z, create_graph=True)
            (h,) = torch.autograd.grad(g.square().sum(), z, create_graph=True)
            h.sum().backward()
            penalties.append([z.grad, *(p.grad for p in model.parameters())])
            model.zero_grad()
    assert_near(penalties[1], penalties[0], 1e-8)


def test_weights_see_two_errors() -> None:
    """dW of dx = E W is Eᵀ C. A unit that takes no two errors leaves the sums to float32."""
    x, w, e, c = leaf(5, 32), leaf(7, 32, parameter=True), error(5, 7), error(5, 32)
    both = ("errors", "errors")
    for name, reasons in (("nvidia-h100-fp8", 0), ("arm-cmsis-nn-int8", 1)):
        chip = nf.accelerator(name)
        with simulate(chip) as simulation:
            (dx,) = torch.autograd.grad(F.linear(x, w), x, e, create_graph=True)
            simulation.report().clear()
            (dw,) = torch.autograd.grad(dx, w, c)
        (row,) = simulation.report().rows
        assert (row["roles"], row["direction"]) == ("errors x errors", "backward")
        assert row["reason"].startswith("float32 sums") == reasons
        if not reasons:
            assert torch.equal(dw, gradient(chip, times(chip, e.T, c, both)))
