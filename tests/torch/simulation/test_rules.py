"""Laws: rules hold for the modules they name and no others."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from numformats.torch import simulate
from tests.torch.simulation.test_elementwise import q

Tensor = torch.Tensor


X = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """A residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.fc = nn.LayerNorm(8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 8) to (B, 8)."""
        result: Tensor = x + F.gelu(self.fc(self.norm(x)))
        return result


class Net(nn.Module):
    """Two blocks between two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Linear(8, 8), nn.Linear(8, 3)
        self.layers = nn.ModuleList([Block(), Block()])

    def forward(self, x: Tensor) -> Tensor:
        """(B, 8) to (B, 3)."""
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        result: Tensor = self.head(x)
        return result


ALL = {"stem", "layers.0.fc", "layers.1.fc", "head"}


SKIPPED: dict[Any, set[str]] = {
    "stem": {"stem"},
    "layers.*.fc": {"layers.0.fc", "layers.1.fc"},
    "layers.1": {"layers.1.fc"},
    "Block": {"layers.0.fc", "layers.1.fc"},
    "Lin*": ALL,
    "first": {"stem"},
    "last": {"layers.1.fc"},  # as registered
}


@pytest.mark.parametrize("pattern", SKIPPED)
@pytest.mark.parametrize("value", [None, "float32", "fp32"])
def test_a_rule_keeps_modules_in_full_precision(pattern: str, value: Any) -> None:
    net = Net()
    with simulate("nvidia-h100-fp8", rules={pattern: value}) as simulation:
        net(X).sum().backward()
    report = simulation.report()
    assert {row["module"] for row in report.full_precision} == SKIPPED[pattern]
    assert {row["module"] for row in report.simulated} == ALL - SKIPPED[pattern]


@pytest.mark.parametrize("name", ["stem", "again"])
def test_a_shared_module_has_all_its_paths(name: str) -> None:
    net = Net()
    net.again = net.stem
    with simulate("nvidia-h100-fp8", rules={name: None}) as simulation:
        net(X)
    assert {row["module"] for row in simulation.report().full_precision} == {"stem"}


@pytest.mark.parametrize("attached", [False, True])
def test_the_class_of_the_model_itself_is_a_pattern(attached: bool) -> None:
    layer, x = nn.Linear(8, 4), torch.randn(2, 8)
    wanted, rules = layer(x), {"Linear": None}
    if attached:
        got = simulate(layer, "e4m3", rules=rules)(x)
    else:
        with simulate("e4m3", rules=rules):
            got = layer(x)
    assert torch.equal(got, wanted)


def test_a_module_that_never_began_ends_nothing() -> None:
    """torch calls hooks for the end of a module that another hook did not let begin."""

    def stops(module: nn.Module, _: Any) -> None:
        if isinstance(module, nn.Tanh):
            raise StopIteration

    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stopped, self.layer = nn.Tanh(), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with contextlib.suppress(StopIteration):
                x = self.stopped(x)
            return nn.functional.linear(x, self.layer.weight)

    handle = register_module_forward_pre_hook(stops)
    try:
        with simulate("e4m3", rules={"Tries": None}) as simulation:
            nn.Sequential(Tries())(torch.randn(2, 8))
    finally:
        handle.remove()
    (row,) = simulation.report().rows
    assert (row["module"], row["reason"]) == ("0", "a rule")


def test_a_later_rule_wins() -> None:
    rules = {"layers.*": None, "layers.1": "nvidia-h100-bf16", "head": "bf16"}
    with simulate("nvidia-h100-fp8", rules=rules) as simulation:
        Net()(X)
    formats = {row["module"]: row["formats"] for row in simulation.report().simulated}
    bf16 = "bf16 x bf16"
    assert formats == {"stem": "e4m3 x e4m3", "layers.1.fc": bf16, "head": bf16}


def test_the_products_of_a_rule_are_its_accelerators() -> None:
    net, seen = Net(), []
    net.stem.register_forward_hook(lambda _, __, y: seen.append(y))
    simulate(net, "nvidia-h100-fp8", rules={"stem": "nvidia-h100-bf16"})
    net(X)
    with simulate("nvidia-h100-bf16"):
        net.stem(X)
    assert torch.equal(*seen)


def test_roles_can_have_other_formats() -> None:
    net = Net()
    with simulate(
        "nvidia-h100-fp8", mode="fast", rules={"errors": None, "weights": "bf16"}
    ) as found:
        net(X).sum().backward()
    formats = {row["roles"]: row["formats"] for row in found.report().rows}
    assert formats == {
        "activations x weights": "e4m3 x bf16",
        "errors x weights": "as they come x bf16",
        "activations x errors": "e4m3 x as they come",
    }


@pytest.mark.parametrize(
    "pattern, close",
    [
        ("steam", "'stem'"),
        ("layers.*.fcs", "'layers.0.fc'"),
        ("Blok", "'Block'"),
        ("zzz", "'first'"),
    ],
)
def test_patterns_that_match_nothing(pattern: str, close: str) -> None:
    with pytest.raises(ValueError, match=f"{pattern[:4]}.*matches no module") as caught:
        simulate(Net(), "e4m3", rules={pattern: None})
    assert close in str(caught.value)
    with (
        pytest.raises(ValueError, match="matches no module"),
        simulate("e4m3", rules={pattern: None}),
    ):
        Net()(X)


def test_rules_hold_for_elementwise_results() -> None:
    net = Net()
    seen: dict[str, Tensor] = {}
    for name, module in net.named_modules():
        module.register_forward_hook(lambda _, __, y, name=name: seen.update({name: y}))
    rules = {"layers.0.norm": "float32", "layers.1.norm": "bf16"}
    with simulate("fp32", mode="fast", elementwise="e4m3", rules=rules):
        net(X)
    exact = {name: torch.equal(y, q(y)) for name, y in seen.items()}
    assert exact["layers.0"]
    assert exact["layers.1"]
    assert not exact["layers.0.norm"]
    assert torch.equal(seen["layers.1.norm"], q(seen["layers.1.norm"], "bf16"))
    assert not exact["layers.1.norm"]


def test_what_is_not_rounded_is_counted() -> None:
    net = Net()
    rules = {"layers.*.norm": "float32"}
    with simulate("fp32", mode="fast", elementwise="e4m3", rules=rules) as simulation:
        F.mse_loss(net(X), torch.zeros(6, 3)).backward()
        X.mean()
    left = {(r["op"], r["module"]): r["reason"] for r in simulation.report().full_precision}
    assert left == {
        ("layer_norm", "layers.0.norm"): "a rule",
        ("layer_norm", "layers.1.norm"): "a rule",
        ("mse_loss", ""): "a reduction",
        ("mean", ""): "a reduction",
    }
    with simulate("fp32", mode="fast") as simulation:
        X.mean()
    assert not simulation.report().rows
