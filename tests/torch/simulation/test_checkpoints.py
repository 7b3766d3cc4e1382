"""Laws: an activation checkpoint is computed again as it was, wherever backward is called."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

import numformats as nf
from numformats.torch import Report, simulate
from numformats.torch.simulation.checkpoints import GENERATORS, watch_checkpoints
from tests.torch.simulation.zoo import X, layers

DRAWING = dataclasses.replace(
    nf.accelerator("nvidia-h100-fp8"), name="h100-fp8-stochastic", rounding="stochastic"
)
RULES = {"2": "bf16"}


class Checkpointed(nn.Module):
    """``layers()``, and a product of no module, as one checkpoint."""

    def __init__(self, use_reentrant: bool | None) -> None:
        super().__init__()
        self.inner, self.use_reentrant = layers(), use_reentrant

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def run(x: torch.Tensor) -> torch.Tensor:
            y = self.inner(x)
            return y @ y.mT

        if self.use_reentrant is None:
            return run(x)
        found: torch.Tensor = checkpoint(run, x, use_reentrant=self.use_reentrant)
        return found


def gradients(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    return [x.grad, *(p.grad for p in model.parameters())]  # type: ignore[list-item]


def run(use_reentrant: bool | None, inside: bool, chip: Any, **options: Any) -> Any:
    """Gradients of two steps, and the report."""
    model, x = Checkpointed(use_reentrant), X.clone().requires_grad_()
    model.load_state_dict(Checkpointed(None).state_dict())
    with simulate(chip, **options) as simulation:
        losses = [model(x).square().sum() for _ in range(2)]
        for loss in losses * inside:
            loss.backward()
    for loss in losses * (not inside):
        loss.backward()
    return gradients(model, x), simulation.report()


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "after"])
@pytest.mark.parametrize("use_reentrant", [True, False])
def test_gradients_are_those_without_checkpoints(
    use_reentrant: bool, inside: bool, mode: str
) -> None:
    options = {"mode": mode, "rules": {f"inner.{k}": v for k, v in RULES.items()}}
    wanted, plain = run(None, inside, DRAWING, **options)
    found, report = run(use_reentrant, inside, DRAWING, **options)
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a, b)
    assert not report.full_precision

    assert products(report, "backward") == products(plain, "backward")
    once, again = products(plain, "forward"), products(report, "forward")
    assert again.keys() == once.keys()
    assert sum(once.values()) < sum(again.values()) <= 2 * sum(once.values())


def products(report: Report, direction: str) -> Counter[Any]:
    kinds: Counter[Any] = Counter()
    for row in report.simulated:
        if row["direction"] == direction:
            kinds[row["op"], row["module"], row["roles"], row["formats"]] += row["count"]
    return kinds


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_draws_after_a_checkpoint_go_on(use_reentrant: bool) -> None:
    """Computing again takes no draws from later calls."""
    model, x = layers(), X.clone().requires_grad_()
    found = []
    for checkpoints in (True, False):
        simulation = simulate(DRAWING)
        with simulation:
            y = checkpoint(model, x, use_reentrant=use_reentrant) if checkpoints else model(x)
            y.sum().backward()
            found.append(model(x))
    assert torch.equal(*found)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_model_that_carries_its_simulation(use_reentrant: bool) -> None:
    plain, model = Checkpointed(None), Checkpointed(use_reentrant)
    model.load_state_dict(plain.state_dict())
    for each in (plain, model):
        simulate(each, DRAWING)
    a, b = X.clone().requires_grad_(), X.clone().requires_grad_()
    plain(a).square().sum().backward()
    loss = model(b).square().sum()
    model.simulation.remove()  # what was begun under it ends under it
    loss.backward()
    for got, wanted in zip(gradients(model, b), gradients(plain, a), strict=True):
        assert torch.equal(got, wanted)


def test_nested_and_sequential_checkpoints() -> None:
    model, x = layers(), X.clone().requires_grad_()
    simulate(model, DRAWING)
    model(x).sum().backward()
    wanted = gradients(model, x)
    again = layers()
    y = X.clone().requires_grad_()
    with simulate(DRAWING):
        loss = checkpoint_sequential(again, 2, y, use_reentrant=False).sum()
    loss.backward()
    with simulate(DRAWING):
        again.zero_grad()
        y.grad = None

        def outer(x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = checkpoint(again, x, use_reentrant=False)
            return found

        loss = checkpoint(outer, y, use_reentrant=False).sum()
    loss.backward()
    for got, right in zip(gradients(again, y), wanted, strict=True):
        assert torch.equal(got, right)


def test_checkpoints_without_a_simulation_stay_as_they_are() -> None:
    model, x = layers(), X.clone().requires_grad_()
    with simulate("e4m3"):
        model(x)
    model(x).sum().backward()
    wanted = gradients(model, x)
    model.zero_grad()
    x.grad = None
    checkpoint(model, x, use_reentrant=False).sum().backward()
    for got, right in zip(gradients(model, x), wanted, strict=True):
        assert torch.equal(got, right)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_steps_that_call_backward(use_reentrant: bool) -> None:
    """An optimizer's own arithmetic is full precision, and its closure is not."""
    found = []
    for checkpoints in (use_reentrant, None):
        model = Checkpointed(checkpoints)
        optimizer = torch.optim.LBFGS(model.parameters(), lr=1e-3, max_iter=2)

        def closure(model: Any = model, optimizer: Any = optimizer) -> torch.Tensor:
            optimizer.zero_grad()
            loss: torch.Tensor = model(X.clone().requires_grad_()).square().mean()
            loss.backward()
            return loss

        with simulate(DRAWING):
            optimizer.step(closure)
        found.append([p.detach() for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def test_a_torch_that_calls_them_otherwise_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GENERATORS:
        monkeypatch.delattr(torch.utils.checkpoint, name, raising=False)
    forward = torch.utils.checkpoint.CheckpointFunction.forward
    monkeypatch.setattr(torch.utils.checkpoint.CheckpointFunction, "forward", staticmethod(forward))
    with pytest.warns(UserWarning, match="use_reentrant=False computes again in full precision"):
        watch_checkpoints.__wrapped__()
