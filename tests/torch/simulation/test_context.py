"""Laws: what cannot be simulated is counted or refused in words, contexts do not nest, and
stochastic rounding repeats from its seed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.engines import MACChain
from numformats.torch import Report, Simulation, simulate

Tensor = torch.Tensor
RANDOM = Accelerator(
    "stochastic",
    weights="e4m3", activations="e4m3", errors="e5m2", gradients="bf16", rounding="stochastic",
    engine=MACChain("e4m3", "e4m3", accumulator="bf16", rounding="stochastic"),
)  # fmt: skip


def grads(model: nn.Module, x: Tensor) -> list[Tensor]:
    model.zero_grad()
    y = model(x)
    y.square().mean().backward()
    return [y.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 4))


X = torch.randn(6, 32, generator=torch.Generator().manual_seed(0))
LEFT: dict[str, tuple[Callable[[], Any], str]] = {
    "complex": (lambda: torch.ones(2, 2) * 1j @ (torch.ones(2, 2) * 1j), "complex64"),
    "integer": (lambda: torch.arange(4).reshape(2, 2) @ torch.arange(4).reshape(2, 2), "int64"),
    "sparse": (lambda: torch.eye(3).to_sparse() @ torch.eye(3), "sparse_coo"),
    "meta": (lambda: torch.empty(2, 3, device="meta") @ torch.empty(3, 2, device="meta"), "meta"),
    "vmap": (lambda: torch.func.vmap(lambda a: a @ a)(torch.ones(2, 3, 3)), "torch.func"),
    "script": (lambda: torch.jit.script(nn.Linear(3, 2))(torch.ones(1, 3)), "not intercepted"),
    "distance": (lambda: torch.cdist(torch.ones(30, 3), torch.ones(30, 3)), "not intercepted"),
    "aten": (lambda: torch.ops.aten.mm(torch.eye(2), torch.ones(2, 2)), "not intercepted"),
    "subclass": (lambda: torch.ones(2, 2).as_subclass(Other) @ torch.ones(2, 2), "Other"),
    "sparse gradients": (
        lambda: nn.functional.embedding(
            torch.tensor([1]), nn.Parameter(torch.ones(2, 3)), sparse=True
        ),
        "sparse gradients",
    ),
}


class Other(torch.Tensor):
    """A subclass of tensors."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LEFT)
def test_what_cannot_be_simulated_is_counted(name: str) -> None:
    call, reason = LEFT[name]
    wanted = call()
    with simulate("e4m3") as simulation:
        got = call()
    report = simulation.report()
    assert not report.simulated
    assert sum(row["count"] for row in report.full_precision) >= 1
    assert any(reason in row["reason"] for row in report.full_precision)
    if name not in ("meta", "script"):
        torch.testing.assert_close(got.to_dense(), wanted.to_dense())


def test_integer_chips_train_through_their_stored_operands(model: nn.Module) -> None:
    with simulate("arm-cmsis-nn-int8") as simulation:
        grads(model, X)
    rows = simulation.report().rows
    assert {r["status"] for r in rows if r["direction"] == "forward"} == {"simulated"}
    assert all(
        "multiplies activations by weights" in r["reason"]
        for r in rows
        if r["direction"] == "backward"
    )


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_run_repeats_from_its_seed(model: nn.Module, mode: str) -> None:
    def run(**options: Any) -> list[Tensor]:
        with simulate(RANDOM, mode=mode, **options):
            return grads(model, X)

    first = run(seed=3)
    assert same(first, run(seed=3))
    assert not same(first, run(seed=4))
    assert not same(first, run(seed=3, step=1))
    torch.set_num_threads(1)
    try:
        assert same(first, run(seed=3))
    finally:
        torch.set_num_threads(2)


def test_every_call_draws_anew(model: nn.Module) -> None:
    simulation = simulate(RANDOM, mode="fast")
    with simulation:
        first = grads(model, X)
    with simulation:
        second = grads(model, X)
    assert not same(first, second)
    again = simulate(RANDOM, mode="fast")
    with again:
        assert same(first, grads(model, X))
        assert same(second, grads(model, X))


def test_linear_draws_as_the_accelerator_does() -> None:
    """The forward product is ``Accelerator.matmul`` with the key of seed, step, site and count."""
    w = nn.Parameter(torch.randn(4, 32))
    with simulate(RANDOM, seed=5, step=7):
        for count in range(2):
            y = nn.functional.linear(X, w)
            site = hashlib.blake2b(b"/linear", digest_size=8).digest()
            key = nf.Key(5).fold(7).fold(int.from_bytes(site, "little")).fold(count).fold(0)
            assert torch.equal(y, RANDOM.matmul(X, w.detach().T, key=key).float())


