"""Law: the optimizer and the layers of qtorch round what they are told to, and nothing else."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.torch.interop.qtorch import BlockFloatingPoint, FixedPoint, FloatingPoint
from numformats.torch.interop.qtorch.auto_low import lower, sequential_lower
from numformats.torch.interop.qtorch.optim import OptimLP
from numformats.torch.interop.qtorch.quant import quantizer

Q = FixedPoint(8, 4)


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_optimizer_rounds_what_it_is_told_to(kind: Any, accumulate: bool) -> None:
    w = nn.Parameter(torch.tensor([0.5, -0.7]))
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    fine = quantizer(FixedPoint(16, 10), forward_rounding="nearest")
    q = quantizer(Q, forward_rounding="nearest")
    optimizer = OptimLP(
        kind([w], lr=0.01, **options), weight_quant=q, grad_quant=q, grad_scaling=2.0,
        momentum_quant=fine, acc_quant=fine if accumulate else None,
    )  # fmt: skip
    for _ in range(3):
        loss = optimizer.step(lambda: (optimizer.zero_grad(), w.square().sum().backward()))
        assert loss is not None
    for tensor, rounding in ((w.data, q), (w.grad, q)):
        assert torch.equal(tensor, rounding(tensor))  # type: ignore[arg-type]
    for name in optimizer.momenta:
        assert torch.equal(optimizer.state[w][name], fine(optimizer.state[w][name]))
    if accumulate:  # steps of 0.01 are lost without it
        assert torch.equal(optimizer.accumulators[0], fine(optimizer.accumulators[0]))
        assert not torch.equal(optimizer.accumulators[0], w.data)


def test_optimizer_without_quantizers_is_the_one_inside() -> None:
    def run(wrap: Any) -> torch.Tensor:
        w = nn.Parameter(torch.tensor([0.5, -0.7]))
        optimizer = wrap(torch.optim.SGD([w], lr=0.1, momentum=0.9))
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        for _ in range(3):
            optimizer.zero_grad()
            w.square().sum().backward()
            optimizer.step()
            schedule.step()
        return w.data

    assert torch.equal(run(OptimLP), run(lambda optimizer: optimizer))


def make(size: int = 2) -> tuple[nn.Parameter, OptimLP]:
    w = nn.Parameter(torch.tensor([0.5, -0.7])[:size])
    inner = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    q = quantizer(FixedPoint(16, 10), forward_rounding="nearest")
    return w, OptimLP(inner, weight_quant=quantizer(Q, forward_rounding="nearest"), acc_quant=q)


def step(w: nn.Parameter, optimizer: OptimLP) -> None:
    optimizer.zero_grad()
    w.square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_of_the_optimizer_go_on_with_copies_of_its_parameters(copied: Any) -> None:
    w, optimizer = make()
    step(w, optimizer)
    v, other = copied((w, optimizer))
    assert other.optim.state is other.state
    for _ in range(3):
        step(w, optimizer)
        step(v, other)
    assert torch.equal(w, v)
    assert torch.equal(optimizer.accumulators[0], other.accumulators[0])
    assert optimizer.accumulators[0] is not other.accumulators[0]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: torch.optim.SGD([torch.zeros(2)]).state_dict(), r"\.optim\.load_state_dict"),
        (lambda: make(1)[1].state_dict(), r"shapes \[\(1,\)\] for \[\(2,\)\]"),
        (lambda: {**make()[1].state_dict(), "accumulators": []}, r"\[\] for .* acc_quant"),
    ],
    ids=["another optimizer", "other parameters", "no accumulators"],
)
def test_states_that_do_not_fit_are_refused(state: Any, words: str) -> None:
    w, optimizer = make()
    step(w, optimizer)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(state())
    momentum = optimizer.state[w]["momentum_buffer"]
    assert torch.equal(momentum, before["optim"]["state"][0]["momentum_buffer"])
    assert torch.equal(optimizer.accumulators[0], before["accumulators"][0])


def test_optimizer_continues_from_its_state() -> None:
    w, optimizer = make()
    step(w, optimizer)
    v, other = make()
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    v.data.copy_(w.data)
    for _ in range(3):
        step(w, optimizer)
        step(v, other)
    assert torch.equal(w, v)
    assert torch.equal(optimizer.accumulators[0], other.accumulators[0])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"weight_quant": Q}, TypeError, r"write quantizer\(FixedPoint\(wl=8, fl=4"),
        ({"acc_quant": "nearest"}, TypeError, "'nearest' is no function"),
        ({"grad_scaling": 0.0}, ValueError, "grad_scaling=0.0"),
        ({"grad_scaling": float("inf")}, ValueError, "grad_scaling=inf"),
    ],
)
def test_options_of_the_optimizer_that_make_no_sense(options: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        OptimLP(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), **options)


def test_layers_of_the_kinds_are_rounded_and_no_others() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.ModuleDict({"a": nn.Linear(3, 3)}))
    before = copy.deepcopy(net)
    new = sequential_lower(net, ["linear"], Q, forward_rounding="nearest")
    assert [type(m).__name__ for m in new] == ["Sequential", "ReLU", "ModuleDict"]
    assert all(
        torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True)
    )
    x = torch.randn(5, 3)
    lower(net, ["linear"], Q, forward_rounding="nearest")
    want = quantizer(Q, forward_rounding="nearest")(before[0](x))
    for found in (net[0](x), new[0](x), pickle.loads(pickle.dumps(net))[0](x)):
        assert torch.equal(found, want)


@pytest.mark.parametrize(
    "number",
    [Q, FixedPoint(8, 4, clamp=False), FloatingPoint(4, 3), BlockFloatingPoint(6, dim=0)],
    ids=str,
)
def test_compiled_models_round_as_they_did(number: Any) -> None:
    torch._dynamo.reset()
    near = {"forward_rounding": "nearest", "backward_rounding": "nearest"}
    model = sequential_lower(nn.Sequential(nn.Linear(3, 4)), ["linear"], number, number, **near)
    compiled, x = torch.compile(model, backend="aot_eager", fullgraph=True), torch.randn(5, 3)
    assert torch.equal(compiled(x), model(x))


def test_attention_computes_with_its_output_projection() -> None:
    """It reads the layer's weight and bias, and does not call it: nothing is rounded there."""
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    low, x = sequential_lower(layer, ["linear"], Q), torch.randn(2, 3, 8)
    assert torch.equal(low(x, x, x)[0], layer(x, x, x)[0])
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    assert sequential_lower(encoder, ["linear"], Q)(x).shape == x.shape


