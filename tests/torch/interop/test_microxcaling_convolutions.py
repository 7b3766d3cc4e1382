"""Law: convolutions have the operands that microxcaling's have, forward and backward."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from numformats.torch.interop import microxcaling as mx
from tests.torch.interop.microxcaling_rules import blocks, elements

SPECS = mx.finalize_mx_specs(
    {"a_elem_format": "fp8_e4m3", "w_elem_format": "fp4_e2m1", "block_size": 4, "bfloat": 16}
)
TOP = (2 - 2.0**-7) * 2.0**127


def bf(x: torch.Tensor) -> torch.Tensor:
    """Rounded to bfloat16, ties away."""
    found = elements(x.detach().double().numpy(), 8, 7, TOP, "nearest")
    return torch.from_numpy(found.astype(np.float32))


def along(x: torch.Tensor, name: str, axis: int) -> torch.Tensor:
    """Blocks of 4 along ``axis``; the last may be short."""
    rows = x.movedim(axis, -1)
    padded = torch.nn.functional.pad(rows, (0, -rows.shape[-1] % 4))
    found = blocks(padded.reshape(-1, padded.shape[-1]).numpy(), name, 4, "nearest")
    kept = torch.from_numpy(found.astype(np.float32)).reshape(padded.shape)
    return kept[..., : rows.shape[-1]].movedim(-1, axis).contiguous()


def reference(layer: Any, x: torch.Tensor, error: torch.Tensor, inner: int) -> list[torch.Tensor]:
    """y, and the gradients of x, the filters and the bias, by the torch layer of the same
    parameters; filters are summed along ``inner``."""

    def call(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.func.functional_call(layer, {"weight": w, "bias": b}, (x,))
        return found

    x, w, b, error = bf(x), bf(layer.weight), bf(layer.bias), bf(error)
    a, f = "fp8_e4m3", "fp4_e2m1"
    y = bf(call(along(x, a, 1), along(w, f, inner), b))
    rows, filters = x.clone().requires_grad_(), w.clone().requires_grad_()
    dx = torch.autograd.grad(call(rows, along(w, f, 1 - inner), b), rows, along(error, a, 1))[0]
    dw = torch.autograd.grad(call(along(x, a, 0), filters, b), filters, along(error, a, 0))[0]
    return [y, bf(dx), bf(dw), bf(error.sum([n for n in range(error.ndim) if n != 1]))]


CASES: dict[str, tuple[str, tuple[int, ...], dict[str, Any], tuple[int, ...]]] = {
    "conv1d": ("Conv1d", (6, 5, 3), {"stride": 2, "padding": 1}, (5, 6, 11)),
    "conv2d": ("Conv2d", (8, 12, 3), {"padding": 1}, (3, 8, 6, 5)),
    "same": ("Conv2d", (8, 4, (2, 3)), {"padding": "same"}, (3, 8, 6, 5)),  # type: ignore[dict-item]
    "groups": ("Conv2d", (12, 8, 3), {"dilation": 2, "groups": 2}, (2, 12, 7, 8)),
    "conv3d": ("Conv3d", (4, 4, 2), {"dilation": 2}, (2, 4, 5, 4, 3)),
    "transposed": (
        "ConvTranspose2d", (8, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1},
        (3, 8, 4, 3),
    ),
    "transposed, groups": (
        "ConvTranspose2d", (8, 12, 2), {"dilation": 2, "groups": 2}, (2, 8, 4, 3),
    ),
}  # fmt: skip


def both(name: str, specs: Any) -> tuple[Any, Any, torch.Tensor]:
    """A layer, torch's of the same parameters, and an input."""
    torch.manual_seed(0)
    kind, sizes, how, shape = CASES[name]
    layer, plain = getattr(mx, kind)(*sizes, **how, mx_specs=specs), getattr(torch.nn, kind)
    twin = plain(*sizes, **how)
    twin.load_state_dict(layer.state_dict())
    return layer, twin, torch.randn(shape, requires_grad=True)


