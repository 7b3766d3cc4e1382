"""Law: a data type that is a format names it, and its arrays hold its codes, in place."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest
import torch

import numformats as nf
from numformats.dtypes import NAMES, PAIRED
from tests.conftest import ROOT
from tests.test_import import run

ML_FLOATS = [name for name in dir(ml_dtypes) if name.startswith(("float", "bfloat"))]
NUMPY = [np.dtype(getattr(ml_dtypes, name)) for name in ML_FLOATS] + [np.dtype(np.float16)]
TORCH = [
    dtype
    for name in dir(torch)
    if isinstance(dtype := getattr(torch, name), torch.dtype)
    and dtype.is_floating_point
    and name.startswith(("float8", "float16", "bfloat16"))
]
HEAVY = """
import json, sys
import numpy as np, numformats as nf
nf.parse(np.float16); nf.as_codes(np.float16([1.0])); nf.decode(np.float16([1.0]))
print(json.dumps([name for name in ("torch", "ml_dtypes") if name in sys.modules]))
"""


def all_codes(bits: int) -> np.ndarray:
    return np.arange(1 << bits).astype(np.uint16 if bits > 8 else np.uint8)


def same_values(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal, signs of zeros included; NaN where NaN."""
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(np.signbit(ours[ours == 0]), np.signbit(theirs[theirs == 0]))


def test_the_libraries_have_the_types_that_are_tested() -> None:
    assert len(ML_FLOATS) >= 12
    assert len(TORCH) >= 7


def test_every_float_type_of_both_libraries_is_known() -> None:
    torch_names = {
        name
        for name in dir(torch)
        if isinstance(dtype := getattr(torch, name), torch.dtype) and dtype.is_floating_point
    }
    assert {*ML_FLOATS, *torch_names} - {"float", "double", "half"} <= {*NAMES}


@pytest.mark.parametrize("dtype", NUMPY, ids=str)
def test_every_code_of_a_numpy_type_is_ours(dtype: np.dtype) -> None:
    fmt = nf.parse(dtype)
    codes = all_codes(fmt.bits)
    there = codes.view(dtype)
    same_values(nf.decode(codes, fmt), there.astype(np.float32))
    same_values(nf.decode(there), there.astype(np.float32))
    assert nf.parse(dtype.type) == nf.parse(dtype.name) == fmt


@pytest.mark.parametrize("dtype", TORCH, ids=str)
def test_every_code_of_a_torch_type_is_ours(dtype: torch.dtype) -> None:
    fmt = nf.parse(dtype)
    there = torch.from_numpy(all_codes(fmt.bits)).view(dtype)
    ours = nf.decode(there)
    assert isinstance(ours, torch.Tensor)
    same_values(ours.numpy(), there.float().numpy())


@pytest.mark.parametrize("dtype", NUMPY, ids=str)
def test_numpy_arrays_and_codes_share_memory_both_ways(dtype: np.dtype) -> None:
    wide = np.zeros((3, 8), dtype)
    x = wide[:, ::2]  # strided
    found = nf.as_codes(x)
    assert found.fmt == nf.parse(dtype)
    back = nf.as_dtype(found, dtype)
    assert np.shares_memory(found.codes, wide)
    assert np.shares_memory(back, wide)
    assert (back.dtype, back.shape, back.strides) == (dtype, x.shape, x.strides)
    found.codes[1, 2] = 1
    assert wide.view(found.codes.dtype)[1, 4] == 1
    assert nf.as_codes(x[:0]).shape == (0, 4)


@pytest.mark.parametrize("dtype", TORCH, ids=str)
def test_tensors_and_codes_share_memory_both_ways(dtype: torch.dtype) -> None:
    unsigned = torch.uint16 if dtype.itemsize == 2 else torch.uint8
    wide = torch.zeros(3, 8, dtype=unsigned).view(dtype)
    x = wide[:, ::2]
    found = nf.as_codes(x)
    back = nf.as_dtype(found, dtype)
    assert found.codes.data_ptr() == back.data_ptr() == wide.data_ptr()
    assert (back.dtype, back.stride()) == (dtype, x.stride())
    assert nf.as_codes(x[:0]).shape == (0, 4)


def test_codes_of_a_tensor_that_requires_grad_are_no_part_of_its_graph() -> None:
    x = torch.zeros(2, dtype=torch.bfloat16, requires_grad=True)
    assert not nf.as_codes(x).codes.requires_grad


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, torch.float8_e4m3fn], ids=str)
def test_a_type_stands_where_a_format_does(dtype: object) -> None:
    x = np.float32([0.3, 1000.0, -0.01])
    np.testing.assert_array_equal(nf.quantize(x, dtype), nf.quantize(x, nf.E4M3))
    np.testing.assert_array_equal(nf.encode(x, dtype), nf.encode(x, nf.E4M3))
    assert nf.error(x, dtype) == nf.error(x, nf.E4M3)
    assert nf.packed_size(3, dtype) == 3
    assert nf.engine("nvidia-h100", inputs=dtype, path="wgmma") == nf.engine(
        "nvidia-h100", inputs="e4m3", path="wgmma"
    )


