"""Law: bad input to numformats.torch is refused before anything is computed, with the remedy."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf
from numformats.torch import AmaxScaling, Quantizer, quantize, reseed

X = torch.ones(3, 4)
STOCHASTIC = {"forward_rounding": "stochastic"}

OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"forward": "e4m4"}, ValueError, "did you mean 'e4m3'"),
    ({"backward": "e5m1"}, ValueError, "unknown format 'e5m1'"),
    ({"forward": 8}, TypeError, "give a format or a name"),
    ({"forward": "e4m3", "forward_rounding": "nearest"}, ValueError, "did you mean 'nearest_"),
    ({"forward": "e4m3", "forward_random_bits": 4}, ValueError, "N-bit"),
    ({"forward": "e4m3", "forward_rounding": "stochastic_a", "forward_random_bits": 0},
     ValueError, r"\[1, 64\]"),
    (STOCHASTIC, ValueError, "forward=None leaves values"),
    ({"backward_rounding": "stochastic", "forward": "e4m3"}, ValueError, "backward=None"),
    ({"forward_scaling": AmaxScaling()}, ValueError, "forward=None"),
    ({"forward": "mxfp4", "forward_scaling": AmaxScaling()}, ValueError, "its element 'e2m1'"),
    ({"forward": "e4m3", "forward_scaling": "tensor"}, TypeError, "write AmaxScaling"),
    ({"forward": "float<11,52>", "forward_scaling": AmaxScaling()}, ValueError, "float32"),
    ({"forward": "e4m3", "gradient": "clip"}, ValueError, "did you mean 'clipped'"),
    ({"backward": "e4m3", "gradient": "clipped"}, ValueError, "nothing|saturate"),
    ({"forward": "e4m3", "seed": -1, **STOCHASTIC}, ValueError, "seed=-1"),
    ({"forward": "e4m3", "seed": 1.5, **STOCHASTIC}, TypeError, "seed=1.5"),
    ({"forward": "e4m3", "stream": -1, **STOCHASTIC}, ValueError, "stream=-1"),
    ({"forward": "e4m3", "stream": 1.5, **STOCHASTIC}, TypeError, "stream=1.5"),
]  # fmt: skip

SCALINGS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"axis": 40}, ValueError, "axis=40"),
    ({"axis": "rows"}, TypeError, "axis='rows'"),
    ({"history": -1}, ValueError, "history=-1"),
    ({"axis": 0, "history": 4}, ValueError, "channels=64"),
    ({"axis": 0, "channels": 4}, ValueError, "leave channels out"),
    ({"axis": 0, "history": 2, "channels": 0}, ValueError, "channels=0"),
    ({"limit": 0.0}, ValueError, "limit=0.0"),
    ({"limit": float("inf")}, ValueError, "limit=inf"),
    ({"limit": "448"}, TypeError, "limit='448'"),
    ({"power_of_two": 1}, TypeError, "power_of_two=1"),
]

TENSORS: list[tuple[Any, str]] = [
    (torch.ones(3, dtype=torch.complex64), r"view_as_real"),
    (torch.ones(3, dtype=torch.int32), r"torch.int32.*x.float\(\)"),
    (torch.ones(3, dtype=torch.bool), r"x.float\(\)"),
    (torch.ones(3).to(torch.float8_e4m3fn), r"x.float\(\)"),
    (torch.nested.nested_tensor([torch.eye(3)]), r"x.to_padded_tensor\(0.0\)"),
    (torch.eye(3).to_sparse(), r"x.to_dense\(\)"),
    (torch.eye(4).to_sparse_csr(), r"x.to_dense\(\)"),
    (np.ones(3), "numformats.quantize"),
    ([1.0, 2.0], "is a list"),
]


@pytest.mark.parametrize("options, kind, match", OPTIONS, ids=lambda v: str(v)[:60])
def test_options(options: dict[str, Any], kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        Quantizer(**options)


@pytest.mark.parametrize("options, kind, match", SCALINGS, ids=lambda v: str(v)[:60])
def test_scalings(options: dict[str, Any], kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        AmaxScaling(**options)


@pytest.mark.parametrize("x, match", TENSORS, ids=lambda v: str(v)[:40].replace("\n", ""))
def test_tensors(x: Any, match: str) -> None:
    module = Quantizer("e4m3", stream=0, **STOCHASTIC)
    for call in (module, lambda x: quantize(x, "e4m3")):
        with pytest.raises(TypeError, match=match):
            call(x)
    assert module.key[3] == 0, "a refused tensor counted as a step"


@pytest.mark.parametrize("axis, x", [(2, X), (-3, X), (0, torch.ones(()))], ids=["2", "-3", "0-d"])
@pytest.mark.parametrize("way", ["forward", "backward"])
def test_axes_that_the_tensor_lacks(way: str, axis: int, x: torch.Tensor) -> None:
    module = Quantizer("e4m3", "e5m2", **{f"{way}_scaling": AmaxScaling(axis)})
    with pytest.raises(ValueError, match=f"axis={axis}, x has {x.ndim} dimensions"):
        module(x.clone().requires_grad_()).sum().backward()
    with pytest.raises(ValueError, match="twice"):
        Quantizer("e4m3", forward_scaling=AmaxScaling((0, -2)))(X)


@pytest.mark.parametrize(
    "options",
    [
        {"forward": "bfp<8,block=4,axis=2>", **STOCHASTIC},
        {"forward": "e4m3", "forward_scaling": AmaxScaling(2), **STOCHASTIC},
        {"forward": "e4m3", "forward_rounding": "stochastic_a", "forward_random_bits": 40},
    ],
    ids=["blocks", "scales", "random bits"],
)
def test_a_call_that_is_refused_draws_nothing(options: dict[str, Any]) -> None:
    module = Quantizer(stream=0, **options)
    with pytest.raises(ValueError, match=r"axis=2|random_bits=40"):
        module(X)
    assert module.key.tolist() == [0, 0, 0, 0]


def test_blocks_along_an_axis_that_the_tensor_lacks() -> None:
    with pytest.raises(ValueError, match="axis=2"):
        quantize(X, "bfp<8,block=4,axis=2>")


@pytest.mark.parametrize(
    "options", [{"rounding": "stochastic"}, {"backward": "e5m2", "backward_rounding": "stochastic"}]
)
def test_the_function_needs_a_key(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rounding=.stochastic.*key=0 or nf.Key\(seed, stream\)"):
        quantize(X, "e4m3", **options)


def test_the_module_has_a_default_seed() -> None:
    assert Quantizer("e4m3", stream=7, **STOCHASTIC).key.tolist() == [0, 7, 0, 0]


@pytest.mark.parametrize("key", [torch.ones(2, dtype=torch.int64), torch.ones(3), "a", 1.5, -1])
def test_keys(key: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"key|seed"):
        quantize(X, "e4m3", "stochastic", key=key)


@pytest.mark.parametrize(
    "options, match",
    [({"fmt": ["e4m3"]}, "give a format or a name"), ({"random_bits": True}, "random_bits=True")],
)
def test_options_that_have_no_hash_or_equal_others(options: dict[str, Any], match: str) -> None:
    how = {"fmt": "e4m3", "rounding": "stochastic_a", "random_bits": 1, "key": 0}
    quantize(X, **how)
    with pytest.raises(TypeError, match=match):
        quantize(X, **{**how, **options})


def test_a_function_keeps_no_history() -> None:
    for way in ("scaling", "backward_scaling"):
        with pytest.raises(ValueError, match=f"{way} keeps a history.*Quantizer"):
            quantize(X, "e4m3", backward="e5m2", **{way: AmaxScaling(history=2)})


def test_random_bits_beyond_the_lane_of_the_carrier() -> None:
    module = Quantizer("e4m3", forward_rounding="stochastic_a", forward_random_bits=40)
    assert module(X.double()).dtype == torch.float64
    with pytest.raises(ValueError, match=r"\[1, 32\]"):
        module(X)


def test_reseed_names_compiled_modules_as_they_were() -> None:
    net = torch.nn.Sequential(torch.nn.Sequential(Quantizer("e4m3", **STOCHASTIC)))
    reseed(net, 5)
    wanted = net[0][0].key.clone()
    net[0] = torch.compile(net[0], backend="eager")
    compiled = torch.compile(net, backend="eager")
    for model in (net, compiled):
        key = net[0]._orig_mod[0].key
        key.zero_()
        reseed(model, 5)
        assert torch.equal(key, wanted)


def test_reseed_makes_runs_a_function_of_the_seed() -> None:
    def run(seed: int) -> tuple[torch.Tensor, list[list[int]]]:
        net = torch.nn.Sequential(*(Quantizer("e4m3", **STOCHASTIC) for _ in range(3)))
        net(X * 1.03)
        reseed(net, seed)
        return net(X * 1.03), [module.key.tolist() for module in net]

    (one, keys), (two, others), (three, _) = run(1), run(1), run(2)
    assert torch.equal(one, two)
    assert keys == others
    assert len({tuple(key) for key in keys}) == 3
    assert not torch.equal(one, three)
    with pytest.raises(ValueError, match="seed=-1"):
        reseed(torch.nn.Sequential(Quantizer("e4m3", **STOCHASTIC)), -1)


def test_streams_of_names_are_published() -> None:
    """blake2b of the name, the first 8 bytes, little-endian."""
    digest = hashlib.blake2b(b"encoder.0", digest_size=8).digest()
    key = nf.Key(4, int.from_bytes(digest, "little"))
    module = Quantizer("fixed<8,3>", seed=4, stream="encoder.0", **STOCHASTIC)
    x = torch.rand(100)
    for step in range(2):
        assert torch.equal(
            module(x), nf.quantize(x, "fixed<8,3>", "stochastic", key=key.fold(step))
        )