@pytest.mark.filterwarnings("ignore:Using padding=")
@pytest.mark.parametrize("name", CASES)
def test_layers_and_their_gradients_are_the_written_out_ones(name: str) -> None:
    layer, twin, x = both(name, SPECS)
    y = layer(x)
    error = torch.randn(y.shape)
    y.backward(error)
    found = (y.detach(), x.grad, layer.weight.grad, layer.bias.grad)
    inner = 0 if "transposed" in name else 1
    for one, other in zip(found, reference(twin, x, error, inner), strict=True):
        torch.testing.assert_close(one, other, rtol=2**-7, atol=1e-5)  # sums in another order
        assert (one == other).double().mean() > 0.95
    wrong = reference(twin, x, error, 1 - inner)
    assert any((a == b).double().mean() < 0.95 for a, b in zip(found, wrong, strict=True))
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), y)
    assert torch.equal(copy.deepcopy(layer)(x), y)
    assert torch.equal(layer(x[0]), layer(x[:1])[0])


@pytest.mark.filterwarnings("ignore:Using padding=")
@pytest.mark.parametrize("name", CASES)
def test_without_a_specification_layers_are_those_of_torch(name: str) -> None:
    layer, twin, x = both(name, None)
    assert torch.equal(layer(x), twin(x))
    layer.apply_mx_specs(SPECS)
    assert not torch.equal(layer(x), twin(x))


def test_without_quantize_backprop_gradients_are_those_of_torch() -> None:
    specs = mx.MxSpecs({**SPECS, "quantize_backprop": False})  # type: ignore[dict-item]
    x, w = torch.randn(2, 8, 5, 5, requires_grad=True), torch.randn(4, 8, 3, 3, requires_grad=True)
    found = mx.conv2d(x, w, mx_specs=specs)
    plain = torch.nn.functional.conv2d(x, w)
    assert not torch.equal(found, plain)
    for one, other in zip(
        *(torch.autograd.grad(y.sum(), [x, w]) for y in (found, plain)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_functions_take_what_the_layers_take() -> None:
    x, layer = torch.randn(2, 6, 9), mx.Conv1d(6, 4, 3, 2, 1, mx_specs=SPECS, name="first")
    found = mx.conv1d(x, layer.weight, layer.bias, 2, 1, 1, 1, SPECS, "first")
    assert torch.equal(found, layer(x))
    deep = torch.randn(1, 4, 3, 4, 5)
    cube = mx.Conv3d(4, 2, 2, mx_specs=SPECS)
    assert torch.equal(mx.conv3d(deep, cube.weight, cube.bias, mx_specs=SPECS), cube(deep))
    layer.append_name(".fc")
    assert layer.name == "first.fc"


def test_dilation_stands_before_groups_in_transposed_layers() -> None:
    layer = mx.ConvTranspose2d(4, 6, 3, 1, 0, 0, 1, 2, False, SPECS, "up")
    assert (layer.dilation, layer.groups, layer.bias, layer.name) == ((1, 1), 2, None, "up")


def test_an_output_size_is_kept() -> None:
    layer, x = mx.ConvTranspose2d(4, 2, 3, 2, mx_specs=SPECS), torch.randn(1, 4, 5, 5)
    assert layer(x, output_size=(12, 11)).shape[2:] == (12, 11)
    assert layer(x).shape[2:] == (11, 11)


def test_what_no_layer_has_is_refused() -> None:
    with pytest.raises(ValueError, match="blok_size"):
        mx.Conv2d(4, 2, 3, mx_specs={"blok_size": 4})
    x, w = torch.zeros(1, 4, 5, 5), torch.zeros(2, 4, 3, 3)
    with pytest.raises(ValueError, match="padding='smae'"):
        mx.conv2d(x, w, padding="smae", mx_specs=SPECS)
    with pytest.raises(ValueError, match="needs stride=1"):
        mx.conv2d(x, w, stride=2, padding="same", mx_specs=SPECS)
    with pytest.raises(RuntimeError, match="channels"):
        mx.conv2d(x[:, :3], w, mx_specs=SPECS)