def test_a_type_stands_where_a_format_does_in_modules() -> None:
    from numformats.torch import Quantizer, quantize, simulate

    x = torch.randn(4, 4)
    assert torch.equal(quantize(x, torch.float8_e5m2), quantize(x, "e5m2"))
    assert torch.equal(Quantizer(torch.float8_e5m2)(x), quantize(x, "e5m2"))
    with simulate(torch.bfloat16):
        typed = x @ x
    with simulate("bf16"):
        named = x @ x
    assert torch.equal(typed, named)


def test_encoded_values_are_those_that_the_library_casts_to() -> None:
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    ours = nf.as_dtype(nf.encode(x, ml_dtypes.float8_e4m3fn), ml_dtypes.float8_e4m3fn)
    theirs = x.astype(ml_dtypes.float8_e4m3fn)
    np.testing.assert_array_equal(ours.view(np.uint8), theirs.view(np.uint8))


def test_pairs_in_a_byte_name_their_half_and_unpack_as_the_error_says() -> None:
    codes = np.uint8([[1, 2, 15, 0]])
    packed = torch.from_numpy(nf.pack(codes, "e2m1"))
    paired = packed.view(getattr(torch, PAIRED))
    assert nf.parse(paired.dtype) == nf.E2M1
    for call in (nf.as_codes, nf.decode):
        with pytest.raises(TypeError, match=r"nf\.unpack"):
            call(paired)
    found = nf.unpack(paired.view(torch.uint8), "e2m1", (1, 4))
    np.testing.assert_array_equal(found.numpy(), codes)
    with pytest.raises(TypeError, match=r"nf\.pack"):
        nf.as_dtype(found, paired.dtype)


@pytest.mark.parametrize("dtype", [np.int8, np.dtype(bool), torch.int32, ml_dtypes.int4], ids=str)
def test_types_that_are_no_floats_are_refused(dtype: object) -> None:
    with pytest.raises(TypeError, match=r"no float format; write .*fixed<8,0>"):
        nf.parse(dtype)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: nf.parse(float), TypeError, "data type such as"),
        (lambda: nf.as_codes(np.zeros(3, np.int8)), TypeError, "int8, which is no format"),
        (lambda: nf.as_codes([1.0]), TypeError, "list of dtype None"),
        (lambda: nf.as_codes(np.zeros(3, ">f2")), TypeError, "big-endian"),
        (lambda: nf.decode(np.uint8([1])), TypeError, "fmt is missing"),
        (lambda: nf.decode(np.float16([1]), "e4m3"), TypeError, "leave fmt out"),
        (lambda: nf.as_dtype(np.uint8([1]), np.float16), TypeError, "unsigned integers of 2 bytes"),
        (lambda: nf.as_dtype(np.int8([1]), ml_dtypes.float8_e5m2), TypeError, "unsigned"),
        (lambda: nf.as_dtype(np.uint8([1]), torch.float8_e5m2), TypeError, r"torch\.from_numpy"),
        (lambda: nf.as_dtype(torch.zeros(1, dtype=torch.uint8), ml_dtypes.float8_e5m2),
         TypeError, r"codes\.numpy"),
        (lambda: nf.as_dtype(np.uint8([16]), ml_dtypes.float4_e2m1fn), ValueError, "below 16"),
        (lambda: nf.as_dtype(nf.as_codes(np.float16([1])), ml_dtypes.bfloat16),
         ValueError, "holds bf16"),
        (lambda: nf.as_dtype(nf.encode(np.ones(32, np.float32), "mxfp4"), ml_dtypes.float4_e2m1fn),
         TypeError, "codes are a BlockCodes"),
        (lambda: nf.as_dtype(np.uint8([1]), "e4m3"), TypeError, "holds no codes"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(call, error, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        call()


def test_the_page_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/formats.md").read_text(), re.DOTALL)
    block = next(block for block in blocks if "ml_dtypes" in block)
    names: dict[str, object] = {}
    exec(compile(block, "docs/formats.md", "exec"), names)
    same_values(names["y"].astype(np.float32), np.float32([0.3125]))  # type: ignore[attr-defined]


def test_types_are_recognised_without_their_libraries() -> None:
    assert run(HEAVY) == []
