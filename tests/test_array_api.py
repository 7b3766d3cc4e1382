"""Law: host arrays of the array API standard lend their memory, and results are of their kind."""

from __future__ import annotations

import importlib
import re
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests.conftest import ROOT

X = np.float32([[0.3, 1000.0, -0.01], [1.0625, -2.0, 0.0]])


class Standard:
    """What the standard asks of an array, as far as an exchange of memory needs it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return SPACE

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()

    @property
    def dtype(self) -> Any:
        return self.values.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape


SPACE = types.SimpleNamespace(from_dlpack=lambda x: Standard(np.from_dlpack(x)))


class Closed:
    """An array of the standard without DLPack or any other way in."""

    dtype, shape = np.dtype(np.float32), (1,)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return SPACE


def strict(values: np.ndarray) -> Any:
    return importlib.import_module("array_api_strict").asarray(values)


def made(kind: str, values: np.ndarray) -> Any:
    if kind == "array_api_strict":
        pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
        return strict(values)
    return Standard(values)


CALLS: dict[str, Callable[[Any], Any]] = {
    "quantize": lambda x: nf.quantize(x, "e4m3"),
    "blocks": lambda x: nf.quantize(x, "mxfp4", "stochastic", key=1),
    "encode": lambda x: nf.encode(x, "e4m3"),
    "wide encode": lambda x: nf.encode(x, "fp64"),
    "block codes": lambda x: nf.encode(x, "mxfp4").scales,
    "spacing": lambda x: nf.spacing(x, "e4m3"),
    "draws": lambda x: nf.variance_corrected(x, 0.1, "fixed<16,8>", key=1),
    "matmul": lambda x: nf.matmul(x, x, engine=nf.engine("nvidia-h100", inputs="fp16")),
}


@pytest.mark.parametrize("kind", ["Standard", "array_api_strict"])
@pytest.mark.parametrize("call", CALLS)
def test_results_are_those_of_numpy_in_the_kind_that_came(call: str, kind: str) -> None:
    values = np.float32([[0.5, 2.0], [1.0, -4.0]]) if call == "matmul" else X
    x = made(kind, values)
    found = CALLS[call](x)
    assert type(found) is type(x)
    np.testing.assert_array_equal(np.from_dlpack(found), CALLS[call](values))


@pytest.mark.parametrize("kind", ["Standard", "array_api_strict"])
def test_codes_come_back_and_results_go_where_they_are_told(kind: str) -> None:
    x = made(kind, X.copy())
    codes = nf.encode(x, "e4m3")
    values = nf.decode(codes, "e4m3")
    assert type(codes) is type(values) is type(x)
    np.testing.assert_array_equal(np.from_dlpack(values), nf.quantize(X, "e4m3"))
    packed = nf.pack(codes, "e4m3")
    np.testing.assert_array_equal(np.from_dlpack(nf.unpack(packed, "e4m3", X.shape)),
                                  nf.encode(X, "e4m3"))  # fmt: skip
    assert nf.quantize(x, "e4m3", out=x) is x
    np.testing.assert_array_equal(np.from_dlpack(x), nf.quantize(X, "e4m3"))


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(TypeError, match="Closed of dtype object; give a NumPy array"):
        nf.quantize(Closed(), "e4m3")
    with pytest.raises(TypeError, match="int64"):
        nf.quantize(Standard(np.arange(3)), "e4m3")
    with pytest.raises(TypeError, match="give a Standard as x is"):
        nf.quantize(Standard(X), "e4m3", out=X.copy())
    with pytest.raises(TypeError, match=r"give a numpy\.ndarray"):
        nf.quantize(X, "e4m3", out=Standard(X.copy()))
    with pytest.raises(TypeError, match="give"):
        nf.matmul(Standard(X), X.T, engine=nf.engine("nvidia-h100", inputs="fp16"))


def test_numpy_arrays_and_scalars_stay_numpy() -> None:
    assert type(nf.quantize(X, "e4m3")) is np.ndarray
    assert type(nf.quantize(np.float32(0.3), "e4m3")) is np.float32


def test_the_page_runs() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/ecosystem.md").read_text(), re.DOTALL)
    for block in blocks:
        if "basicConfig" not in block:
            exec(compile(block, "docs/ecosystem.md", "exec"), {})
