"""Law: products have the operands that the specification says, forward and backward."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from numformats.torch.interop import microxcaling as mx
from numformats.torch.interop.microxcaling.mx_mapping import eject_pyt_ops, inject_pyt_ops
from numformats.torch.interop.microxcaling.mx_ops import quantize_mx_op
from tests.torch.interop.microxcaling_rules import blocks, elements

FP8 = mx.finalize_mx_specs(
    {"a_elem_format": "fp8_e4m3", "w_elem_format": "fp8_e5m2", "block_size": 4, "bfloat": 16}
)


def reference(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, g: torch.Tensor) -> Any:
    """Written out: y, and the gradients of x, w and b, under ``FP8``."""

    def bf(t: torch.Tensor) -> torch.Tensor:
        top = (2 - 2.0**-7) * 2.0**127
        return torch.from_numpy(
            elements(t.detach().double().numpy(), 8, 7, top, "nearest").astype(np.float32)
        )

    def q(t: torch.Tensor, name: str, axis: int) -> torch.Tensor:
        rows = t.movedim(axis, -1)
        found = blocks(rows.reshape(-1, rows.shape[-1]).numpy(), name, 4, "nearest")
        return torch.from_numpy(found.astype(np.float32)).reshape(rows.shape).movedim(-1, axis)

    x, w, b, g = bf(x), bf(w), bf(b), bf(g)
    y = bf(bf(q(x, "fp8_e4m3", -1) @ q(w, "fp8_e5m2", -1).T) + b)
    dx = bf(q(g, "fp8_e4m3", -1) @ q(w, "fp8_e5m2", 0))
    left, right = q(g, "fp8_e4m3", -2), q(x, "fp8_e4m3", -2)
    dw = bf(left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1]))
    return y, dx, dw, bf(g.reshape(-1, g.shape[-1]).sum(0))


@pytest.mark.parametrize("lead", [(8,), (3, 8)], ids=["matrix", "batch"])
def test_linear_and_its_gradients_are_the_written_out_ones(lead: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(*lead, 12, requires_grad=True)
    layer = mx.Linear(12, 4, mx_specs=FP8)
    g = torch.randn(*lead, 4)
    y = layer(x)
    y.backward(g)
    found = (y.detach(), x.grad, layer.weight.grad, layer.bias.grad)
    wanted = reference(x, layer.weight, layer.bias, g)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=2**-7, atol=1e-6)  # sums in another order
        assert (one == other).double().mean() > 0.95
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), y)
    assert torch.equal(copy.deepcopy(layer)(x), y)


def test_compiled_layers_compute_the_same() -> None:
    torch._dynamo.reset()
    layer, x = mx.Linear(8, 4, mx_specs=FP8), torch.randn(3, 8, requires_grad=True)
    compiled = torch.compile(layer, backend="aot_eager")
    wanted, got = layer(x), compiled(x)
    assert torch.equal(got, wanted)
    grads = [torch.autograd.grad(y.square().sum(), [x, layer.weight]) for y in (wanted, got)]
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


def test_without_quantize_backprop_gradients_are_those_of_torch() -> None:
    specs = mx.MxSpecs({**FP8, "quantize_backprop": False})  # type: ignore[dict-item]
    x, w = torch.randn(5, 8, requires_grad=True), torch.randn(3, 8, requires_grad=True)
    y = mx.linear(x, w, mx_specs=specs)
    y.backward(torch.ones(5, 3))
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.ones(5, 3) @ w.detach())
    assert not torch.equal(y, x @ w.T)


def test_matmul_takes_formats_by_mode_and_sums_over_broadcast_axes() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(3, 5, 8, requires_grad=True), torch.randn(8, 6, requires_grad=True)
    specs = {"a_elem_format": "int8", "w_elem_format": "fp4_e2m1", "block_size": 4}
    out = mx.matmul(a, b, mx_specs=specs, mode_config="aw")
    left = quantize_mx_op(a, specs, "int8", axes=-1)
    right = quantize_mx_op(b, specs, "fp4_e2m1", axes=-2)
    torch.testing.assert_close(out, left @ right)
    out.sum().backward()
    assert b.grad is not None
    assert b.grad.shape == b.shape
    both = mx.bmm(a, b.expand(3, 8, 6), mx_specs=specs)
    torch.testing.assert_close(both, left @ quantize_mx_op(b, specs, "int8", axes=-2))
    assert torch.equal(mx.matmul(a, b), a @ b)


def test_a_bias_with_axes_of_one_has_its_gradient() -> None:
    a, b = torch.randn(5, 8), torch.randn(8, 3)
    bias, error = torch.randn(1, 3, requires_grad=True), torch.randn(5, 3)
    mx.matmul(a, b, bias, mx_specs={"a_elem_format": "int8"}).backward(error)
    assert bias.grad is not None
    torch.testing.assert_close(bias.grad, error.sum(0, keepdim=True))


def test_a_vector_has_one_row() -> None:
    x, w = torch.randn(8, requires_grad=True), torch.randn(3, 8)
    y = mx.linear(x, w, mx_specs=FP8)
    y.sum().backward()
    assert torch.equal(y, mx.linear(x.unsqueeze(0), w, mx_specs=FP8)[0])
    assert x.grad is not None


def test_injected_products_are_rounded_until_they_are_ejected() -> None:
    specs = mx.finalize_mx_specs(
        {"a_elem_format": "fp4", "w_elem_format": "fp4", "block_size": 4, "round": "even"}
    )
    assert specs is not None
    x, layer = torch.randn(6, 8), torch.nn.Linear(8, 3)
    running = inject_pyt_ops(specs)
    found = layer(x)
    eject_pyt_ops(running)
    torch.testing.assert_close(found, mx.linear(x, layer.weight, layer.bias, specs))
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
    assert len(running.report().simulated) == 1


def test_injected_convolutions_have_blocks_along_channels() -> None:
    """As ``mx.convolution`` rounds them: axis 1, for the result and for the input's gradient."""
    specs = mx.finalize_mx_specs(
        {"a_elem_format": "fp4", "w_elem_format": "fp6_e2m3", "block_size": 4, "round": "even"}
    )
    assert specs is not None
    x, layer = torch.randn(2, 8, 5, 4, requires_grad=True), torch.nn.Conv2d(8, 12, 3, padding=1)
    error = torch.randn(2, 12, 5, 4)
    running = inject_pyt_ops(specs)
    found = layer(x)
    found.backward(error)
    eject_pyt_ops(running)
    fp4, fp6 = "fp4_e2m1", "fp6_e2m3"
    kept, w = quantize_mx_op(x.detach(), specs, fp4, axes=[1]), layer.weight.detach()
    filters = quantize_mx_op(w, specs, fp6, axes=[1])
    wanted = torch.nn.functional.conv2d(kept, filters, layer.bias, padding=1)
    torch.testing.assert_close(found, wanted)
    kept, filters = (
        quantize_mx_op(error, specs, fp4, axes=[1]),
        quantize_mx_op(w, specs, fp6, axes=[0]),
    )
    slope = torch.nn.functional.conv_transpose2d(kept, filters, padding=1)
    torch.testing.assert_close(x.grad, slope)
