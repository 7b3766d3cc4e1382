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
from numformats.torch.interop.qtorch.auto_low import lower
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


def test_hooks_without_numbers_leave_the_tensor_alone() -> None:
    x = torch.ones(1, requires_grad=True)
    quantizer(backward_hooks=[lambda g: 2 * g])(x).backward()
    (3 * x).backward()
    assert x.grad is not None
    assert x.grad.item() == 5


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
