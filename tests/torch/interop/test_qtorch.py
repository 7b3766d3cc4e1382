"""Law: the calls of qtorch give the values of its rules, and of qtorch itself where it is."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import numformats as nf
from numformats.torch.interop import qtorch
from numformats.torch.interop.qtorch import BlockFloatingPoint, FixedPoint, FloatingPoint
from numformats.torch.interop.qtorch.auto_low import lower, sequential_lower
from numformats.torch.interop.qtorch.optim import OptimLP
from numformats.torch.interop.qtorch.quant import Quantizer, fixed_point_quantize, quantizer
from tests.torch.interop.differences import shares
from tests.torch.interop.qtorch_rules import CASES, expected, patterns, random

Q = FixedPoint(8, 4)
HALF = torch.tensor([0.03125, -0.03125])  # ties between 0 and the values beside it


def nearest(case: str, x: torch.Tensor) -> torch.Tensor:
    name, arguments = CASES[case]
    found: torch.Tensor = getattr(qtorch.quant, name)(x, *arguments, rounding="nearest")
    return found


@pytest.mark.parametrize("inputs", [patterns, random], ids=["float16", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_the_rule(case: str, inputs: Any) -> None:
    torch.testing.assert_close(nearest(case, inputs()), expected(case, inputs()), rtol=0, atol=0)


def test_the_rules_tell_ties_apart() -> None:
    """Negative control: another treatment of ties fails the comparison above."""
    x = patterns()
    for case, other in (("float 4, 3", "nearest_even"), ("fixed point 8, 4", "nearest_away")):
        name, arguments = CASES[case]
        number = {"float_quantize": FloatingPoint, "fixed_point_quantize": FixedPoint}[name]
        wrong = nf.quantize(x, number(*arguments).format(3), other)
        assert not torch.equal(wrong, expected(case, x))
    even = nf.quantize(HALF, BlockFloatingPoint(8).format(1))
    assert torch.equal(even, HALF)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_qtorch_itself(case: str) -> None:
    """No float16 value differs; of float32 values no more than round twice: 2^(bits - 22)."""
    theirs = pytest.importorskip("qtorch.quant", reason="qtorch is not installed")
    name, arguments = CASES[case]
    for x in (patterns(), random()):
        got = getattr(theirs, name)(x, *arguments, rounding="nearest")
        differ = shares(got, nearest(case, x))[0]
        if x is patterns() and case != "block 16":
            assert differ == 0
        assert differ <= 2.0 ** (arguments[0] - 22 if name == "block_quantize" else -14)


@pytest.mark.parametrize(
    "number",
    [Q, FixedPoint(8, 4, clamp=False), FloatingPoint(4, 3), BlockFloatingPoint(8)],
    ids=str,
)
def test_stochastic_rounding_is_to_a_neighbour_and_unbiased(number: Any) -> None:
    """65536 draws of one value between neighbours: the share that goes up is within 5 standard
    deviations of what the mean needs; false alarm below 1e-6. Control: nearest is beyond."""
    low, high = {FloatingPoint: (1.0, 1.125)}.get(type(number), (1.0, 1.0625))
    if isinstance(number, BlockFloatingPoint):
        low, high = 1.0, 1.015625
    x = torch.full((1 << 16,), low + 0.3 * (high - low))
    torch.manual_seed(1)
    out = quantizer(number)(x)
    assert set(out.tolist()) == {low, high}
    up, sigma = (out == high).double().mean().item(), (0.3 * 0.7 / x.numel()) ** 0.5
    assert abs(up - 0.3) < 5 * sigma
    sure = quantizer(number, forward_rounding="nearest")(x)
    assert abs((sure == high).double().mean().item() - 0.3) > 5 * sigma


def test_the_seed_of_torch_repeats_draws_and_each_call_has_others() -> None:
    x = torch.full((64,), 0.03)
    torch.manual_seed(3)
    first, second = fixed_point_quantize(x, 8, 4), fixed_point_quantize(x, 8, 4)
    torch.manual_seed(3)
    assert torch.equal(first, fixed_point_quantize(x, 8, 4))
    assert not torch.equal(first, second)


def test_values_without_clamping_keep_their_spacing_at_any_size() -> None:
    x = torch.tensor([1e30, 12345.03, -(2.0**24) - 2, 0.03125, 3e-20])
    want = torch.tensor([1e30, 12345.0, -(2.0**24) - 2, 0.0, 0.0])
    out = fixed_point_quantize(x, 8, 4, clamp=False, rounding="nearest")
    assert torch.equal(out, torch.where(x == 12345.03, 12345.0, want))


def test_forward_and_backward_have_their_own_formats() -> None:
    q = quantizer(Q, FloatingPoint(4, 3), "nearest", "nearest")
    x = torch.tensor([0.3, 20.0], requires_grad=True)
    y = q(x)
    (y * torch.tensor([1.0625, 0.3])).sum().backward()
    assert y.tolist() == [0.3125, 7.9375]
    assert x.grad is not None
    assert x.grad.tolist() == [1.125, 0.3125]


def test_hooks_see_the_gradient_before_it_is_rounded_and_clamped_values_have_none() -> None:
    q = quantizer(Q, Q, "nearest", "nearest", True, [lambda g: g * 0.1])
    x = torch.tensor([0.3, 20.0], requires_grad=True)
    q(x).backward(torch.tensor([10.0, 1.0]))
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0]


def test_calls_leave_the_graph_and_the_input_alone() -> None:
    x = torch.tensor([0.3], requires_grad=True)
    assert not fixed_point_quantize(x, 8, 4).requires_grad
    assert quantizer()(x) is x
    empty = torch.zeros(0, 3)
    assert quantizer(Q)(empty).shape == (0, 3)


def test_quantizers_are_modules_that_copy_and_pickle() -> None:
    net = nn.Sequential(nn.Linear(3, 2), Quantizer(Q, forward_rounding="nearest"))
    x = torch.randn(4, 3)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), net(x))
    assert net.state_dict().keys() == {"0.weight", "0.bias"}


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


def test_optimizer_continues_from_its_state() -> None:
    def make() -> tuple[nn.Parameter, OptimLP]:
        w = nn.Parameter(torch.tensor([0.5, -0.7]))
        inner = torch.optim.SGD([w], lr=0.1, momentum=0.9)
        q = quantizer(FixedPoint(16, 10), forward_rounding="nearest")
        return w, OptimLP(inner, weight_quant=quantizer(Q, forward_rounding="nearest"), acc_quant=q)

    def step(w: nn.Parameter, optimizer: OptimLP) -> None:
        optimizer.zero_grad()
        w.square().sum().backward()
        optimizer.step()

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
    "call, error, words",
    [
        (lambda: FixedPoint(8, 0), ValueError, r"fl=0 .*\[1, 960\]"),
        (lambda: FloatingPoint(9, 3), ValueError, "exp=9"),
        (lambda: BlockFloatingPoint(8, -2), ValueError, "dim=-2"),
        (lambda: quantizer("e4m3"), TypeError, "FixedPoint, FloatingPoint"),
        (lambda: quantizer(Q, None, "nearst"), ValueError, "did you mean 'nearest'"),
        (lambda: quantizer(FloatingPoint(4, 3), clamping_grad_zero=True), ValueError, "clipped"),
        (lambda: fixed_point_quantize([0.3], 8, 4), TypeError, "give a torch.Tensor"),
        (lambda: fixed_point_quantize(torch.tensor([1]), 8, 4), TypeError, r"x\.float\(\)"),
        (lambda: quantizer(BlockFloatingPoint(8, 1))(torch.ones(3)), ValueError, "dim=1 of a"),
        (lambda: OptimLP(torch.optim.RMSprop([nn.Parameter(torch.ones(1))])), TypeError, "SGD"),
        (lambda: lower(nn.ReLU(), ["activations"]), ValueError, "did you mean 'activation'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_every_number_names_its_format() -> None:
    assert FixedPoint(8, 4, symmetric=True).format(2) == nf.FixedPoint(8, 4, symmetric=True)
    assert FloatingPoint(5, 10).format(2).max == 131008.0
    wide = FixedPoint(8, 4, clamp=False).format(2)
    assert nf.parse(str(wide)) == wide
    assert nf.quantize(np.float32([0.1, 3.04]), wide).tolist() == [0.125, 3.0625]


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