def test_stochastic_storage_is_unbiased() -> None:
    """z-test of the mean of 4,000 draws of one weight; false alarms: 6e-7 (5 sigma). Nearest, the
    negative control, is further away.
    """
    w = nn.Parameter(torch.full((4000, 1), 1.05))

    def distance(chip: Accelerator) -> float:
        with simulate(chip, mode="fast"):
            y = nn.functional.linear(torch.ones(1, 1), w)
        p = 0.05 / 0.125
        sigma = 0.125 * (p * (1 - p) / 4000) ** 0.5
        return abs(float(y.detach().double().mean()) - 1.05) / sigma

    assert distance(RANDOM) < 5
    assert distance(dataclasses.replace(RANDOM, rounding="nearest_even")) > 5


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
    plain = grads(model, X)
    with pytest.raises(ZeroDivisionError), simulate("e4m3"):
        raise ZeroDivisionError
    simulate(model, "e4m3")
    with pytest.raises(ValueError, match="do not go together"):
        model(X[:, :5])
    with simulate("bf16") as simulation:
        pass
    assert not simulation.report().rows
    model.simulation.remove()
    assert same(plain, grads(model, X))


def test_other_threads_are_not_simulated(model: nn.Module) -> None:
    found: list[Tensor] = []
    wanted = model(X)
    with simulate("e4m3") as simulation:
        thread = threading.Thread(target=lambda: found.append(model(X)))
        thread.start()
        thread.join()
    assert torch.equal(found[0], wanted)
    assert not simulation.report().rows


def test_optimizers_step_in_full_precision(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with simulate("e4m3", elementwise="e4m3") as simulation:
        model(X).sum().backward()
        simulation.report().clear()
        optimizer.step()
    assert not simulation.report().rows


BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "accelerator": (lambda: simulate("nvidia-h100-fp9"), ValueError, "nvidia-h100-fp8"),
    "nothing": (lambda: simulate(None), TypeError, "nvidia-h100-fp8"),
    "mode": (lambda: simulate("e4m3", mode="quick"), ValueError, "exact, fast"),
    "seed": (lambda: simulate("e4m3", seed=-1), ValueError, "seed"),
    "elementwise": (lambda: simulate("e4m3", elementwise="e4m9"), ValueError, "e4m"),
    "rounding": (lambda: simulate("e4m3", elementwise_rounding="near"), ValueError, "nearest_even"),
    "order": (lambda: simulate("e4m3", nn.Linear(2, 2)), TypeError, r"simulate\(model"),
    "no accelerator": (lambda: simulate(nn.Linear(2, 2)), TypeError, "accelerator is missing"),
    "twice": (
        lambda: simulate(simulate(nn.Linear(2, 2), "e4m3"), "e4m3"), ValueError, r"\.remove\(\)",
    ),
    "role": (
        lambda: simulate("nvidia-h100-fp8", rules={"weights": "fp32"}), ValueError,
        "choose an engine",
    ),
    "rule": (lambda: simulate("e4m3", rules={"fc": 7}), TypeError, "rule 'fc'"),
    "rules": (lambda: simulate("e4m3", rules=["fc"]), TypeError, "mapping"),
    "not attached": (lambda: simulate("e4m3").remove(), ValueError, "no model"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    call, kind, words = BAD[name]
    with pytest.raises(kind, match=words):
        call()


def test_reports_are_readable(model: nn.Module) -> None:
    with simulate("nvidia-h100-fp8", rules={"2": None}) as simulation:
        grads(model, X)
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


def test_second_derivatives_are_refused() -> None:
    w = nn.Parameter(torch.randn(4, 32))
    with simulate("e4m3"):
        (grad,) = torch.autograd.grad(nn.functional.linear(X, w).sum(), w, create_graph=True)
    with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
        grad.sum().backward()


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


WRONG: dict[str, Callable[[], Any]] = {
    "inner axes": lambda: torch.mm(torch.ones(2, 3), torch.ones(4, 2)),
    "channels": lambda: nn.functional.conv2d(torch.ones(1, 3, 4, 4), torch.ones(2, 4, 3, 3)),
    "padding": lambda: nn.functional.conv2d(
        torch.ones(1, 3, 4, 4), torch.ones(2, 3, 3, 3), padding="full"
    ),
    "stride": lambda: nn.functional.conv1d(
        torch.ones(1, 3, 4), torch.ones(2, 3, 3), padding="same", stride=2
    ),
    "letters": lambda: torch.einsum("ijk,kl->il", torch.ones(2, 3), torch.ones(3, 2)),
    "masks": lambda: nn.functional.scaled_dot_product_attention(
        *(torch.ones(1, 2, 2),) * 3, attn_mask=torch.ones(2, 2), is_causal=True
    ),
    "dtypes": lambda: torch.mm(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_refused(name: str) -> None:
    with simulate("e4m3"), pytest.raises((ValueError, RuntimeError)) as caught:
        WRONG[name]()
    assert len(str(caught.value)) > 20
    with simulate("e4m3") as simulation:
        assert torch.equal(torch.eye(2) @ torch.eye(2), torch.eye(2))
    assert not simulation.report().full_precision


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
