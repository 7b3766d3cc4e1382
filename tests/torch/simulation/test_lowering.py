"""Law: what is computed is the product that was asked for. On a unit of float64, every intercepted
call and its gradients are torch's, up to rounding, on every path through the simulation.
"""

from __future__ import annotations

import pytest
import torch

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.torch import simulate
from numformats.torch.simulation import fast_convolution, interception, operands, products
from tests.torch.simulation.calls import CASES, arguments, gradients

CHIP = Accelerator(
    "float64", weights="fp64", activations="fp64", engine=nf.accelerator("nvidia-h100-fp64").engine
)


@pytest.fixture
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One way through the simulation: (mode, whether operands are stored once)."""
    mode, once = request.param
    monkeypatch.setattr(interception, "identical", lambda *_: False)
    for module in (fast_convolution, operands, products):
        monkeypatch.setattr(module, "shared", lambda *_: once)
    return mode


PATHS = [("exact", True), ("exact", False), ("fast", True), ("fast", False)]


@pytest.mark.parametrize("path", PATHS, ids=str, indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_calls_are_what_torch_computes(name: str, path: str) -> None:
    case = CASES[name]
    values = arguments(case, torch.float64)
    wanted = gradients(case, values)
    with simulate(CHIP, mode=path) as simulation:
        got = gradients(case, values)
    for x, y in zip(got, wanted, strict=True):
        assert x.shape == y.shape
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)
    rows = simulation.report().rows
    assert rows
    assert all(row["status"] == "simulated" for row in rows)


@pytest.mark.parametrize("name", CASES)
def test_without_gradients(name: str) -> None:
    case = CASES[name]
    values = [x.detach() for x in arguments(case, torch.float64)]
    wanted = case.call(*values)
    with torch.inference_mode(), simulate(CHIP) as simulation:
        got = case.call(*values)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    assert not simulation.report().full_precision


@pytest.mark.parametrize("name", CASES)
def test_backward_after_the_context(name: str) -> None:
    """The graph carries the accelerator; what it computes is counted all the same."""
    case = CASES[name]
    values, other = arguments(case), arguments(case)
    with simulate("nvidia-h100-fp8", mode="fast"):
        wanted = gradients(case, values)
    simulation = simulate("nvidia-h100-fp8", mode="fast")

    def run(*args: torch.Tensor) -> torch.Tensor:
        with simulation:
            return case.call(*args)

    got = gradients(case, other, run)
    for x, y in zip(got, wanted, strict=True):
        assert torch.equal(x, y)
    backward = [row for row in simulation.report().rows if row["direction"] == "backward"]
    assert bool(backward) != name.startswith("embedding")
