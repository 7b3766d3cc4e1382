"""Law: the operators keep what they declare: schema, fake kernels, gradients, dynamic shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import numformats as nf
from numformats.torch import AmaxScaling, ops, quantize
from numformats.torch.direction import Direction, checked, direction
from numformats.torch.keys import key_of, key_tensor
from tests.torch.written_out import DTYPES

KEY = key_tensor(nf.Key(3, 2**64 - 1), 5)
QUANTIZE: dict[str, tuple[Any, ...]] = {
    "plain": (None, None, None, "e4m3 nearest_even", "none nearest_even", False),
    "nothing": (None, None, None, "none nearest_even", "e5m2 nearest_even", False),
    "drawn": (None, KEY, None, "e4m3 stochastic", "e5m2 stochastic", True),
    "few bits": (None, KEY, None, "e4m3 stochastic_a bits=8", "e5m2 stochastic_b bits=4", True),
    "scaled": (torch.ones(1, 1), None, None, "fixed<8,0> nearest_even", "e5m2 to_odd amax", True),
    "blocks": (None, None, None, "mxfp4 nearest_even", "nvfp4 nearest_even", True),
    "history": (None, None, torch.ones(4), "e4m3 nearest_even", "e5m2 nearest_even amax", False),
}


def sample(layout: str, dtype: Any) -> torch.Tensor:
    x = torch.randn(6, 40, generator=torch.Generator().manual_seed(1)).to(dtype) * 8
    return {"dense": x, "transposed": x.T, "strided": x[:, ::3], "empty": x[:0]}[layout]


@pytest.mark.parametrize("layout", ["dense", "transposed", "strided", "empty"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("how", QUANTIZE)
def test_quantize(how: str, dtype: Any, layout: str) -> None:
    args = [a.clone() if isinstance(a, torch.Tensor) else a for a in QUANTIZE[how]]
    x = sample(layout, dtype).detach().requires_grad_()
    # a history that the gradient's scale writes to is state, which the eager and the traced run
    # of the autograd checks would share
    tests = ("test_schema", "test_faketensor")
    if how != "history":
        tests = (*tests, "test_autograd_registration", "test_aot_dispatch_dynamic")
    torch.library.opcheck(torch.ops.numformats.quantize, (x, *args), test_utils=tests)


@pytest.mark.parametrize("layout", ["dense", "transposed", "strided", "empty"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_others(dtype: Any, layout: str) -> None:
    x = sample(layout, dtype)
    torch.library.opcheck(torch.ops.numformats.inside, (x, None, "e4m3 nearest_even"))
    torch.library.opcheck(torch.ops.numformats.inside, (x, None, "nvfp4 nearest_even"))
    torch.library.opcheck(
        torch.ops.numformats.inside, (x, torch.ones(1, 1), "fixed<8,3> nearest_even")
    )
    torch.library.opcheck(torch.ops.numformats.amax_scale, (x, "e4m3 nearest_even amax"))
    for record in (False, True):
        args = (x, torch.zeros(3, x.shape[1]), "e4m3 nearest_even amax axes=-1x", record)
        torch.library.opcheck(torch.ops.numformats.delayed_scale, args)
    torch.library.opcheck(torch.ops.numformats.advance, (KEY.clone(), 1))


def test_every_operator_is_checked_here() -> None:
    registered = {name for name, found in vars(ops).items() if hasattr(found, "register_fake")}
    assert registered == {"quantize", "inside", "amax_scale", "delayed_scale", "advance"}


DIRECTIONS = [
    Direction(),
    checked("forward", "e4m3"),
    checked("forward", "bfp<8,block=16>", "stochastic_a", 7),
    checked("forward", nf.FixedPoint(8, 0), scaling=AmaxScaling(power_of_two=True)),
    checked("forward", "e2m1", "to_odd", None, AmaxScaling((0, -1), limit=5.5)),
    *(checked("forward", fmt) for fmt in nf.formats()),
]


@pytest.mark.parametrize("way", DIRECTIONS, ids=lambda way: way.text)
def test_text_is_read_back(way: Direction) -> None:
    found = direction(way.text)
    assert (found.fmt, found.rounding, found.random_bits) == (
        way.fmt,
        way.rounding,
        way.random_bits,
    )
    assert (found.axes, found.power_of_two) == (way.axes, way.power_of_two)
    assert way.fmt is None or found.limit == way.limit
    assert (found.scaling is None) == (way.scaling is None)


@pytest.mark.parametrize("key", [nf.Key(0), nf.Key(2**64 - 1, 2**63, 17), 5], ids=str)
def test_keys_are_read_back(key: Any) -> None:
    whole = nf.Key(key) if isinstance(key, int) else key
    assert key_of(key_tensor(key)) == whole
    folded = key_of(key_tensor(key, 9, 2**64 - 1))
    assert folded == whole.fold(9).fold(2**64 - 1).at(whole.start)


@pytest.mark.parametrize("fmt", ["e4m3", "mxfp4"])
def test_compiled_functions_take_formats_keys_and_other_shapes(fmt: str) -> None:
    """Formats as objects; a key as a tensor is not frozen; one graph serves several shapes."""
    torch._dynamo.reset()
    how = {"scaling": AmaxScaling((0, -1), limit=400.5)} if fmt == "e4m3" else {}
    target = nf.parse(fmt)

    def call(x: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return quantize(x, target, "stochastic", key=key, gradient="clipped", **how)

    compiled = torch.compile(call, fullgraph=True, backend="aot_eager", dynamic=True)
    for n in (64, 33, 128):
        x = torch.randn(n, 40, requires_grad=True)
        key = key_tensor(nf.Key(1, n))
        wanted, got = call(x, key), compiled(x, key)
        assert torch.equal(got, wanted)
        wanted_grad, got_grad = (torch.autograd.grad(y.sum(), x)[0] for y in (wanted, got))
        assert torch.equal(got_grad, wanted_grad)


def test_keys_are_made_in_compiled_functions() -> None:
    def call(x: torch.Tensor) -> torch.Tensor:
        return quantize(x, "e4m3", "stochastic", key=nf.Key(1, 2).fold(3))

    x = torch.randn(5, 6)
    compiled = torch.compile(call, backend="eager")
    assert torch.equal(compiled(x), call(x))


MADE_INSIDE = {
    "scaling": lambda x: quantize(x, "e2m1", scaling=AmaxScaling(0, power_of_two=True)),
    "float": lambda x: quantize(x, nf.Float(4, 3, bias=9, specials="finite"), gradient="clipped"),
    "fixed": lambda x: quantize(x, "e4m3", backward=nf.FixedPoint(8, 3, symmetric=True)),
    "blocks": lambda x: quantize(x, nf.BlockFloat(nf.FixedPoint(4, 2), 3, axis=0)),
}


@pytest.mark.parametrize("name", MADE_INSIDE)
def test_formats_and_scalings_are_made_in_compiled_functions(name: str) -> None:
    torch._dynamo.reset()
    call, x = MADE_INSIDE[name], torch.randn(6, 5) * torch.logspace(-2, 2, 6)[:, None]
    compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
    x.requires_grad_()
    wanted, got = call(x), compiled(x)
    assert torch.equal(got, wanted)
    grads = [torch.autograd.grad(y.square().sum(), x)[0] for y in (wanted, got)]
    assert torch.equal(*grads)
