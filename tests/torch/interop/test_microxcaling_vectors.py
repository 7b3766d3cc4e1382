"""Law: vector operations of microxcaling are rounded after each step, forward and backward."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch.nn import functional

from numformats.torch.interop import microxcaling as mx
from tests.torch.interop import microxcaling_steps as steps
from tests.torch.interop.microxcaling_steps import ACTIVATIONS, q

BF16 = {"bfloat": 16, "round": "even"}
NONE: dict[str, Any] = {}  # rounds nothing, and takes the same steps


def grads(y: torch.Tensor, inputs: list[torch.Tensor], e: torch.Tensor) -> list[torch.Tensor]:
    """The result and the gradients of ``inputs``."""
    return [y.detach(), *torch.autograd.grad(y, inputs, e)]


def drawn(*shape: int) -> torch.Tensor:
    """Values of several magnitudes."""
    return (torch.randn(shape) * 3).requires_grad_()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_step_of_an_activation_is_rounded(name: str) -> None:
    torch.manual_seed(0)
    rule, keywords, more = ACTIVATIONS[name]
    x, e = drawn(16, 33), torch.randn(16, 33)
    call = getattr(mx, name.partition(",")[0])
    found = grads(call(x, mx_specs={**BF16, **more}, **keywords), [x], e)
    for one, other in zip(found, rule(x.detach(), e), strict=True):
        assert torch.equal(one, other)
    once = q(call(x, mx_specs={**NONE, **more}, **keywords))
    assert name in ("tanh", "relu", "relu6", "leaky_relu") or not torch.equal(found[0], once)


def near_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(1.59375 * (x + 0.044677734 * x**3))


PLAIN: dict[str, Any] = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "silu": functional.silu,
    "relu6": functional.relu6, "leaky_relu": functional.leaky_relu, "gelu": near_gelu,
    "softmax": lambda x: x.softmax(-1), "simd_square": torch.square, "simd_exp": torch.exp,
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_without_rounding_steps_are_the_function_and_its_gradient(name: str) -> None:
    torch.manual_seed(0)
    x, e = drawn(16, 33), torch.randn(16, 33)
    found = grads(getattr(mx, name)(x, mx_specs=NONE), [x], e)
    wanted = grads(PLAIN[name](x), [x], e)
    for one, other in zip(found, wanted, strict=True):
        near = 3e-4 if name == "gelu" else 2e-5  # the package's slope has a constant of its own
        torch.testing.assert_close(one, other, rtol=1e-4, atol=near)


@pytest.mark.parametrize("name", ["simd_sqrt", "simd_log"])
def test_functions_of_positive_numbers(name: str) -> None:
    x, e = (torch.rand(50) + 0.1).requires_grad_(), torch.randn(50)
    plain = getattr(torch, name[5:])
    for one, other in zip(
        grads(getattr(mx, name)(x, NONE), [x], e), grads(plain(x), [x], e), strict=True
    ):
        torch.testing.assert_close(one, other)
    y = q(plain(q(x.detach())))
    assert torch.equal(getattr(mx, name)(x, BF16), y)
    dx = q(q(q(e) * 0.5) / y) if name == "simd_sqrt" else q(q(e) / q(x.detach()))
    assert torch.equal(torch.autograd.grad(getattr(mx, name)(x, BF16), x, e)[0], dx)


TWO: dict[str, tuple[Any, Any]] = {
    "add": (lambda a, b: q(a + b), lambda a, b, y, e: (q(e), q(e))),
    "sub": (lambda a, b: q(a - b), lambda a, b, y, e: (e, q(-e))),
    "mul": (lambda a, b: q(a * b), lambda a, b, y, e: (q(q(e) * b), q(q(e) * a))),
    "div": (lambda a, b: q(a / b), lambda a, b, y, e: (q(q(e) / b), q(q(e) * q(-y / b)))),
}


@pytest.mark.parametrize("name", TWO)
def test_arithmetic_on_two_tensors_and_on_a_number(name: str) -> None:
    torch.manual_seed(0)
    call, (rule, back) = getattr(mx, f"simd_{name}"), TWO[name]
    a, b, e = drawn(5, 1, 7), drawn(3, 7), torch.randn(5, 3, 7)
    y, da, db = grads(call(a, b, BF16), [a, b], e)
    wanted = rule(q(a.detach()), q(b.detach()))
    left, right = back(q(a.detach()), q(b.detach()), wanted, e)
    assert torch.equal(y, wanted)
    assert torch.equal(da, q(q(left).sum(1, keepdim=True)))
    assert torch.equal(db, q(q(right).sum(0)))
    y, da = grads(call(a, 0.3, BF16), [a], e[:, :1])
    assert torch.equal(y, rule(q(a.detach()), 0.3))  # the number is not rounded
    zero = torch.zeros_like(y)
    assert torch.equal(da, back(zero, 0.3, zero, e[:, :1])[0])
    assert torch.equal(call(a, b), call(a, b, NONE))


def test_reciprocals_in_the_place_of_divisions() -> None:
    torch.manual_seed(0)
    a, b, e = drawn(40), drawn(40), torch.randn(40)
    specs = {**BF16, "vec_use_recip": True}
    assert torch.equal(mx.simd_div(a, b, specs), q(q(a) * q(1 / q(b))))
    y, da = grads(mx.simd_div(a, 0.3, specs), [a], e)
    third = q(torch.tensor(1 / 0.3))
    assert torch.equal(y, q(q(a.detach()) * third))
    assert torch.equal(da, q(q(e) * third))


def test_sums_means_and_norms() -> None:
    torch.manual_seed(0)
    x, e = drawn(4, 5, 6), torch.randn(4, 6)
    y, dx = grads(mx.simd_reduce_sum(x, [1], mx_specs=BF16), [x], e)
    assert torch.equal(y, q(q(x.detach()).sum(1)))
    assert torch.equal(dx, q(e)[:, None].expand(4, 5, 6))
    mean, dx = grads(mx.simd_reduce_mean(x, -2, mx_specs=BF16), [x], e)
    assert torch.equal(mean, q(y * 0.2))
    assert torch.equal(dx, q(q(e) * 0.2)[:, None].expand(4, 5, 6))
    every = mx.simd_reduce_sum(x, [], mx_specs=BF16)
    assert torch.equal(every, q(q(x.detach()).sum()))
    assert torch.equal(mx.simd_reduce_mean(x, [], mx_specs=BF16), q(every.detach() / 120))
    kept = mx.simd_reduce_sum(x, [0, 2], keepdim=True, mx_specs=BF16)
    kept.sum().backward()
    assert kept.shape == (1, 5, 1)
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))
    norm = mx.simd_norm(x, mx_specs=BF16)
    assert torch.equal(norm, q(q(q(q(x.detach()) ** 2).sum()).sqrt()))
    assert mx.simd_norm(x, keepdim=True, mx_specs=BF16).shape == (1, 1, 1)


def test_gradients_of_a_split_are_rounded_and_added() -> None:
    x = drawn(50)
    one, other = mx.simd_split(x, BF16)
    e, f = torch.randn(50), torch.randn(50)
    (dx,) = torch.autograd.grad([one, other], x, [e, f], retain_graph=True)
    assert torch.equal(dx, q(q(e) + q(f)))
    assert torch.equal(torch.autograd.grad(one, x, e)[0], e)  # alone it is not rounded
    assert mx.simd_split(x)[0] is x


NORMS: dict[str, tuple[Any, Any]] = {
    "layer": (lambda s: mx.LayerNorm(8, mx_specs=s), steps.layer_norm),
    "rms": (lambda s: mx.RMSNorm(8, mx_specs=s), steps.rms_norm),
    "group": (lambda s: mx.GroupNorm(3, 6, s), lambda *a: steps.spread(*a, groups=3)),
    "batch": (lambda s: mx.BatchNorm1d(6, s), lambda *a: steps.spread(*a, groups=0)),
}


@pytest.mark.parametrize("name", NORMS)
def test_each_step_of_a_normalisation_is_rounded(name: str) -> None:
    torch.manual_seed(0)
    make, rule = NORMS[name]
    layer, x, e = make(BF16), drawn(5, 6, 8), torch.randn(5, 6, 8)
    for each in layer.parameters():
        torch.nn.init.normal_(each)
    inputs = [x, layer.weight, layer.bias]
    found = grads(layer(x), inputs, e)
    for one, other in zip(found, rule(*(t.detach() for t in inputs), e), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), layer(x))
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))


def plain_rms(x: torch.Tensor, layer: Any) -> torch.Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-12).sqrt() * layer.weight + layer.bias


@pytest.mark.parametrize("name", NORMS)
def test_without_rounding_normalisations_are_torchs(name: str) -> None:
    torch.manual_seed(0)
    layer, x, e = NORMS[name][0](NONE), drawn(5, 6, 8), torch.randn(5, 6, 8)
    for each in layer.parameters():
        torch.nn.init.normal_(each)
    inputs = [x, layer.weight, layer.bias]
    found = grads(layer(x), inputs, e)
    torch_layer = copy.deepcopy(layer)
    torch_layer.apply_mx_specs(None)
    plain = plain_rms(x, layer) if name == "rms" else torch_layer(x)
    wanted = grads(plain, inputs if name == "rms" else [x, *torch_layer.parameters()], e)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_parameters_may_be_left_out() -> None:
    x = drawn(4, 6, 3)
    torch.testing.assert_close(
        mx.group_norm(x, 2, mx_specs=NONE), functional.group_norm(x, 2), rtol=1e-4, atol=1e-5
    )
    weight = torch.randn(6, requires_grad=True)
    y = mx.batch_norm(x, None, None, weight, None, True, mx_specs=NONE)
    plain = functional.batch_norm(x, None, None, weight, None, True)
    e = torch.randn(y.shape)
    for one, other in zip(grads(y, [x, weight], e), grads(plain, [x, weight], e), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    both = mx.layer_norm(x, [6, 3], None, None, mx_specs=NONE)
    torch.testing.assert_close(both, functional.layer_norm(x, [6, 3], eps=1e-12))


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_statistics_run(momentum: float | None) -> None:
    torch.manual_seed(0)
    layer = mx.BatchNorm2d(3, NONE, momentum=momentum)
    twin = torch.nn.BatchNorm2d(3, momentum=momentum)
    for _ in range(3):
        x = drawn(4, 3, 5, 6)
        layer(x), twin(x)
    torch.testing.assert_close(layer.running_mean, twin.running_mean)
    n = 4 * 5 * 6  # torch's variance is over n - 1
    start = 0.0 if momentum is None else 0.9**3
    moved = (twin.running_var - start) * (n - 1) / n + start
    torch.testing.assert_close(layer.running_var, moved)
    assert int(layer.num_batches_tracked) == 3
    layer.eval(), twin.eval()
    twin.running_var.copy_(layer.running_var)
    e = torch.randn(x.shape)
    for one, other in zip(grads(layer(x), [x], e), grads(twin(x), [x], e), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    layer.apply_mx_specs(BF16)
    inverse = q(1 / q(q(q(layer.running_var) + 1e-5).sqrt()))[:, None, None]
    shift = q(q(x.detach()) - q(layer.running_mean)[:, None, None])
    assert torch.equal(layer(x), q(shift * inverse))
    layer.train()
    before = layer.running_mean.clone()
    layer.momentum = 0.25
    layer(x)
    mean = q(q(q(x.detach()).sum([0, 2, 3])) / n)
    assert torch.equal(layer.running_mean, q(q(0.75 * before) + q(0.25 * mean)))


def test_statistics_that_are_not_tracked() -> None:
    x = drawn(4, 3)
    layer = mx.BatchNorm1d(3, BF16, track_running_stats=False)
    assert torch.equal(layer.train()(x), layer.eval()(x))


def test_pools_are_means_of_bins() -> None:
    torch.manual_seed(0)
    x, e = drawn(2, 3, 7, 5), torch.randn(2, 3, 3, 5)
    for one, other in zip(
        grads(mx.adaptive_avg_pool2d(x, (3, None), NONE), [x], e),
        grads(functional.adaptive_avg_pool2d(x, (3, None)), [x], e),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    y = mx.AdaptiveAvgPool2d((3, None), BF16)(x)
    bins = [slice(0, 3), slice(2, 5), slice(4, 7)]
    wanted = torch.stack([q(q(x.detach()[:, :, rows].sum(2)) / 3) for rows in bins], 2)
    assert torch.equal(y, wanted)
    dx = torch.zeros_like(x)
    for number, rows in enumerate(bins):
        dx[:, :, rows] = q(dx[:, :, rows] + (e[:, :, number] / 3)[:, :, None])
    assert torch.equal(torch.autograd.grad(y, x, e)[0], dx)
    assert torch.equal(mx.adaptive_avg_pool2d(x[0], 2, BF16), mx.adaptive_avg_pool2d(x, 2, BF16)[0])


LAYERS: dict[str, tuple[Any, Any]] = {
    "Sigmoid": (mx.sigmoid, {}), "Tanh": (mx.tanh, {}), "ReLU": (mx.relu, {}),
    "ReLU6": (mx.relu6, {}), "LeakyReLU": (mx.leaky_relu, {"negative_slope": 0.3}),
    "SiLU": (mx.silu, {}), "GELU": (mx.gelu, {"first_order_gelu": True}),
    "Softmax": (mx.softmax, {"dim": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_their_functions_and_torchs_without_a_specification(name: str) -> None:
    function, keywords = LAYERS[name]
    x, kind = drawn(4, 9), getattr(mx, name)
    layer = kind(mx_specs=BF16, name="one", **keywords)
    assert torch.equal(layer(x), function(x, mx_specs=BF16, **keywords))
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), layer(x))
    assert layer.name == "one"
    keywords = {key: value for key, value in keywords.items() if key != "first_order_gelu"}
    more = {"approximate": "tanh"} if name == "GELU" else {}
    plain = getattr(torch.nn, name)(**keywords, **more)
    assert torch.equal(kind(**keywords)(x), plain(x))
    if name != "GELU":
        assert torch.equal(function(x, **keywords), plain(x))


@pytest.mark.parametrize("name", ["ReLU", "ReLU6", "LeakyReLU", "SiLU"])
def test_layers_write_into_their_input(name: str) -> None:
    torch.manual_seed(0)
    x, kind, e = drawn(4, 9), getattr(mx, name), torch.randn(4, 9)
    wanted = grads(kind(mx_specs=BF16)(x), [x], e)
    copied = x.clone()
    y = kind(inplace=True, mx_specs=BF16)(copied)
    assert y is copied
    for one, other in zip(grads(y, [x], e), wanted, strict=True):
        assert torch.equal(one, other)


def test_without_quantize_backprop_gradients_are_of_what_came() -> None:
    specs = {**BF16, "quantize_backprop": False}
    a, b, e = drawn(50), drawn(50), torch.randn(50)
    da, db = torch.autograd.grad(mx.simd_mul(a, b, specs), [a, b], e)
    assert torch.equal(da, e * b)
    assert torch.equal(db, e * a)


def test_the_feed_forward_example_of_the_package_runs() -> None:
    specs = mx.finalize_mx_specs(
        {"a_elem_format": "fp6_e3m2", "w_elem_format": "fp6_e3m2", "block_size": 8, "bfloat": 16}
    )
    torch.manual_seed(0)
    norm, wide = mx.LayerNorm(16, mx_specs=specs), mx.Linear(16, 64, mx_specs=specs)
    back, x = mx.Linear(64, 16, mx_specs=specs), torch.randn(4, 16, requires_grad=True)
    inputs, residual = mx.simd_split(x)
    hidden = mx.gelu(wide(norm(inputs)), mx_specs=specs)
    y = mx.simd_add(residual, back(hidden), mx_specs=specs)
    y.sum().backward()
    assert torch.equal(y, q(y))
    assert x.grad is not None
    hidden = near_gelu(functional.linear(functional.layer_norm(x, [16]), wide.weight, wide.bias))
    plain = x + functional.linear(hidden, back.weight, back.bias)
    torch.testing.assert_close(y, plain, rtol=0.05, atol=0.1)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda x: mx.group_norm(x, 4, mx_specs=BF16), "num_groups=4"),
        (lambda x: mx.layer_norm(x, 5, None, None, mx_specs=BF16), "normalized_shape"),
        (lambda x: mx.batch_norm(x, None, None, None, None, mx_specs=BF16), "is_training=True"),
        (lambda x: mx.adaptive_avg_pool2d(x[0, 0], 2, BF16), "output_size=2"),
        (lambda x: mx.adaptive_avg_pool2d(x, -1, BF16), "above 0"),
        (lambda x: mx.Softmax(mx_specs=BF16)(x), "dim=-1"),
        (lambda x: mx.relu(x, mx_specs={"bflaot": 16}), "bfloat"),
        (lambda x: mx.BatchNorm2d(3, BF16)(x[0]), "4D"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call(torch.zeros(2, 3, 4, 4))
