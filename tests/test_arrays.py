"""Law: any array goes in, the same kind comes out, and nothing else is allocated."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

import numformats as nf
from tests.inputs import DTYPES, assert_same_bits, bit_type
from tests.runnable import BACKENDS

FORMATS = ["e4m3", "fixed<8,3>", "mxfp4", "nvfp4", "bfp<8,block=16>"]
TORCH = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "contiguous": lambda x: x,
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "strided rows": lambda x: np.repeat(x, 3, axis=0)[::3],
    "negative stride": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda x: x.T.copy().T,
    "Fortran": np.asfortranarray,
    "broadcast": lambda x: np.broadcast_to(x, x.shape),
    "offset": lambda x: np.concatenate([x.ravel()[:1], x.ravel()])[1:].reshape(x.shape),
}


def sample(shape: tuple[int, ...] = (12, 40), dtype: Any = np.float32) -> np.ndarray:
    return (np.random.default_rng(1).normal(size=shape) * 4).astype(dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FORMATS)
def test_layouts(name: str, layout: str, backend: str) -> None:
    x = sample()
    wanted = nf.quantize(x, name, backend=backend)
    given = LAYOUTS[layout](x)
    got = nf.quantize(given, name, backend=backend)
    assert_same_bits(np.ascontiguousarray(got), wanted)
    np.testing.assert_array_equal(given, x)
    into = LAYOUTS[layout](np.zeros_like(x))
    if into.flags.writeable:
        assert nf.quantize(given, name, backend=backend, out=into) is into
        np.testing.assert_array_equal(into, wanted)


@pytest.mark.parametrize(
    "shape", [(0,), (0, 3), (3, 0), (2, 0, 5), (1,), (1, 1), (33,), (2, 3, 4, 5)]
)
@pytest.mark.parametrize("name", FORMATS)
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    x = sample(shape)
    got = nf.quantize(x, name)
    assert (got.shape, got.dtype) == (x.shape, x.dtype)
    assert_same_bits(nf.decode(nf.encode(x, name), name), got)


@pytest.mark.parametrize("name", FORMATS)
def test_zero_dimensions(name: str) -> None:
    for value in (1.06, -3.0, 0.0):
        wanted = nf.quantize(np.float32([value]), name)[0]
        got = nf.quantize(np.array(value, np.float32), name)
        assert np.shape(got) == ()
        assert np.float32(got) == wanted
        tensor = nf.quantize(torch.tensor(value), name)
        assert tensor.shape == ()
        assert float(tensor) == wanted


def test_numpy_scalars() -> None:
    got = nf.quantize(np.float32(1.06), "e4m3")
    assert np.shape(got) == ()
    assert got.dtype == np.float32
    assert got == np.float32(1.0)


def test_read_only_input() -> None:
    x = sample()
    x.flags.writeable = False
    assert nf.quantize(x, "e4m3").flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        nf.quantize(x, "e4m3", out=x)


def test_an_out_whose_elements_share_memory() -> None:
    x = sample()
    shared = np.lib.stride_tricks.as_strided(np.zeros(4, np.float32), (3, 4), (0, 4))
    with pytest.raises(ValueError, match=r"elements of out share their memory \(strides \(0, 4\)"):
        nf.quantize(np.ones((3, 4), np.float32), "e4m3", out=shared)
    tensor = torch.zeros(1).expand(5)
    with pytest.raises(ValueError, match="elements of out share their memory"):
        nf.quantize(torch.ones(5), "e4m3", out=tensor)
    assert nf.quantize(x[:1], "e4m3", out=x[:1]) is not None


def test_a_masked_array_is_refused() -> None:
    x = np.ma.masked_array(np.float32([1.06, 3.0]), [False, True])
    for verb in (nf.quantize, nf.encode):
        with pytest.raises(TypeError, match=r"x is a masked array.*write x.filled"):
            verb(x, "e4m3")


def test_an_out_that_negates_what_lies_in_memory() -> None:
    """Tensors with the negative bit are read as they are, and refused as ``out``."""
    x = torch.tensor([1 + 1.06j, 2 + 3.3j]).conj().imag
    assert x.is_neg()
    assert nf.quantize(x, "e4m3").tolist() == [-1.0, -3.25]
    with pytest.raises(ValueError, match="out is a tensor with the negative bit"):
        nf.quantize(x, "e4m3", out=x)
    with pytest.raises(ValueError, match="out is a tensor with the negative bit"):
        nf.matmul(
            x[:, None], x[None], engine=nf.engine("nvidia-h100", inputs="tf32"), out=x[:, None]
        )
    assert x.tolist() == [-1.059999942779541, -3.299999952316284]


@pytest.mark.parametrize("name", FORMATS)
def test_in_place(name: str) -> None:
    x = sample()
    wanted = nf.quantize(x, name)
    assert nf.quantize(x, name, out=x) is x
    assert_same_bits(x, wanted)
    tensor = torch.from_numpy(sample())
    assert nf.quantize(tensor, name, out=tensor) is tensor
    assert_same_bits(tensor.numpy(), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_torch_is_numpy(name: str, dtype: str) -> None:
    """Same dtype, shape and bits from a tensor as from an array."""
    x = sample(dtype=DTYPES[dtype])
    wanted = nf.quantize(x, name)
    assert wanted.dtype == x.dtype
    wide = torch.from_numpy(x.astype(np.float64))
    tensor = wide.to(TORCH[dtype])
    got = nf.quantize(tensor, name)
    assert isinstance(got, torch.Tensor)
    assert (got.dtype, got.shape) == (TORCH[dtype], tensor.shape)
    np.testing.assert_array_equal(got.double().numpy(), wanted.astype(np.float64))
    turned = nf.quantize(tensor.t().contiguous().t(), name)
    assert torch.equal(turned, got)


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_out_is_written_in_place(dtype: str) -> None:
    tensor = torch.from_numpy(sample().astype(np.float64)).to(TORCH[dtype])
    out = torch.empty_like(tensor)
    place = out.data_ptr()
    assert nf.quantize(tensor, "e4m3", out=out) is out
    assert out.data_ptr() == place
    assert torch.equal(out, nf.quantize(tensor, "e4m3"))


@pytest.mark.parametrize("carrier", ["float16", "bfloat16"])
def test_half_carriers_agree_with_float32(carrier: str) -> None:
    """All 2^16 patterns: widening loses nothing, and the result fits back."""
    dtype: Any = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}[carrier]
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    x = x[np.isfinite(x.astype(np.float32))]
    for name in ("e4m3", "e5m2", "e2m1", "fixed<8,3>"):
        got = nf.quantize(x, name)
        assert got.dtype == dtype
        np.testing.assert_array_equal(
            got.astype(np.float32), nf.quantize(x.astype(np.float32), name)
        )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_tensors_may_be_resized_afterwards(dtype: str) -> None:
    """As FSDP does with parameters; after ``Tensor.numpy()`` torch refuses."""
    torch = pytest.importorskip("torch")
    x = torch.ones(4, 6, dtype=getattr(torch, dtype))
    for view in (x, x.T, x[:, ::2], x[:0], x[0, 0]):
        nf.quantize(view, "e4m3", out=None if view is not x else torch.empty_like(x))
        nf.encode(view, "e4m3")
    assert x.untyped_storage().resizable()
    y = x.clone()
    y.numpy() if dtype != "bfloat16" else y.view(torch.int16).numpy()
    assert not y.untyped_storage().resizable()


def test_grad_is_refused_and_no_grad_is_not() -> None:
    tensor = torch.ones(3, requires_grad=True)
    with pytest.raises((TypeError, ValueError), match=r"grad"):
        nf.quantize(tensor, "e4m3")
    with torch.no_grad():
        assert not nf.quantize(tensor, "e4m3").requires_grad


BAD_OUT = {
    "shape": (np.zeros((3, 4), np.float32), ValueError, r"\(3, 4\)"),
    "dtype": (np.zeros((12, 40), np.float64), (TypeError, ValueError), "float64"),
    "kind": (torch.zeros(12, 40), TypeError, "ensor"),
    "list": ([0.0], TypeError, "list"),
}


@pytest.mark.parametrize("what", BAD_OUT)
def test_a_mismatching_out_is_refused_and_untouched(what: str) -> None:
    out, error, words = BAD_OUT[what]
    before = np.asarray(out).copy()
    with pytest.raises(error, match=words):
        nf.quantize(sample(), "e4m3", out=out)
    np.testing.assert_array_equal(np.asarray(out), before)


@pytest.mark.parametrize("rounding", ["nearest_even", "stochastic"])
@pytest.mark.parametrize("name", ["e4m3", "fixed<8,3>", "fixed<8,3,overflow=wrap>", "mxfp8_e4m3"])
def test_nothing_is_allocated_beside_the_output(name: str, rounding: str) -> None:
    """NumPy reports its buffers to tracemalloc; 16 MiB pass through less than 1 MiB."""
    x = sample((1 << 22,))
    out = np.empty_like(x)
    key = 3 if rounding == "stochastic" else None
    nf.quantize(x, name, rounding, key=key, out=out)  # compile first
    tracemalloc.start()
    try:
        nf.quantize(x, name, rounding, key=key, out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20, f"{peak} bytes beside the output"


def test_the_allocation_test_sees_a_copy() -> None:
    """Negative control."""
    x = sample((1 << 20,))
    tracemalloc.start()
    x.view(bit_type(x.dtype)).copy()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > 1 << 20


@pytest.mark.parametrize("name", ["e4m3", "mxfp4"])
def test_codes_of_tensors_are_tensors(name: str) -> None:
    x = sample()
    wanted = nf.encode(x, name)
    got = nf.encode(torch.from_numpy(x), name)
    if name == "e4m3":
        assert isinstance(got, torch.Tensor)
        np.testing.assert_array_equal(got.numpy(), wanted)
    else:
        assert isinstance(got.codes, torch.Tensor)
        np.testing.assert_array_equal(got.codes.numpy(), wanted.codes)
        np.testing.assert_array_equal(got.scales.numpy(), wanted.scales)
    back = nf.decode(got, name)
    assert isinstance(back, torch.Tensor)
    np.testing.assert_array_equal(back.numpy(), nf.quantize(x, name))


def test_bfloat16_numbers_and_lists_of_them() -> None:
    kind = DTYPES["bfloat16"]
    got = nf.quantize([kind(1.06), kind(3.3)], "e4m3")
    assert got.dtype == kind
    assert got.tolist() == [1.0, 3.25]
    assert type(nf.quantize(kind(1.06), "e4m3")) is kind
