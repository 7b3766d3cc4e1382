"""Laws: a model carries its simulation through copies, pickles and compilation; checkpoints,
dtypes and autocast work as they do without.
"""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from typing import Any

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.torch import simulate
from tests.torch.simulation.zoo import ZOO, made, trained


@pytest.mark.parametrize("name", ZOO)
def test_a_model_can_carry_its_simulation(name: str) -> None:
    model, x = made(name)
    keys, plain = list(model.state_dict()), trained(model, x)
    with simulate("nvidia-h100-fp8", mode="fast"):
        wanted = trained(model, x)
    assert simulate(model, "nvidia-h100-fp8", mode="fast") is model
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for same in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert list(same.state_dict()) == keys
        for a, b in zip(trained(same, x), wanted, strict=True):
            assert torch.equal(a, b)
        assert not same.simulation.report().full_precision
        same.simulation.remove()
        assert not hasattr(same, "simulation")
        for a, b in zip(trained(same, x), plain, strict=True):
            assert torch.equal(a, b)


def test_activation_checkpoints_are_computed_again_in_the_same_way() -> None:
    layer, x = nn.Linear(8, 4), torch.randn(3, 8, requires_grad=True)
    with simulate("e4m3"):
        layer(x).square().sum().backward()
    wanted, layer.weight.grad = layer.weight.grad, None
    with simulate("e4m3") as simulation:
        y = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
        y.square().sum().backward()
    assert torch.equal(layer.weight.grad, wanted)
    assert not simulation.report().full_precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_other_dtypes(dtype: torch.dtype, mode: str) -> None:
    model, x = made("mlp")
    model, x = model.to(dtype), x.to(dtype)
    with simulate("nvidia-h100-fp8", mode=mode) as simulation:
        found = trained(model, x)
    assert all(t.dtype == dtype for t in found)
    assert not simulation.report().full_precision
    linear: Any = model[0]
    wanted = nf.accelerator("nvidia-h100-fp8").matmul(
        x.double(), linear.weight.detach().T.double(), linear.bias.detach().double()[None]
    )
    with simulate("nvidia-h100-fp8"):
        first = linear(x)
    torch.testing.assert_close(first.double(), wanted.double(), rtol=2e-2, atol=2e-2)


def test_autocast_casts_operands_first() -> None:
    layer, x = nn.Linear(16, 4), torch.randn(3, 16)
    with simulate("amd-mi300-fp32"), torch.autocast("cpu", dtype=torch.bfloat16):
        got = layer(x)
    half = copy.deepcopy(layer).bfloat16()
    with simulate("amd-mi300-fp32"):
        assert torch.equal(got, half(x.bfloat16()))
    assert got.dtype == torch.bfloat16


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("order", ["simulate(compile)", "compile(simulate)", "context"])
def test_compiled_models_run_eagerly_inside(order: str) -> None:
    model, x = made("mlp")
    with simulate("e4m3"):
        wanted = trained(model, x)
    rules = {"0": "e4m3"}  # paths are those of the model that was compiled
    if order == "compile(simulate)":
        run = torch.compile(simulate(model, "e4m3", rules=rules))
        got = trained(run, x)
    else:
        run = torch.compile(model)
        if order == "context":
            run(x)  # compiled before
            with simulate("e4m3", rules=rules):
                got = trained(run, x)
        else:
            got = trained(simulate(run, "e4m3", rules=rules), x)
    for a, b in zip(got, wanted, strict=True):
        assert torch.equal(a, b)


@pytest.mark.filterwarnings("ignore")
def test_compiled_functions_may_hold_a_context() -> None:
    model, x = made("mlp")

    def run(x: torch.Tensor) -> torch.Tensor:
        with simulate("e4m3"):
            found: torch.Tensor = model(x)
        return found

    assert torch.equal(torch.compile(run, backend="eager")(x), run(x))
    compiled = torch.compile(simulate(model, "e4m3"), backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="graph_break"):
        compiled(x)


def test_an_interrupt_ends_the_simulation() -> None:
    """For Ctrl-C torch calls no hooks of modules."""
    model, x = made("mlp")
    plain = model(x)
    simulate(model, "e4m3")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    hook = model[0].register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        model(x)
    hook.remove()
    report = model.simulation.report()
    report.clear()
    nn.functional.linear(x, x)
    assert not report.rows
    model.simulation.remove()
    assert torch.equal(model(x), plain)


class Doubled:
    """A forward that someone put on the instance, as accelerate does."""

    def __init__(self, model: nn.Module) -> None:
        self.inner = model.forward

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(2 * x)


def test_forwards_of_instances_are_kept() -> None:
    model, x = made("mlp")
    with simulate("e4m3"):
        once, wanted = model(x), model(2 * x)
    model.forward = forward = Doubled(model)
    simulate(model, "e4m3")
    assert torch.equal(model(x), wanted)
    assert torch.equal(copy.deepcopy(model)(x), wanted)
    model.forward, carried = Doubled(model), model.forward
    with pytest.raises(RuntimeError, match=r"forward was replaced"):
        model.simulation.remove()
    model.forward = carried
    model.simulation.remove()
    assert model.forward is forward
    del model.forward
    simulate(model, "e4m3")
    assert torch.equal(model.forward(x), once)  # not only model(x)
    assert list(inspect.signature(model.forward).parameters) == ["input"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("strict", [True, False])
def test_exports_are_refused(strict: bool) -> None:
    model, x = made("mlp")
    simulate(model, "e4m3")
    with pytest.raises(Exception, match="graph_break" if strict else "cannot be exported"):
        torch.export.export(model, (x,), strict=strict)
    with pytest.raises(RuntimeError, match="cannot be exported or traced"):
        torch.jit.trace(model, x)
    with pytest.raises(RuntimeError, match="traced"), simulate("e4m3"):
        torch.jit.trace(made("mlp")[0], x, check_trace=False)
    model.simulation.remove()
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), model(x))