class Twice(nn.Module):
    """One layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


@pytest.mark.parametrize(
    "kinds", [["linear"], iter(["linear"]), "linear"], ids=["list", "iterator", "name"]
)
def test_shared_layers_are_rounded_wherever_they_stand(kinds: Any) -> None:
    model, x = Twice(), torch.randn(5, 4)
    low = sequential_lower(model, kinds, FixedPoint(8, 4), forward_rounding="nearest")
    wanted = x
    for _ in range(2):
        wanted = nf.quantize(model.first(wanted).detach(), "fixed<8,4>")
    assert torch.equal(low(x), wanted)
    assert len(list(low.parameters())) == 2


def test_a_group_that_is_added_has_accumulators() -> None:
    first, second = nn.Parameter(torch.tensor([0.5])), nn.Parameter(torch.tensor([0.5]))
    weight = quantizer(FixedPoint(8, 2), forward_rounding="nearest")
    wide = quantizer(FixedPoint(8, 6), forward_rounding="nearest")
    optimizer = OptimLP(torch.optim.SGD([first], lr=0.0625), weight_quant=weight, acc_quant=wide)
    optimizer.add_param_group({"params": [second]})
    for _ in range(2):
        first.grad = second.grad = torch.ones(1)
        optimizer.step()
    assert first.item() == second.item() == 0.5  # 0.375, a tie, goes to the even code
    assert [wide.item() for wide in optimizer.accumulators] == [0.375, 0.375]


def test_the_benchmarks_model_rounds_weights_inputs_errors_and_gradients() -> None:
    pytest.importorskip("qtorch.quant", reason="qtorch is not installed")
    from benchmarks.qtorch_model import quantized

    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(4, 3, bias=False))
    net, x, error = quantized(plain, "nearest"), torch.randn(2, 4), torch.randn(2, 3)
    y = net(x)
    y.backward(error)
    e4m3, e5m2 = (
        quantizer(FloatingPoint(*bits), forward_rounding="nearest") for bits in ((4, 3), (5, 2))
    )
    weight, stored = plain[0].weight.detach(), net[0].parametrizations.weight.original
    torch.testing.assert_close(y, e4m3(x) @ e4m3(weight).T)
    torch.testing.assert_close(stored.grad, e5m2(e5m2(error).T @ e4m3(x)))
