"""Laws: contexts do not nest, leave nothing behind, and say what ran."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.engines import MACChain
from numformats.torch import Report, Simulation, simulate
from tests.torch.simulation.zoo import X, layers, same, trained

Tensor = torch.Tensor


@pytest.fixture
def model() -> nn.Module:
    return layers()


def test_integer_chips_train_through_their_stored_operands(model: nn.Module) -> None:
    with simulate("arm-cmsis-nn-int8") as simulation:
        trained(model, X)
    rows = simulation.report().rows
    assert {r["status"] for r in rows if r["direction"] == "forward"} == {"simulated"}
    assert all(
        "multiplies activations by weights" in r["reason"]
        for r in rows
        if r["direction"] == "backward"
    )


def test_contexts_do_not_nest(model: nn.Module) -> None:
    simulation = simulate("e4m3")
    with simulation:
        with pytest.raises(RuntimeError, match="entered already"):
            simulation.__enter__()
        with pytest.raises(RuntimeError, match="inside another"), simulate("bf16"):
            pass
    simulate(model, "e4m3")
    with simulate("bf16"), pytest.raises(RuntimeError, match="inside another"):
        model(X)
    model.simulation.remove()
    with simulate("bf16"):
        model(X)


def test_an_exception_leaves_nothing_behind(model: nn.Module) -> None:
    plain = trained(model, X)
    with pytest.raises(ZeroDivisionError), simulate("e4m3"):
        raise ZeroDivisionError
    simulate(model, "e4m3")
    with pytest.raises(ValueError, match="do not go together"):
        model(X[:, :5])
    with simulate("bf16") as simulation:
        pass
    assert not simulation.report().rows
    model.simulation.remove()
    assert same(plain, trained(model, X))


def test_other_threads_are_not_simulated(model: nn.Module) -> None:
    found: list[Tensor] = []
    wanted = model(X)
    with simulate("e4m3") as simulation:
        thread = threading.Thread(target=lambda: found.append(model(X)))
        thread.start()
        thread.join()
    torch.testing.assert_close(found[0], wanted)  # a new thread may split sums otherwise
    assert not simulation.report().rows


class Products(torch.utils.data.Dataset[Tensor]):
    """Products that workers of a data loader compute."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Tensor:
        return (X + index) @ X.T


def test_workers_of_data_loaders_are_not_simulated() -> None:
    loader = torch.utils.data.DataLoader(
        Products(), batch_size=None, num_workers=1, multiprocessing_context="fork"
    )
    with simulate("e4m3") as simulation:
        found = list(loader)
        wanted = X @ X.T
    assert len(simulation.report().rows) == 1
    assert not torch.equal(found[0], wanted)
    torch.testing.assert_close(found[0], X @ X.T)


def test_optimizers_step_in_full_precision(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with simulate("e4m3", elementwise="e4m3") as simulation:
        model(X).sum().backward()
        simulation.report().clear()
        optimizer.step()
    assert not simulation.report().rows


def test_a_step_that_fails_is_over(model: nn.Module) -> None:
    optimizer = torch.optim.LBFGS(model.parameters())

    def closure() -> Tensor:
        assert not simulation.report().rows
        model(X).sum().backward()
        raise ZeroDivisionError

    with simulate("e4m3") as simulation:
        with pytest.raises(ZeroDivisionError):
            optimizer.step(closure)
        assert len(simulation.report().simulated) == 5  # of the closure: no step is one of its own
        simulation.report().clear()
        X @ X.T
    assert [row["op"] for row in simulation.report().simulated] == ["matmul"]


def test_reports_are_readable(model: nn.Module) -> None:
    with simulate("nvidia-h100-fp8", rules={"2": None}) as simulation:
        trained(model, X)
    report = simulation.report()
    assert isinstance(simulation, Simulation)
    assert isinstance(report, Report)
    (row,) = report.simulated[:1]
    assert (row["op"], row["module"], row["roles"]) == ("linear", "0", "activations x weights")
    assert row["shapes"] == ((6, 32), (32, 16))
    assert (row["formats"], row["count"]) == ("e4m3 x e4m3", 1)
    assert "F13" in row["engine"]
    left = {(r["module"], r["direction"], r["reason"]): r["count"] for r in report.full_precision}
    assert left == {("2", "forward", "a rule"): 1, ("2", "backward", "a rule"): 2}
    text = str(report)
    assert "Simulated: 2 in 2 kinds" in text
    assert "Full precision: 3 in 2 kinds" in text
    assert nf.accelerator("nvidia-h100-fp8").name in repr(simulation)


def test_a_graph_can_be_walked_twice() -> None:
    w = nn.Parameter(torch.randn(4, 32))
    with simulate("e4m3"):
        y = nn.functional.linear(X, w).sum()
    y.backward(retain_graph=True)
    first = w.grad.clone()
    y.backward()
    assert torch.equal(w.grad, 2 * first)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_gradients_of_weights_leave_in_their_format(mode: str) -> None:
    """Once a call, with the scale of the role; biases are no weights of a product."""
    chip = Accelerator(
        "narrow", gradients="e4m3", scaling={"gradients": nf.accelerators.Scaling("tensor")},
        engine=MACChain("fp32", "fp32", accumulator="fp32"),
    )  # fmt: skip
    w, b = nn.Parameter(torch.randn(4, 32)), nn.Parameter(torch.randn(4))
    wanted = torch.autograd.grad(nn.functional.linear(X, w, b).square().sum(), (w, b))
    with simulate(chip, mode=mode):
        nn.functional.linear(X, w, b).square().sum().backward()
    scale = wanted[0].abs().max() / 448
    near = nf.quantize(w.grad / scale, "e4m3")
    torch.testing.assert_close(near, w.grad / scale, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(w.grad, wanted[0], rtol=0.07, atol=float(scale) * 2**-9)
    torch.testing.assert_close(b.grad, wanted[1])


def test_backward_in_another_thread_stops_nothing_here() -> None:
    """Autograd of one thread is inside the simulation's arithmetic while another goes forward."""
    entered, done = threading.Event(), threading.Event()
    x, w = torch.randn(4, 8, requires_grad=True), nn.Parameter(torch.randn(6, 8))
    wanted = nf.quantize(x.detach(), "e2m1") @ nf.quantize(w.detach(), "e2m1").T

    class Waits(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: torch.Tensor) -> torch.Tensor:
            return y.clone()

        @staticmethod
        def backward(ctx: Any, e: torch.Tensor) -> torch.Tensor:
            with simulation._run.inside():
                entered.set()
                assert done.wait(30)
            return e

    with simulate("e2m1") as simulation:
        loss = Waits.apply(x).sum()
        other = threading.Thread(target=loss.backward)
        other.start()
        assert entered.wait(30)
        got = nn.functional.linear(x, w)
        done.set()
        other.join()
    assert torch.equal(got, wanted)


def test_one_simulation_runs_in_one_thread(model: nn.Module) -> None:
    simulation, caught = simulate("e4m3"), []

    def enter() -> None:
        try:
            simulation.__enter__()
        except RuntimeError as error:
            caught.append(str(error))

    with simulation:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert "another thread" in caught[0]
